"""What all samples make of one output at one epoch: how large its active values are, and which channels are dead.

"Silent" is a channel without a value above 0 on one sample, "dead" one that is zero on all of them. Active values are
the finite ones that are not zero; of a signed output their size is counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from nn3d.analysis.tensors import evenly_spread
from nn3d.run.encoding import Encoded, decode
from nn3d.run.model import FloatArray
from nn3d.run.run import Run
from nn3d.run.statistics import ChannelStats, channel_axis

BINS: Final = 60
BIN_DECADES: Final = 0.075
LOW_DECADE: Final = -15.0
ALL_BINS: Final = 400
MOST_VALUES: Final = 1 << 22
SMOOTHING: Final = (1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0)


@dataclass(frozen=True, slots=True)
class Spread:
    """Sizes of the active values of one output at one epoch, on a scale that is the same for every epoch.

    counts : (400,) float64, values with log10|v| in bins of 0.075 from −15; what is smaller or larger lies in the ends.
    n_samples : of how many samples. n_values : how many values were read of `n_all`. is_signed : some are below 0.
    """

    counts: np.ndarray[tuple[int], np.dtype[np.float64]]
    n_samples: int
    n_values: int
    n_all: int
    is_signed: bool


@dataclass(frozen=True, slots=True)
class Moments:
    """Figures of one output over all samples. dead : of its channels, −1 where they are not counted (signed outputs).

    n_channels : how many there are. n_nonfinite : NaN and ±Inf, left out of mean and std.
    """

    mean: float
    std: float
    zero_share: float
    dead: int
    n_channels: int
    n_nonfinite: int


def spread_of(run: Run, node: int, output: int, epoch: int) -> Spread | None:
    """Sizes of the active values of all samples, or None where nothing was recorded.

    Of more than 4 M values so many are read, evenly spread.
    """
    if not run.has_values(node, output, epoch):
        return None
    stored = run.stored(node, output, epoch)
    values, n_all = _thinned(stored)
    finite = values[np.isfinite(values)]
    active = finite[finite != 0.0]
    place = np.log10(np.abs(active).astype(np.float64))
    index = np.clip((place - LOW_DECADE) / BIN_DECADES, 0, ALL_BINS - 1).astype(np.intp)
    counts = np.bincount(index, minlength=ALL_BINS).astype(np.float64)
    n_samples = stored.data.shape[0] if run.output(node, output).per_sample else 1
    return Spread(counts, n_samples, int(values.size), n_all, bool((active < 0).any()))


def _thinned(stored: Encoded) -> tuple[FloatArray, int]:
    """(n,) decoded values, at most about 4 M of them, and how many there are in all."""
    shape, size = stored.data.shape, stored.data.size
    step = -(-size // MOST_VALUES)
    if step <= 1 or not shape:
        return decode(stored).ravel(), size
    if stored.lo is None:
        return evenly_spread(stored.data.reshape(-1), MOST_VALUES), size
    n = shape[0]
    kept = max(1, n // step)
    rows = [decode(stored, int(i)).ravel() for i in np.linspace(0, n - 1, kept).astype(int)]
    inner = max(1, -(-sum(r.size for r in rows) // MOST_VALUES))
    return np.concatenate(rows)[::inner], size


def moments_of(run: Run, node: int, output: int, epoch: int) -> Moments | None:
    """Figures over all samples: from the run's stored ones where it has them, else from the values; None without any.

    Values of more than 4 M cells without stored figures are not read: None.
    """
    stats = run.channel_stats(node, output, epoch)
    if stats is None:
        if not run.has_values(node, output, epoch) or run.stored(node, output, epoch).data.size > MOST_VALUES:
            return None
        stats = run.computed_channel_stats(node, output, epoch)
        assert stats is not None
    info = run.output(node, output)
    axis = channel_axis(info.shape, info.axes)
    n_cells = math.prod(info.shape) // (1 if axis is None else max(1, info.shape[axis]))
    n_samples = max(1, len(run.samples)) if info.per_sample else 1
    return _joined(stats, float(n_cells * n_samples))


def _joined(stats: ChannelStats, per_channel: float) -> Moments:
    """Figures of all channels from those of each, which has `per_channel` values.

    Mean and variance of parts: Chan, Golub, LeVeque (1983), "Algorithms for computing the sample variance".
    """
    odd = (stats.n_nan + stats.n_posinf + stats.n_neginf).astype(np.float64)
    n = np.maximum(per_channel - odd, 0.0)
    total = max(1.0, float(n.sum()))
    means, stds = stats.mean.astype(np.float64), stats.std.astype(np.float64)
    mean = float((n * means).sum() / total)
    variance = float((n * (np.square(stds) + np.square(means - mean))).sum() / total)
    is_signed = bool((stats.low < 0).any())
    dead = int(((stats.low == 0) & (stats.high == 0) & (odd == 0)).sum())
    zero_share = float(stats.zero_share.mean(dtype=np.float64)) if stats.zero_share.size else 0.0
    n_channels = len(stats.mean)
    return Moments(mean, math.sqrt(variance), zero_share, -1 if is_signed else dead, n_channels, int(odd.sum()))


def window_of(spreads: list[Spread]) -> tuple[int, int]:
    """[from, to) of the 60 bins that end with the largest active value of any of them."""
    found = [int(np.flatnonzero(s.counts)[-1]) for s in spreads if s.counts.any()]
    last = min(ALL_BINS, max(found, default=ALL_BINS // 2) + 2)
    return last - BINS, last


def ridge_of(spread: Spread, window: tuple[int, int]) -> FloatArray:
    """(60,) heights 0 … 1 of the bins in a window, smoothed by 1-2-3-4-3-2-1, to their own peak; 0 without any."""
    kernel = np.array(SMOOTHING) / sum(SMOOTHING)
    smooth = np.convolve(spread.counts, kernel, "same")[slice(*window)]
    peak = smooth.max(initial=0.0)
    return np.asarray(smooth / peak if peak > 0 else smooth, np.float32)


def decade_of(bin_: float) -> float:
    """log10 of the value at the lower edge of a bin."""
    return LOW_DECADE + bin_ * BIN_DECADES
