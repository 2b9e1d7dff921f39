"""Convolutions of 1 to 3 dimensions, plain and transposed, linear layers and embeddings: Σ a·w + b over a patch.

A convolution's window follows torch: source = out · stride − padding + k · dilation; of a transposed one
out = source · stride − padding + k · dilation (Dumoulin and Visin 2016).
"""

from __future__ import annotations

from math import prod

import numpy as np

from nn3d.analysis.contribution import CONV_DIMS, TRANSPOSED_DIMS
from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import Shape, columns, flat_of, grid
from nn3d.analysis.explain.terms import I64, Terms, Unknown, exactly, weighted_sum
from nn3d.analysis.explain.trained import bias_of, input_of, weights_of
from nn3d.analysis.windows import each, padding_of, window
from nn3d.run.model import Node


def convolution(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Terms of a convolution, plain or transposed: (input channels of the group × kernel) a cell."""
    ref, weight = input_of(context, node), weights_of(context, node)
    shape = weight.shape
    n_axes = (CONV_DIMS | TRANSPOSED_DIMS)[node.op]
    n_out, n_in, kernel = shape[0], shape[1], shape[2:]
    source = context.shape(ref)
    lead = len(source) - n_axes - 1
    if lead < 0 or len(kernel) != n_axes:
        raise Unknown(f"{node.name} reads {source}, which has no {n_axes} axes of space")
    channel, k = _patch_grid(n_in, kernel)
    coords = columns(cells)
    groups = max(1, int(node.attributes.get("groups") or 1))
    first = coords[lead] // max(1, n_out // groups) * n_in
    space = _transposed if node.op in TRANSPOSED_DIMS else _windows
    at = flat_of([*coords[:lead], first + channel, *space(node, kernel, coords[lead + 1 :], k)], source)
    number = (coords[lead] * n_in + channel) * prod(kernel)
    for axis in range(n_axes):
        number = number + k[axis] * prod(kernel[axis + 1 :])
    weights = weight.read(context, np.where(at >= 0, number, -1))
    bias = bias_of(context, node, cells[:, lead])
    return weighted_sum(
        [ref], np.zeros(at.shape[1], np.int64), at, context.read(ref, at), weights,
        bias=bias, parameter=weight.parameter, weight_at=number,
    )  # fmt: skip


def _patch_grid(n_in: int, kernel: Shape) -> tuple[I64, list[I64]]:
    """(T,) channel in the group and kernel coordinates of each term, C order as the weight has them."""
    channel, *k = grid((n_in, *kernel))
    return channel, k


def _windows(node: Node, kernel: Shape, coords: list[I64], k: list[I64]) -> list[I64]:
    return window(node.attributes, kernel, coords, k)


def _transposed(node: Node, kernel: Shape, coords: list[I64], k: list[I64]) -> list[I64]:
    n = len(kernel)
    stride, dilation = (each(node.attributes.get(name), n) for name in ("stride", "dilation"))
    pads = padding_of(node.attributes, kernel)
    found = []
    for d in range(n):
        shifted = coords[d] + pads[d][0] - k[d] * dilation[d]
        found.append(np.where(shifted % stride[d] == 0, shifted // stride[d], -1))
    return found


def linear(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Terms of a linear layer: one an input feature, of the row or token that the cell lies in."""
    ref, weight = input_of(context, node), weights_of(context, node)
    n_in = weight.shape[1]
    source = context.shape(ref)
    if not source or source[-1] != n_in or len(source) != cells.shape[1]:
        raise Unknown(f"{node.name} should read {n_in} features, but the recorded source has {source}")
    coords = columns(cells)
    feature = np.arange(n_in, dtype=np.int64)
    at = np.broadcast_to(flat_of([*coords[:-1], feature], source), (len(cells), n_in))
    number = coords[-1] * n_in + feature
    return weighted_sum(
        [ref], np.zeros(n_in, np.int64), at, context.read(ref, at), weight.read(context, number),
        bias=bias_of(context, node, cells[:, -1]), parameter=weight.parameter, weight_at=number,
    )  # fmt: skip


def embedding_bag(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """The mean, sum or largest of the rows that the tokens choose; an input is the share of its token."""
    ref, weight = input_of(context, node), weights_of(context, node)
    mode, source = str(node.attributes.get("mode", "mean")), context.shape(ref)
    if mode not in ("mean", "sum") or len(source) != 1 or node.attributes.get("padding_idx") is not None:
        raise Unknown(f"how {node.name} puts its rows together, {mode}, is not known")
    n, width = source[0], weight.shape[1]
    at = np.broadcast_to(np.arange(n), (len(cells), n))
    token = np.rint(context.read(ref, at).values).astype(np.int64)
    number = token * width + cells[:, -1:]
    shares = exactly(np.full(at.shape, 1.0 / n if mode == "mean" else 1.0))
    return weighted_sum(
        [ref], np.zeros(n, np.int64), at, shares, weight.read(context, number),
        formula=f"{mode} of w[token]", parameter=weight.parameter, weight_at=number,
    )  # fmt: skip


def embedding(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """One term: the row of the table that the token chooses. Its input is 1, the token's number is an extra."""
    ref, weight = input_of(context, node), weights_of(context, node)
    n_words, width = weight.shape
    source = context.shape(ref)
    at = flat_of([cells[:, k] for k in range(len(source))], source)
    token = np.rint(context.read(ref, at).values).astype(np.int64)
    number = np.where((token >= 0) & (token < n_words), token * width + cells[:, -1], -1)[:, None]
    return weighted_sum(
        [ref], np.zeros(1, np.int64), at[:, None], exactly(np.ones((len(at), 1))), weight.read(context, number),
        formula="w[token]", parameter=weight.parameter, weight_at=number, extras={"token": token.astype(np.float64)},
    )  # fmt: skip
