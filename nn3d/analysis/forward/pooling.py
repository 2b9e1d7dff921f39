"""Pooling, array-wise: maxima and means over windows, and over the uneven bins of adaptive pools."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn3d.analysis.forward.convolving import padded, pads_of, windows
from nn3d.analysis.forward.step import Result, Rule, Step
from nn3d.run.model import Array

Pads = list[tuple[int, int]]


def _geometry(step: Step, rank: int) -> tuple[tuple[int, ...], tuple[int, ...], Pads, tuple[int, ...]]:
    """Kernel, stride, padding before and after, and how far past it the last window reaches (ceil_mode)."""
    kernel = step.space("kernel_size", rank, 1)
    stride = step.space("stride", rank, 0)
    stride = tuple(s or k for s, k in zip(stride, kernel, strict=True))
    pads, dilation = pads_of(step, rank), step.space("dilation", rank, 1)
    size = step.shape()[-rank:]
    reach = [(o - 1) * s + (k - 1) * d + 1 for o, s, k, d in zip(size, stride, kernel, dilation, strict=True)]
    over = (max(0, r - n - sum(p)) for r, n, p in zip(reach, step.x.shape[-rank:], pads, strict=True))
    return kernel, stride, pads, tuple(over)


def _patches(step: Step, x: Array, rank: int, value: float) -> Array:
    kernel, stride, pads, over = _geometry(step, rank)
    wide = padded(x, [(a, b + o) for (a, b), o in zip(pads, over, strict=True)], value)
    found = windows(wide, kernel, stride, step.space("dilation", rank, 1))
    size = step.shape()[-rank:]
    return found[(slice(None), slice(None), *(slice(0, o) for o in size))]


def _max(rank: int) -> Rule:
    def rule(step: Step) -> Result:
        if step.flag("return_indices") and len(step.node.outputs) > 1:
            raise step.unknown("with the places of its maxima")
        x = step.x if step.x.ndim == rank + 2 else step.x[:, None]
        found = _patches(step, x, rank, -np.inf).max(tuple(range(2 + rank, 2 + 2 * rank)))
        return found.reshape(step.shape())

    return rule


def _mean(rank: int) -> Rule:
    def rule(step: Step) -> Result:
        axes = tuple(range(2 + rank, 2 + 2 * rank))
        sums = _patches(step, step.x, rank, 0.0).sum(axes, dtype=np.float32)
        if step.node.attributes.get("divisor_override"):
            return sums / step.number("divisor_override", 1.0)
        kernel, stride, pads, over = _geometry(step, rank)
        counts_pads = bool(step.node.attributes.get("count_include_pad", True))
        ones = np.ones((1, 1, *step.x.shape[-rank:]), np.float32)
        ones = padded(ones, pads, 1.0 if counts_pads else 0.0)
        ones = padded(ones, [(0, o) for o in over], 0.0)
        return sums / windows(ones, kernel, stride, [1] * rank).sum(axes)[
            (slice(None), slice(None), *(slice(0, n) for n in sums.shape[2:]))
        ]

    return rule


def bins(x: Array, axis: int, n: int, ufunc: np.ufunc) -> tuple[Array, Array]:
    """Reduction over n bins of an axis, from ⌊i·size/n⌋ up to ⌈(i+1)·size/n⌉, and how many each bin holds."""
    size = x.shape[axis]
    low = np.arange(n) * size // n
    high = -(-(np.arange(n) + 1) * size // n)
    ends = np.stack([low, high], 1).ravel()
    longer = np.concatenate([x, np.take(x, [-1], axis)], axis)  # so that the last end is an index, too
    found = np.asarray(ufunc.reduceat(longer, ends, axis))
    return np.take(found, np.arange(0, 2 * n, 2), axis), high - low


def adaptive_mean(x: Array, size: Sequence[int]) -> Array:
    """Mean over bins of the last axes."""
    for i, n in enumerate(size):
        axis = x.ndim - len(size) + i
        x, counts = bins(x, axis, n, np.add)
        x = x / counts.reshape(-1, *[1] * (x.ndim - 1 - axis)).astype(np.float32)
    return x


def _adaptive_max(rank: int) -> Rule:
    def rule(step: Step) -> Result:
        if len(step.node.outputs) > 1:
            raise step.unknown("with the places of its maxima")
        x = step.x
        for axis in range(x.ndim - rank, x.ndim):
            x = bins(x, axis, step.shape()[axis], np.maximum)[0]
        return x

    return rule


def _adaptive_mean(rank: int) -> Rule:
    return lambda step: adaptive_mean(step.x, step.shape()[-rank:])


RULES: dict[str, Rule] = {
    **{f"max_pool{rank}d": _max(rank) for rank in (1, 2, 3)},
    **{f"avg_pool{rank}d": _mean(rank) for rank in (1, 2, 3)},
    **{f"adaptive_avg_pool{rank}d": _adaptive_mean(rank) for rank in (1, 2, 3)},
    **{f"adaptive_max_pool{rank}d": _adaptive_max(rank) for rank in (1, 2, 3)},
}
