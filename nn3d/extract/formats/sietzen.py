"""Owns reading the JSON that stefsietz/nn-visualizer exports: a folder or a zip, two files an epoch.

Weights there are HWIO and (in, out), activations NHWC; here OIHW, (out, in) and NCHW. The first linear layer after a
map reads (y, x, channel) there and (channel, y, x) here: its columns are permuted once. What the files do not hold
(biases, whatever stood between the layers) is measured, and said in the graph's notes.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path, PurePosixPath

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.formats.format import ACTIVATIONS, EPOCHS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.sietzen.check import Finding, input_scale, measure
from nn3d.extract.recording import Moment, Recording
from nn3d.run.model import (
    JSON,
    Array,
    Epoch,
    FloatArray,
    Graph,
    InputInfo,
    Module,
    Node,
    Output,
    Parameter,
    Sample,
    Source,
)

STRUCTURE = "model_structure.json"
_EPOCH_FILE = re.compile(r"model_(weights|activations)_epoch(\d{1,9})\.json")
_MAX_JSON_BYTES, _MAX_LISTS = 1 << 26, 1 << 22
_MAX_EXTENT = 1 << 24
_KINDS = {"input": "input", "conv": "conv", "maxpool": "pool", "fc": "linear"}


@dataclass(frozen=True, slots=True)
class _Files:
    """The JSON members of a folder or zip: name without folders → path."""

    root: Path
    names: Mapping[str, str]

    def json(self, name: str) -> JSON:
        """Parse a member; raises SourceError when it is absent, too large or not JSON."""
        inside = self.names.get(name)
        if inside is None:
            raise SourceError(f"{self.root}: expected {name}, got none. Export the model again with all its files.")
        try:
            data = self._bytes(inside)
            if data.count(b"[") > _MAX_LISTS:
                raise ValueError(f"more than {_MAX_LISTS:,} lists")
            return json.loads(data)
        except (ValueError, RecursionError, OSError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error,
                struct.error, RuntimeError) as error:  # fmt: skip
            raise SourceError(f"{self.root}: {name} should be JSON, got: {error}. Export it again.") from error

    def _bytes(self, inside: str) -> bytes:
        if self.root.is_dir():
            size, path = (self.root / inside).stat().st_size, self.root / inside
            self._check_size(inside, size)
            return path.read_bytes()
        with zipfile.ZipFile(self.root) as archive:
            self._check_size(inside, archive.getinfo(inside).file_size)
            with archive.open(inside) as member:
                return member.read(_MAX_JSON_BYTES)

    def _check_size(self, inside: str, size: int) -> None:
        if size > _MAX_JSON_BYTES:
            raise SourceError(f"{self.root}: {inside} should hold at most {_MAX_JSON_BYTES} bytes, got {size}.")


@dataclass(frozen=True, slots=True)
class _Layer:
    name: str
    kind: str
    shape: tuple[int, ...]


def is_sietzen(path: Path) -> bool:
    """Whether a folder or zip holds Sietzen's model_structure.json (in at most one folder below)."""
    return STRUCTURE in _listing(path)


def _listing(path: Path) -> dict[str, str]:
    if path.is_dir():
        found = [p.relative_to(path).as_posix() for p in (*path.glob("model_*.json"), *path.glob("*/model_*.json"))]
    elif path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            found = [name for name in archive.namelist() if PurePosixPath(name).name.startswith("model_")]
    else:
        found = []
    return {PurePosixPath(name).name: name for name in sorted(found, key=lambda n: (-n.count("/"), n))}


def read(path: Path) -> Recording:
    """Read a folder or zip into a recording; every epoch that has both its files becomes one.

    Raises SourceError when files are missing or are not what the format says.
    """
    files = _Files(path, _listing(path))
    layers, classes = _structure(files)
    epochs = _epochs(files)
    if not epochs:
        raise SourceError(f"{path}: expected weights and activations of at least one epoch, got none. Export it again.")
    first, last = (_load(files, layers, n) for n in (epochs[0], epochs[-1]))
    scale = input_scale(last.raw)
    finding = measure(last.weights(), last.maps(scale))
    graph = _graph(layers, last, scale, finding)
    truth = first.truth
    samples = tuple(
        Sample(f"sample {i}", classes.index(t) if t in classes else None) for i, t in enumerate(truth)
    ) or tuple(Sample(f"sample {i}") for i in range(len(first.raw[layers[0].name])))
    return Recording(
        name=path.stem,
        source=f"{path.name} (stefsietz/nn-visualizer JSON)",
        graph=graph,
        samples=samples,
        classes=classes,
        moments=_moments(files, layers, epochs, scale, graph),
        left_out=finding.left_out,
        expected=len(epochs),
    )


def _structure(files: _Files) -> tuple[tuple[_Layer, ...], tuple[str, ...]]:
    data = files.json(STRUCTURE)
    if not isinstance(data, list) or len(data) < 2 or not isinstance(data[-1], list):
        raise SourceError(f"{files.root}: {STRUCTURE} should be a list of layers and class names. Export it again.")
    *entries, classes = data
    layers = []
    for entry in entries:
        if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)):
            raise SourceError(f"{files.root}: {STRUCTURE} should list [name, shape], got {str(entry)[:60]}.")
        name, shape = entry
        kind = next((k for prefix, k in _KINDS.items() if name.startswith(prefix)), None)
        if kind is None:
            raise SourceError(f"{files.root}: layer {name!r}: expected input…, conv…, maxpool… or fc…. Rename it.")
        if not isinstance(shape, list) or not all(type(n) is int and 0 < n < _MAX_EXTENT for n in shape):
            raise SourceError(f"{files.root}: layer {name!r}: expected a list of extents, got {str(shape)[:60]}.")
        layers.append(_Layer(name, kind, tuple(shape)))
    return tuple(layers), tuple(str(c) for c in classes)


def _epochs(files: _Files) -> tuple[int, ...]:
    seen: dict[str, set[int]] = {"weights": set(), "activations": set()}
    for name in files.names:
        match = _EPOCH_FILE.fullmatch(name)
        if match:
            seen[match[1]].add(int(match[2]))
    return tuple(sorted(seen["weights"] & seen["activations"]))


@dataclass(frozen=True, slots=True)
class _Epoch:
    """Both files of one epoch, as stored: raw activations NHWC or (N, F), raw weights HWIO or (in, out)."""

    layers: tuple[_Layer, ...]
    raw: Mapping[str, FloatArray]
    raw_weights: Mapping[str, FloatArray]
    truth: tuple[str, ...]
    predicted: tuple[str, ...]

    def weights(self) -> dict[str, FloatArray]:
        """Canonical: (O, I, kH, kW) and (out, in), the columns of a linear layer after maps as (channel, y, x)."""
        found: dict[str, FloatArray] = {}
        before = self.layers[0]
        for layer in self.layers:
            weight = self.raw_weights.get(layer.name)
            if layer.kind == "conv" and weight is not None:
                found[layer.name] = np.ascontiguousarray(weight.transpose(3, 2, 0, 1))
            elif layer.kind == "linear" and weight is not None:
                shape = self.raw[before.name].shape[1:]
                if len(shape) == 3 and prod(shape) == weight.shape[0]:
                    weight = weight.reshape(*shape, -1).transpose(2, 0, 1, 3).reshape(weight.shape)
                found[layer.name] = np.ascontiguousarray(weight.T)
            before = layer
        return found

    def maps(self, scale: float) -> dict[str, FloatArray]:
        """Activations (N, C, H, W) or (N, F); the input multiplied by `scale`."""
        found = {n: np.ascontiguousarray(a.transpose(0, 3, 1, 2) if a.ndim == 4 else a) for n, a in self.raw.items()}
        name = self.layers[0].name
        found[name] = found[name] * np.float32(scale)
        return found


def _load(files: _Files, layers: tuple[_Layer, ...], epoch: int) -> _Epoch:
    stored = files.json(f"model_activations_epoch{epoch:03d}.json")
    weights = files.json(f"model_weights_epoch{epoch:03d}.json")
    if not all(isinstance(x, list) and all(isinstance(e, list) for e in x) for x in (stored, weights)):
        raise SourceError(f"{files.root}: epoch {epoch}: expected lists of [name, shape, values]. Export it again.")
    named = stored[-1] if stored and len(stored[-1]) == 2 else [[], []]
    truth, predicted = named if all(isinstance(names, list) for names in named) else ((), ())
    raw = {str(e[0]): _array(files, e) for e in stored if len(e) == 3}
    raw_weights = {str(e[0]): _array(files, e) for e in weights if len(e) == 3}
    for layer in layers:
        if layer.name not in raw:
            raise SourceError(f"{files.root}: epoch {epoch}: expected activations of {layer.name!r}, got none.")
        weight = raw_weights.get(layer.name)
        if layer.kind in {"conv", "linear"} and (weight is None or weight.shape != layer.shape):
            got = None if weight is None else weight.shape
            text = f"weights of {layer.name!r} should be {layer.shape}, got {got}"
            raise SourceError(f"{files.root}: epoch {epoch}: {text}. Export it again.")
    return _Epoch(layers, raw, raw_weights, tuple(map(str, truth)), tuple(map(str, predicted)))


def _array(files: _Files, entry: list[JSON]) -> FloatArray:
    name, shape, values = entry
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(values, np.float32)
    except (ValueError, TypeError, OverflowError) as error:
        raise SourceError(f"{files.root}: {name!r} should be a regular list of numbers, got: {error}.") from error
    if list(array.shape) != shape:
        raise SourceError(f"{files.root}: {name!r} should have shape {str(shape)[:60]}, got {array.shape}.")
    return array


def _moments(
    files: _Files, layers: tuple[_Layer, ...], epochs: tuple[int, ...], scale: float, graph: Graph
) -> Iterator[Moment]:
    shown = {node.attributes.get("recorded_as"): node.id for node in graph.nodes}
    by_name = {p.name: p.id for p in graph.parameters}
    for number in epochs:
        data = _load(files, layers, number)
        maps, weights = data.maps(scale), data.weights()
        parameters: dict[int, Array] = {by_name[f"{name}.weight"]: w for name, w in weights.items()}
        finding = measure(weights, maps)
        bias = f"{finding.first}.bias"
        if bias in by_name:
            parameters[by_name[bias]] = finding.bias
        right = sum(t == p for t, p in zip(data.truth, data.predicted, strict=False))
        metrics = {"accuracy_on_samples": right / len(data.truth)} if data.truth else {}
        activations = {(shown[layer.name], 0): maps[layer.name] for layer in layers}
        yield Moment(Epoch(number, step=number, metrics=metrics), activations, parameters)


def _graph(layers: tuple[_Layer, ...], data: _Epoch, scale: float, finding: Finding) -> Graph:
    build = _Builder(data.maps(scale), data.weights(), finding)
    for layer in layers:
        build.add(layer, is_last=layer is layers[-1])
    note = f"stored divided by {scale:g}, shown ×{scale:g}" if scale != 1 else ""
    return Graph(
        kind="file",
        nodes=tuple(build.nodes),
        parameters=tuple(build.parameters),
        modules=(Module("", "Sequential"),),
        inputs=(InputInfo(0, "image", value_range=(0.0, 1.0), note=note),),
        outputs=(("output", build.nodes[-1].id, 0),),
        notes=(*((f"input: {note}",) if note else ()), *finding.notes),
    )


class _Builder:
    """Appends the nodes of one chain."""

    def __init__(self, maps: Mapping[str, FloatArray], weights: Mapping[str, FloatArray], finding: Finding) -> None:
        self.maps, self.weights, self.finding = maps, weights, finding
        self.nodes: list[Node] = []
        self.parameters: list[Parameter] = []

    def add(self, layer: _Layer, *, is_last: bool) -> None:
        """Append a layer: the operation and, where the stored values are rectified, its ReLU."""
        shape = self.maps[layer.name].shape[1:]
        if layer.kind == "input":
            self._node("input", layer.name, shape, {}, recorded=layer.name)
        elif layer.kind == "pool":
            before = self.maps[self.nodes[-1].attributes["recorded_as"]].shape[2:]
            size = [b // s for b, s in zip(before, shape[1:], strict=True)]
            attributes = {"kernel_size": size, "stride": size, "padding": [0, 0], "dilation": [1, 1]}
            self._node("max_pool2d", layer.name, shape, attributes, recorded=layer.name)
        else:
            self._weighted(layer, shape, is_last=is_last)

    def _weighted(self, layer: _Layer, shape: tuple[int, ...], *, is_last: bool) -> None:
        weight = self.weights[layer.name]
        attributes: dict[str, JSON] = {}
        if layer.kind == "conv":
            padding = [k // 2 for k in weight.shape[2:]]
            attributes = {"stride": [1, 1], "padding": padding, "dilation": [1, 1], "groups": 1}
        elif len(self.nodes[-1].outputs[0].shape) > 1:
            self._node("flatten", f"{layer.name}.flatten", (weight.shape[1],), {})
        if layer.name in self.finding.reasons:
            attributes["unreproducible"] = self.finding.reasons[layer.name]
        layout, axes = ("HWIO", ("out", "in", "kH", "kW")) if layer.kind == "conv" else ("IO", ("out", "in"))
        roles = {"weight": self._parameter(f"{layer.name}.weight", weight.shape, axes, layout)}
        if layer.name == self.finding.first and self.finding.bias.size:
            roles["bias"] = self._parameter(f"{layer.name}.bias", self.finding.bias.shape, ("out",), "", kind="buffer")
        is_rectified = not is_last and not (self.maps[layer.name] < 0).any()
        op = "conv2d" if layer.kind == "conv" else "linear"
        self._node(op, layer.name, shape, attributes, roles, recorded="" if is_rectified else layer.name)
        if is_rectified:
            self._node("relu", f"{layer.name}.relu", shape, {}, recorded=layer.name)

    def _parameter(
        self, name: str, shape: tuple[int, ...], axes: tuple[str, ...], layout: str, kind: str = "parameter"
    ) -> int:
        self.parameters.append(Parameter(len(self.parameters), name, shape, axes, kind, layout))
        return len(self.parameters) - 1

    def _node(
        self,
        op: str,
        name: str,
        shape: tuple[int, ...],
        attributes: Mapping[str, JSON],
        parameters: Mapping[str, int] | None = None,
        recorded: str = "",
    ) -> None:
        axes = ("C", "H", "W") if len(shape) == 3 else ("F",)
        node = Node(len(self.nodes), op, name, "", dict(attributes), outputs=(Output(shape, axes),))
        if self.nodes:
            node = replace(node, inputs=(Source(self.nodes[-1].id, 0, "input"),))
        if recorded:
            node = replace(node, attributes={**attributes, "recorded_as": recorded})
        self.nodes.append(replace(node, parameters=parameters or {}))


def _sniff(head: Head) -> bool:
    if head.is_folder:
        return is_sietzen(head.path)
    return head.is_zip and any(PurePosixPath(name).name == STRUCTURE for name in head.names)


def _record(path: Path, options: SourceOptions) -> Recording:
    found = read(path)
    return replace(found, classes=options.class_names() or found.classes)


FORMAT = Format("sietzen", "Sietzen's JSON", _sniff, _record, gives=(GRAPH, WEIGHTS, ACTIVATIONS, EPOCHS))
