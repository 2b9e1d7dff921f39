"""Owns the manifest: JSON ↔ graph, epochs and samples. Parses once, checks everything, keeps unknown keys."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from nn3d.errors import RunFormatError
from nn3d.run.layers import topological
from nn3d.run.model import JSON, Epoch, Graph, InputInfo, Module, Node, Output, Parameter, Sample, Source

FORMAT = "nn3d-run"
VERSION = 1
KINDS = ("traced", "file", "inferred")
MAX_BYTES = 256 << 20
MAX_NESTING = 64
MAX_HOMES, MAX_TEXTS, MAX_ENTRIES = 1 << 22, 1 << 22, 24_000_000
MAX_NODES = 200_000
MAX_PARAMETERS = 200_000
MAX_SAMPLES = 100_000
MAX_EPOCHS = 1_000_000
MAX_DIMENSIONS = 16
MAX_EXTENT = 2**40
MAX_ID = 2**53
MAX_NAME = 1000
# Of one output: values a sample, plates of maps, neurons in a row.
MAX_VALUES, MAX_PLATES, MAX_NEURONS = 2**36, 2**20, 2**24
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A checked manifest. raw : the JSON object it was read from, unknown keys and all."""

    name: str
    source: str
    run_id: str
    graph: Graph
    epochs: tuple[Epoch, ...]
    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    raw: Mapping[str, JSON]


def parse_json(data: bytes, where: str) -> JSON:
    """JSON from bytes, refusing what is too long, too deep, not UTF-8, or not strict JSON (NaN, doubled keys)."""
    if len(data) > MAX_BYTES:
        raise RunFormatError(f"{where}: should have at most {MAX_BYTES} bytes, got {len(data)}")
    _check_counts(data, where)
    _check_nesting(data, where)
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise RunFormatError(f"{where}: should be UTF-8, got byte {data[error.start]:#04x} at {error.start}") from None
    except RecursionError:
        raise RunFormatError(f"{where}: should be nested at most {MAX_NESTING} deep, got more") from None
    except ValueError as error:
        raise RunFormatError(f"{where}: should be JSON, got {error}") from None


def _check_counts(data: bytes, where: str) -> None:
    """Refuse what would take many times its size in memory: objects and lists, texts, numbers."""
    n_homes, n_texts, n_entries = data.count(b"[") + data.count(b"{"), data.count(b'"') // 2, data.count(b",")
    if n_homes > MAX_HOMES or n_texts > MAX_TEXTS or n_entries > MAX_ENTRIES:
        got = f"{n_homes:,}, {n_texts:,} and {n_entries:,}"
        most = f"{MAX_HOMES:,} objects and lists, {MAX_TEXTS:,} texts and {MAX_ENTRIES:,} entries"
        raise RunFormatError(f"{where}: should have at most {most}, got {got}")


def _check_nesting(data: bytes, where: str) -> None:
    """Refuse deep nesting before a parser recurses; brackets inside of strings are not counted."""
    if data.count(b"[") + data.count(b"{") <= MAX_NESTING:
        return
    code = np.frombuffer(_STRING.sub(b"", data), np.uint8)
    brackets = code[np.isin(code, np.frombuffer(b"[]{}", np.uint8))]
    steps = np.where(np.isin(brackets, np.frombuffer(b"[{", np.uint8)), 1, -1)
    if steps.cumsum().max(initial=0) > MAX_NESTING:
        raise RunFormatError(f"{where}: should be nested at most {MAX_NESTING} deep, got more")


def _refuse_constant(name: str) -> JSON:
    raise ValueError(f'{name}, which JSON has not (write "{name}" as text where a metric is not finite)')


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("an object with the same key twice")
    return result


class _Reader:
    """One JSON object with the path that leads to it, for messages."""

    def __init__(self, value: JSON, where: str) -> None:
        if not isinstance(value, dict):
            raise RunFormatError(f"{where}: should be an object, got {_short(value)}")
        self.value: dict[str, JSON] = value
        self.where = where

    def fail(self, key: str, expected: str) -> RunFormatError:
        return RunFormatError(f"{self.where}.{key}: should be {expected}, got {_short(self.value.get(key))}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.value.get(key, default)
        if not isinstance(value, str) or len(value) > MAX_NAME * (64 if key == "source" else 1):
            raise self.fail(key, "text")
        return value

    def integer(self, key: str, low: int = 0, high: int = MAX_ID) -> int:
        value = self.value.get(key)
        if type(value) is not int or not low <= value <= high:
            raise self.fail(key, f"an integer from {low} to {high}")
        return value

    def flag(self, key: str, default: bool) -> bool:
        value = self.value.get(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def number(self, key: str) -> float | None:
        value = self.value.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fail(key, "a number")
        return _as_float(value)

    def list(self, key: str, limit: int, *, required: bool = False) -> list[JSON]:
        value = self.value.get(key, None if required else [])
        if not isinstance(value, list):
            raise self.fail(key, "a list")
        if len(value) > limit:
            raise RunFormatError(f"{self.where}.{key}: should have at most {limit} entries, got {len(value)}")
        return value

    def texts(self, key: str, limit: int = MAX_SAMPLES) -> tuple[str, ...]:
        values = self.list(key, limit)
        if not all(isinstance(v, str) for v in values):
            raise self.fail(key, "a list of texts")
        return tuple(values)

    def shape(self, key: str) -> tuple[int, ...]:
        values = self.list(key, MAX_DIMENSIONS, required=True)
        if not all(type(v) is int and 0 <= v <= MAX_EXTENT for v in values):
            raise self.fail(key, "a list of extents")
        return tuple(values)

    def numbers(self, key: str) -> tuple[float, ...]:
        values = self.list(key, 100_000)
        if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            raise self.fail(key, "a list of numbers")
        return tuple(_as_float(v) for v in values)

    def object(self, key: str) -> dict[str, JSON]:
        value = self.value.get(key, {})
        if not isinstance(value, dict):
            raise self.fail(key, "an object")
        return value

    def each(self, key: str, limit: int, parse: Callable[[_Reader], T]) -> tuple[T, ...]:
        values = self.list(key, limit)
        return tuple(parse(_Reader(v, f"{self.where}.{key}[{i}]")) for i, v in enumerate(values))


def _as_float(value: float) -> float:
    """A JSON number as a float; an integer too big for one becomes infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _short(value: object) -> str:
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 128:
        return "a very long integer"
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def parse_manifest(raw: JSON, where: str = "manifest") -> Manifest:
    """Check a manifest and make the graph of it. Raises RunFormatError naming the entry at fault."""
    r = _Reader(raw, where)
    if r.text("format", "") != FORMAT:
        raise r.fail("format", repr(FORMAT))
    version = r.integer("version", 1)
    if version > VERSION:
        raise RunFormatError(f"{where}.version: should be at most {VERSION}, got {version}. Update nn3d.")
    graph = _graph(r)
    epochs = r.each("epochs", MAX_EPOCHS, parse_epoch)
    check_epochs(epochs, f"{where}.epochs")
    samples = r.each("samples", MAX_SAMPLES, _sample)
    return Manifest(
        name=r.text("model", ""),
        source=r.text("source", ""),
        run_id=r.text("run_id", ""),
        graph=graph,
        epochs=epochs,
        samples=samples,
        classes=r.texts("classes", 1_000_000),
        left_out=r.texts("left_out"),
        notes=r.texts("notes"),
        raw=r.value,
    )


def check_epochs(epochs: Sequence[Epoch], where: str) -> None:
    """Epoch ids rise; raises RunFormatError otherwise."""
    for before, after in pairwise(epochs):
        if after.id <= before.id:
            raise RunFormatError(f"{where}: ids should rise, got {after.id} after {before.id}")


def parse_epoch(r: _Reader) -> Epoch:
    """One entry of `epochs`, or one line of epochs.jsonl."""
    metrics: dict[str, float] = {}
    for name, value in r.object("metrics").items():
        number = _NON_FINITE.get(value) if isinstance(value, str) else value
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise RunFormatError(f"{r.where}.metrics.{name[:60]}: should be a number, got {_short(value)}")
        metrics[name] = _as_float(number)
    step = None if r.value.get("step") is None else r.integer("step")
    return Epoch(r.integer("id"), step, r.number("wall_time"), metrics)


def epoch_from_json(value: JSON, where: str) -> Epoch:
    """An epoch from its JSON object."""
    return parse_epoch(_Reader(value, where))


def _sample(r: _Reader) -> Sample:
    label = None if r.value.get("label") is None else r.integer("label")
    return Sample(r.text("name"), label, r.texts("tokens", 1_000_000))


def _graph(r: _Reader) -> Graph:
    kind = r.text("graph", "")
    if kind not in KINDS:
        raise r.fail("graph", "one of " + ", ".join(KINDS))
    r.list("nodes", MAX_NODES, required=True)
    graph = Graph(
        kind=kind,
        nodes=r.each("nodes", MAX_NODES, _node),
        parameters=r.each("parameters", MAX_PARAMETERS, _parameter),
        modules=r.each("modules", MAX_NODES, lambda m: Module(m.text("path", ""), m.text("type", ""))),
        inputs=r.each("inputs", 10_000, _input),
        outputs=r.each("outputs", 10_000, lambda o: (o.text("name", ""), o.integer("node"), o.integer("output"))),
        notes=r.texts("graph_notes"),
    )
    _check_graph(graph, r.where)
    return graph


def _node(r: _Reader) -> Node:
    outputs = r.each("outputs", 10_000, _output)
    parameters = r.object("parameters")
    if not all(type(v) is int and 0 <= v <= MAX_ID for v in parameters.values()):
        raise r.fail("parameters", "role → parameter id")
    return Node(
        id=r.integer("id"),
        op=r.text("op"),
        name=r.text("name"),
        module=r.text("module", ""),
        attributes=r.object("attributes"),
        inputs=r.each("inputs", 10_000, _source),
        outputs=outputs,
        parameters=parameters,
        missing=r.flag("missing", False),
        recomputed=r.flag("recomputed", False),
    )


def _source(r: _Reader) -> Source:
    return Source(r.integer("node"), r.integer("output"), r.text("argument", ""))


def _output(r: _Reader) -> Output:
    shape, axes = r.shape("shape"), r.texts("axes", MAX_DIMENSIONS)
    most = MAX_PLATES if len(shape) > 2 else MAX_NEURONS
    if math.prod(shape) > MAX_VALUES or (len(shape) != 2 and shape and shape[0] > most):
        raise r.fail("shape", f"of at most {most:,} plates or neurons and {MAX_VALUES:,} values")
    if axes and len(axes) != len(shape):
        raise r.fail("axes", f"{len(shape)} names, one an extent of shape")
    flags = r.flag("per_sample", True), r.text("name", ""), r.flag("recomputed", False)
    return Output(shape, axes, r.text("dtype", "float32"), *flags)


def _parameter(r: _Reader) -> Parameter:
    shape = r.shape("shape")
    axes = r.texts("axes", MAX_DIMENSIONS)
    if axes and len(axes) != len(shape):
        raise r.fail("axes", f"{len(shape)} names, one an extent of shape")
    kind = r.text("kind", "parameter")
    if kind not in ("parameter", "buffer"):
        raise r.fail("kind", "'parameter' or 'buffer'")
    as_it_was = r.text("source_layout", ""), r.text("dtype", "")
    return Parameter(r.integer("id"), r.text("name"), shape, axes, kind, *as_it_was)


def _input(r: _Reader) -> InputInfo:
    kind = r.text("kind", "array")
    if kind not in ("image", "tokens", "array"):
        raise r.fail("kind", "'image', 'tokens' or 'array'")
    limits = r.numbers("value_range") if r.value.get("value_range") is not None else None
    if limits is not None and len(limits) != 2:
        raise r.fail("value_range", "two numbers")
    pair = None if limits is None else (limits[0], limits[1])
    note, names = r.text("note", ""), r.texts("names")
    return InputInfo(r.integer("node"), kind, r.numbers("mean"), r.numbers("std"), pair, note, names)


def _unique(values: Sequence[Any], what: str) -> set[Any]:
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise RunFormatError(f"{what}: should be unique, got {_short(value)} twice")
        seen.add(value)
    return seen


def _check_graph(graph: Graph, where: str) -> None:
    """Ids are unique and lead somewhere, and there is no circle."""
    _unique([n.id for n in graph.nodes], f"{where}.nodes: ids")
    _unique([n.name for n in graph.nodes], f"{where}.nodes: names")
    parameters = _unique([p.id for p in graph.parameters], f"{where}.parameters: ids")
    _unique([p.name for p in graph.parameters], f"{where}.parameters: names")
    nodes = {n.id: n for n in graph.nodes}
    topological(graph.nodes)
    for node in graph.nodes:
        for source in node.inputs:
            _check_output(nodes, source.node, source.output, f"{where}: input of node {node.id} ({node.name[:60]})")
        for role, parameter in node.parameters.items():
            if parameter not in parameters:
                at = f"{where}: node {node.id} ({node.name[:60]}): {role[:60]}"
                raise RunFormatError(f"{at}: should be the id of a parameter, got {parameter}")
    for name, node_id, output in graph.outputs:
        _check_output(nodes, node_id, output, f"{where}: output {name[:60]!r}")
    for info in graph.inputs:
        _check_output(nodes, info.node, 0, f"{where}.inputs")


def _check_output(nodes: Mapping[int, Node], node: int, output: int, where: str) -> None:
    if node not in nodes:
        raise RunFormatError(f"{where}: should name a node of the graph, got {node}")
    if output >= len(nodes[node].outputs):
        n = len(nodes[node].outputs)
        raise RunFormatError(f"{where}: output should be one of the {n} of node {node}, got {output}")
