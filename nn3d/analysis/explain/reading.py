"""Owns single values out of an array as it is stored, each with the most that its encoding may have moved it.

Only what is asked for is touched: arrays of a file are mapped, and their pages are read one by one.
"""

from __future__ import annotations

import numpy as np

from nn3d.analysis.explain.terms import F64, I64, Reading
from nn3d.run.encoding import Encoded
from nn3d.run.model import Array

# Of float16: half a step relative to a value, and the smallest value that is stored for one that is not zero.
_HALF_STEP, _HALF_TINY = 2.0**-11, 2.0**-24
# Of float32: the same, for sums lo + q · scale.
_SINGLE_STEP = 2.0**-23
_KINDS = np.array([np.nan, np.inf, -np.inf])


def gather(encoded: Encoded, at: I64, first: int, size: int) -> Reading:
    """Values at the flat cells `at` (any shape) of the `size` values of an array that begin at flat number `first`.

    Cells below 0 give 0. uint8 is off by half a step of its row, float16 by half its own step, float32 by nothing.
    """
    inside = at >= 0
    flat = np.where(inside, at, 0) + first
    data = encoded.data.reshape(-1)
    values = np.where(inside, np.asarray(data[flat], np.float64), 0.0)
    if encoded.lo is not None and encoded.scale is not None:
        values, slack = _steps(encoded, values, flat)
        slack = np.where(inside, slack, 0.0)
        values = np.where(inside, values, 0.0)
        return Reading(_listed(values, encoded, flat, inside), slack)
    if data.dtype == np.float16:
        slack = np.where(inside & (values != 0), np.maximum(np.abs(values) * _HALF_STEP, _HALF_TINY), 0.0)
        return Reading(values, np.where(np.isfinite(slack), slack, 0.0))
    return Reading(values, np.zeros_like(values))


def _steps(encoded: Encoded, steps: F64, flat: I64) -> tuple[F64, F64]:
    """Values of uint8 steps, and their slack: half a step, and the rounding of lo + q · scale in float32."""
    assert encoded.lo is not None
    assert encoded.scale is not None
    row = flat // max(1, encoded.data.size // max(1, encoded.lo.size))
    lo, scale = (np.asarray(part).reshape(-1)[row].astype(np.float64) for part in (encoded.lo, encoded.scale))
    values = lo + steps * scale
    return values, 0.5 * scale + _SINGLE_STEP * (np.abs(lo) + np.abs(values))


def _listed(values: F64, encoded: Encoded, flat: I64, inside: Array) -> F64:
    """Values with NaN and ±Inf back where the array lists them."""
    if encoded.nonfinite is None or not len(encoded.nonfinite):
        return values
    known, kinds = encoded.nonfinite[:, 0], encoded.nonfinite[:, 1]
    place = np.minimum(np.searchsorted(known, flat), len(known) - 1)
    return np.where(inside & (known[place] == flat), _KINDS[kinds[place]], values)
