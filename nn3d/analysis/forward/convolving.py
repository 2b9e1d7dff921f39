"""Convolution over any number of axes of space, array-wise: patches by strides, then one matrix product a group.

Cross-correlation as every framework computes it (Dumoulin & Visin 2016, "A guide to convolution arithmetic").
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nn3d.analysis.forward.step import Result, Rule, Step
from nn3d.run.model import Array, FloatArray

# So many numbers of patches are laid out at once.
MOST_PATCHED = 1 << 24


def windows(x: Array, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Array:
    """(N, C, *out, *kernel) view of all patches of x (N, C, *space)."""
    rank = len(kernel)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    view = sliding_window_view(x, reach, axis=tuple(range(2, 2 + rank)))
    steps = (slice(None), slice(None), *(slice(None, None, s) for s in stride))
    found: Array = view[(*steps, *(slice(None, None, d) for d in dilation))]
    return found


def convolved(
    x: Array, w: FloatArray, stride: Sequence[int], dilation: Sequence[int], groups: int
) -> FloatArray:
    """(N, C_out, *out) of x (N, C, *space), padded already, and w (C_out, C/groups, *kernel)."""
    rank, n = w.ndim - 2, x.shape[0]
    patches = windows(x, w.shape[2:], stride, dilation)
    size = patches.shape[2 : 2 + rank]
    each = prod(w.shape[1:])
    rows = w.reshape(groups, w.shape[0] // groups, each).swapaxes(1, 2)
    out = np.empty((n, *size, groups, w.shape[0] // groups), np.float32)
    step = max(1, MOST_PATCHED // max(1, n * prod(size[1:]) * each * groups))
    for first in range(0, size[0], step):
        part = patches[:, :, first : first + step]
        part = part.reshape(n, groups, x.shape[1] // groups, *part.shape[2:])
        ahead = (1, 0, *range(3, 3 + rank), 2, *range(3 + rank, 3 + 2 * rank))
        flat = part.transpose(ahead).reshape(groups, -1, each)
        found = np.matmul(flat, rows).reshape(groups, n, -1, *size[1:], w.shape[0] // groups)
        out[:, first : first + step] = np.moveaxis(found, 0, -2)
    return np.moveaxis(out.reshape(n, *size, w.shape[0]), -1, 1)


def padded(x: Array, pads: Sequence[tuple[int, int]], value: float = 0.0, mode: str = "constant") -> Array:
    """x with its last axes padded by (before, after); negative pads cut off."""
    lead = x.ndim - len(pads)
    cut = [slice(max(0, -a), x.shape[lead + i] - max(0, -b)) for i, (a, b) in enumerate(pads)]
    x = x[(*[slice(None)] * lead, *cut)]
    grow = [(0, 0)] * lead + [(max(0, a), max(0, b)) for a, b in pads]
    if not any(a or b for a, b in grow):
        return x
    if mode == "constant":
        return np.pad(x, grow, constant_values=value)
    return np.pad(x, grow, mode={"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])  # type: ignore[call-overload, no-any-return]


def pads_of(step: Step, rank: int) -> list[tuple[int, int]]:
    """Padding of each axis before and after: a number for both, or a pair."""
    given = step.node.attributes.get("padding", 0)
    given = given if isinstance(given, list) else [given] * rank
    given = given * rank if len(given) == 1 else given
    pairs = [(p[0], p[1]) if isinstance(p, list) else (p, p) for p in given]
    if len(pairs) != rank or not all(isinstance(v, int) for pair in pairs for v in pair):
        raise step.unknown(f"with padding {given}")
    return pairs


def _with_bias(step: Step, out: FloatArray) -> FloatArray:
    bias = step.weight("bias")
    return out if bias is None else out + bias.reshape(-1, *[1] * (out.ndim - 2))


def _convolution(rank: int) -> Rule:
    def rule(step: Step) -> Result:
        w = step.must("weight")
        mode = step.text("padding_mode", "constant").replace("zeros", "constant")
        x = padded(step.x, pads_of(step, rank), mode=mode)
        stride, dilation = step.space("stride", rank, 1), step.space("dilation", rank, 1)
        return _with_bias(step, convolved(x, w, stride, dilation, int(step.number("groups", 1))))

    return rule


def _transposed(rank: int) -> Rule:
    """The input spread by the stride, then convolved with the kernel turned round."""

    def rule(step: Step) -> Result:
        x, w = step.x, step.must("weight")
        stride, dilation = step.space("stride", rank, 1), step.space("dilation", rank, 1)
        extra, pads = step.space("output_padding", rank, 0), pads_of(step, rank)
        size = [(m - 1) * s + 1 for m, s in zip(x.shape[2:], stride, strict=True)]
        spread = np.zeros((*x.shape[:2], *size), np.float32)
        spread[(slice(None), slice(None), *(slice(None, None, s) for s in stride))] = x
        reach = [(k - 1) * d for k, d in zip(w.shape[2:], dilation, strict=True)]
        around = [(r - a, r - b + e) for r, (a, b), e in zip(reach, pads, extra, strict=True)]
        turned = w[(slice(None), slice(None), *[slice(None, None, -1)] * rank)]
        groups = int(step.number("groups", 1))
        return _with_bias(step, convolved(padded(spread, around), turned, [1] * rank, dilation, groups))

    return rule


RULES: dict[str, Rule] = {
    **{f"conv{rank}d": _convolution(rank) for rank in (1, 2, 3)},
    **{f"conv_transpose{rank}d": _transposed(rank) for rank in (1, 2, 3)},
}
