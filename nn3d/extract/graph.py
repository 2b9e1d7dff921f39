"""Owns a finished trace → the graph of a run: canonical axes and dimensions, parameters with roles and layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from nn3d.extract.axes import axes_of_trace, permutation
from nn3d.extract.batch import Placement
from nn3d.extract.draft import Draft, Traced
from nn3d.run.model import JSON, Array, Graph, InputInfo, Module, Node, Output, Parameter

_DIMS = ("dim", "dim0", "dim1", "dims", "start_dim", "end_dim")
_SHAPES = ("shape", "size", "sizes")
_ROLE_AXES = ("out", "in")
_KERNEL = {3: ("kL",), 4: ("kH", "kW"), 5: ("kD", "kH", "kW")}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How input pictures were normalised, for showing them: value = (picture − mean) / std, by channel.

    names : of the features of inputs (N), where an input has as many.
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    value_range: tuple[float, float] | None = None
    names: tuple[str, ...] = ()


def build(
    model: torch.nn.Module,
    traced: Traced,
    places: Sequence[Sequence[Placement]],
    parameters: Mapping[int, tuple[str, torch.Tensor]],
    preprocessing: Preprocessing,
) -> Graph:
    """The graph of kind "traced" of a model's first trace; `places` as nn3d.extract.batch found them."""
    axes = axes_of_trace(traced.drafts, places)
    nodes = tuple(_node(d, places, axes[d.index], traced.drafts) for d in traced.drafts)
    return Graph(
        kind="traced",
        nodes=nodes,
        parameters=_described(nodes, parameters, traced.transposed, traced.spatial_first),
        modules=tuple(Module(path, type(m).__name__) for path, m in model.named_modules()),
        inputs=tuple(_input_info(nodes[i], traced.drafts[i], preprocessing) for i in traced.inputs),
        outputs=traced.outputs,
        notes=traced.notes,
    )


def _node(
    draft: Draft, places: Sequence[Sequence[Placement]], axes: Sequence[tuple[str, ...]], drafts: Sequence[Draft]
) -> Node:
    outputs = tuple(
        Output(place.shape(o.shape), axes[i], o.dtype, place.axis is not None, o.name, o.recomputed)
        for i, (o, place) in enumerate(zip(draft.outputs, places[draft.index], strict=True))
    )
    op, attributes = draft.op, _dims(draft, places, drafts)
    if op in ("permute", "transpose") and draft.inputs:
        op, attributes = _moved(draft, places, drafts)
    inputs, parameters = tuple(draft.inputs), dict(draft.parameters)
    return Node(draft.index, op, draft.name, draft.module, attributes, inputs, outputs, parameters)


def _moved(draft: Draft, places: Sequence[Sequence[Placement]], drafts: Sequence[Draft]) -> tuple[str, dict[str, JSON]]:
    """A permutation of torch's axes as one of the canonical axes; one that only moves the samples is the identity."""
    source = draft.inputs[0]
    place, after = places[source.node][source.output], places[draft.index][0]
    rank = len(draft.outputs[0].shape)
    raw = permutation(draft, rank)
    if raw is None:
        return draft.op, dict(draft.attributes)
    order = sorted(range(rank), key=lambda axis: after.dim(axis, rank))
    dims = [place.dim(raw[axis], rank) for axis in order]
    if place.fold > 1 or after.fold > 1:
        if place.fold != after.fold or dims[0] != 1:
            return "permute", {}
        dims = [0, *dims]  # several entries of one sample lie on an axis of their own, which stays the first
    turned = [i for i, d in enumerate(dims) if i != d]
    if not turned:
        return "identity", {}
    return ("transpose", {"dim0": turned[0], "dim1": turned[1]}) if len(turned) == 2 else ("permute", {"dims": dims})


def _dims(draft: Draft, places: Sequence[Sequence[Placement]], drafts: Sequence[Draft]) -> dict[str, JSON]:
    """Attributes; dimensions count as in the canonical arrays, samples included and never negative."""
    found = {k: v for k, v in draft.attributes.items() if draft.op not in ("reshape", "expand") or k not in _SHAPES}
    if not draft.inputs:
        return found
    source = draft.inputs[0]
    place = places[source.node][source.output]
    rank = len(drafts[source.node].outputs[source.output].shape)
    if draft.op in ("stack", "unsqueeze"):
        place, rank = places[draft.index][0], len(draft.outputs[0].shape)
    for name in _DIMS:
        value = found.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            found[name] = place.dim(value, rank)
        elif isinstance(value, list) and all(isinstance(v, int) for v in value):
            found[name] = [place.dim(v, rank) for v in value]
    return found


def _described(
    nodes: Sequence[Node], parameters: Mapping[int, tuple[str, torch.Tensor]], transposed: frozenset[int],
    spatial_first: frozenset[int],
) -> tuple[Parameter, ...]:
    """All parameters, and the buffers that some node reads."""
    roles: dict[int, set[tuple[str, str]]] = {}
    groups: dict[int, int] = {}
    for node in nodes:
        for role, parameter in node.parameters.items():
            roles.setdefault(parameter, set()).add((node.op, role))
            groups[parameter] = int(node.attributes.get("groups", 1))
    found = []
    for k, (name, tensor) in parameters.items():
        is_parameter = isinstance(tensor, torch.nn.Parameter)
        if not is_parameter and k not in roles:
            continue
        used = roles.get(k, set())
        layout = "IO" if k in transposed else ""
        if k in spatial_first:
            layout = f"{'DHW'[5 - tensor.ndim :]}IO"
        if used and all(op.startswith("conv_transpose") and role == "weight" for op, role in used):
            layout = f"IO{'DHW'[5 - tensor.ndim :]}" + (f", {groups[k]} groups" if groups[k] > 1 else "")
        shape = _weight_shape(tuple(tensor.shape), layout, groups.get(k, 1))
        kind = "parameter" if is_parameter else "buffer"
        found.append(Parameter(k, name, shape, _weight_axes(len(shape), used), kind, layout))
    return tuple(found)


def _weight_shape(shape: tuple[int, ...], layout: str, groups: int) -> tuple[int, ...]:
    if is_spatial_first(layout):
        return (shape[-1], shape[-2], *shape[:-2])
    return (shape[1] * groups, shape[0] // groups, *shape[2:]) if layout else shape or (1,)


def canonical_weight(weight: Array, layout: str, shape: tuple[int, ...]) -> Array:
    """(I, O/g, ...) → (O, I/g, ...), or (H, W, I, O) → (O, I, H, W), where the layout says so."""
    if not layout:
        return weight.reshape(shape)
    if is_spatial_first(layout):
        return np.ascontiguousarray(weight.transpose(weight.ndim - 1, weight.ndim - 2, *range(weight.ndim - 2)))
    groups = max(1, shape[0] // weight.shape[1])
    parts = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
    return np.ascontiguousarray(np.swapaxes(parts, 1, 2).reshape(shape))


def source_weight(weight: Array, layout: str, shape: tuple[int, ...]) -> Array:
    """A canonical weight as its source keeps it, in `shape`: what `canonical_weight` undoes."""
    if layout and is_spatial_first(layout):
        return np.ascontiguousarray(weight.transpose(*range(2, weight.ndim), 1, 0))
    return canonical_weight(weight, layout, shape)


def is_spatial_first(layout: str) -> bool:
    """Whether a kernel is kept as (space…, in, out): "HWIO"."""
    return layout.endswith("IO") and layout != "IO"


def _weight_axes(rank: int, used: set[tuple[str, str]]) -> tuple[str, ...]:
    if rank in _KERNEL:
        return (*_ROLE_AXES, *_KERNEL[rank])
    if rank == 2:
        return ("token", "F") if used and all(op.startswith("embedding") for op, _ in used) else _ROLE_AXES
    return ("out",) if rank == 1 else tuple(f"axis{i}" for i in range(rank))


def _input_info(node: Node, draft: Draft, preprocessing: Preprocessing) -> InputInfo:
    output = node.outputs[0]
    is_int = "int" in output.dtype
    if is_int and len(output.shape) == 1:
        return InputInfo(node.id, "tokens")
    shape = output.shape
    if len(shape) != 3 or shape[0] not in (1, 3, 4) or min(shape[1:]) < 2:
        names = preprocessing.names if shape == (len(preprocessing.names),) else ()
        return InputInfo(node.id, "array", names=names)
    value_range = preprocessing.value_range
    if value_range is None:
        value_range = (0.0, 1.0) if preprocessing.mean else _value_range(draft.outputs[0].value)
    return InputInfo(node.id, "image", preprocessing.mean, preprocessing.std, value_range)


def _value_range(values: Array) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return (0.0, 1.0)
    return (0.0, 255.0) if low >= 0 and 1 < high <= 255 else (low, high if high > low else low + 1)
