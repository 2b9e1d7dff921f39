"""Operations that only move values: reshapes, permutations, slices, splits, concatenations, repeats.

Each cell has one term of weight 1. Dimensions in a run count the samples; here they are those of one sample.
"""

from __future__ import annotations

from math import prod

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import all_cells, broadcast, flat_of, number
from nn3d.analysis.explain.indices import cells_of_index, entries_of
from nn3d.analysis.explain.terms import I64, Reading, Ref, Terms, Unknown, exactly, weighted_sum
from nn3d.run.model import Node


def moved(context: Context, ref: Ref, at: I64) -> Terms:
    """Terms of values that come from the flat cells `at` (n,) of a source as they are."""
    column = at.reshape(-1, 1)
    ones = exactly(np.ones(column.shape))
    return weighted_sum([ref], np.zeros(1, np.int64), column, context.read(ref, column), ones, formula="{x}")


def same_order(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Reshapes, flattening and the like: the same flat order, in another shape."""
    ref = context.only(node)
    out = context.shape(Ref(node.id, output))
    if prod(context.shape(ref)) != prod(out):
        raise Unknown(f"{node.name} should hold as many values as its source {context.shape(ref)}, but has {out}")
    return moved(context, ref, number(cells, out))


def permuted(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Transposed or permuted axes."""
    ref = context.only(node)
    source = context.shape(ref)
    order = list(range(len(source)))
    found = node.attributes
    if node.op == "transpose":
        a, b = (context.axis(ref, int(found.get(name, d))) for name, d in (("dim0", -1), ("dim1", -2)))
        if min(a, b) < 0:
            raise Unknown(f"{node.name} moves the samples")
        order[a], order[b] = order[b], order[a]
    else:
        dims = found.get("dims")
        if not isinstance(dims, list) or not all(isinstance(d, int) for d in dims):
            raise Unknown(f"how {node.name} permutes its axes was not recorded")
        order = [context.axis(ref, d) for d in dims]
        order = [d for d in order if d >= 0]
    if sorted(order) != list(range(len(source))):
        raise Unknown(f"{node.name} does not permute the axes of one sample")
    coords = [cells[:, order.index(axis)] for axis in range(len(source))]
    return moved(context, ref, flat_of(coords, source))


def expanded(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Values that are repeated along axes of 1, or tiled."""
    ref = context.only(node)
    return moved(context, ref, broadcast(cells, context.shape(Ref(node.id, output)), context.shape(ref)))


def joined(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Concatenation and stacking: of the parts, the one that the cell lies in."""
    refs = context.inputs(node)
    out = context.shape(Ref(node.id, output))
    axis = context.axis(Ref(node.id, output), int(node.attributes.get("dim", 0)))
    if axis < 0:
        raise Unknown(f"{node.name} puts samples together")
    is_stack = node.op == "stack"
    at = np.full((len(cells), len(refs)), -1, np.int64)
    first = 0
    for part, ref in enumerate(refs):
        shape = context.shape(ref)
        coords = [cells[:, k] for k in range(len(out)) if not (is_stack and k == axis)]
        if len(shape) == len(out) + 1 - is_stack and shape[0] == 1:
            coords = [np.zeros(len(cells), np.int64), *coords]
        elif len(shape) != len(out) - is_stack:
            raise Unknown(f"{node.name} joins {shape} into {out}")
        shift = len(shape) - len(out) + is_stack
        size = 1 if is_stack else shape[axis + shift]
        inside = (cells[:, axis] >= first) & (cells[:, axis] < first + size)
        if not is_stack:
            coords[axis + shift] = coords[axis + shift] - first
        at[:, part] = np.where(inside, flat_of(coords, shape), -1)
        first += size
    ones = exactly(np.ones(at.shape))
    values = [context.read(ref, at[:, k : k + 1]) for k, ref in enumerate(refs)]
    read = Reading(np.concatenate([v.values for v in values], 1), np.concatenate([v.slack for v in values], 1))
    return weighted_sum(refs, np.arange(len(refs)), at, read, ones, formula="{x}")


def split(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """One of the parts of a split, a chunk, or one of the slices of an unbind."""
    ref = context.only(node)
    source, axis = context.shape(ref), context.axis(ref, int(node.attributes.get("dim", 0)))
    if axis < 0:
        raise Unknown(f"{node.name} takes the samples apart")
    coords = [cells[:, k] for k in range(cells.shape[1])]
    if node.op == "unbind":
        coords.insert(axis, np.full(len(cells), output, np.int64))
    else:
        coords[axis] = coords[axis] + sum(o.shape[axis] for o in node.outputs[:output])
    return moved(context, ref, flat_of(coords, source))


def sliced(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """A part that an index takes. The run has the index as it was written, with the samples on some axis.

    Where several axes could be the samples', the one with which the recorded values agree is taken.
    """
    ref, here = context.only(node), Ref(node.id, output)
    out = context.shape(here)
    options = [at for at in _indices(context, node, ref) if at.shape == out]
    if not options:
        raise Unknown(f"which cells {node.name} takes, {node.attributes.get('index', '')}, cannot be told")
    at = number(cells, out)
    for option in options[1:]:
        if _agrees(context, ref, here, options[0]):
            break
        options[0] = option
    return moved(context, ref, options[0].reshape(-1)[at])


def _agrees(context: Context, ref: Ref, here: Ref, option: I64) -> bool:
    """Whether what is stored is what stands in these cells of the source, at up to 4,096 of them."""
    some = np.linspace(0, option.size - 1, min(option.size, 4096)).astype(np.int64)
    stored = context.stored(here, some)
    if stored is None:
        return True
    found = context.read(ref, option.reshape(-1)[some])
    return bool((np.abs(stored.values - found.values) <= stored.slack + found.slack + 1e-6).all())


def _indices(context: Context, node: Node, ref: Ref) -> list[I64]:
    """Arrays of flat cells, one for each axis of the source that the samples could stand on."""
    shape, found = context.shape(ref), node.attributes
    every = all_cells(shape)
    text = str(found.get("index", ""))
    if isinstance(found.get("dim"), int):
        axis = context.axis(ref, int(found["dim"]))
        if axis < 0:
            return []
        if text:
            return [np.take(every, int(text.strip("[]")), axis)] if text.strip("[]").lstrip("-").isdigit() else []
        start, length = found.get("start"), found.get("length")
        if not isinstance(start, int) or not isinstance(length, int):
            return []
        return [np.take(every, range(start % shape[axis], start % shape[axis] + length), axis)]
    entries = entries_of(text)
    if entries is None:
        return []
    if not context.output(ref).per_sample:
        return cells_of_index(every, entries)
    return [
        at for place in range(len(shape) + 1) for at in cells_of_index(np.expand_dims(every, place), entries, place)
    ]


def shuffled(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Flips, rolls, and shuffles of pixels and channels: the cells' numbers go the same way as the values."""
    ref = context.only(node)
    shape = context.shape(ref)
    every = all_cells(shape)
    at = _SHUFFLES[node.op](context, node, ref, every)
    out = context.shape(Ref(node.id, output))
    if at.shape != out:
        raise Unknown(f"{node.name} should give {at.shape}, but has {out}")
    return moved(context, ref, at.reshape(-1)[number(cells, out)])


def _axes(context: Context, node: Node, ref: Ref) -> list[int]:
    dims = node.attributes.get("dims", node.attributes.get("dim"))
    axes = [context.axis(ref, int(d)) for d in (dims if isinstance(dims, list) else [dims]) if isinstance(d, int)]
    if not axes or min(axes) < 0:
        raise Unknown(f"{node.name} moves the samples, or along which axes was not recorded")
    return axes


def _flipped(context: Context, node: Node, ref: Ref, every: I64) -> I64:
    return np.asarray(np.flip(every, tuple(_axes(context, node, ref))))


def _rolled(context: Context, node: Node, ref: Ref, every: I64) -> I64:
    shifts = node.attributes.get("shifts", 0)
    return np.roll(every, tuple(shifts) if isinstance(shifts, list) else int(shifts), tuple(_axes(context, node, ref)))


def _pixels(context: Context, node: Node, ref: Ref, every: I64) -> I64:
    """(C·r², H, W) ↔ (C, H·r, W·r), after Shi et al. 2016."""
    is_up = node.op == "pixel_shuffle"
    r = int(node.attributes.get("upscale_factor" if is_up else "downscale_factor", 1))
    c, h, w = every.shape
    if is_up:
        return every.reshape(c // (r * r), r, r, h, w).transpose(0, 3, 1, 4, 2).reshape(c // (r * r), h * r, w * r)
    return every.reshape(c, h // r, r, w // r, r).transpose(0, 2, 4, 1, 3).reshape(c * r * r, h // r, w // r)


def _channels(context: Context, node: Node, ref: Ref, every: I64) -> I64:
    groups = int(node.attributes.get("groups", 1))
    return every.reshape(groups, every.shape[0] // groups, -1).transpose(1, 0, 2).reshape(every.shape)


_SHUFFLES = {
    "flip": _flipped,
    "roll": _rolled,
    "pixel_shuffle": _pixels,
    "pixel_unshuffle": _pixels,
    "channel_shuffle": _channels,
}
