"""Owns walking through a Keras model: each call of a layer becomes nodes by its class's rule, nested models in place.

A class without a rule becomes one node "other:<class>" that holds its tensors; nothing after it can be computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.readers.keras.build import Builder, Shape, Sym
from nn3d.extract.readers.keras.config import Call, Layer, Model, Tensor, tensors_in
from nn3d.extract.readers.keras.names import kind_of, parts_of
from nn3d.extract.readers.keras.weights import LayerWeights, WeightFile
from nn3d.run.model import JSON, InputInfo

MOST_RUNS = 10_000


class NoRuleError(Exception):
    """A layer is used in a way that is not known. The text says which."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A layer applied to tensors. path : its name in the run. tensors : all that it reads, in order."""

    builder: Builder
    layer: Layer
    path: str
    module: str
    weights: LayerWeights
    tensors: Sequence[Sym]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Mapping[str, JSON]:
        """As the file has it."""
        return self.layer.config

    @property
    def x(self) -> Sym:
        """What it reads first."""
        if not self.tensors:
            raise NoRuleError("reads nothing")
        return self.tensors[0]

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A yes or no of its config."""
        found = self.config.get(name)
        return default if found is None else bool(found)

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number of its config. Raises NoRuleError without one."""
        found = self.config.get(name, default)
        if isinstance(found, float) and found.is_integer():
            found = int(found)
        if not isinstance(found, int) or isinstance(found, bool) or abs(found) >= 1 << 31:
            raise NoRuleError(f"{name} {found}")
        return found

    def number(self, name: str, default: float) -> float:
        """A number of its config; Keras 3 writes arrays and numpy scalars as objects with a value."""
        found = self.config.get(name, default)
        found = default if found is None else found
        if isinstance(found, Mapping):
            config = found.get("config")
            found = config.get("value") if isinstance(config, Mapping) else found.get("value")
        if not isinstance(found, int | float):
            raise NoRuleError(f"{name} {str(found)[:40]}")
        return float(found)

    def text(self, name: str, default: str = "") -> str:
        """A word of its config."""
        found = self.config.get(name)
        return default if found is None else str(found)

    def wholes(self, name: str, rank: int, default: int = 1) -> list[int]:
        """One whole number for each axis of space. Raises NoRuleError where there are others."""
        found = self.config.get(name)
        found = default if found is None else found
        numbers = list(found) if isinstance(found, list | tuple) else [found] * rank
        if len(numbers) != rank or not all(isinstance(n, int) and 0 <= n < 1 << 20 for n in numbers):
            raise NoRuleError(f"{name} {str(found)[:40]}")
        return numbers

    def is_last(self) -> bool:
        """Whether channels are kept last."""
        return self.text("data_format", "channels_last") != "channels_first"

    def add(self, op: str, name: str, inputs: Sequence[tuple[Sym, str]], shape: Shape, **given: Any) -> Sym:
        """A node of this layer, `name` below it ("" for the layer's own)."""
        return self.builder.add(op, self.named(name), inputs, shape, module=self.module, **given)

    def same(self, op: str, name: str, sym: Sym, **given: Any) -> Sym:
        """An element-wise node of this layer."""
        return self.builder.same(op, self.named(name), sym, module=self.module, **given)

    def named(self, name: str) -> str:
        """A node's name."""
        return f"{self.path}.{name}" if name else self.path


Rule = Callable[[Applied], "Sym | list[Sym]"]


class Walk:
    """One model on its way into a builder. fill : shape of an input that the file leaves open."""

    def __init__(
        self, builder: Builder, weights: WeightFile, rules: Mapping[str, Rule], fill: Callable[[int, Tensor], Shape]
    ) -> None:
        self.builder = builder
        self.calls: list[str] = []
        self.unknown: dict[str, str] = {}
        self._weights = weights
        self._rules = rules
        self._fill = fill
        self._n_inputs = 0
        self._n_runs = 0
        self._parts: dict[str, tuple[str, ...]] = {}

    def model(self, model: Model) -> list[Sym]:
        """The whole model; its outputs in the source's own layout of cells."""
        outputs = self._run(model, None, ())
        return [self.builder.last(sym) if sym.flat else sym for sym in outputs]

    def _run(self, model: Model, given: Sequence[Sym] | None, around: tuple[str, ...]) -> list[Sym]:
        self._n_runs += 1
        if self._n_runs > MOST_RUNS:
            raise SourceError(f"{self.builder.where}: expected at most {MOST_RUNS} calls of nested models, got more.")
        held: dict[tuple[str, int, int], Sym] = {}
        for i, tensor in enumerate(model.inputs):
            if given is not None and i >= len(given):
                raise SourceError(f"{self.builder.where}: expected {len(model.inputs)} inputs of {model.name}.")
            sym = given[i] if given is not None else self._input(tensor, model)
            held[tensor.layer, tensor.call, tensor.index] = sym
        shapes = _declared(model)
        self._parts |= parts_of(layer.name for layer in model.layers)
        masks = _masks(model)
        for call in model.calls:
            if (call.layer.name, call.number) in masks:
                self.builder.is_masking = True
            elif (call.layer.name, call.number, 0) not in held:
                for i, sym in enumerate(self._call(call, held, around, shapes)):
                    held[call.layer.name, call.number, i] = sym
        return [self._found(held, tensor) for tensor in model.outputs]

    def _found(self, held: Mapping[tuple[str, int, int], Sym], tensor: Tensor) -> Sym:
        found = held.get((tensor.layer, tensor.call, tensor.index))
        if found is None:
            text = f"output {tensor.index} of call {tensor.call} of {tensor.layer}"
            raise SourceError(f"{self.builder.where}: expected {text}, got none. Save the model again.")
        return found

    def _input(self, tensor: Tensor, model: Model) -> Sym:
        shape = self._fill(self._n_inputs, tensor)
        self._n_inputs += 1
        layer = next((layer for layer in model.layers if layer.name == tensor.layer), None)
        kind = layer.config.get("dtype") if layer is not None else None
        readers = [c.layer.kind for c in model.calls if _reads(c, tensor)]
        is_tokens = "Embedding" in readers or (isinstance(kind, str) and "int" in kind)
        is_first = len(shape) > 2 and not self.builder.keeps_first and not is_tokens
        name = tensor.layer or "input"
        dtype = "int64" if is_tokens else "float32"
        sym = self.builder.add("input", name, [], shape, is_first=is_first, dtype=dtype)
        kind = "tokens" if is_tokens and len(shape) == 1 else "array"
        if len(sym.held) == 3 and sym.held[0] in (1, 3, 4) and (is_first or self.builder.keeps_first):
            kind = "image"
        self.builder.inputs.append(InputInfo(sym.node, kind, value_range=(0.0, 1.0) if kind == "image" else None))
        return sym

    def _call(
        self,
        call: Call,
        held: Mapping[tuple[str, int, int], Sym],
        around: tuple[str, ...],
        shapes: Mapping[tuple[str, int], Shape],
    ) -> list[Sym]:
        layer = call.layer
        args, kwargs = self._bound((call.args, _unmasked(call)), held)
        tensors = [self._found(held, t) for t in tensors_in((call.args, list(_unmasked(call).values())))]
        if layer.inner is not None:
            self.builder.module(_module((*around, layer.name)), layer.kind)
            return self._run(layer.inner, tensors, (*around, layer.name))
        path = ".".join((*around, layer.name))
        self.calls.append(path)
        weights = self._weights.of(layer, around, "/".join((*around, layer.name)))
        module = self._module(layer, around)
        applied = Applied(self.builder, layer, path, module, weights, tensors, args, kwargs)
        rule = self._rules.get(layer.kind)
        mark = self.builder.mark()
        try:
            if rule is None:
                raise NoRuleError("is a class that is not known")
            made = rule(applied)
        except (NoRuleError, ValueError, IndexError, KeyError, TypeError) as error:
            self.builder.rewind(mark)
            self.unknown[path] = str(error) if isinstance(error, NoRuleError) else f"with such arguments ({error})"
            return self._other(applied, shapes.get((layer.name, call.number)))
        return made if isinstance(made, list) else [made]

    def _module(self, layer: Layer, around: tuple[str, ...]) -> str:
        """The layer's place in the module tree, inside of the parts that its name tells."""
        parts = self._parts.get(layer.name, ())
        for k, part in enumerate(parts):
            self.builder.module(_module((*around, *parts[: k + 1])), kind_of(part))
        return self.builder.module(_module((*around, *parts, layer.name)), layer.kind)

    def _bound(self, value: Any, held: Mapping[tuple[str, int, int], Sym]) -> Any:
        if isinstance(value, Tensor):
            return self._found(held, value)
        if isinstance(value, Mapping):
            return {k: self._bound(v, held) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._bound(v, held) for v in value)
        return value

    def _other(self, applied: Applied, shape: Shape | None) -> list[Sym]:
        """One node that stands for a layer that is not known, with its tensors as the file has them."""
        builder = self.builder
        inputs = [(builder.last(sym), "input") for sym in applied.tensors]
        if shape is None:
            shape = inputs[0][0].shape if inputs else (1,)
        parameters = {}
        for role, entry in applied.weights.all().items():
            whole = entry.shape or (1,)
            known = builder.parameter(entry, whole, (), partial(np.reshape, shape=whole))
            if known is not None:
                parameters[role] = known
        return [applied.add(f"other:{applied.layer.kind}", "", inputs, shape, parameters=parameters)]


def _declared(model: Model) -> dict[tuple[str, int], Shape]:
    """Shapes of first outputs, as the calls that read them say."""
    found: dict[tuple[str, int], Shape] = {}
    for call in model.calls:
        for t in tensors_in((call.args, list(call.kwargs.values()))):
            if t.index == 0 and t.shape is not None:
                known = tuple(n for n in t.shape if n is not None)
                if len(known) == len(t.shape):
                    found[t.layer, t.call] = known
    return found


def _unmasked(call: Call) -> dict[str, Any]:
    """Its named arguments without masks."""
    return {name: value for name, value in call.kwargs.items() if name != "mask"}


def _masks(model: Model) -> set[tuple[str, int]]:
    """Calls whose tensors are read as masks and as nothing else: which words count."""
    masks = {(t.layer, t.call) for c in model.calls for t in tensors_in(c.kwargs.get("mask"))}
    plain = {(t.layer, t.call) for c in model.calls for t in tensors_in((c.args, list(_unmasked(c).values())))}
    return masks - plain - {(t.layer, t.call) for t in model.outputs}


def _reads(call: Call, tensor: Tensor) -> bool:
    at = (tensor.layer, tensor.call, tensor.index)
    return any((t.layer, t.call, t.index) == at for t in tensors_in((call.args, list(call.kwargs.values()))))


def _module(parts: Sequence[str]) -> str:
    return ".".join(p.replace("/", ".") for p in parts)
