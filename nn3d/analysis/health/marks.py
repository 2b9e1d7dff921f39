"""Marks of a training: the moments at which something happens, found in its figures and metrics, never typed.

A *spike* of a loss is a rise by at least a tenth whose robust z, (r − median r) / (1.4826 · median |r − median r|) of
the steps r = log Lₜ − log Lₜ₋₁, is above 5 (Iglewicz and Hoaglin 1993, "How to detect and handle outliers"; their
modified z, in units of the standard deviation of a normal distribution). A *drop* of an accuracy is a fall by at least
two points, with z of its steps below −5. Both need six steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.health.history import History, is_accuracy, is_loss, metric_names, metric_values
from nn3d.run.model import Epoch

KINDS: Final = ("not finite", "died", "spike", "drop", "saturated", "dead", "woke", "best")
FEWEST_STEPS: Final = 6
MOST_Z: Final = 5.0
LEAST_RISE: Final = np.log(1.1)
LEAST_DROP: Final = 0.02
LEAST_UNITS: Final = 2
LEAST_SHARE: Final = 0.1
_MAD_TO_DEVIATION: Final = 1.4826


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at an epoch index. kind : of KINDS, gravest first. words : a few, for the timeline.

    layer : index of the layer it happened in, −1 for the run as a whole.
    """

    epoch: int
    kind: str
    words: str
    layer: int = -1

    @property
    def rank(self) -> int:
        """0 for the gravest kind."""
        return KINDS.index(self.kind)


def find_marks(history: History) -> tuple[Mark, ...]:
    """All marks, by epoch, the gravest of an epoch first."""
    return in_order([*figure_marks(history), *metric_marks(history.epochs)])


def in_order(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """Marks by epoch, the gravest of an epoch first, and those of layers before those of the run."""
    return tuple(sorted(marks, key=lambda m: (m.epoch, m.rank, m.layer < 0, m.layer)))


def figure_marks(history: History) -> list[Mark]:
    """Marks of what layers hold."""
    marks = [*_not_finite(history), *_units(history, history.dead, "dead")]
    return marks + _units(history, history.saturated, "saturated")


def metric_marks(epochs: Sequence[Epoch]) -> list[Mark]:
    """Marks of metrics: where one ceases to be a number, jumps, or is at its best."""
    marks = []
    names = metric_names(epochs)
    for name in names:
        values = metric_values(epochs, name)
        bad = [k for k, e in enumerate(epochs) if name in e.metrics and not np.isfinite(e.metrics[name])]
        if bad:
            marks.append(Mark(bad[0], "not finite", f"{name} {'NaN' if np.isnan(values[bad[0]]) else '∞'}"))
        if is_accuracy(name):
            marks += [Mark(k, "drop", f"{name} fell by {-by:.1%}".replace("%", " %")) for k, by in _drops(values)]
        elif is_loss(name):
            marks += [Mark(k, "spike", f"{name} rose to {values[k]:.3g}") for k in _spikes(values)]
    judge = next((n for n in names if is_accuracy(n)), None) or next((n for n in names if is_loss(n)), None)
    return marks if judge is None else marks + _best(metric_values(epochs, judge), judge)


def robust_z(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each step is from the middle one, in deviations of the steps; NaN where a step is."""
    known = steps[np.isfinite(steps)]
    if not known.size:
        return np.full(steps.shape, np.nan)
    middle = float(np.median(known))
    spread = _MAD_TO_DEVIATION * float(np.median(np.abs(known - middle)))
    return np.asarray((steps - middle) / max(spread, 1e-12))


def _not_finite(history: History) -> list[Mark]:
    """The first value or parameter that is not finite."""
    odd = history.n_odd > 0
    if not odd.any():
        return []
    epoch = int(np.flatnonzero(odd.any(axis=1))[0])
    at = int(np.flatnonzero(odd[epoch])[0])
    words = f"{history.layers[at].name}: {odd_words(history, epoch, at)}"
    return [Mark(epoch, "not finite", words, history.layers[at].index)]


def odd_words(history: History, epoch: int, at: int) -> str:
    """What is not finite in a layer at an epoch: "14 values Inf", "3 weights NaN"; at : column of the tables."""
    counts = (
        (history.n_nan, "value", "NaN"), (history.n_inf, "value", "Inf"),
        (history.w_nan, "parameter", "NaN"), (history.w_inf, "parameter", "Inf"),
    )  # fmt: skip
    said = []
    for table, what, kind in counts:
        n = int(table[epoch, at])
        said += [f"{n:,} {what}{'s' * (n != 1)} {kind}"] if n else []
    return ", ".join(said)


def _spikes(losses: NDArray[np.float64]) -> list[int]:
    """Epoch indices at which a loss jumps up."""
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.diff(np.log(np.where(losses > 0, losses, np.nan)))
    if np.isfinite(steps).sum() < FEWEST_STEPS:
        return []
    with np.errstate(invalid="ignore"):
        return (np.flatnonzero((robust_z(steps) > MOST_Z) & (steps > LEAST_RISE)) + 1).tolist()


def _drops(shares: NDArray[np.float64]) -> list[tuple[int, float]]:
    """(epoch index, change) where an accuracy falls; two points are counted in the metric's own unit, 1 or 100."""
    steps = np.diff(shares)
    known = shares[np.isfinite(shares)]
    if np.isfinite(steps).sum() < FEWEST_STEPS:
        return []
    whole = 100.0 if known.max() > 1.0 else 1.0
    with np.errstate(invalid="ignore"):
        found = np.flatnonzero((robust_z(steps) < -MOST_Z) & (steps < -LEAST_DROP * whole)) + 1
    return [(int(k), float(steps[k - 1]) / whole) for k in found]


def _best(values: NDArray[np.float64], name: str) -> list[Mark]:
    """The first epoch with the best value; none where all are the same or there is but one."""
    known = np.isfinite(values)
    if known.sum() < 2 or np.ptp(values[known]) == 0.0:
        return []
    best = int(np.nanargmin(values) if is_loss(name) else np.nanargmax(values))
    return [Mark(best, "best", f"best {name}")]


def _units(history: History, counts: NDArray[np.int64], kind: str) -> list[Mark]:
    """Where at least two units, and a tenth of a layer's, become dead or saturated, or the last one; or cease to be."""
    before, after, n = counts[:-1], counts[1:], history.units[1:]
    is_known = (before >= 0) & (after >= 0) & (before != after)
    is_all = (after == n) & (n > 0)
    is_much = np.abs(after - before) >= np.maximum(LEAST_UNITS, LEAST_SHARE * n)
    marks = []
    for row, at in np.argwhere(is_known & (is_all | is_much)).tolist():
        layer, by = history.layers[at], int(after[row, at] - before[row, at])
        said = _unit_words(layer.name, kind, abs(by), int(n[row, at]), is_more=by > 0, is_all=bool(is_all[row, at]))
        marks.append(Mark(row + 1, *said, layer.index))
    return marks


def _unit_words(name: str, kind: str, by: int, n: int, *, is_more: bool, is_all: bool) -> tuple[str, str]:
    """(kind of mark, words)."""
    units = f"{by:,} unit{'s' * (by != 1)}"
    if kind == "dead":
        if is_all:
            return "died", f"{name} died" if n > 1 else f"{name} died, one unit"
        return ("dead", f"{name}: {units} died") if is_more else ("woke", f"{name}: {units} woke up")
    if is_all:
        return "saturated", f"{name}: all units saturated"
    return ("saturated", f"{name}: {units} saturated") if is_more else ("woke", f"{name}: {units} left saturation")
