"""Owns a draft whose samples were found → a node of a run: canonical axes and dimensions. No framework is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nn3d.extract.axes import permutation
from nn3d.extract.batch import Placement
from nn3d.extract.draft import Draft
from nn3d.run.model import JSON, Array, InputInfo, Node, Output

_DIMS = ("dim", "dim0", "dim1", "dims", "start_dim", "end_dim")
_SHAPES = ("shape", "size", "sizes")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How input pictures were normalised, for showing them: value = (picture − mean) / std, by channel.

    names : of the features of inputs (N), where an input has as many.
    """

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    value_range: tuple[float, float] | None = None
    names: tuple[str, ...] = ()


def node_of(
    draft: Draft, places: Sequence[Sequence[Placement]], axes: Sequence[tuple[str, ...]], drafts: Sequence[Draft]
) -> Node:
    """A node of the graph; `axes` of its outputs, `places` of all drafts' outputs."""
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


def input_info(node: Node, draft: Draft, preprocessing: Preprocessing) -> InputInfo:
    """How a person reads an input of the model."""
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
