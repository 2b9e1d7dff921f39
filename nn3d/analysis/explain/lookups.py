"""Operations that look values up by an index that is a value itself, write into a part, or keep a triangle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import all_cells, broadcast, flat_of, number
from nn3d.analysis.explain.indices import cells_of_index, entries_of
from nn3d.analysis.explain.moves import moved, sliced
from nn3d.analysis.explain.terms import I64, Reading, Ref, Terms, Unknown, exactly, weighted_sum
from nn3d.run.model import Node


def taken(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """A slice by an index that is written down, or by one that is a value."""
    is_value = any(s.argument.startswith("index") for s in node.inputs[1:])
    return (looked_up if is_value else sliced)(context, node, output, cells)


def looked_up(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """index_select, gather, and an index that holds one list of numbers, x[:, rows]."""
    ref, index = context.only(node), next((Ref(s.node, s.output) for s in node.inputs[1:]), None)
    if index is None:
        raise Unknown(f"what {node.name} looks up was not recorded")
    shape, rows = context.shape(ref), context.shape(index)
    axis = _axis(context, node, ref)
    coords = [cells[:, k] for k in range(cells.shape[1])]
    if node.op == "gather":
        at = number(cells, rows)
        coords[axis] = np.rint(context.read(index, at[:, None]).values[:, 0]).astype(np.int64) % shape[axis]
        return moved(context, ref, flat_of(coords, shape))
    if len(coords) != len(shape) - 1 + len(rows):
        raise Unknown(f"which cells {node.name} takes cannot be told")
    at = flat_of(coords[axis : axis + len(rows)], rows) if rows else np.zeros(len(cells), np.int64)
    places = np.rint(context.read(index, at[:, None]).values[:, 0]).astype(np.int64) % shape[axis]
    return moved(context, ref, flat_of([*coords[:axis], places, *coords[axis + len(rows) :]], shape))


def _axis(context: Context, node: Node, ref: Ref) -> int:
    """The axis of one sample that an index runs along."""
    dim = node.attributes.get("dim")
    if isinstance(dim, int):
        axis = context.axis(ref, dim)
    else:
        entries = [part.strip() for part in str(node.attributes.get("index", "")).strip("[]").split(",")]
        is_plain = entries[-1:] == ["·"] and all(entry == ":" for entry in entries[:-1])
        axis = len(entries) - 1 - context.output(ref).per_sample if is_plain else -1
    if axis < 0:
        raise Unknown(f"which cells {node.name} takes, {node.attributes.get('index', '')}, cannot be told")
    return axis


def written(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """x[part] = value: the value inside the part, what was there outside."""
    ref, entries = context.only(node), entries_of(str(node.attributes.get("index", "")))
    shape, value = context.shape(ref), context.argument(node, "value")
    every = all_cells(shape)
    has_samples = context.output(ref).per_sample
    wide = np.expand_dims(every, 0) if has_samples else every
    options = cells_of_index(wide, entries, 0 if has_samples else None) if entries else []
    fixed = node.attributes.get("value")
    if not options or (value is None and not isinstance(fixed, int | float)):
        raise Unknown(f"into which cells {node.name} writes what, {node.attributes.get('index', '')}, cannot be told")
    part = options[0]
    at = number(cells, shape)
    place = np.full(every.size, -1, np.int64)
    place[part.reshape(-1)] = np.arange(part.size)
    inside = place[at] >= 0
    within = np.stack(np.unravel_index(np.maximum(place[at], 0), part.shape), 1) if part.ndim else cells[:, :0]
    old = np.where(inside, -1, at)[:, None]
    if value is None:
        values, columns, refs = context.read(ref, old), old, [ref]
        bias = Reading(np.where(inside, float(fixed or 0.0), 0.0), np.zeros(len(cells)))
    else:
        new = np.where(inside, broadcast(within, part.shape, context.shape(value)), -1)[:, None]
        columns, refs, bias = np.concatenate([old, new], 1), [ref, value], exactly(np.zeros(len(cells)))
        both = context.read(ref, old), context.read(value, new)
        values = Reading(*(np.concatenate([getattr(r, name) for r in both], 1) for name in ("values", "slack")))
    terms = weighted_sum(
        refs, np.arange(len(refs)), columns, values, exactly(np.ones(columns.shape)), formula="", bias=bias
    )  # fmt: skip
    return replace(terms, formula="what was written, else what was there", bias=None if value else bias.values)


def triangle(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """triu and tril: what lies on the other side of the diagonal becomes 0."""
    ref = context.only(node)
    diagonal = int(node.attributes.get("diagonal") or 0)
    distance = cells[:, -1] - cells[:, -2] - diagonal
    kept = distance >= 0 if node.op.endswith("triu") else distance <= 0
    terms = moved(context, ref, np.where(kept, number(cells, context.shape(ref)), -1))
    return replace(terms, formula="{x} on its side of the diagonal, else 0")
