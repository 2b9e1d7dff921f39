"""Owns one forward pass of a live torch module, seen call by call: which operation read which values.

A TorchFunctionMode sees every torch call, module hooks tell whose code it was, `Identity` says where a tensor's value
came from. Values are copied when they are made. The model computes exactly what it would without being watched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from nn3d.extract import calls, fused, vocabulary
from nn3d.extract.arrays import dtype_name
from nn3d.extract.calls import Call
from nn3d.extract.draft import Draft, Traced, without_dead_ends
from nn3d.extract.identity import memory_key, version_of
from nn3d.extract.nodes import Nodes
from nn3d.extract.sharding import class_name, is_part
from nn3d.run.ops import canonical


class Tracer(Nodes, TorchFunctionMode):
    """Watches one forward pass. Use as a context manager around the call, after `enter_inputs`."""

    def __init__(self, model: torch.nn.Module, parameters: Mapping[int, tuple[str, torch.Tensor]]) -> None:
        TorchFunctionMode.__init__(self)
        Nodes.__init__(self, parameters)
        self.model = model
        self._is_leaf[""] = not any(True for _ in model.children())
        self._hooks: list[Any] = []
        self._is_lent = any(is_part(tensor) for _, tensor in parameters.values())

    # The model's frame: modules and inputs

    def hook(self) -> None:
        """Follow which module runs; undone by `unhook`."""
        for path, module in self.model.named_modules():
            if self._is_lent:
                self._hooks.append(module.register_forward_pre_hook(self._lent(path)))
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

    def _lent(self, path: str) -> Callable[..., None]:
        def note(module: torch.nn.Module, args: tuple[Any, ...]) -> None:
            with torch._C.DisableTorchFunction():
                self.note_parameters(path, module)

        return note

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
        draft = self.draft(f"other:{class_name(module)}")
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
        if draft.op == "permute" and made and self._is_parameter(sources[0][1]):
            self._note_turn(draft, sources[0][1], made[0])
        return result

    def _note_turn(self, draft: Draft, source: torch.Tensor, made: torch.Tensor) -> None:
        """A kernel kept as (space…, in, out) is turned before it is used, as Keras does: (out, in, space…)."""
        parameter, n = self._parameter_of(source), source.ndim
        turned = source.permute(n - 1, n - 2, *range(n - 2))
        if parameter is not None and n > 2 and memory_key(made) == memory_key(turned):
            self._turned[draft.index] = parameter

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

    # Arguments

    def _bind(self, draft: Draft, call: Call, sources: list[tuple[str, torch.Tensor]]) -> None:
        if call.name in vocabulary.MATMUL and self._bind_matmul(draft, sources):
            return
        for name, tensor in sources:
            self._bind_one(draft, name, tensor, is_scaling=draft.op in vocabulary.SCALING and len(sources) == 2)
        self._describe(draft, call)

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

    def _describe(self, draft: Draft, call: Call) -> None:
        attributes = vocabulary.described(draft.op, call, draft.attributes)
        draft.attributes.clear()
        draft.attributes.update(attributes)

    def traced(self, inputs: tuple[int, ...], outputs: tuple[tuple[str, int, int], ...]) -> Traced:
        """What was seen, frozen."""
        drafts, outputs = without_dead_ends(self.drafts, outputs)
        return Traced(
            drafts, outputs, inputs, tuple(self.notes), frozenset(self.transposed), self._parameter_names,
            frozenset(self.spatial_first),
        )  # fmt: skip
