"""Owns ONNX as a format: a graph from the file, its weights, and every value as onnxruntime computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nn3d.extract.axes import axes_of_trace
from nn3d.extract.batch import Placement, moved_axis, placements
from nn3d.extract.draft import Draft, DraftOutput
from nn3d.extract.formats.format import ACTIVATIONS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.gates import with_gates
from nn3d.extract.moves import checked, lift
from nn3d.extract.options import SourceOptions
from nn3d.extract.placed import Preprocessing, input_info, node_of
from nn3d.extract.readers.onnx.file import Opened, open_model
from nn3d.extract.readers.onnx.fixed import Fixed
from nn3d.extract.readers.onnx.graph import Builder
from nn3d.extract.readers.onnx.names import modules_of
from nn3d.extract.readers.onnx.session import NotRunError
from nn3d.extract.readers.onnx.shapes import inferred_shapes
from nn3d.extract.readers.onnx.shot import Shot, shapes_of, shoot
from nn3d.extract.readers.onnx.sniff import is_onnx
from nn3d.extract.readers.onnx.values import Values, subgraphs, values_of
from nn3d.extract.recording import Moment, Recording
from nn3d.run.model import Array, Epoch, Graph, Module, Sample

# What exporters call a graph that nobody named.
_NAMELESS = frozenset(("", "main_graph", "main", "graph", "torch_jit", "torch-jit-export", "tf2onnx", "model"))


def _record(path: Path, options: SourceOptions) -> Recording:
    opened = open_model(path)
    values = values_of(opened.model.graph)
    fixed = Fixed(opened, values)
    left_out: list[str] = []
    shot: Shot | None = None
    try:
        shot = shoot(path, opened, values, options)
    except NotRunError as error:
        left_out.append(f"activations: onnxruntime does not run it: {error}")
    if shot is not None:
        fixed.shaped = {name: a for name, a in shot.first.items() if name in values.shaped}
        shapes = shapes_of(shot.first, shot.fed)
        types = {name: a.dtype.name for name, a in {**shot.fed.arrays, **shot.first}.items()}
    else:
        shapes, types = inferred_shapes(opened.model, values)
    builder = Builder(opened.model, values, fixed, shapes, types)
    builder.build()
    places = _places(builder, values, shot)
    if shot is not None and shot.lifted:
        lift(builder.drafts, builder.value_at, shot.lifted)
    graph = _graph(builder, values, opened, places, options, shot)
    held = _held(builder, shot, fixed)
    activations = {at: _canonical(places[at[0]][at[1]], array, shot) for at, array in held.items()} if shot else {}
    nodes, activations = with_gates(checked(graph.nodes, activations), activations, builder.arrays)
    graph = replace(graph, nodes=nodes)
    left_out += _left_out(builder)
    batch = shot.fed.batch if shot is not None else None
    samples: tuple[Sample, ...] = ()
    if shot is not None and batch is not None:
        names = [batch.names[i % len(batch.names)] for i in range(shot.n)]
        labels = [batch.labels[i % len(batch.labels)] if batch.labels else None for i in range(shot.n)]
        samples = tuple(Sample(name, label) for name, label in zip(names, labels, strict=True))
    moment = Moment(Epoch(0), activations, builder.arrays)
    classes = options.class_names() or (batch.classes if batch is not None else ())
    own = opened.model.graph.name
    name = path.stem if own.lower() in _NAMELESS else own
    return Recording(name, path.name, graph, samples, (moment,), classes, tuple(left_out))


def _held(builder: Builder, shot: Shot | None, fixed: Fixed) -> dict[tuple[int, int], Array]:
    """(draft, output) → raw array of everything that came out."""
    if shot is None:
        return {}
    found = {}
    for at, value in builder.value_at.items():
        array = shot.first.get(value)
        array = shot.fed.arrays.get(value) if array is None else array
        array = fixed.get(value) if array is None else array
        if array is not None:
            found[at] = array
    return found


def _canonical(place: Placement, array: Array, shot: Shot | None) -> Array:
    found = place.canonical(np.asarray(array), shot.n if shot is not None else 1)
    return np.ascontiguousarray(found, np.float32)


def _places(builder: Builder, values: Values, shot: Shot | None) -> list[list[Placement]]:
    """Where the samples of every output are; what does not move with the inputs has none."""
    drafts = builder.drafts
    if shot is not None and shot.second is not None:
        other = shot.second
        first = [_with(d, builder, {**shot.fed.arrays, **shot.first}, None) for d in drafts]
        second = [_with(d, builder, other, shot) for d in drafts]
        found = placements(first, second, shot.n, shot.other)
    else:
        found = [[Placement(0) if o.shape else Placement(None) for o in d.outputs] for d in drafts]
        if shot is not None and not shot.lifted:
            found = placements(drafts, None, shot.n, 0)
    if shot is not None and shot.rolled is not None:
        for (draft, output), value in builder.value_at.items():
            if value in shot.rolled:
                found[draft][output] = moved_axis(shot.first[value], shot.rolled[value], shot.n)
    joined = {s.node for d in drafts if d.op == "concat" for s in d.inputs}
    for (draft, output), value in builder.value_at.items():
        if value not in values.moving:
            is_each = draft in joined and shot is not None and _is_alike(drafts[draft].outputs[output], shot.n)
            found[draft][output] = Placement(0 if is_each else None)
    return found


def _is_alike(output: DraftOutput, n: int) -> bool:
    """Whether what is joined to the samples' values has a row for each of them (a class token, repeated)."""
    return len(output.shape) > 1 and output.shape[0] == n


def _with(draft: Draft, builder: Builder, values: dict[str, Array], shot: Shot | None) -> Draft:
    """A draft whose outputs hold these values; inputs of the second run are those of the first, fewer or more."""
    outputs = []
    for i, output in enumerate(draft.outputs):
        value = values.get(builder.value_at[draft.index, i])
        if value is None and shot is not None and draft.op == "input":
            axis = next((p for p, s in enumerate(output.shape) if s == shot.n), None)
            shape = tuple(shot.other if p == axis else s for p, s in enumerate(output.shape))
            value = np.broadcast_to(np.float32(0), shape)
        array = output.value if value is None else value
        outputs.append(DraftOutput(array.shape, output.dtype, array, output.name))
    return Draft(draft.index, draft.op, draft.name, draft.module, {}, draft.inputs, outputs)


def _graph(
    builder: Builder, values: Values, opened: Opened, places: Sequence[Sequence[Placement]], options: SourceOptions,
    shot: Shot | None,
) -> Graph:  # fmt: skip
    drafts = builder.drafts
    axes = axes_of_trace(drafts, places)
    nodes = tuple(node_of(d, places, axes[d.index], drafts) for d in drafts)
    inputs = [d for d in drafts if d.op == "input"]
    is_picture = shot is not None and shot.fed.batch.is_picture
    n_channels = nodes[inputs[0].index].outputs[0].shape[0] if inputs and nodes[inputs[0].index].outputs[0].shape else 0
    mean, std = (v * n_channels if len(v) == 1 else v for v in (options.mean, options.std))
    known = {**(shot.fed.arrays if shot is not None else {})}
    infos = []
    for i, draft in enumerate(inputs):
        value = known.get(builder.value_at[draft.index, 0])
        output = draft.outputs[0]
        seen = Draft(draft.index, "input", draft.name, "", {}, [], [
            DraftOutput(output.shape, output.dtype, output.value if value is None else value)
        ])  # fmt: skip
        how = Preprocessing(mean, std) if is_picture and not i else Preprocessing()
        infos.append(input_info(nodes[draft.index], seen, how))
    outputs = []
    for given in opened.model.graph.output:
        source = builder.source(given.name)
        if source is not None:
            outputs.append((given.name, source.node, source.output))
    modules = modules_of([d.module for d in drafts], builder.types_of_modules)
    notes = _notes(builder, values, opened) + (tuple(shot.notes) if shot is not None else ())
    if shot is not None and shot.fed.note:
        notes = (*notes, shot.fed.note)
    tree = tuple(Module(p, t) for p, t in modules)
    return Graph("file", nodes, tuple(builder.parameters), tree, tuple(infos), tuple(outputs), notes)


def _notes(builder: Builder, values: Values, opened: Opened) -> tuple[str, ...]:
    """Counts that add up to the file's own."""
    graph = opened.model.graph
    n_drawn = len(builder.drawn)
    still = [n for n in graph.node if not any(name in values.moving for name in n.output)]
    n_shaped = sum(any(name in values.shaped for name in n.output) for n in still)
    n_fixed = len(still) - n_shaped
    opset = next((o.version for o in graph_opsets(opened) if o.domain in ("", "ai.onnx")), 0)
    lines = [
        f"ONNX, opset {opset}: {len(graph.node)} nodes = {n_drawn} operations + {n_fixed} that make constants"
        f" + {n_shaped} of arithmetic on shapes"
        + (f" + {builder.n_without_numbers} that make no arrays" if builder.n_without_numbers else "")
    ]
    if opened.n_calls:
        lines.append(f"the file's graph has {opened.n_nodes} nodes, {opened.n_calls} of them calls, written out here")
    as_parameters = len([r for r in builder.used_roots if r in values.initializers])
    lines.append(
        f"{len(values.initializers)} initializers = {as_parameters} parameters + "
        f"{len(values.initializers) - as_parameters} settings (shapes, axes, bounds, scales)"
    )
    return tuple(lines)


def graph_opsets(opened: Opened) -> Any:
    """The operator sets that a model names."""
    return opened.model.opset_import


def _left_out(builder: Builder) -> list[str]:
    """What a run of this file lacks, a line each."""
    found, lost = [], builder.unknown
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        found.append(f"{lost[0]}{more}: constants that cannot be computed here")
    if builder.n_inner:
        kinds = ", ".join(sorted({n.op_type for n in builder.drawn if subgraphs(n)}))
        found.append(f"values inside of {kinds}: {builder.n_inner} operations, which run there as often as data say")
    return found


def _sniff(head: Head) -> bool:
    return not head.is_folder and not head.is_zip and is_onnx(head.start, head.size)


FORMAT = Format(
    "onnx", "ONNX", _sniff, _record, gives=(GRAPH, WEIGHTS, ACTIVATIONS), extra="onnx", is_isolated=True,
    libraries=("onnx", "onnxruntime", "onnx.reference", "onnx.inliner"),
)  # fmt: skip
