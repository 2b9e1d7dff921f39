"""Multi-head attention as one operation (nn.MultiheadAttention of different sources), after Vaswani et al. 2017.

Its result is linear in the values that it reads, once its weights are known: Σ over tokens and features of
value · Σ over heads of weight · (W_o · W_v). A weight is the softmax of scores, each linear in the key that it is for.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import broadcast, columns, flat_of, grid
from nn3d.analysis.explain.shares import shares
from nn3d.analysis.explain.terms import F64, I64, Reading, Ref, Terms, Unknown, exactly, weighted_sum
from nn3d.run.model import Node


def multi_head(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Its result (T, E), its weights (heads, query, key), or their mean over the heads (query, key)."""
    if {"bias_k", "bias_v", "static_k", "static_v"} & {*node.parameters, *(s.argument for s in node.inputs)}:
        raise Unknown(f"{node.name} adds keys and values of its own")
    own = next((Ref(node.id, i) for i, o in enumerate(node.outputs) if o.name == "weights"), None)
    if own is None or not context.is_recorded(own):
        raise Unknown(f"the weights of {node.name} were not recorded")
    if own.output == output:
        return _weight(context, node, cells)
    return _mean(context, own, cells) if output else _result(context, node, own, cells)


def _mean(context: Context, own: Ref, cells: I64) -> Terms:
    heads = context.shape(own)[0]
    at = flat_of([np.arange(heads), *columns(cells)], context.shape(own))
    share = exactly(np.full(at.shape, 1.0 / heads))
    return weighted_sum([own], np.zeros(heads, np.int64), at, context.read(own, at), share, formula="Σ weight / heads")


def _source(context: Context, node: Node, name: str) -> Ref:
    ref = context.argument(node, name)
    if ref is None or len(context.shape(ref)) != 2:
        raise Unknown(f"the {name} that {node.name} reads was not recorded")
    return ref


def _projection(context: Context, node: Node, which: str, row: I64, width: int) -> tuple[Reading, Reading]:
    """Rows of W_q, W_k or W_v, (…, width), and their biases (…)."""
    embed = node.outputs[0].shape[-1]
    shift = "qkv".index(which) * embed
    weight, column = node.parameters.get("in_proj_weight"), np.arange(width)
    if weight is None:
        weight = node.parameters.get(f"{which}_proj_weight")
        own = row
    else:
        own = row + shift
    if weight is None:
        raise Unknown(f"the weights of {node.name} were not recorded")
    bias = context.role(node, "in_proj_bias", row + shift)
    none = exactly(np.zeros(row.shape))
    return context.parameter(weight, own[..., None] * width + column), bias or none


def _dot(a: Reading, b: Reading, spec: str) -> Reading:
    """An einsum of two readings."""
    size = np.abs(a.values)
    moved = np.einsum(spec, size + a.slack, b.slack) + np.einsum(spec, a.slack, np.abs(b.values))
    return Reading(np.einsum(spec, a.values, b.values), moved)


def _result(context: Context, node: Node, own: Ref, cells: I64) -> Terms:
    """Terms of the values of all tokens: each feature times what heads, W_v and W_o make of it."""
    value = _source(context, node, "value")
    (n_keys, width), embed = context.shape(value), node.outputs[0].shape[-1]
    heads, out = context.shape(own)[0], node.parameters.get("out_proj_weight")
    if out is None:
        raise Unknown(f"the weights of {node.name} were not recorded")
    coords = columns(cells)
    row = flat_of([np.arange(heads)[:, None], coords[0][:, :, None], np.arange(n_keys)], context.shape(own))
    weights = context.read(own, row)
    wanted, back = np.unique(cells[:, 1], return_inverse=True)
    mixed = context.parameter(out, wanted[:, None] * embed + np.arange(embed))
    w, b = _projection(context, node, "v", np.arange(embed), width)
    parts = Reading(*(x.reshape(len(wanted), heads, -1) for x in (mixed.values, mixed.slack)))
    split = Reading(*(x.reshape(heads, -1, width) for x in (w.values, w.slack)))
    through = _dot(parts, split, "nhd,hdi->nhi")
    bias = _dot(mixed, b, "ne,e->n")
    back = back.reshape(-1)
    gain = _dot(weights, Reading(through.values[back], through.slack[back]), "nhk,nhi->nki")
    token, feature = grid((n_keys, width))
    at = np.broadcast_to(flat_of([token, feature], (n_keys, width)), (len(cells), len(token)))
    after = context.role(node, "out_proj_bias", cells[:, 1]) or exactly(np.zeros(len(cells)))
    total = Reading(bias.values[back] + after.values, bias.slack[back] + after.slack)
    terms = weighted_sum(
        [value], np.zeros(len(token), np.int64), at, context.read(value, at),
        Reading(gain.values.reshape(at.shape), gain.slack.reshape(at.shape)),
        formula="Σ v · Σ over heads weight · W_v · W_o", bias=total, extras={"row": weights.values.mean(1)},
    )  # fmt: skip
    # W_v · W_o is a sum of its own, which may cancel.
    size = np.einsum("nhd,hdi->nhi", np.abs(parts.values), np.abs(split.values))[back]
    gross = np.einsum("nhk,nhi,ki->n", weights.values, size, np.abs(terms.inputs[0]).reshape(n_keys, width))
    return replace(terms, scale=np.maximum(terms.scale, gross))


def _weight(context: Context, node: Node, cells: I64) -> Terms:
    """Terms of one weight: the features of its key, whose sum is the score; then the share in the row of all keys."""
    query, key = _source(context, node, "query"), _source(context, node, "key")
    (_, q_width), (n_keys, k_width) = context.shape(query), context.shape(key)
    heads = next(o.shape[0] for o in node.outputs if o.name == "weights")
    head = node.outputs[0].shape[-1] // heads
    rows = cells[:, :1] * head + np.arange(head)
    w, b = _projection(context, node, "q", rows, q_width)
    x = context.read(query, cells[:, 1:2] * q_width + np.arange(q_width))
    q = _dot(w, x, "ndi,ni->nd")
    q = Reading(q.values + b.values, q.slack + b.slack)
    w, b = _projection(context, node, "k", rows, k_width)
    scale = 1.0 / math.sqrt(head)
    gain = _dot(Reading(scale * q.values, scale * q.slack), w, "nd,ndi->ni")
    bias = _dot(Reading(scale * q.values, scale * q.slack), b, "nd,nd->n")
    at = cells[:, 2:3] * k_width + np.arange(k_width)
    terms = weighted_sum(
        [key, query], np.zeros(k_width, np.int64), at, context.read(key, at), gain,
        formula="softmax(Σ k · W_k · q · scale)", bias=bias,
    )  # fmt: skip
    every = context.read(key, np.arange(n_keys * k_width).reshape(n_keys, k_width))
    score = _dot(gain, every, "ni,ki->nk")
    values = score.values + bias.values[:, None] + _mask(context, node, cells, heads, n_keys)
    row = shares(Reading(values, score.slack + bias.slack[:, None]))
    mine = np.arange(len(cells)), cells[:, 2]
    share = row.values[mine]
    size = np.abs(gain.values) @ np.abs(every.values).T
    reach = np.zeros((len(cells), 2, 2), np.int64)
    reach[:, 0], reach[:, 1] = np.stack([cells[:, 1], cells[:, 1] + 1], 1), (0, q_width)
    whole = np.broadcast_to(np.array([(0, n_keys), (0, k_width)]), (len(cells), 2, 2))
    return replace(
        terms, computed=share, slack=row.slack[mine], scale=share * (1.0 + size.max(1)), is_sum=False,
        extras={"row": row.values, "score": terms.computed}, reach={0: whole, 1: reach},
    )  # fmt: skip


def _mask(context: Context, node: Node, cells: I64, heads: int, n_keys: int) -> F64:
    """(n, T) what is added to the scores; True of a mask of booleans forbids."""
    total = np.zeros((len(cells), n_keys))
    every = np.repeat(cells, n_keys, 0)
    every[:, 2] = np.tile(np.arange(n_keys), len(cells))
    shape = (heads, node.outputs[0].shape[0], n_keys)
    for name in ("attn_mask", "key_padding_mask"):
        ref = context.argument(node, name)
        if ref is not None:
            values = context.read(ref, broadcast(every, shape, context.shape(ref)).reshape(total.shape)).values
            is_bool = context.output(ref).dtype == "bool"
            total = total + (np.where(values > 0, -np.inf, 0.0) if is_bool else values)
    return total
