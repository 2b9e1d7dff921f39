"""Softmax and its kin, and attention: shares of exponentials, and values mixed by them (Vaswani et al. 2017).

A share's logarithm moves by at most what its own number moves plus the most that any of the row moves.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import broadcast, columns, flat_of
from nn3d.analysis.explain.terms import F64, I64, Reading, Ref, Terms, Unknown, weighted_sum
from nn3d.run.model import Node

# Numbers that are read at once for rows of scores.
_CHUNK = 1 << 21


def shares(row: Reading) -> Reading:
    """Softmax of rows (n, T); −inf gives 0, a row of nothing else gives 0 all along."""
    with np.errstate(invalid="ignore", over="ignore"):
        highest = np.max(row.values, axis=1, keepdims=True)
        highest = np.where(np.isfinite(highest), highest, 0.0)
        e = np.exp(row.values - highest)
        p = e / np.maximum(e.sum(1, keepdims=True), 1e-300)
        moved = row.slack + np.where(np.isfinite(row.values), row.slack, 0.0).max(1, initial=0.0)[:, None]
        return Reading(p, np.minimum(p * np.expm1(np.minimum(moved, 50.0)), 1.0))


def softmax(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """softmax, softmin and log_softmax: products are the shares of the row, `computed` is that of the cell."""
    ref = context.only(node)
    shape = context.shape(ref)
    axis = context.axis(ref, int(node.attributes.get("dim", -1)))
    if axis < 0 or len(shape) != cells.shape[1]:
        raise Unknown(f"{node.name} runs over the samples")
    coords: list[I64] = list(columns(cells))
    coords[axis] = np.arange(shape[axis])
    at = np.ascontiguousarray(np.broadcast_to(flat_of(coords, shape), (len(cells), shape[axis])))
    read = context.read(ref, at)
    sign = -1.0 if node.op == "softmin" else 1.0
    row = Reading(sign * read.values, read.slack)
    share = shares(row)
    own = np.arange(len(cells)), cells[:, axis]
    away = np.nan_to_num(np.abs(row.values[own] - row.values.max(1)), nan=0.0, posinf=0.0)
    computed, slack, scale = share.values[own], share.slack[own], share.values[own] * (1.0 + away)
    if node.op == "log_softmax":
        highest = row.values.max(1)
        rest = np.log(np.exp(row.values - highest[:, None]).sum(1))
        computed = row.values[own] - highest - rest
        slack, scale = row.slack[own] + row.slack.max(1), away + rest
    none = np.full(at.shape, np.nan)
    return Terms(
        (ref,), np.zeros(at.shape[1], np.int64), at, read.values, none, share.values, computed, scale, slack,
        f"{node.op}({{x}})", np.full(at.shape, -1, np.int64), None, None, False, {"row": share.values},
    )  # fmt: skip


def attention(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """softmax(q·kᵀ · scale + mask) · v: of its weights, or of what they mix. The row of weights is an extra."""
    refs = [context.argument(node, name) for name in ("query", "key", "value")]
    query, key, value = refs
    if query is None or key is None or value is None:
        raise Unknown(f"what {node.name} reads was not recorded")
    if node.outputs[output].name == "weights":
        return _weight(context, node, query, key, cells)
    own = next((i for i, o in enumerate(node.outputs) if o.name == "weights"), -1)
    n_keys, head = context.shape(key)[-2], _head(context, node, query, value, cells)
    if own >= 0 and context.is_recorded(Ref(node.id, own)):
        number = flat_of([*columns(cells)[:-1], np.arange(n_keys)], context.shape(Ref(node.id, own)))
        weights = context.read(Ref(node.id, own), number)
    else:
        weights = _rows(context, node, query, key, cells)
    at = flat_of([*head, np.arange(n_keys), columns(cells)[-1]], context.shape(value))
    at = np.array(np.broadcast_to(at, (len(cells), n_keys)))
    if node.attributes.get("is_causal") is True:
        at[np.arange(n_keys) > cells[:, -2:-1]] = -1
    terms = weighted_sum(
        [value, query, key], np.zeros(n_keys, np.int64), at, context.read(value, at), weights,
        formula="Σ weight · v", extras={"row": weights.values},
    )  # fmt: skip
    return replace(terms, reach=_reach(context, node, query, key, cells, (1, 2)))


def _head(context: Context, node: Node, query: Ref, other: Ref, cells: I64) -> list[I64]:
    """Coordinates (n, 1) of the axes before (T, d) in keys or values; grouped queries share their head."""
    lead = columns(cells)[:-2]
    have, want = context.shape(other)[:-2], context.shape(query)[:-2]
    if len(have) != len(lead):
        raise Unknown(f"{node.name} has queries {context.shape(query)} and keys or values {context.shape(other)}")
    return [c if a == b else c // max(1, b // max(1, a)) for c, a, b in zip(lead, have, want, strict=True)]


def _reach(context: Context, node: Node, query: Ref, key: Ref, cells: I64, numbers: tuple[int, int]) -> dict[int, I64]:
    """All of the query's row, and of every key that it may look at."""
    found = {}
    for number, ref, tokens in ((numbers[0], query, False), (numbers[1], key, True)):
        shape = context.shape(ref)
        box = np.zeros((len(cells), len(shape), 2), np.int64)
        box[:, :, 1] = shape
        for axis, coord in enumerate(_head(context, node, query, ref, cells)):
            box[:, axis, 0], box[:, axis, 1] = coord[:, 0], coord[:, 0] + 1
        if not tokens:
            box[:, -2, 0], box[:, -2, 1] = cells[:, -2], cells[:, -2] + 1
        elif node.attributes.get("is_causal") is True:
            box[:, -2, 1] = np.minimum(cells[:, -2] + 1, shape[-2])
        found[number] = box
    return found


def _scale(context: Context, node: Node, query: Ref) -> float:
    scale = node.attributes.get("scale")
    return float(scale) if isinstance(scale, int | float) and scale else 1.0 / math.sqrt(context.shape(query)[-1])


def _weight(context: Context, node: Node, query: Ref, key: Ref, cells: I64) -> Terms:
    """Terms of one attention weight: q · k of its key, d of them, then the share in the row of all keys."""
    width, scale = context.shape(query)[-1], _scale(context, node, query)
    coords, feature = columns(cells), np.arange(width)
    at = flat_of([*coords[:-1], feature], context.shape(query))
    there = flat_of([*_head(context, node, query, key, cells), coords[-1], feature], context.shape(key))
    keys = context.read(key, there)
    terms = weighted_sum(
        [query, key], np.zeros(width, np.int64), at, context.read(query, at),
        Reading(scale * keys.values, scale * keys.slack), formula="softmax(Σ q·k · scale)",
    )  # fmt: skip
    row = _rows(context, node, query, key, cells)
    own = np.arange(len(cells)), cells[:, -1]
    reach = _reach(context, node, query, key, cells, (0, 1))
    share = row.values[own]
    away = np.log(np.maximum(row.values.max(1), 1e-300)) - np.log(np.maximum(share, 1e-300))
    scale_of = share * (1.0 + np.minimum(away, 1e3) + terms.scale)
    extras = {"row": row.values, "score": terms.computed}
    return replace(
        terms, computed=share, slack=row.slack[own], scale=scale_of, is_sum=False, extras=extras, reach=reach
    )


def _rows(context: Context, node: Node, query: Ref, key: Ref, cells: I64) -> Reading:
    """(n, T) attention weights of the rows of cells (…, q, any), each different row computed once."""
    shape = context.shape(query)
    row = flat_of([cells[:, k] for k in range(cells.shape[1] - 1)], shape[:-1])
    wanted, first, back = np.unique(row, return_index=True, return_inverse=True)
    n_keys, width = context.shape(key)[-2:]
    step = max(1, _CHUNK // max(1, n_keys * width))
    parts = [_row(context, node, query, key, cells[first[k : k + step]]) for k in range(0, len(wanted), step)]
    back = back.reshape(-1)
    return Reading(np.concatenate([p.values for p in parts])[back], np.concatenate([p.slack for p in parts])[back])


def _row(context: Context, node: Node, query: Ref, key: Ref, cells: I64) -> Reading:
    n_keys, width = context.shape(key)[-2:]
    coords, feature = columns(cells), np.arange(width)
    q = context.read(query, flat_of([*coords[:-1], feature], context.shape(query)))
    head = [c[:, :, None] for c in _head(context, node, query, key, cells)]
    at = flat_of([*head, np.arange(n_keys)[:, None], feature], context.shape(key))
    k = context.read(key, np.ascontiguousarray(np.broadcast_to(at, (len(cells), n_keys, width))))
    scale = _scale(context, node, query)
    score = scale * np.einsum("nd,nkd->nk", q.values, k.values)
    moved = np.einsum("nd,nkd->nk", q.slack, np.abs(k.values)) + np.einsum(
        "nd,nkd->nk", np.abs(q.values) + q.slack, k.slack
    )
    score = score + _mask(context, node, query, cells, n_keys)
    return shares(Reading(score, scale * moved))


def _mask(context: Context, node: Node, query: Ref, cells: I64, n_keys: int) -> F64:
    """(n, T) what is added to the scores: −inf where a key may not be looked at."""
    found = np.zeros((len(cells), n_keys))
    if node.attributes.get("is_causal") is True:
        found[np.arange(n_keys) > cells[:, -2:-1]] = -np.inf
    ref = context.argument(node, "attn_mask")
    if ref is not None:
        shape = context.shape(query)
        every = np.repeat(cells, n_keys, 0)
        every[:, -1] = np.tile(np.arange(n_keys), len(cells))
        at = broadcast(every, (*shape[:-1], n_keys), context.shape(ref)).reshape(found.shape)
        values = context.read(ref, at).values
        is_bool = context.output(ref).dtype == "bool"
        found = found + (np.where(values > 0, 0.0, -np.inf) if is_bool else values)
    return found
