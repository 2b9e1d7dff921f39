"""Owns the figures of arrays that are small enough to be read whole: per channel, per sample, per parameter.

They are computed from the values before they are encoded. All figures but the counts are over finite values.
Histograms of a channel: 32 equal bins from its `low` to its `high`; of a parameter: 64 from −max|w| to +max|w|.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn3d.errors import RunFormatError
from nn3d.run.model import Array, FloatArray

CHANNEL_COLUMNS = ("mean", "std", "low", "high", "zero_share", "n_nan", "n_posinf", "n_neginf")
SAMPLE_COLUMNS = ("mean", "std", "low", "high", "zero_share")
PARAMETER_COLUMNS = ("mean", "std", "low", "high", "zero_share", "n_nan", "n_posinf", "n_neginf", "max_abs", "l1")
CHANNEL_BINS = 32
PARAMETER_BINS = 64
PYRAMID = 32
MAX_CHANNELS = 8192
_CHUNK_BYTES = 1 << 19
_SLICE_VALUES = 1 << 17


@dataclass(frozen=True, slots=True)
class ChannelStats:
    """Figures of one recorded output over all samples, one entry a channel (one in all beyond 8,192 channels).

    mean, std, low, high, zero_share : (C,) float32; low and high are 0 where a channel has no finite value.
    n_nan, n_posinf, n_neginf : (C,) float32 counts.
    histogram : (C, 32) float32 counts, equal bins from low to high.
    samples : (N, 5) float32, columns mean, std, low, high, zero_share per sample; None when not recorded.
    """

    mean: FloatArray
    std: FloatArray
    low: FloatArray
    high: FloatArray
    zero_share: FloatArray
    n_nan: FloatArray
    n_posinf: FloatArray
    n_neginf: FloatArray
    histogram: FloatArray
    samples: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class ParameterStats:
    """Figures of one parameter; `rows` = first axis, `columns` = all other axes flat (in · kH · kW), none below 2-D.

    histogram : (64,) float32 counts, equal bins from −max_abs to +max_abs.
    col_pos, col_neg : (columns,) float32, sums of the positive and of the negative entries (≤ 0) of each column.
    row_pos, row_neg : (rows,) float32 likewise.
    pyramid : (3, P, Q) float32: mean, mean|w|, max|w| of blocks, P = min(rows, 32), Q = min(columns, 32);
        block p covers the rows from p·rows//P up to (p+1)·rows//P.
    """

    mean: float
    std: float
    low: float
    high: float
    zero_share: float
    n_nan: float
    n_posinf: float
    n_neginf: float
    max_abs: float
    l1: float
    histogram: FloatArray
    col_pos: FloatArray
    col_neg: FloatArray
    row_pos: FloatArray
    row_neg: FloatArray
    pyramid: FloatArray


def channel_axis(shape: tuple[int, ...], axes: tuple[str, ...]) -> int | None:
    """Which axis of a sample's `shape` is "channel": the one named C, else a lone axis, else the first."""
    if not shape:
        return None
    axis = axes.index("C") if "C" in axes else 0
    return axis if shape[axis] <= MAX_CHANNELS else None


def n_channels(shape: tuple[int, ...], axes: tuple[str, ...]) -> int:
    """How many rows channel statistics of such an output have."""
    axis = channel_axis(shape, axes)
    return 1 if axis is None else shape[axis]


def channel_table(values: Array, axis: int | None, *, per_sample: bool = True) -> FloatArray:
    """(C, 8 + 32) float32 as stored under `e…/s/<node>.<output>`: CHANNEL_COLUMNS, then the histogram.

    values : (N, *shape), or shape where not `per_sample`. axis : of a sample's shape, or None for one row in all.
    """
    at = None if axis is None else axis + per_sample
    count = 1 if at is None else values.shape[at]
    table = np.zeros((count, len(CHANNEL_COLUMNS) + CHANNEL_BINS), np.float32)
    size = values.size // count if count else 0
    step = max(1, _CHUNK_BYTES // max(1, size * 8))
    for begin in range(0, count, step):
        part = values if at is None else np.moveaxis(values, at, 0)[begin : begin + step]
        rows = np.asarray(part, np.float64).reshape(1 if at is None else part.shape[0], -1)
        table[begin : begin + step] = _figures(rows)
    return table


def _figures(rows: NDArray[np.float64]) -> FloatArray:
    """(R, 8 + 32) of rows of values."""
    plain = _plain_basics(rows)
    if plain is not None:
        basics, low, high = plain
        with np.errstate(over="ignore"):
            histogram = _plain_histogram(rows, low, high, CHANNEL_BINS)
            return np.column_stack([basics, np.zeros((len(rows), 3)), histogram]).astype(np.float32)
    finite = np.isfinite(rows)
    basics, low, high = _basics(rows, finite)
    counts = [np.isnan(rows).sum(axis=1), (rows == np.inf).sum(axis=1), (rows == -np.inf).sum(axis=1)]
    histogram = _histogram(rows, finite, low, high, CHANNEL_BINS)
    with np.errstate(over="ignore"):
        return np.column_stack([basics, *counts, histogram]).astype(np.float32)


def _plain_basics(rows: NDArray[np.float64]) -> tuple[Array, Array, Array] | None:
    """What `_basics` gives for rows that are finite throughout, at a third of the cost; None for others."""
    if not rows.shape[1]:
        return None
    low, high = rows.min(axis=1), rows.max(axis=1)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return None
    n = rows.shape[1]
    mean = rows.sum(axis=1) / n
    spread = rows - mean[:, None]
    std = np.sqrt(np.einsum("ij,ij->i", spread, spread) / n)
    zeros = 1.0 - np.count_nonzero(rows, axis=1) / n
    return np.column_stack([mean, std, low, high, zeros]), low, high


def _plain_histogram(rows: NDArray[np.float64], low: Array, high: Array, bins: int) -> NDArray[np.int64]:
    """What `_histogram` gives for rows that are finite throughout."""
    width = np.where(high > low, high - low, 1.0)
    place = rows - low[:, None]
    place /= width[:, None]
    place *= bins
    index = place.astype(np.int64)
    np.minimum(index, bins - 1, out=index)
    index += np.arange(len(rows))[:, None] * bins
    return np.bincount(index.ravel(), minlength=len(rows) * bins).reshape(len(rows), bins)


def _basics(rows: NDArray[np.float64], finite: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """(R, 5) mean, std, low, high, zero share over finite values; low; high."""
    n = finite.sum(axis=1)
    some = n > 0
    values = np.where(finite, rows, 0.0)
    mean = np.divide(values.sum(axis=1), n, out=np.zeros(len(rows)), where=some)
    spread = np.where(finite, values - mean[:, None], 0.0)
    std = np.sqrt(np.divide(np.square(spread).sum(axis=1), n, out=np.zeros(len(rows)), where=some))
    low = np.where(some, np.where(finite, rows, np.inf).min(axis=1, initial=np.inf), 0.0)
    high = np.where(some, np.where(finite, rows, -np.inf).max(axis=1, initial=-np.inf), 0.0)
    zeros = np.divide((rows == 0).sum(axis=1), max(1, rows.shape[1]), dtype=np.float64)
    return np.column_stack([mean, std, low, high, zeros]), low, high


def _histogram(rows: Array, finite: NDArray[np.bool_], low: Array, high: Array, bins: int) -> NDArray[np.int64]:
    """(R, bins) counts over equal bins from low to high; a row of one value falls into bin 0."""
    width = np.where(high > low, high - low, 1.0)
    place = np.where(finite, rows - low[:, None], 0.0) / width[:, None] * bins
    index = np.clip(place.astype(np.int64), 0, bins - 1) + np.arange(len(rows))[:, None] * bins
    return np.bincount(index[finite], minlength=len(rows) * bins).reshape(len(rows), bins)


def sample_table(values: Array) -> FloatArray:
    """(N, 5) float32 as stored under `e…/s/<node>.<output>.samples`: SAMPLE_COLUMNS of each sample."""
    n = values.shape[0]
    table = np.zeros((n, len(SAMPLE_COLUMNS)), np.float32)
    step = max(1, _CHUNK_BYTES // max(1, values.size // max(n, 1) * 8))
    for begin in range(0, n, step):
        part = values[begin : begin + step]
        rows = np.asarray(part, np.float64).reshape(part.shape[0], prod(part.shape[1:]))
        with np.errstate(over="ignore"):
            table[begin : begin + step] = (_plain_basics(rows) or _basics(rows, np.isfinite(rows)))[0]
    return table


def channel_stats_from(table: Array, samples: Array | None) -> ChannelStats:
    """Stored tables as named columns."""
    n = len(CHANNEL_COLUMNS)
    columns = {name: np.asarray(table[:, i], np.float32) for i, name in enumerate(CHANNEL_COLUMNS)}
    by_sample = None if samples is None else np.asarray(samples)
    return ChannelStats(**columns, histogram=np.asarray(table[:, n:]), samples=by_sample)


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """(rows, columns) of a parameter for its sums; (0, 0) below two dimensions."""
    return (shape[0], prod(shape[1:])) if len(shape) >= 2 else (0, 0)


def parameter_vector_size(shape: tuple[int, ...]) -> int:
    """Length of a stored parameter statistic."""
    rows, columns = matrix_shape(shape)
    blocks = min(rows, PYRAMID) * min(columns, PYRAMID)
    return len(PARAMETER_COLUMNS) + PARAMETER_BINS + 2 * columns + 2 * rows + 3 * blocks


def parameter_vector(values: Array) -> FloatArray:
    """(n,) float32 as stored under `e…/s/w/<id>`.

    PARAMETER_COLUMNS, histogram, col_pos, col_neg, row_pos, row_neg, then the pyramid in C order.
    """
    slices = parameter_vector_slices(values)
    while True:
        try:
            next(slices)
        except StopIteration as done:
            vector: FloatArray = done.value
            return vector


def parameter_vector_slices(values: Array) -> Generator[None, None, FloatArray]:
    """`parameter_vector` in slices of a few ms each: yields between them, and returns the vector at the end."""
    flat = values.reshape(-1)
    passed = []
    for piece in _pieces(flat):
        passed.append(_first_pass(piece))
        yield
    table = np.array(passed).reshape(-1, 8)
    n_finite, total, l1, n_zero, n_nan, n_posinf, n_neginf, _ = table.sum(axis=0)
    most = float(table[:, 7].max(initial=0.0))
    is_finite = int(n_finite) == flat.size
    n_finite = max(1.0, n_finite)
    mean = total / n_finite
    square, low, high, histogram = 0.0, np.inf, -np.inf, np.zeros(PARAMETER_BINS)
    for piece in _pieces(flat):
        kept = piece if is_finite else piece[np.isfinite(piece)]
        spread = kept - mean
        square += float(spread @ spread)
        low, high = min(low, float(kept.min(initial=np.inf))), max(high, float(kept.max(initial=-np.inf)))
        histogram += _plain_histogram(kept[np.newaxis], np.array([-most]), np.array([most]), PARAMETER_BINS)[0]
        yield
    low, high = (low, high) if low <= high else (0.0, 0.0)
    share = n_zero / max(1, flat.size)
    head = [mean, (square / n_finite) ** 0.5, low, high, share, n_nan, n_posinf, n_neginf, most, l1]
    sums = yield from _sums(values)
    with np.errstate(over="ignore"):
        return np.concatenate([np.array(head), histogram, *sums]).astype(np.float32)


def _pieces(flat: Array) -> Iterator[NDArray[np.float64]]:
    """A flat array as float64, 1 MiB at a time."""
    for begin in range(0, flat.size, _SLICE_VALUES):
        yield _doubles(flat[begin : begin + _SLICE_VALUES])


def _doubles(values: Array) -> NDArray[np.float64]:
    """As float64, signalling NaN without a warning."""
    with np.errstate(invalid="ignore"):
        return np.asarray(values, np.float64)


def _first_pass(piece: NDArray[np.float64]) -> list[float]:
    """Finite values: count, sum, Σ|w|; zeros; NaN, +Inf, −Inf; max|w|."""
    size = np.abs(piece)
    most = float(size.max(initial=0.0))
    if np.isfinite(most):
        n_zero = piece.size - np.count_nonzero(piece)
        return [float(piece.size), float(piece.sum()), float(size.sum()), float(n_zero), 0.0, 0.0, 0.0, most]
    kept = piece[np.isfinite(piece)]
    size = np.abs(kept)
    odd = [float(test(piece).sum()) for test in (np.isnan, np.isposinf, np.isneginf)]
    sums = [float(kept.size), float(kept.sum()), float(size.sum()), float((kept == 0).sum())]
    return [*sums, *odd, float(size.max(initial=0.0))]


def _sums(values: Array) -> Generator[None, None, list[Array]]:
    """Column and row sums by sign, and the pyramid, flat; empty below two dimensions. Yields after some rows each."""
    rows, columns = matrix_shape(values.shape)
    if not rows or not columns:
        return [np.zeros(2 * columns + 2 * rows)]
    matrix = values.reshape(rows, columns)
    sums = np.zeros((2, columns))
    by_row = np.zeros((2, rows))
    tall, wide = min(rows, PYRAMID), min(columns, PYRAMID)
    row_cuts, column_cuts = np.arange(tall) * rows // tall, np.arange(wide) * columns // wide
    step = max(1, _SLICE_VALUES // columns)
    pyramid = np.zeros((3, tall, wide))
    for p, (first, last) in enumerate(pairwise(np.append(row_cuts, rows).tolist())):
        up, down, most = np.zeros(columns), np.zeros(columns), np.zeros(columns)
        for begin in range(first, last, step):
            some = slice(begin, min(last, begin + step))
            part = _doubles(matrix[some])
            part = np.where(np.isfinite(part), part, 0.0)
            positive, negative = np.maximum(part, 0.0), np.minimum(part, 0.0)
            up, down = up + positive.sum(axis=0), down + negative.sum(axis=0)
            by_row[:, some] = positive.sum(axis=1), negative.sum(axis=1)
            most = np.maximum(most, np.abs(part).max(axis=0))
            yield
        sums += up, down
        means = (up + down) / (last - first), (up - down) / (last - first)
        pyramid[:2, p] = [np.add.reduceat(m, column_cuts) for m in means]
        pyramid[2, p] = np.maximum.reduceat(most, column_cuts)
    pyramid[:2] /= np.diff(np.append(column_cuts, columns))
    return [sums.ravel(), by_row.ravel(), pyramid.ravel()]


def parameter_stats_from(vector: Array, shape: tuple[int, ...]) -> ParameterStats:
    """A stored vector as named parts. Raises RunFormatError when its length does not fit `shape`."""
    if vector.shape != (parameter_vector_size(shape),):
        size = parameter_vector_size(shape)
        raise RunFormatError(f"parameter statistics: should be ({size},) for shape {shape}, got {vector.shape}")
    rows, columns = matrix_shape(shape)
    lengths = [len(PARAMETER_COLUMNS), PARAMETER_BINS, columns, columns, rows, rows]
    head, histogram, *sums, blocks = np.split(np.asarray(vector, np.float32), np.cumsum(lengths))
    pyramid = blocks.reshape(3, min(rows, PYRAMID), min(columns, PYRAMID))
    named: dict[str, Any] = {name: float(value) for name, value in zip(PARAMETER_COLUMNS, head, strict=True)}
    named |= dict(zip(("col_pos", "col_neg", "row_pos", "row_neg"), sums, strict=True))
    return ParameterStats(**named, histogram=histogram, pyramid=pyramid)
