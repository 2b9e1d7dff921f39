"""Owns reading a Keras model's JSON: layers, and which tensors each call of a layer reads, as Keras 1 … 3 write it.

Nothing is built and nothing runs: a class is a name. Shapes are without the sample axis, None where left open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract.readers.keras.words import Shape, input_shape, shape_of, snake_case
from nn3d.run.model import JSON

MODELS = frozenset({"Functional", "Model", "Sequential"})
MOST_LAYERS = 50_000
MOST_DEPTH = 60


@dataclass(frozen=True, slots=True)
class Tensor:
    """Output `index` of call `call` of a layer. shape : as the file says, None where it does not."""

    layer: str
    call: int
    index: int
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. kind : its class. home : the python module that the file names. address : its group in weight files.

    inner : what a nested model holds.
    """

    name: str
    kind: str
    home: str
    config: Mapping[str, JSON]
    address: str
    inner: Model | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A layer applied once; args and kwargs hold `Tensor`s where tensors are given."""

    layer: Layer
    number: int
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Model:
    """A model and its calls, each after those it reads. inputs, outputs : of the model, in its order."""

    name: str
    layers: tuple[Layer, ...]
    calls: tuple[Call, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def read_model(data: JSON, where: str) -> Model:
    """What stands in config.json, in the attribute model_config, or under modelTopology.

    Raises SourceError where it is no functional or sequential model; where : how the file is called in it.
    """
    if not isinstance(data, Mapping):
        raise SourceError(f"{where}: expected a Keras model's JSON, got {type(data).__name__}. Save the model again.")
    kind, config = data.get("class_name"), data.get("config")
    if isinstance(config, Sequence) and not isinstance(config, str):
        config = {"name": "sequential", "layers": config}  # Keras 1 and early 2
    if not isinstance(config, Mapping) or not isinstance(config.get("layers"), Sequence):
        raise SourceError(
            f"{where}: expected a functional or sequential Keras model, got {str(kind)[:60]}, whose code is not in the "
            "file. Export it to ONNX."
        )
    try:
        return _Reader(where).model(config, "", 0)
    except RecursionError as error:
        text = "expected JSON of a model, got one nested too deep"
        raise SourceError(f"{where}: {text}. Save the model again.") from error


class _Reader:
    """Reads one file. All that it raises names `where`."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.n_layers = 0

    def fail(self, expected: str, got: str) -> SourceError:
        return SourceError(f"{self.where}: expected {expected}, got {got[:80]}. Save the model again.")

    def model(self, config: Mapping[str, JSON], address: str, depth: int) -> Model:
        if depth > MOST_DEPTH:
            raise self.fail(f"models nested at most {MOST_DEPTH} deep", "more")
        layers = self._layers(config["layers"], address, depth)
        name = str(config.get("name") or "model")
        is_functional = any("inbound_nodes" in entry for entry in config["layers"] if isinstance(entry, Mapping))
        if is_functional or config.get("input_layers"):
            return self._functional(name, config, layers)
        return self._sequential(name, config, layers)

    def _layers(self, entries: Sequence[JSON], address: str, depth: int) -> list[tuple[Layer, Mapping[str, JSON]]]:
        self.n_layers += len(entries)
        if self.n_layers > MOST_LAYERS:
            raise self.fail(f"at most {MOST_LAYERS} layers", "more")
        found: list[tuple[Layer, Mapping[str, JSON]]] = []
        counts: dict[str, int] = {}
        for entry in entries:
            if not isinstance(entry, Mapping) or not isinstance(entry.get("class_name"), str):
                raise self.fail("layers with a class_name", str(entry))
            given = entry.get("config")
            kind, home = entry["class_name"].rpartition(">")[2], str(entry.get("module") or "")
            if kind == "Merge" and isinstance(given, Mapping):
                kind = str(given.get("mode", "")).capitalize().replace("Sum", "Add").replace("Concat", "Concatenate")
            wrapped = given if isinstance(given, Mapping) else {"layers": given}
            config = {**wrapped, "build_config": entry.get("build_config")}
            name = str(entry.get("name") or config.get("name") or f"{snake_case(kind)}_{len(found)}")
            place = f"{address}layers/{_counted(snake_case(kind), counts)}" if ".ops" not in home else ""
            inner = None
            if isinstance(config.get("layers"), Sequence) and not isinstance(config["layers"], str):
                inner = self.model(config, f"{place}/", depth + 1)
            found.append((Layer(name, kind, home, config, place, inner), entry))
        if len({layer.name for layer, _ in found}) < len(found):
            raise self.fail("layers with names of their own", "two of one name")
        return found

    def _sequential(
        self, name: str, config: Mapping[str, JSON], layers: list[tuple[Layer, Mapping[str, JSON]]]
    ) -> Model:
        """A chain. Without an input layer, its input has the shape that the first layer or the model was built with."""
        calls: list[Call] = []
        at: Tensor | None = None
        first: Tensor | None = None
        for layer, _ in layers:
            if layer.kind == "InputLayer" and at is None:
                at = first = Tensor(layer.name, 0, 0, input_shape(layer.config))
                calls.append(Call(layer, 0, (), {}))
                continue
            if at is None:
                at = first = Tensor("", 0, 0, self._first_shape(layer, config))
            calls.append(Call(layer, 0, (at,), {}))
            at = Tensor(layer.name, 0, 0)
        if at is None or first is None:
            raise self.fail(f"layers in {name}", "none")
        return Model(name, tuple(layer for layer, _ in layers), tuple(calls), (first,), (at,))

    def _first_shape(self, layer: Layer, config: Mapping[str, JSON]) -> Shape | None:
        own = input_shape(layer.config)
        if own is None and layer.inner is not None:
            own = layer.inner.inputs[0].shape
        given = config.get("build_input_shape") or (config.get("build_config") or {}).get("input_shape")
        return own if own is not None else shape_of(given)

    def _functional(
        self, name: str, config: Mapping[str, JSON], layers: list[tuple[Layer, Mapping[str, JSON]]]
    ) -> Model:
        by_name = {layer.name: layer for layer, _ in layers}
        calls: dict[tuple[str, int], Call] = {}
        for layer, entry in layers:
            inbound = entry.get("inbound_nodes") or []
            if not isinstance(inbound, list):
                raise self.fail(f"inbound_nodes of {layer.name} as a list", str(inbound))
            if not inbound and layer.kind == "InputLayer":
                calls[layer.name, 0] = Call(layer, 0, (), {})
            for number, node in enumerate(inbound):
                args, kwargs = self._arguments(node, by_name)
                calls[layer.name, number] = Call(layer, number, args, kwargs)
        outputs = self._ends(config.get("output_layers"), by_name)
        calls = _counted_from_one(calls, outputs)
        inputs = self._ends(config.get("input_layers"), by_name)
        return Model(
            name, tuple(by_name.values()), tuple(self._ordered(calls)),
            tuple(Tensor(t.layer, t.call, t.index, input_shape(by_name[t.layer].config)) for t in inputs),
            outputs,
        )  # fmt: skip

    def _ends(self, given: JSON, known: Mapping[str, Layer]) -> tuple[Tensor, ...]:
        """input_layers and output_layers: [name, call, index], a list or a dictionary of such."""
        if isinstance(given, Mapping):
            given = list(given.values())
        if isinstance(given, list) and len(given) == 3 and isinstance(given[0], str):
            given = [given]
        found = tuple(tensors_in(_replaced(given, known))) if isinstance(given, list) else ()
        if not found:
            raise self.fail("input_layers and output_layers that name layers", str(given))
        return found

    def _arguments(self, node: JSON, known: Mapping[str, Layer]) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
        """One inbound node: Keras 3 has args and kwargs, Keras 2 a list of [layer, call, index, kwargs]."""
        if isinstance(node, Mapping):
            args, kwargs = node.get("args", []), node.get("kwargs", {})
            if not isinstance(args, list) or not isinstance(kwargs, Mapping):
                raise self.fail("inbound nodes with args and kwargs", str(node))
            return tuple(_replaced(a, known) for a in args), {k: _replaced(v, known) for k, v in kwargs.items()}
        if not isinstance(node, list):
            raise self.fail("inbound nodes as lists", str(node))
        if len(node) in (3, 4) and isinstance(node[0], str):
            node = [node]
        tensors, kwargs = [], dict[str, Any]()
        for entry in node:
            if not isinstance(entry, list) or len(entry) not in (3, 4):
                raise self.fail("inbound nodes [layer, call, index]", str(entry))
            tensors.append(_replaced(entry[:3], known) if entry[0] != "_CONSTANT_VALUE" else entry[2])
            if len(entry) == 4 and isinstance(entry[3], Mapping):
                kwargs |= {k: _replaced(v, known) for k, v in entry[3].items()}
        return (tensors[0] if len(tensors) == 1 else tensors,), kwargs

    def _ordered(self, calls: Mapping[tuple[str, int], Call]) -> list[Call]:
        """Each call after those whose tensors it reads, otherwise as in the file."""
        done: dict[tuple[str, int], Call] = {}
        for start in calls:
            stack = [start]
            open_ = set[tuple[str, int]]()
            while stack:
                at = stack[-1]
                if at in done:
                    stack.pop()
                    continue
                reads = [(t.layer, t.call) for t in tensors_in((calls[at].args, list(calls[at].kwargs.values())))]
                lost = next((f"{name} #{n}" for name, n in reads if (name, n) not in calls), None)
                if lost is not None:
                    raise self.fail(f"{at[0]} to read a layer of the model", lost)
                todo = [r for r in dict.fromkeys(reads) if r not in done]
                if not todo:
                    done[stack.pop()] = calls[at]
                elif at in open_:
                    raise self.fail("a graph without circles", f"one through {at[0]}")
                else:
                    open_.add(at)
                    stack.extend(todo)
        return list(done.values())


def _counted_from_one(calls: dict[tuple[str, int], Call], outputs: Sequence[Tensor]) -> dict[tuple[str, int], Call]:
    """Keras 2 counts calls of a nested model from 1, where its own building is call 0."""
    most: dict[str, int] = {}
    for t in (*outputs, *tensors_in([(c.args, dict(c.kwargs)) for c in calls.values()])):
        most[t.layer] = max(most.get(t.layer, 0), t.call)
    made = Counter(name for name, _ in calls)
    late = {name for name, n in made.items() if most.get(name, 0) == n}
    return {
        (name, n + (name in late)): replace(c, number=n + (name in late)) for (name, n), c in calls.items()
    }  # fmt: skip


def _counted(name: str, counts: dict[str, int]) -> str:
    """The k-th layer of a class, as Keras 3 names its group: conv2d, conv2d_1, …."""
    counts[name] = counts.get(name, -1) + 1
    return f"{name}_{counts[name]}" if counts[name] else name


def _replaced(value: JSON, known: Mapping[str, Layer]) -> Any:
    """The same with `Tensor`s where tensors are named."""
    if isinstance(value, Mapping):
        config = value.get("config")
        history = config.get("keras_history") if isinstance(config, Mapping) else None
        is_tensor = value.get("class_name") == "__keras_tensor__" and _is_place(history, known)
        if is_tensor and isinstance(config, Mapping) and isinstance(history, list):
            return Tensor(history[0], history[1], history[2], shape_of(config.get("shape")))
        return {k: _replaced(v, known) for k, v in value.items()}
    if _is_place(value, known):
        return Tensor(value[0], value[1], value[2])
    return [_replaced(v, known) for v in value] if isinstance(value, list) else value


def _is_place(value: JSON, known: Mapping[str, Layer]) -> bool:
    return (
        isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and value[0] in known
        and all(isinstance(v, int) and v >= 0 for v in value[1:])
    )  # fmt: skip


def tensors_in(value: Any) -> Iterator[Tensor]:
    """All tensors in nested arguments, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from tensors_in(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from tensors_in(entry)
