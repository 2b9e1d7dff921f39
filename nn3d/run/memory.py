"""Owns runs that lie in memory: a dictionary as store, and `run_from_arrays`, the way in from any framework.

The public name of `run_from_arrays` is `nn3d.from_arrays`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nn3d.errors import RunFormatError
from nn3d.run.describe import dump_json, manifest_json
from nn3d.run.manifest import parse_json, parse_manifest
from nn3d.run.model import JSON, Array, Epoch, Graph, InputInfo, Node, Output, Parameter, Sample, Source
from nn3d.run.ops import canonical
from nn3d.run.record import epoch_arrays, input_arrays
from nn3d.run.run import Run

_SPACE = ("D", "H", "W")


class MemoryStore:
    """Arrays in a dictionary, made read-only."""

    def __init__(self, arrays: Mapping[str, Array] | None = None) -> None:
        self._arrays: dict[str, Array] = {}
        self.update(arrays or {})

    def update(self, arrays: Mapping[str, Array]) -> None:
        """Add arrays; their own flags stay as they are, the store keeps read-only views."""
        for key, array in arrays.items():
            view = np.asarray(array).view()
            view.flags.writeable = False
            self._arrays[key] = view

    def __contains__(self, key: str) -> bool:
        return key in self._arrays

    def __getitem__(self, key: str) -> Array:
        return self._arrays[key]

    def keys(self) -> Iterable[str]:
        """All keys."""
        return self._arrays.keys()

    def close(self) -> None:
        """Nothing to give back."""


@dataclass(frozen=True, slots=True)
class LayerSpec:
    """One operation of a network described by hand.

    name : unique; activations are given under it, parameters are named "<name>.<role>".
    op : canonical name or a framework's ("conv2d", "Conv2d", "relu", "Gemm", …).
    inputs : names of the operations it reads; () means the one before it in the list, or none for an input.
    parameters : role → array ("weight": OIHW or (out, in), "bias": (out,)), or one array an epoch in a list.
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    attributes: Mapping[str, JSON] = field(default_factory=dict)
    parameters: Mapping[str, Array | Sequence[Array]] = field(default_factory=dict)
    axes: tuple[str, ...] = ()
    module: str = ""


def run_from_arrays(
    layers: Graph | Sequence[LayerSpec | Mapping[str, JSON]],
    activations: Mapping[str, Array | Sequence[Array]] | Sequence[Mapping[str, Array]],
    parameters: Mapping[str, Array | Sequence[Array]] | Sequence[Mapping[str, Array]] = (),
    *,
    epochs: Sequence[Epoch | int] = (),
    samples: Sequence[Sample | str] = (),
    labels: Sequence[int] = (),
    classes: Sequence[str] = (),
    inputs: Sequence[InputInfo] = (),
    model: str = "",
    source: str = "plain arrays",
    notes: Sequence[str] = (),
    left_out: Sequence[str] = (),
    encoding: str = "f32",
    statistics: bool = True,
) -> Run:
    """Build a run from plain arrays, from whatever framework they come.

    layers : a graph, or a list of LayerSpec (or mappings with its fields) in an order that inputs come first.
    activations : name → (N, *shape), of one epoch, or a list with one array an epoch; or one such mapping an epoch.
        Canonical layout: channels second. Names may carry an output: "lstm.1" is output 1 of node "lstm".
    parameters : name → array, likewise; those of LayerSpec.parameters need not be repeated.
    epochs : Epoch, or ids; 0, 1, … by default. samples : Sample, or names.
    encoding : "f32", "f16" or "u8" for activations; weights are float32 with "f32", else float16.

    Raises RunFormatError when shapes do not fit together.
    """
    given = [] if isinstance(layers, Graph) else [_spec(layer) for layer in layers]
    n_epochs = _count(activations, parameters, given, epochs)
    by_epoch = _by_epoch(activations, n_epochs, "activations")
    weights = _by_epoch(parameters or {}, n_epochs, "parameters")
    for spec in given:
        for role, value in spec.parameters.items():
            for e, array in enumerate(_spread(value, n_epochs, f"{spec.name}.{role}")):
                weights[e].setdefault(f"{spec.name}.{role}", array)
    graph = layers if isinstance(layers, Graph) else graph_of(given, by_epoch[0], weights[0], inputs)
    moments = [e if isinstance(e, Epoch) else Epoch(int(e)) for e in (epochs or range(n_epochs))]
    arrays = input_arrays(graph, by_epoch[0])
    for epoch, values, params in zip(moments, by_epoch, weights, strict=True):
        arrays |= epoch_arrays(graph, epoch.id, values, params, encoding=encoding, statistics=statistics)
    manifest = manifest_json(
        graph,
        model=model,
        source=source,
        run_id=_digest(arrays),
        epochs=moments,
        samples=_samples(samples, labels, by_epoch[0]),
        classes=classes,
        left_out=left_out,
        notes=notes,
    )
    return Run(MemoryStore(arrays), parse_manifest(parse_json(dump_json(manifest), "manifest")))


def _digest(arrays: Mapping[str, Array]) -> str:
    """Hash of every array's name, type and first 64 KiB: enough to tell two runs apart, cheap for big ones."""
    digest = hashlib.sha256()
    for key, array in arrays.items():
        digest.update(f"{key} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array.reshape(-1)[: 65536 // max(1, array.itemsize)]).tobytes())
    return digest.hexdigest()[:16]


def _spec(layer: LayerSpec | Mapping[str, JSON]) -> LayerSpec:
    if isinstance(layer, LayerSpec):
        return layer
    known = set(LayerSpec.__dataclass_fields__)
    if not {"name", "op"} <= set(layer) <= known:
        raise RunFormatError(f"layer: should have name and op, and at most {sorted(known)}, got {sorted(layer)}")
    listed: dict[str, Any] = {k: tuple(v) if k in ("inputs", "axes") else v for k, v in layer.items()}
    return LayerSpec(**listed)


def _count(
    activations: Mapping[str, Array | Sequence[Array]] | Sequence[Mapping[str, Array]],
    parameters: Mapping[str, Array | Sequence[Array]] | Sequence[Mapping[str, Array]],
    specs: Sequence[LayerSpec],
    epochs: Sequence[Epoch | int],
) -> int:
    if len(epochs):
        return len(epochs)
    lengths = []
    for given in (activations, parameters, *(s.parameters for s in specs)):
        if isinstance(given, Mapping):
            lengths += [len(v) for v in given.values() if isinstance(v, list | tuple)]
        elif given:
            lengths.append(len(given))
    return max(lengths, default=1)


def _by_epoch(
    given: Mapping[str, Array | Sequence[Array]] | Sequence[Mapping[str, Array]], n: int, what: str
) -> list[dict[str, Array]]:
    if not isinstance(given, Mapping):
        if len(given) != n:
            raise RunFormatError(f"{what}: should be given for {n} epochs, got {len(given)}")
        return [{k: np.asarray(v) for k, v in one.items()} for one in given]
    spread = {name: _spread(value, n, name) for name, value in given.items()}
    return [{name: values[e] for name, values in spread.items()} for e in range(n)]


def _spread(value: Array | Sequence[Array], n: int, name: str) -> list[Array]:
    if not isinstance(value, list | tuple):
        return [np.asarray(value)] * n
    if len(value) != n:
        raise RunFormatError(f"{name}: should be one array for each of {n} epochs, got {len(value)}")
    return [np.asarray(v) for v in value]


def _samples(samples: Sequence[Sample | str], labels: Sequence[int], values: Mapping[str, Array]) -> list[Sample]:
    n = len(samples) or max((v.shape[0] for v in values.values() if v.ndim), default=0)
    if len(labels) not in (0, n):
        raise RunFormatError(f"labels: should be {n}, one a sample, got {len(labels)}")
    names = samples or [f"sample {i}" for i in range(n)]
    return [
        s if isinstance(s, Sample) else Sample(s, int(labels[i]) if len(labels) else None) for i, s in enumerate(names)
    ]


def graph_of(
    specs: Sequence[LayerSpec],
    activations: Mapping[str, Array],
    parameters: Mapping[str, Array],
    inputs: Sequence[InputInfo] = (),
) -> Graph:
    """The graph of a list of layers; shapes are those of the arrays. Raises RunFormatError on an unknown input."""
    ids = {spec.name: i for i, spec in enumerate(specs)}
    shapes = [(name, array.shape) for name, array in parameters.items()]
    params = [Parameter(i, name, shape, _parameter_axes(len(shape))) for i, (name, shape) in enumerate(shapes)]
    by_name = {p.name: p.id for p in params}
    nodes = []
    for i, spec in enumerate(specs):
        op = canonical(spec.op)
        names = spec.inputs or (() if not i or op in ("input", "parameter", "constant") else (specs[i - 1].name,))
        unknown = [n for n in names if n not in ids]
        if unknown:
            raise RunFormatError(f"layer {spec.name!r}: input should be the name of a layer, got {unknown[0]!r}")
        roles = {k[len(spec.name) + 1 :]: v for k, v in by_name.items() if k.startswith(spec.name + ".")}
        sources = tuple(Source(ids[n], 0, "input" if k == 0 else f"input{k}") for k, n in enumerate(names))
        outputs = _outputs(spec, activations)
        nodes.append(Node(i, op, spec.name, spec.module, dict(spec.attributes), sources, outputs, roles))
    read = {s.node for n in nodes for s in n.inputs}
    ends = tuple((n.name, n.id, 0) for n in nodes if n.id not in read and n.outputs)
    found = tuple(inputs) or tuple(InputInfo(n.id, _input_kind(n)) for n in nodes if n.op == "input" and n.outputs)
    return Graph("file", tuple(nodes), tuple(params), (), found, ends)


def _outputs(spec: LayerSpec, activations: Mapping[str, Array]) -> tuple[Output, ...]:
    arrays = []
    if spec.name in activations:
        arrays.append(activations[spec.name])
    while f"{spec.name}.{len(arrays)}" in activations and arrays:
        arrays.append(activations[f"{spec.name}.{len(arrays)}"])
    return tuple(
        Output(a.shape[1:], spec.axes if spec.axes and not k else axes_of(a.ndim - 1), str(a.dtype))
        for k, a in enumerate(arrays)
    ) or (Output((), ()),)


def _input_kind(node: Node) -> str:
    shape = node.outputs[0].shape
    return "image" if len(shape) == 3 and shape[0] in (1, 3, 4) else "array"


def axes_of(rank: int) -> tuple[str, ...]:
    """Usual axes of a shape without its samples: (F), (T, F), (C, H, W), (C, D, H, W)."""
    if rank <= 2:
        return (("T", "F")[2 - rank :]) if rank > 0 else ()
    return ("C", *_SPACE[-(rank - 1) :]) if rank <= 4 else tuple(f"axis{i}" for i in range(rank))


def _parameter_axes(rank: int) -> tuple[str, ...]:
    if rank < 2:
        return ("out",) * rank
    return ("out", "in", *_SPACE[-(rank - 2) :]) if 3 <= rank <= 5 else ("out", "in") if rank == 2 else ()
