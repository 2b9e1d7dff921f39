"""Owns the nodes of a trace and what they read: which value a tensor holds now, and which parameter it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import torch

from nn3d.errors import TraceError
from nn3d.extract import vocabulary
from nn3d.extract.arrays import dtype_name, to_numpy
from nn3d.extract.calls import Call
from nn3d.extract.draft import Draft, DraftOutput
from nn3d.extract.identity import Identity, Known, memory_key
from nn3d.extract.sharding import is_part
from nn3d.run.model import Source


class Nodes:
    """Nodes in the order they ran. parameters : id → (name, tensor), buffers among them."""

    def __init__(self, parameters: Mapping[int, tuple[str, torch.Tensor]]) -> None:
        self.drafts: list[Draft] = []
        self.on_output: Callable[[Draft, int, torch.Tensor], None] | None = None
        self.identity = Identity()
        self.notes: list[str] = []
        self.transposed: set[int] = set()
        self.used: set[int] = set()
        self._names: Counter[str] = Counter()
        self._stack: list[tuple[str, int]] = [("", 0)]
        self._is_leaf = {"": True}
        self._seen: set[int] = set()
        self._parameter_names = {k: name for k, (name, _) in parameters.items()}
        self._parameters = {id(t): k for k, (_, t) in parameters.items()}
        self._ids = {name: k for k, (name, _) in parameters.items()}
        self._trained = frozenset(k for k, (_, t) in parameters.items() if isinstance(t, torch.nn.Parameter))
        self._parameter_memory = {key: k for k, (_, t) in parameters.items() if (key := memory_key(t)) is not None}
        self._parameter_nodes: dict[int, int] = {}
        self._transposes: dict[int, int] = {}
        self.spatial_first: set[int] = set()
        self._turned: dict[int, int] = {}

    def draft(self, op: str, call: Call | None = None) -> Draft:
        """A new node of the running module, named by it."""
        path, start = self._stack[-1]
        is_own = self._is_leaf.get(path, False) and path and start == len(self.drafts)
        short = op.removeprefix("other:").strip("_")
        name = path if is_own else f"{path}.{short}" if path else short
        attributes = call.attributes() if call is not None else {}
        return Draft(len(self.drafts), op, self._unique(name), path, attributes)

    def finish(self, draft: Draft, made: Iterable[torch.Tensor], written: Iterable[torch.Tensor] = ()) -> Draft:
        """Append a node whose inputs are bound; copy its outputs and remember who holds them."""
        draft.index = len(self.drafts)
        self.drafts.append(draft)
        writes = {id(t) for t in written}
        for tensor in made:
            self.identity.remember(tensor, draft.index, len(draft.outputs), written=id(tensor) in writes)
            self._seen.add(id(tensor))
            self.add_output(draft, tensor)
        return draft

    def add_output(self, draft: Draft, tensor: torch.Tensor, name: str = "", *, recomputed: bool = False) -> None:
        """One more output, copied now."""
        output = DraftOutput(tuple(tensor.shape), dtype_name(tensor), to_numpy(tensor), name, recomputed)
        draft.outputs.append(output)
        if self.on_output is not None:
            self.on_output(draft, len(draft.outputs) - 1, tensor)

    def _unique(self, name: str) -> str:
        self._names[name] += 1
        return name if self._names[name] == 1 else self._unique(f"{name}_{self._names[name]}")

    def _holder(self, op: str, name: str, tensor: torch.Tensor) -> Draft:
        """A node without inputs that holds a tensor: an input, a parameter or a constant."""
        draft = Draft(len(self.drafts), op, self._unique(name), self._stack[-1][0] if op == "constant" else "")
        return self.finish(draft, [tensor])

    def rename(self, first: int, op: str, names: tuple[str, ...]) -> None:
        """Call the nodes of one operation from `first` on by the given names, in order."""
        chosen = [d for d in self.drafts[first:] if d.op == op]
        for draft, name in zip(chosen, names, strict=True):
            draft.name = self._unique(f"{draft.module}.{name}" if draft.module else name)

    # Where values come from

    def bind(self, draft: Draft, named: Iterable[tuple[str, torch.Tensor | None]]) -> None:
        """Bind tensors to a node by argument name: parameters by role, everything else as inputs."""
        for name, tensor in named:
            if tensor is not None:
                self._bind_one(draft, name, tensor)

    def _bind_one(self, draft: Draft, name: str, tensor: torch.Tensor, *, is_scaling: bool = False) -> None:
        known = self.identity.find(tensor) if self._turned else None
        is_kernel = known is not None and name == "weight" and draft.op.startswith("conv")
        turned = self._turned.get(known.node) if known is not None and is_kernel else None
        if turned is not None:
            self.spatial_first.add(turned)
        parameter = turned if turned is not None else self._parameter_of(tensor)
        if parameter is not None and (name.startswith(vocabulary.ROLES) or (is_scaling and tensor.ndim <= 1)):
            draft.parameters[name] = parameter
            self.used.add(parameter)
        elif (
            not self._is_parameter(tensor)
            and tensor.numel() == 1
            and tensor.ndim == 0
            and self.identity.find(tensor) is None
        ):
            draft.attributes[name] = tensor.item() if not tensor.is_complex() else str(tensor.item())
        else:
            draft.inputs.append(self._source(name, tensor))

    def _source(self, argument: str, tensor: torch.Tensor) -> Source:
        known = self._present(tensor)
        if known is not None:
            return Source(known.node, known.output, argument)
        parameter = self._parameter_of(tensor)
        if parameter is not None and parameter in self._parameter_nodes:
            return Source(self._parameter_nodes[parameter], 0, argument)
        if parameter is not None and self._is_parameter(tensor):
            draft = self._holder("parameter", f"{self._parameter_names[parameter]}", tensor)
            draft.parameters["value"] = parameter
            self._parameter_nodes[parameter] = draft.index
            self.used.add(parameter)
        else:
            path = self._stack[-1][0]
            name = self._parameter_names.get(parameter, "") if parameter is not None else ""
            draft = self._holder("constant", name or (f"{path}.constant" if path else "constant"), tensor)
        return Source(draft.index, 0, argument)

    def _present(self, tensor: torch.Tensor) -> Known | None:
        """Where the value that a tensor holds now came from; writes through other views are made nodes here."""
        known = self.identity.find(tensor)
        if known is None:
            return None
        writes = self.identity.writes_since(known, tensor)
        for writer in writes:
            if memory_key(writer.tensor) == memory_key(tensor):
                self.identity.remember(tensor, writer.node, writer.output)
            else:
                self._written_through(known, writer, tensor)
            known = self.identity.find(tensor)
            assert known is not None  # remembered in this very loop
        return known

    def _written_through(self, known: Known, writer: Known, tensor: torch.Tensor) -> None:
        whole = tensor.numel() == writer.tensor.numel() and tensor.is_contiguous() and writer.tensor.is_contiguous()
        before = self.drafts[known.node].outputs[known.output].value
        if not whole and before.shape == tuple(tensor.shape) and bool((before == to_numpy(tensor)).all()):
            self.identity.remember(tensor, known.node, known.output)
            return
        draft = self.draft("reshape" if whole else "scatter")
        draft.attributes["through"] = "a view"
        draft.inputs = [Source(writer.node, writer.output, "input" if whole else "src")]
        if not whole:
            draft.inputs.insert(0, Source(known.node, known.output, "input"))
        self.finish(draft, [tensor])

    def _parameter_of(self, tensor: torch.Tensor) -> int | None:
        if id(tensor) in self._parameters:
            return self._parameters[id(tensor)]
        key = memory_key(tensor)
        return self._parameter_memory.get(key) if key is not None and self.identity.find(tensor) is None else None

    def note_parameters(self, path: str, module: torch.nn.Module) -> None:
        """Know a module's parameters by what stands for them now: fully_shard lends it whole ones while it runs.

        Raises TraceError for one that is still in parts (tensor parallel): then values are no whole ones either.
        """
        for own, tensor in module.named_parameters(recurse=False):
            name = f"{path}.{own}" if path else own
            if is_part(tensor):
                raise TraceError(
                    f"model: expected whole parameters while it runs, got {name} in parts (tensor parallel): a "
                    "rank has only its part of every value. Record its checkpoints instead: nn3d extract."
                )
            known = self._ids.get(name)
            if known is not None and id(tensor) not in self._parameters:
                self._parameters[id(tensor)] = known
                self.identity.keep(tensor)

    def _is_parameter(self, tensor: torch.Tensor) -> bool:
        """Whether a value of the graph by itself: a trained parameter, not a buffer (masks, position ids)."""
        parameter = self._parameter_of(tensor)
        return parameter is not None and parameter in self._trained

    def rewind(self, first: int) -> None:
        """Drop the nodes from `first` on, as if they had never been tried."""
        for draft in self.drafts[first:]:
            self._names[draft.name] -= 1
        del self.drafts[first:]
        self.identity.forget(first)
        self._parameter_nodes = {k: n for k, n in self._parameter_nodes.items() if n < first}
        self._turned = {n: k for n, k in self._turned.items() if n < first}
