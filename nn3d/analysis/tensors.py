"""Numbers of a parameter for a picture of it: its scale, its kernels, and a matrix small enough to be looked at.

Any rank has a picture: kernels (out, in, …) one by one, everything else as a matrix of its leading and last axes.
Values are read by slices, so that a parameter larger than memory costs no more than what is shown of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nn3d.run.model import Array, FloatArray
from nn3d.run.run import Run

QUANTILE: Final = 0.995
SCALE_VALUES: Final = 1 << 20
MATRIX_VALUES: Final = 1 << 24
SLICE_VALUES: Final = 1 << 20
BINS: Final = 64
BLOCK: Final = 4096


@dataclass(frozen=True, slots=True)
class Scale:
    """How large the values of a tensor are.

    full : 99.5 % of the finite values are no larger in size, 1 where there are none. lowest, highest, mean, std : of
    the finite ones. zero_share : of all. counts : (64,) over equal bins from −most to +most, the largest size.
    n_values : how many were read of n_all, evenly spread. n_nonfinite : of those read.
    """

    full: float
    lowest: float
    highest: float
    mean: float
    std: float
    zero_share: float
    most: float
    counts: FloatArray
    n_values: int
    n_all: int
    n_nonfinite: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often which values stand in a tensor. counts : (64,), equal bins from −most to +most, the largest size."""

    most: float
    counts: FloatArray


@dataclass(frozen=True, slots=True)
class KernelShape:
    """The kernels of a convolution as pictures. n_out, n_in : how many; rows, cols : of one (3-D: slices side by side).

    depth : how many slices stand side by side, 1 below three dimensions.
    """

    n_out: int
    n_in: int
    rows: int
    cols: int
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Matrix:
    """A tensor as a picture. cells : (R, C) means of blocks. shape : of the whole matrix.

    block : (rows, columns) of one. full : the size that is drawn at full colour, 99.5 % of the cells.
    read_share : of the values that were read.
    """

    cells: FloatArray
    shape: tuple[int, int]
    block: tuple[int, int]
    full: float
    read_share: float


def evenly_spread(flat: Array, most: int) -> FloatArray:
    """(n,) float32: all of a flat array, or of a longer one than `most` about so many, in blocks of 4,096 in a row.

    Blocks, since of a mapped file every page is read that holds one of the values.
    """
    if flat.size <= most:
        return np.asarray(flat, np.float32)
    n_blocks = max(1, most // BLOCK)
    starts = np.linspace(0, flat.size - BLOCK, n_blocks).astype(np.int64)
    return np.concatenate([np.asarray(flat[a : a + BLOCK], np.float32) for a in starts.tolist()])


def scale_of(values: Array) -> Scale:
    """The scale of a tensor, from at most about 1 M of its values."""
    flat = values.reshape(-1)
    some = evenly_spread(flat, SCALE_VALUES)
    finite = some[np.isfinite(some)]
    size = np.abs(finite)
    most = float(size.max(initial=0.0))
    full = float(np.quantile(size, QUANTILE)) if size.size else 1.0
    full = full if full > 0 else most if most > 0 else 1.0
    ends = (-most, most) if most > 0 else (-1.0, 1.0)
    counts = np.histogram(finite, BINS, ends)[0].astype(np.float32)
    mean, std = (float(finite.mean(dtype=np.float64)), float(finite.std(dtype=np.float64))) if finite.size else (0, 0)
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    zeros = float((some == 0).mean()) if some.size else 0.0
    return Scale(
        full, low, high, mean, std, zeros, most, counts, int(some.size), int(flat.size), int(some.size - finite.size)
    )


def histogram_of(run: Run, parameter: int, epoch: int) -> Histogram | None:
    """The histogram of a parameter: the stored one, else of about 1 M of its values; None where it was not recorded."""
    stored = run.parameter_stats(parameter, epoch)
    if stored is not None:
        return Histogram(stored.max_abs, stored.histogram)
    if not run.has_parameter(parameter, epoch):
        return None
    scale = scale_of(run.parameter(parameter, epoch))
    return Histogram(scale.most, scale.counts)


def common_ridges(scales: Sequence[Histogram]) -> tuple[float, list[FloatArray]]:
    """(most, a row of 64 heights 0 … 1 each): histograms brought to equal bins from −most to +most, to their own peaks.

    A bin's values are taken to be spread evenly over it.
    """
    most = max((s.most for s in scales), default=0.0) or 1.0
    edges = np.linspace(-most, most, BINS + 1)
    rows = []
    for s in scales:
        own = np.linspace(-s.most, s.most, BINS + 1) if s.most > 0 else np.linspace(-most, most, BINS + 1)
        below = np.interp(edges, own, np.concatenate([[0.0], np.cumsum(s.counts, dtype=np.float64)]))
        counts = np.diff(below)
        peak = counts.max(initial=0.0)
        rows.append(np.asarray(counts / peak if peak > 0 else counts, np.float32))
    return most, rows


def kernel_shape(shape: tuple[int, ...]) -> KernelShape | None:
    """How a weight of (out, in, k…) is shown kernel by kernel; None where a kernel is one cell or there is none."""
    if not 3 <= len(shape) <= 5 or math.prod(shape[2:]) < 2:
        return None
    depth = shape[2] if len(shape) == 5 else 1
    rows = shape[-2] if len(shape) >= 4 else 1
    return KernelShape(shape[0], shape[1], rows, depth * shape[-1], depth)


def read_kernels(values: Array, outs: tuple[int, int], ins: tuple[int, int]) -> FloatArray:
    """(o, i, rows, cols) float32 of the kernels from `outs` and `ins`, [from, to) each."""
    part = np.asarray(values[outs[0] : outs[1], ins[0] : ins[1]], np.float32)
    if part.ndim == 5:
        part = part.transpose(0, 1, 3, 2, 4)
        return np.ascontiguousarray(part.reshape(*part.shape[:3], -1))
    return part.reshape(*part.shape[:2], -1, part.shape[-1])


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """(rows, columns) of a tensor of any rank as a matrix; a vector is one row, and axes of one entry do not count."""
    axes = [n for n in shape if n != 1]
    if not axes:
        return 1, 1
    return (1, axes[0]) if len(axes) == 1 else (math.prod(axes[:-1]), axes[-1])


def matrix_of(values: Array, most: tuple[int, int]) -> Matrix:
    """A tensor as a matrix of at most `most` (rows, columns), each cell the mean of a block; NaN and Inf stay.

    Beyond 16 M values only some rows of each block are read, evenly spread.
    """
    rows, cols = matrix_shape(values.shape)
    flat = values.reshape(rows, cols)
    block = -(-rows // most[0]), -(-cols // most[1])
    n_rows = -(-rows // block[0])
    read = min(block[0], max(1, MATRIX_VALUES // max(1, n_rows * cols)))
    cells = np.empty((n_rows, -(-cols // block[1])), np.float32)
    cuts = np.arange(0, cols, block[1])
    widths = np.diff(np.append(cuts, cols))
    at_once = max(1, SLICE_VALUES // max(1, cols * read))
    within = (np.arange(read) * block[0]) // read
    for first in range(0, n_rows, at_once):
        starts = np.arange(first, min(first + at_once, n_rows)) * block[0]
        picked = starts[:, None] + within
        is_there = picked < rows
        part = np.asarray(flat[np.minimum(picked, rows - 1).ravel()], np.float32).reshape(*picked.shape, cols)
        with np.errstate(invalid="ignore"):
            sums = np.where(is_there[..., None], part, 0.0).sum(1, dtype=np.float64) / is_there.sum(1)[:, None]
            cells[first : first + len(starts)] = np.add.reduceat(sums, cuts, 1) / widths
    size = np.abs(cells[np.isfinite(cells)])
    full = float(np.quantile(size, QUANTILE)) if size.size else 1.0
    full = full if full > 0 else float(size.max(initial=0.0)) or 1.0
    cells.setflags(write=False)
    return Matrix(cells, (rows, cols), block, full, read / block[0])
