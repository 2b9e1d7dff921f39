"""Owns figures of what training did to a parameter since the epoch before: norms, not tensors (docs/FORMAT.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nn3d.run import keys
from nn3d.run.model import Array, FloatArray
from nn3d.run.run import Run

UPDATE_COLUMNS = ("change", "weight", "largest", "gradient", "largest_gradient")


@dataclass(frozen=True, slots=True)
class UpdateStats:
    """Of one parameter W at one epoch. change : ‖ΔW‖ since the recorded epoch before. weight : ‖W‖ then.

    largest : max |ΔW|. gradient, largest_gradient : ‖g‖ and max |g| of the gradient that training had left at that
    moment; NaN where it had none. Norms are Euclidean, over finite values.
    """

    change: float
    weight: float
    largest: float
    gradient: float
    largest_gradient: float

    @property
    def ratio(self) -> float:
        """‖ΔW‖ / ‖W‖; NaN where W was zero."""
        return self.change / self.weight if self.weight > 0.0 else math.nan


def update_vector(before: Array, after: Array, gradient: Array | None) -> FloatArray:
    """(5,) float32 as stored under `e…/s/u/<parameter id>`: UPDATE_COLUMNS."""
    change, largest = _figures(np.subtract(after, before, dtype=np.float64))
    weight, _ = _figures(before)
    norm, most = (math.nan, math.nan) if gradient is None else _figures(gradient)
    with np.errstate(over="ignore"):
        return np.array([change, weight, largest, norm, most], np.float64).astype(np.float32)


def _figures(values: Array) -> tuple[float, float]:
    """Euclidean norm and largest absolute value of what is finite."""
    flat = np.asarray(values, np.float64).reshape(-1)
    with np.errstate(invalid="ignore"):
        total = float(flat @ flat)
    if not math.isfinite(total):
        flat = flat[np.isfinite(flat)]
        total = float(flat @ flat)
    return math.sqrt(total), float(np.abs(flat).max(initial=0.0))


def update_stats(run: Run, parameter: int, epoch: int) -> UpdateStats | None:
    """Figures of a parameter's change up to an epoch index, or None where they were not recorded."""
    key = keys.update_stats_key(run.epochs[epoch].id, parameter)
    if key not in run.store:
        return None
    return UpdateStats(*(float(v) for v in np.asarray(run.store[key])))
