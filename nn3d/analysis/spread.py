"""How a layer's values are spread: extremes, mean, deviation, zeros and an upper quantile, exact, in few passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn3d.run.model import FloatArray

SIGNED = 1e-3  # a layer is signed when its lowest value is below this share of its highest
LOOKED_AT = 4096  # values from which it is guessed above which value the quantile lies
LONG_ROW = 1 << 14  # values from which a row's squares are added pairwise
CLOSE = 1e-3  # below this share of the mean square, the variance is taken from differences


@dataclass(frozen=True, slots=True)
class Spread:
    """Figures of a layer's finite values; NaN where there is none.

    full : the quantile of the magnitudes, where the layer is signed, else of the values above zero; 0 without any.
    n_silent : tiles without any value above 0. n_nonfinite : NaN and ±Inf.
    """

    lowest: float
    highest: float
    mean: float
    std: float
    zero_share: float
    full: float
    n_silent: int
    n_nonfinite: int


def spread_of(cells: FloatArray, quantiles: tuple[float, float], *, is_signed: bool = False) -> Spread:
    """Figures of (K, R, C) values. quantiles : where the layer is signed, and where not. is_signed : in any case."""
    table = cells.reshape(len(cells), -1)
    tops, bottom = table.max(axis=1, initial=-np.inf), float(table.min(initial=np.inf))
    n_silent, n_odd = int((tops <= 0).sum()), 0
    if not (np.isfinite(bottom) and np.isfinite(tops).all()):
        finite = np.isfinite(table)
        n_odd = int(table.size - finite.sum())
        n_silent = int((np.where(np.isnan(table), 1.0, table).max(axis=1, initial=-np.inf) <= 0).sum())
        table = table[finite][np.newaxis]
        if not table.size:
            return Spread(np.nan, np.nan, np.nan, np.nan, 0.0, 0.0, 0, n_odd)
        tops, bottom = table.max(axis=1), float(table.min())
    highest = float(tops.max())
    signed = is_signed or bottom < -SIGNED * max(highest, 1e-12)
    mean, std = _moments(table)
    n_above = int(np.count_nonzero(table > 0))
    n_below = int(np.count_nonzero(table < 0)) if bottom < 0 else 0
    flat = table.reshape(-1)
    full = upper_quantile(np.abs(flat), quantiles[0]) if signed else upper_quantile(flat, quantiles[1], n_above)
    return Spread(bottom, highest, mean, std, 1.0 - (n_above + n_below) / flat.size, full, n_silent, n_odd)


def _moments(table: FloatArray) -> tuple[float, float]:
    """Mean and standard deviation: rows are added in float32, pairwise, and the rows' sums in float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(table.sum(axis=1).sum(dtype=np.float64)) / table.size
        squares = np.einsum("ij,ij->i", table, table) if table.shape[1] <= LONG_ROW else np.square(table).sum(axis=1)
        square = float(squares.sum(dtype=np.float64)) / table.size
        variance = square - mean * mean
    if not np.isfinite(square) or variance < CLOSE * square:
        away = table.astype(np.float64)
        mean = float(away.mean())
        away -= mean
        variance = float(np.mean(np.square(away, out=away)))
    return mean, float(np.sqrt(max(0.0, variance)))


def upper_quantile(values: FloatArray, share: float, n_above: int | None = None) -> float:
    """The quantile `share`, at least ½, of (n,) finite values, by linear interpolation; 0 of none.

    n_above : how many are above zero; then only those count. Only what lies above a guess is put in order.
    """
    n = values.size if n_above is None else n_above
    if not n:
        return 0.0
    at = (n - 1) * share
    low = int(at)
    need = n - low  # this many of the largest
    some = values[:: -(-values.size // LOOKED_AT)]
    some = some if n_above is None else some[some > 0]
    kept = values
    if some.size >= LOOKED_AT // 8:
        guess = np.partition(some, rank := int(some.size * (1.0 - 2.0 * (1.0 - share)) * 0.995))[rank]
        kept = np.compress(values >= guess, values)
    if kept.size < need:
        kept = values
    pair = np.partition(kept, (kept.size - need, min(kept.size - need + 1, kept.size - 1)))
    first, then = float(pair[kept.size - need]), float(pair[min(kept.size - need + 1, kept.size - 1)])
    return first + (then - first) * (at - low)
