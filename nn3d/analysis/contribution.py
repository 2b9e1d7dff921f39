"""How much each weight of a link carries: weight `w`, or contribution `c = a_input · w`, summed over positions.

Source of the idea: the input activation times the weight (a first-order attribution; for a linear node the sum of all
c plus the bias is the node's value). Arrays are float32 in the weight's own layout: (O, I/groups, k…) or (O, I).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nn3d.analysis.comparison.difference import Difference
from nn3d.analysis.windows import each, padding_of
from nn3d.errors import Nn3dError
from nn3d.run.model import Array, FloatArray, LayerLink, Node
from nn3d.run.run import Run

CONV_DIMS = {"conv1d": 1, "conv2d": 2, "conv3d": 3}
PASS_VALUES = 1 << 20
TRANSPOSED_DIMS = {"conv_transpose1d": 1, "conv_transpose2d": 2, "conv_transpose3d": 3}


@dataclass(frozen=True, slots=True)
class WeightedLink:
    """A link whose edges are entries of one parameter.

    parameter : its id. shape : of the weight. node : the operation that reads it. groups : of a convolution.
    source : node id and output whose values are multiplied.
    """

    parameter: int
    shape: tuple[int, ...]
    node: Node
    source: tuple[int, int]
    groups: int


def weighted_link(run: Run, target: int, link: LayerLink) -> WeightedLink | None:
    """What a link of layer `target` multiplies, or None when its edges carry no single weight matrix.

    Convolutions (transposed ones without groups) and linear operations have one; recurrent and fused attention links
    do not.
    """
    layer = run.layers[target]
    if link.kind != "weight" or layer.weight is None:
        return None
    node = run.node(layer.nodes[0])
    dims = {"linear": 0, **CONV_DIMS, **TRANSPOSED_DIMS}.get(node.op)
    shape = run.parameter_info(layer.weight).shape
    groups = int(node.attributes.get("groups", 1) or 1)
    if dims is None or len(shape) != 2 + dims or (node.op in TRANSPOSED_DIMS and groups > 1):
        return None
    return WeightedLink(layer.weight, shape, node, (link.node, link.output), groups)


def weights(run: Run, link: WeightedLink, epoch: int) -> FloatArray:
    """The link's weight at epoch index `epoch`, float32."""
    return np.asarray(run.parameter(link.parameter, epoch), np.float32)


def input_sums(run: Run, link: WeightedLink, epoch: int, sample: int) -> FloatArray:
    """Σ over output positions of the input value that each weight column meets: (I, k…) or (I,).

    For a linear operation over tokens the sum runs over the tokens. Non-finite values stay as they are.
    """
    a = run.values(*link.source, epoch, sample)
    if link.node.op == "linear":
        return np.asarray(a.reshape(-1, link.shape[1]).sum(0), np.float32)
    if link.node.op in TRANSPOSED_DIMS:
        return transposed_sums(a, link)
    return patch_sums(a, link.shape[2:], link.node.attributes)


def gradient_sums(run: Run, link: WeightedLink, epoch: int, sample: int) -> FloatArray:
    """∂L/∂w in the weight's layout.

    Of this sample alone, Σ over positions of ∂L/∂z · a, where the gradient of the node's output and its input were
    recorded, else the recorded gradient of the parameter.

    Raises Nn3dError when neither was recorded.
    """
    of_output = run.activation_gradient(link.node.id, 0, epoch, sample)
    if of_output is None or not run.has_values(*link.source, epoch):
        found = run.parameter_gradient(link.parameter, epoch)
        if found is None:
            raise Nn3dError(f"{link.node.name}: no gradient recorded at epoch index {epoch}. Record it with gradients.")
        return np.asarray(found, np.float32)
    a = run.values(*link.source, epoch, sample)
    if link.node.op == "linear":
        g, x = of_output.reshape(-1, link.shape[0]), a.reshape(-1, link.shape[1])
        return np.asarray(g.T @ x, np.float32)
    if link.node.op in TRANSPOSED_DIMS:
        swapped = replace(link, shape=(link.shape[1], link.shape[0], *link.shape[2:]))
        return np.ascontiguousarray(np.swapaxes(patch_products(of_output, a, swapped), 0, 1))
    return patch_products(a, of_output, link)


def transposed_sums(a: FloatArray, link: WeightedLink) -> FloatArray:
    """(I, *kernel): Σ of a (I, *space) over the positions whose product with a kernel cell lies in the output.

    A transposed convolution meets its output as the convolution with the same numbers meets its input.
    """
    space = link.node.outputs[0].shape[1:]
    swapped = replace(link, shape=(a.shape[0], 1, *link.shape[2:]))
    return patch_products(np.ones((1, *space), np.float32), a, swapped)[:, 0]


def patch_products(a: FloatArray, g: FloatArray, link: WeightedLink) -> FloatArray:
    """(O, I/groups, *kernel): Σ over output positions of g (O, *out) times the input (C, *space) a kernel meets."""
    kernel, attributes = link.shape[2:], link.node.attributes
    n = len(kernel)
    stride, dilation = each(attributes.get("stride"), n), each(attributes.get("dilation"), n)
    padded = np.pad(a, [(0, 0), *padding_of(attributes, kernel)])
    out, groups = g.shape[1:], link.groups
    by_group = g.reshape(groups, link.shape[0] // groups, -1)
    sums = np.empty(link.shape, np.float32)
    for at in np.ndindex(*kernel):
        window: tuple[slice, ...] = tuple(
            slice(at[d] * dilation[d], at[d] * dilation[d] + stride[d] * (out[d] - 1) + 1, stride[d]) for d in range(n)
        )
        met = padded[:, *window].reshape(groups, link.shape[1], -1)
        sums[:, :, *at] = np.einsum("gop,gip->goi", by_group, met).reshape(link.shape[:2])
    return sums


def patch_sums(a: FloatArray, kernel: tuple[int, ...], attributes: Mapping[str, Any]) -> FloatArray:
    """(C, *kernel) sums of `a` (C, *space) over all positions of a convolution's output, one entry a kernel cell.

    Each axis of space is summed by a matrix of 0 and 1, (positions, kernel cells): `a` is read once.
    """
    n = len(kernel)
    stride, dilation = each(attributes.get("stride"), n), each(attributes.get("dilation"), n)
    pads = padding_of(attributes, kernel)
    met = []
    for d, (size, k) in enumerate(zip(a.shape[1:], kernel, strict=True)):
        n_out = (size + sum(pads[d]) - dilation[d] * (k - 1) - 1) // stride[d] + 1
        at = np.arange(max(0, n_out)) * stride[d] - pads[d][0] + (np.arange(k) * dilation[d])[:, np.newaxis]
        met.append((at[..., np.newaxis] == np.arange(size)).any(axis=1).astype(np.float32).T)
    sums = _summed(a, met)
    if np.isfinite(sums).all():
        return sums
    bad = ~np.isfinite(a)  # 0 · NaN is not 0: cells that meet none keep their sums
    touched = _summed(bad.astype(np.float32), met) > 0
    signs = [_summed(np.asarray(test(a), np.float32), met) > 0 for test in (np.isnan, np.isposinf, np.isneginf)]
    whole = _summed(np.where(bad, np.float32(0.0), a), met)
    odd = np.where(signs[0] | (signs[1] & signs[2]), np.nan, np.where(signs[1], np.inf, -np.inf))
    return np.asarray(np.where(touched, odd, whole), np.float32)


def _summed(a: FloatArray, met: list[FloatArray]) -> FloatArray:
    """(C, *kernel): `a` (C, *space) times one matrix (size, k) an axis of space."""
    part = a
    for matrix in reversed(met):
        with np.errstate(invalid="ignore", over="ignore"):
            part = np.moveaxis(part @ matrix, -1, 1)
    return np.ascontiguousarray(part, np.float32)


def contributions(w: FloatArray, sums: FloatArray, groups: int = 1) -> FloatArray:
    """c = w · Σa in the layout of `w` (O, I/groups, k…), given input sums (I, k…)."""
    if groups == 1:
        return np.asarray(w * sums[None], np.float32)
    per_group = w.shape[0] // groups
    grouped = sums.reshape(groups, 1, *w.shape[1:])
    return np.asarray((w.reshape(groups, per_group, *w.shape[1:]) * grouped).reshape(w.shape), np.float32)


def sign_sums(c: Array) -> tuple[float, float]:
    """(Σ of the positive entries, Σ|·| of the negative ones), non-finite entries left out."""
    finite = c if np.isfinite(c).all() else np.where(np.isfinite(c), c, 0.0)
    total, magnitude = float(finite.sum(dtype=np.float64)), float(np.abs(finite).sum(dtype=np.float64))
    return max(0.0, (magnitude + total) / 2.0), max(0.0, (magnitude - total) / 2.0)


def trunk_sums(run: Run, link: WeightedLink, epoch: int, sample: int | None) -> tuple[float, float]:
    """(for, against): exact sums of the positive and the negative edges of a link, from column sums of its weight.

    sample None: of the weights alone. The tensor itself is not touched where the run stores its statistics.
    """
    if isinstance(run, Difference) and sample is not None:
        return _difference_sums(run, link, epoch, sample)
    stats = run.computed_parameter_stats(link.parameter, epoch)
    if stats is None:
        return 0.0, 0.0
    if sample is None or link.groups != 1:
        if sample is None:
            return float(stats.col_pos.sum(dtype=np.float64)), -float(stats.col_neg.sum(dtype=np.float64))
        return sign_sums(contributions(weights(run, link, epoch), input_sums(run, link, epoch, sample), link.groups))
    a = np.nan_to_num(input_sums(run, link, epoch, sample).ravel().astype(np.float64), posinf=0.0, neginf=0.0)
    up, down = np.maximum(a, 0.0), np.maximum(-a, 0.0)
    return (
        float(up @ stats.col_pos - down @ stats.col_neg),
        float(down @ stats.col_pos - up @ stats.col_neg),
    )


def _difference_sums(run: Difference, link: WeightedLink, epoch: int, sample: int) -> tuple[float, float]:
    """The same of a·w of B minus a·w of A: one pass over both weights, a few rows at a time."""
    if not run.has_parameter(link.parameter, epoch):
        return 0.0, 0.0
    sides = (run.after, epoch, sample), (run.before, run.epoch, run.sample_before(sample))
    matrices = [side.parameter(link.parameter, e) for side, e, _ in sides]
    sums = [input_sums(side, link, e, s) for side, e, s in sides]
    if link.groups != 1:
        a, b = (contributions(np.asarray(w, np.float32), x, link.groups) for w, x in zip(matrices, sums, strict=True))
        return sign_sums(a - b)
    n_rows, flat = link.shape[0], [x.reshape(-1) for x in sums]
    step = max(1, PASS_VALUES // max(1, flat[0].size))
    up = down = 0.0
    for at in range(0, n_rows, step):
        part = [
            np.asarray(w[at : at + step], np.float32).reshape(-1, x.size) * x
            for w, x in zip(matrices, flat, strict=True)
        ]
        found = sign_sums(part[0] - part[1])
        up, down = up + found[0], down + found[1]
    return up, down
