"""Owns one forward pass of a live torch module, seen call by call: which operation read which values.

A TorchFunctionMode sees every torch call, module hooks tell whose code it was, `Identity` says where a tensor's value
came from. Values are copied when they are made. The model computes exactly what it would without being watched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from nn3d.extract import calls, fused, vocabulary
from nn3d.extract.arrays import dtype_name, to_numpy
from nn3d.extract.calls import Call
from nn3d.extract.draft import Draft, DraftOutput, Traced, without_dead_ends
from nn3d.extract.identity import Identity, Known, memory_key, version_of
from nn3d.run.model import Source
from nn3d.run.ops import canonical


class Tracer(TorchFunctionMode):
    """Watches one forward pass. Use as a context manager around the call, after `enter_inputs`."""

    def __init__(self, model: torch.nn.Module, parameters: Mapping[int, tuple[str, torch.Tensor]]) -> None:
        super().__init__()
        self.model = model
        self.drafts: list[Draft] = []
        self.identity = Identity()
        self.notes: list[str] = []
        self.transposed: set[int] = set()
        self.used: set[int] = set()
        self._names: Counter[str] = Counter()
        self._stack: list[tuple[str, int]] = [("", 0)]
        self._is_leaf = {"": not any(True for _ in model.children())}
        self._seen: set[int] = set()
        self._parameter_names = {k: name for k, (name, _) in parameters.items()}
        self._parameters = {id(t): k for k, (_, t) in parameters.items()}
        self._trained = frozenset(k for k, (_, t) in parameters.items() if isinstance(t, torch.nn.Parameter))
        self._parameter_memory = {key: k for k, (_, t) in parameters.items() if (key := memory_key(t)) is not None}
        self._parameter_nodes: dict[int, int] = {}
        self._transposes: dict[int, int] = {}
        self._hooks: list[Any] = []

    # The model's frame: modules and inputs

    def hook(self) -> None:
        """Follow which module runs; undone by `unhook`."""
        for path, module in self.model.named_modules():
            if path:
                self._is_leaf[path] = not any(True for _ in module.children())
                self._hooks.append(module.register_forward_pre_hook(self._entering(path), prepend=True))
                self._hooks.append(module.register_forward_hook(self._leaving(module), always_call=True))

    def unhook(self) -> None:
        """Take all hooks off again."""
        while self._hooks:
            self._hooks.pop().remove()

    def _entering(self, path: str) -> Callable[..., None]:
        def enter(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
            self._stack.append((path, len(self.drafts)))

        return enter

    def _leaving(self, module: torch.nn.Module) -> Callable[..., None]:
        def leave(_: torch.nn.Module, args: tuple[Any, ...], result: Any) -> None:
            with torch._C.DisableTorchFunction():
                self._close_opaque(module, args, result)
            if len(self._stack) > 1:
                self._stack.pop()

        return leave

    def _close_opaque(self, module: torch.nn.Module, args: tuple[Any, ...], result: Any) -> None:
        """A module whose result no torch call was seen to make (TorchScript, compiled code) becomes one node."""
        made = [t for _, t in calls.flatten(result)]
        unknown = [t for t in made if self.identity.find(t) is None and id(t) not in self._seen]
        unknown = [t for t in unknown if self._parameter_of(t) is None]
        inputs = [(f"input[{i}]", t) for i, (_, t) in enumerate(calls.flatten(args)) if self.identity.find(t)]
        if not unknown or not inputs:
            return
        draft = self.draft(f"other:{type(module).__name__}")
        draft.inputs = [self._source(name, tensor) for name, tensor in inputs]
        draft.parameters = {n: k for n, p in module.named_parameters() if (k := self._parameter_of(p)) is not None}
        self.used.update(draft.parameters.values())
        self.finish(draft, made)

    def enter_inputs(self, named: Iterable[tuple[str, torch.Tensor]]) -> tuple[int, ...]:
        """Begin with the model's inputs as nodes; their ids."""
        return tuple(self._holder("input", name, tensor).index for name, tensor in named)

    def leave_outputs(self, result: Any) -> tuple[tuple[str, int, int], ...]:
        """(name, node, output) of every tensor that the model returned."""
        found = []
        for name, tensor in calls.flatten(result):
            source = self._source(name, tensor)
            found.append((name or "output", source.node, source.output))
        return tuple(found)

    # Calls

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the call, then note what it did."""
        kwargs = kwargs or {}
        name = calls.name_of(func)
        if calls.is_getter(func) and name not in calls.TensorGetters:
            return func(*args, **kwargs)
        call = calls.read(func, args, kwargs)
        tensors = list(call.tensors())
        if name == "__iter__":
            return iter(self.run(torch.unbind, args))
        versions = [version_of(t) for _, t in tensors]
        sources = self._sources(call, tensors) if name not in vocabulary.EMPTY else None
        special = fused.HANDLERS.get(name)
        if special is not None and sources is not None:
            return special(self, func, call, args, kwargs)
        result = func(*args, **kwargs)
        written = [t for (_, t), v in zip(tensors, versions, strict=True) if version_of(t) != v]
        made = [t for _, t in calls.flatten(result)]
        for tensor in made:
            self._seen.add(id(tensor))
            self.identity.keep(tensor)
        if sources is None or not (made or written):
            return result
        return self._record(call, sources, result, made, written)

    def run(self, func: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Run a call as if the model had made it."""
        return self.__torch_function__(func, (), args, {})

    def _sources(self, call: Call, tensors: list[tuple[str, torch.Tensor]]) -> list[tuple[str, torch.Tensor]] | None:
        """The call's tensors if any carries a value of the graph, else None: constants are noted when they are read."""
        carries = any(self.identity.find(t) is not None or self._is_parameter(t) for _, t in tensors)
        return tensors if carries else None

    def _record(
        self,
        call: Call,
        sources: list[tuple[str, torch.Tensor]],
        result: Any,
        made: list[torch.Tensor],
        written: list[torch.Tensor],
    ) -> Any:
        if call.name in vocabulary.TRANSPARENT and not written and made:
            return self._pass_through(call, sources[0][1], made[0], result)
        if call.name in ("T", "t", "transpose", "mT") and self._is_parameter(sources[0][1]):
            parameter = self._parameter_of(sources[0][1])
            if parameter is not None and made[0].ndim == 2:
                self._transposes[id(made[0])] = parameter
        if call.name in vocabulary.DROPOUT and made and made[0] is sources[0][1]:
            result = torch.ops.aten.alias(result)
            made = [result]
        elif not written and made and all(any(t is s for _, s in sources) for t in made):
            return result
        draft = self.draft(canonical(call.name), call)
        self._bind(draft, call, sources)
        self.finish(draft, [*made, *(t for t in written if not any(t is m for m in made))], written=written)
        return result

    def _pass_through(self, call: Call, source: torch.Tensor, made: torch.Tensor, result: Any) -> Any:
        if made is source:
            return result
        if made.dtype != source.dtype and call.name != "data":
            draft = self.draft("cast", call)
            draft.attributes = {"dtype": dtype_name(made)}
            self._bind(draft, call, [("input", source)])
            self.finish(draft, [made])
            return result
        parameter = self._parameter_of(source)
        known = self._present(source)
        if known is not None:
            self.identity.remember(made, known.node, known.output)
        elif parameter is not None:
            self._parameters[id(made)] = parameter
        return result

    # Nodes

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

    def _bind(self, draft: Draft, call: Call, sources: list[tuple[str, torch.Tensor]]) -> None:
        if call.name in vocabulary.MATMUL and self._bind_matmul(draft, sources):
            return
        for name, tensor in sources:
            self._bind_one(draft, name, tensor, is_scaling=draft.op in vocabulary.SCALING and len(sources) == 2)
        self._describe(draft, call)

    def _bind_one(self, draft: Draft, name: str, tensor: torch.Tensor, *, is_scaling: bool = False) -> None:
        parameter = self._parameter_of(tensor)
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

    def _bind_matmul(self, draft: Draft, sources: list[tuple[str, torch.Tensor]]) -> bool:
        """x @ W, x @ W.T and addmm(b, x, W) with a parameter W are linear layers."""
        named = {("bias" if n == "bias" else "input" if n == "input" else "weight"): t for n, t in sources}
        weight = named.get("weight")
        if weight is None or weight.ndim != 2 or "input" not in named or self._is_parameter(named["input"]):
            return False
        parameter, bias = self._parameter_of(weight), named.get("bias")
        turned = self._transposes.get(id(weight))
        if (parameter is None and turned is None) or (bias is not None and self._parameter_of(bias) is None):
            return False
        if turned is None and parameter is not None:
            self.transposed.add(parameter)
        draft.op = "linear"
        draft.parameters["weight"] = turned if turned is not None else parameter  # type: ignore[assignment]
        if bias is not None:
            draft.parameters["bias"] = self._parameters[id(bias)]
        self.used.update(draft.parameters.values())
        draft.inputs.append(self._source("input", named["input"]))
        return True

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

    def _describe(self, draft: Draft, call: Call) -> None:
        attributes = vocabulary.described(draft.op, call, draft.attributes)
        draft.attributes.clear()
        draft.attributes.update(attributes)

    def traced(self, inputs: tuple[int, ...], outputs: tuple[tuple[str, int, int], ...]) -> Traced:
        """What was seen, frozen."""
        drafts, outputs = without_dead_ends(self.drafts, outputs)
        return Traced(drafts, outputs, inputs, tuple(self.notes), frozenset(self.transposed), self._parameter_names)
