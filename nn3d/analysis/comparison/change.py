"""How much a tensor changed: lengths of W and ΔW, the largest |Δ|, and the same of each filter; read in slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.comparison.difference import Difference
from nn3d.run.model import Array, Layer
from nn3d.run.run import Run

F64 = NDArray[np.float64]

SLICE_VALUES = 1 << 20


@dataclass(frozen=True, slots=True)
class Change:
    """Of one tensor or a part of it, over the entries that are finite in both.

    length : ‖ΔW‖. before : ‖W_A‖. largest : max |ΔW|. n_odd : entries that are not finite in one of the two.
    """

    length: float
    before: float
    largest: float
    n_odd: int = 0

    @property
    def relative(self) -> float | None:
        """‖ΔW‖/‖W_A‖; None where W_A is 0 and ΔW is not."""
        if self.before > 0.0:
            return self.length / self.before
        return 0.0 if self.length == 0.0 else None


@dataclass(frozen=True, slots=True)
class Rows:
    """Σ of squares and the largest magnitude of each row (first axis) of a tensor: (rows,) each."""

    change: F64
    before: F64
    largest: F64
    n_odd: int

    @property
    def whole(self) -> Change:
        """Of the whole tensor."""
        total = float(self.change.sum()) ** 0.5, float(self.before.sum()) ** 0.5
        return Change(*total, float(self.largest.max(initial=0.0)), self.n_odd)

    def row(self, k: int) -> Change:
        """Of one filter, or of the weights into one neuron."""
        return Change(float(self.change[k]) ** 0.5, float(self.before[k]) ** 0.5, float(self.largest[k]))


@dataclass(frozen=True, slots=True)
class ValueChange:
    """Of a layer's values over samples. mean_abs : mean |Δ|. mean_before : mean |a| of A. cosine : of both, as vectors.

    cosine is None where one of them is 0.
    """

    mean_abs: float
    mean_before: float
    cosine: float | None
    n_samples: int


def rows_changed(after: Array, before: Array) -> Rows:
    """Figures of each row of two tensors of one shape; a scalar or a vector is as many rows as it has entries."""
    n = after.shape[0] if after.ndim else 1
    change, length, largest, n_odd = np.zeros(n), np.zeros(n), np.zeros(n), 0
    for rows, b, a in _slices(after, before, n):
        good = np.isfinite(a) & np.isfinite(b)
        n_odd += int((~good).sum())
        a, b = np.where(good, a, 0.0), np.where(good, b, 0.0)
        d = b - a
        change[rows] += (d * d).sum(1)
        length[rows] += (a * a).sum(1)
        largest[rows] = np.maximum(largest[rows], np.abs(d).max(1, initial=0.0))
    return Rows(change, length, largest, n_odd)


def _slices(after: Array, before: Array, n: int) -> Iterator[tuple[slice, F64, F64]]:
    """(rows, part of after, part of before) as float64, 8 MiB at a time; parts of a row where one alone is larger."""
    flat = [w.reshape(n, -1) for w in (after, before)]
    width = flat[0].shape[1]
    high, wide = max(1, SLICE_VALUES // max(1, width)), min(max(1, width), SLICE_VALUES)
    for top in range(0, n, high):
        for left in range(0, width, wide):
            part = slice(top, min(n, top + high)), slice(left, left + wide)
            yield part[0], np.asarray(flat[0][part], np.float64), np.asarray(flat[1][part], np.float64)


def parameter_rows(found: Difference, parameter: int, epoch: int) -> Rows | None:
    """Figures of a parameter's rows, None where it has no partner."""
    if not found.has_parameter(parameter, epoch):
        return None
    return rows_changed(found.after.parameter(parameter, epoch), found.before.parameter(parameter, found.epoch))


def values_changed(found: Difference, layer: Layer, epoch: int, n_samples: int) -> ValueChange | None:
    """Figures of a layer's values over the first samples of both, None where they were not recorded."""
    at = (layer.shown, layer.shown_output)
    if layer.index in found.alone or not found.has_values(*at, epoch) or not n_samples:
        return None
    sides: tuple[tuple[Run, int], ...] = ((found.after, epoch), (found.before, found.epoch))
    sums = np.zeros(5)
    count = 0
    for sample in range(n_samples if found.after.output(*at).per_sample else 1):
        b, a = (np.asarray(run.values(*at, e, sample), np.float64).ravel() for run, e in sides)
        good = np.isfinite(a) & np.isfinite(b)
        a, b = a[good], b[good]
        sums += float(np.abs(b - a).sum()), float(np.abs(a).sum()), float(a @ b), float(a @ a), float(b @ b)
        count += a.size
    scale = float(sums[3] * sums[4]) ** 0.5
    cosine = float(sums[2]) / scale if scale > 0.0 else None
    return ValueChange(float(sums[0]) / max(1, count), float(sums[1]) / max(1, count), cosine, n_samples)
