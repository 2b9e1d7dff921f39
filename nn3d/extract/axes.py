"""Owns the names of axes: C, H, W of maps, T and F of token rows, heads, query, key; carried from node to node.

Axes are followed in torch's own layout, with "N" where the samples are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from nn3d.extract.batch import Placement
from nn3d.extract.draft import Draft
from nn3d.run.model import JSON
from nn3d.run.ops import op_of

Axes = tuple[str, ...]
_SPACE = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
_FIXED: dict[str, Axes] = {
    "weights": ("heads", "query", "key"),
    "gates": ("gate", "T", "F"),
    "c": ("T", "F"),
    "h": ("T", "F"),
    "h_n": ("layer", "F"),
    "c_n": ("layer", "F"),
}
_PLAIN: dict[int, Axes] = {0: (), 1: ("F",), 2: ("T", "F"), 3: ("C", "H", "W"), 4: ("C", "D", "H", "W")}


def plain_axes(rank: int) -> Axes:
    """What axes of a shape without samples are usually called."""
    return _PLAIN.get(rank) or tuple(f"axis{i}" for i in range(rank))


def axes_of_trace(drafts: Sequence[Draft], places: Sequence[Sequence[Placement]]) -> list[list[Axes]]:
    """Axes of every output in canonical order, samples left out."""
    raw: list[list[Axes]] = []
    done: list[list[Axes]] = []
    images = _read_by_space(drafts)
    for draft, where in zip(drafts, places, strict=True):
        found = [_raw_axes(draft, i, where[i], raw, drafts, images) for i in range(len(draft.outputs))]
        raw.append(found)
        done.append([_without_samples(axes, place) for axes, place in zip(found, where, strict=True)])
    return done


def _without_samples(axes: Axes, place: Placement) -> Axes:
    if place.axis is None:
        return axes or ("F",)
    rest = tuple(a for i, a in enumerate(axes) if i != place.axis)
    return ("group", *rest) if place.fold > 1 else rest


def _read_by_space(drafts: Sequence[Draft]) -> set[int]:
    """Nodes whose rows a 1-D convolution or pool reads: (C, L) rather than (T, F)."""
    return {s.node for d in drafts if d.op.endswith("1d") and op_of(d.op).family in ("conv", "pool") for s in d.inputs}


def _raw_axes(
    draft: Draft,
    index: int,
    place: Placement,
    raw: Sequence[Sequence[Axes]],
    drafts: Sequence[Draft],
    channels_first: set[int],
) -> Axes:
    output = draft.outputs[index]
    rank = len(output.shape)
    name = output.name.split("_l")[0] if output.name not in _FIXED else output.name
    if name in _FIXED:
        return _with_samples(_FIXED[name][-(rank - (place.axis is not None)) :], place, rank)
    before = raw[draft.inputs[0].node][draft.inputs[0].output] if draft.inputs else ()
    shape = drafts[draft.inputs[0].node].outputs[draft.inputs[0].output].shape if draft.inputs else ()
    axes = _rule(draft, rank, before, shape, output.shape)
    if axes is None or len(axes) != rank or ("N" in axes) != (place.axis is not None):
        rest = rank - (place.axis is not None)
        usual = ("C", "L") if rest == 2 and draft.index in channels_first else plain_axes(rest)
        if rest == 1 and draft.op in ("input", "constant") and "int" in output.dtype:
            usual = ("T",)
        elif rest == 3 and draft.op in ("parameter", "constant") and output.shape[0] == 1:
            usual = ("group", "T", "F")
        axes = _with_samples(usual, place, rank)
    elif place.axis is not None and axes[place.axis] != "N":
        axes = _with_samples(tuple(a for a in axes if a != "N"), place, rank)
    return axes


def _with_samples(rest: Axes, place: Placement, rank: int) -> Axes:
    if place.axis is None:
        return rest if len(rest) == rank else plain_axes(rank)
    rest = rest if len(rest) == rank - 1 else plain_axes(rank - 1)
    return (*rest[: place.axis], "N", *rest[place.axis :])


def _rule(draft: Draft, rank: int, before: Axes, shape: tuple[int, ...], new: tuple[int, ...]) -> Axes | None:
    """Axes by what the operation does; None when it says nothing about them."""
    family = op_of(draft.op).family
    if family in ("conv", "pool") or draft.op in ("interpolate", "grid_sample", "pixel_shuffle"):
        space = _SPACE.get(rank - 2)
        return ("N", "C", *space) if space and "N" in before else None
    if family in ("linear", "recurrent"):
        return (*before[:-1], "F")
    if draft.op == "embedding":
        return (*(a if a != "F" else "T" for a in before), "F")
    if draft.op == "attention":
        return (*before[:-1], "F") if len(before) == rank else None
    if draft.op in ("permute", "transpose"):
        return _moved(draft, before)
    if new == shape:
        return before
    if family == "reduce":
        return _reduced(draft.attributes, before, rank)
    if draft.op in ("flatten", "reshape", "squeeze", "unsqueeze"):
        return _reshaped(before, shape, new)
    return before if len(before) == rank else None


def permutation(draft: Draft, rank: int) -> list[int] | None:
    """Which input axis each output axis of a permute or transpose is, in torch's layout; None when unknown."""
    found = draft.attributes
    order = list(range(rank))
    if draft.op == "permute":
        dims: JSON = found.get("dims", [])
        dims = dims[0] if len(dims) == 1 and isinstance(dims[0], list) else dims
        return [d % rank for d in dims] if len(dims) == rank else None
    a, b = found.get("dim0", found.get("axis0", -1)), found.get("dim1", found.get("axis1", -2))
    if rank < 2 or not isinstance(a, int) or not isinstance(b, int):
        return None
    order[a], order[b] = order[b], order[a]
    return order


def _moved(draft: Draft, before: Axes) -> Axes | None:
    order = permutation(draft, len(before))
    if order is None:
        return None
    moved = tuple(before[i] for i in order)
    return tuple({"L": "T", "C": "F"}.get(a, a) for a in moved) if moved[-2:] == ("L", "C") else moved


def _reduced(attributes: Mapping[str, JSON], before: Axes, rank: int) -> Axes | None:
    if len(before) == rank:
        return before
    dims = attributes.get("dim")
    listed = dims if isinstance(dims, list) else [dims]
    gone = {d % max(1, len(before)) for d in listed if isinstance(d, int)}
    left = tuple(a for i, a in enumerate(before) if i not in gone)
    return tuple("F" if a == "C" and len(left) - ("N" in left) == 1 else a for a in left) if len(left) == rank else None


def _reshaped(before: Axes, shape: tuple[int, ...], new: tuple[int, ...]) -> Axes | None:
    """Walk both shapes: equal sizes keep their name, joined axes become F or L, a split row becomes heads and F."""
    found: list[str] = []
    i = j = 0
    while i < len(shape) or j < len(new):
        a, b = i + 1, j + 1
        while prod(shape[i:a]) != prod(new[j:b]):
            if (prod(shape[i:a]) < prod(new[j:b]) and a < len(shape)) or b >= len(new):
                a += 1
            else:
                b += 1
            if a > len(shape) and b > len(new):
                return None
        found += _piece(before[i:a], new[j:b])
        i, j = a, b
    return tuple(found)


def _piece(old: Axes, sizes: tuple[int, ...]) -> list[str]:
    if len(old) == len(sizes):
        return list(old)
    if len(sizes) == 1:
        merged = [a for a in old if a != "N"]
        if "N" in old or len(merged) == 1:
            return ["N" if "N" in old else merged[0]]
        return ["L" if set(merged) <= {"D", "H", "W"} else "F"]
    if old == ("F",) and len(sizes) == 2:
        return ["heads", "F"]
    name = old[0] if old else "axis"
    return [name, *(f"{name}{k}" for k in range(1, len(sizes)))]
