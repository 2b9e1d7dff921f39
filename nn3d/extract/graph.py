"""Owns a finished trace → the graph of a run: its nodes, its parameters with roles and layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from nn3d.extract.axes import axes_of_trace
from nn3d.extract.batch import Placement
from nn3d.extract.draft import Traced
from nn3d.extract.placed import Preprocessing, input_info, node_of
from nn3d.extract.sharding import class_name
from nn3d.run.model import Array, Graph, Module, Node, Parameter

_ROLE_AXES = ("out", "in")
_KERNEL = {3: ("kL",), 4: ("kH", "kW"), 5: ("kD", "kH", "kW")}


def build(
    model: torch.nn.Module,
    traced: Traced,
    places: Sequence[Sequence[Placement]],
    parameters: Mapping[int, tuple[str, torch.Tensor]],
    preprocessing: Preprocessing,
) -> Graph:
    """The graph of kind "traced" of a model's first trace; `places` as nn3d.extract.batch found them."""
    axes = axes_of_trace(traced.drafts, places)
    nodes = tuple(node_of(d, places, axes[d.index], traced.drafts) for d in traced.drafts)
    return Graph(
        kind="traced",
        nodes=nodes,
        parameters=_described(nodes, parameters, traced.transposed, traced.spatial_first),
        modules=tuple(Module(path, class_name(m)) for path, m in model.named_modules()),
        inputs=tuple(input_info(nodes[i], traced.drafts[i], preprocessing) for i in traced.inputs),
        outputs=traced.outputs,
        notes=traced.notes,
    )


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
