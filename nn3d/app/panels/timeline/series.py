"""Where things of the timeline lie: epochs along its width, curves in its height, ticks, texts of marks. Draws nothing.

Widths are logical px; shares are 0 … 1 of the plot's width, from the left, or height, from the bottom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.health.history import is_accuracy, is_loss, metric_names, metric_values
from nn3d.analysis.health.marks import Mark
from nn3d.run.model import Epoch
from nn3d.stage.state import Chart

F64 = NDArray[np.float64]
TICK_PX: Final = 34.0
TEXT_PX: Final = 200.0
MOST_CURVES: Final = 4
_SAME: Final = 1e-6


def axes_of(epochs: Sequence[Epoch]) -> tuple[str, ...]:
    """What the width may count: epochs, and steps and time where they are recorded and rise."""
    found = ["epoch"]
    for axis in ("step", "time"):
        values = _along(epochs, axis)
        if values is not None and len(values) > 1 and bool((np.diff(values) >= 0).all()) and values[-1] > values[0]:
            found.append(axis)
    return tuple(found)


def _along(epochs: Sequence[Epoch], axis: str) -> F64 | None:
    values = [{"epoch": e.id, "step": e.step, "time": e.wall_time}[axis] for e in epochs]
    return None if any(v is None for v in values) else np.array(values, np.float64)


def positions(epochs: Sequence[Epoch], axis: str) -> F64:
    """(E,) shares of the width: by epoch id, step or time; by id where the run does not have the other."""
    values = _along(epochs, axis if axis in axes_of(epochs) else "epoch")
    assert values is not None
    return np.asarray(values - values[0]) / max(float(np.ptp(values)), 1e-300)


def place_of(where: F64, epoch: float) -> float:
    """The share at which a fractional epoch index lies."""
    return float(np.interp(epoch, np.arange(len(where)), where))


def epoch_at(where: F64, share: float) -> float:
    """The fractional epoch index at a share; of moments at the same place the first."""
    return float(np.interp(share, where + np.arange(len(where)) * 1e-12, np.arange(len(where))))


def ticks(where: F64, width: float) -> list[int]:
    """Epoch indices whose numbers have room: 1, 2, 5 … apart where epochs are evenly spaced, else one after another."""
    steps = np.diff(where)
    if not steps.size or float(np.ptp(steps)) < _SAME:
        return list(range(0, len(where), tick_every(len(where) - 1, width)))
    found, k = [], 0
    while k < len(where):
        found.append(k)
        k = max(k + 1, int(np.searchsorted(where, where[k] + TICK_PX / width)))
    return found


def tick_every(last: int, width: float) -> int:
    """Every how many epochs a tick with its number fits: 1, 2, 5, 10, 20, 50 and so on."""
    decade = 1
    while True:
        for step in (1, 2, 5):
            if last / (step * decade) * TICK_PX <= max(width, TICK_PX):
                return step * decade
        decade *= 10


def shown_metrics(epochs: Sequence[Epoch], chart: Chart) -> tuple[str, ...]:
    """Names of the metrics that are drawn: those asked for, else the first accuracy and loss, else the first."""
    names = metric_names(epochs)
    asked = tuple(n for n in chart.metrics if n in names)
    if asked:
        return asked[:MOST_CURVES]
    usual = (next((n for n in names if is_accuracy(n)), None), next((n for n in names if is_loss(n)), None))
    return tuple(n for n in usual if n is not None) or names[:1]


def smoothed(values: F64, weight: float) -> F64:
    """Exponential mean that begins without bias (Kingma and Ba 2014, section 3); what is not finite is passed over."""
    if weight <= 0.0:
        return values
    out, mean, share = np.full(len(values), np.nan), 0.0, 0.0
    for k, value in enumerate(values.tolist()):
        if math.isfinite(value):
            mean = weight * mean + (1.0 - weight) * value
            share = weight * share + (1.0 - weight)
            out[k] = mean / share
    return out


def curve_shares(epochs: Sequence[Epoch], name: str, chart: Chart) -> F64:
    """(E,) a metric as 0 … 1 of the plot's height; a loss on a log scale unless a linear one is asked for.

    Accuracies rise fast and then creep: their scale starts at the lower tenth, what lies below is clipped.
    """
    values = metric_values(epochs, name)
    is_log = is_loss(name) and not chart.is_linear
    if is_log:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log(np.where(values > 0, values, np.nan))
    values = smoothed(values, chart.smoothing)
    known = values[np.isfinite(values)]
    if not known.size:
        return np.full(len(values), np.nan)
    low = float(known.min() if is_loss(name) else np.quantile(known, 0.1))
    return np.asarray((values - low) / max(float(known.max()) - low, 1e-12) * 0.92 + 0.04)


def drawn(where: F64, shares: F64, width: float) -> list[list[tuple[float, float]]]:
    """Lines of points (share, share) between gaps; of more than two epochs a px the lowest and highest of each px."""
    n = len(shares)
    kept = np.arange(n)
    if n > 4 * width:
        bins = np.minimum((where * width).astype(np.int64), int(width))
        starts = np.flatnonzero(np.append(True, np.diff(bins) > 0))
        filled = np.where(np.isfinite(shares), shares, np.inf), np.where(np.isfinite(shares), shares, -np.inf)
        order = [np.lexsort((side, bins)) for side in filled]
        last = np.append(starts[1:], n) - 1
        kept = np.unique(np.concatenate([order[0][starts], order[1][last]]))
    finite = np.isfinite(shares[kept])
    cuts = np.flatnonzero(np.diff(finite)) + 1
    pieces = [p for p in np.split(kept, cuts) if p.size and np.isfinite(shares[p[0]])]
    return [list(zip(where[p].tolist(), shares[p].tolist(), strict=True)) for p in pieces]


def bad_spans(epochs: Sequence[Epoch], name: str) -> list[tuple[int, int]]:
    """[from, to] epoch indices between which a recorded metric is not a number; `from` is the last that was one."""
    bad = np.array([name in e.metrics and not math.isfinite(e.metrics[name]) for e in epochs])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(np.int8)))
    return [(max(0, int(a) - 1), int(b) - 1) for a, b in edges.reshape(-1, 2)]


@dataclass(frozen=True, slots=True)
class Placed:
    """Marks of one epoch. x : px from the plot's left end. words : what stands beside the tick, "" for a tick alone.

    align : side of the tick on which the words stand, "l" to the right of it.
    """

    x: float
    marks: tuple[Mark, ...]
    words: str = ""
    align: str = "l"

    @property
    def tip(self) -> str:
        """All that happened there."""
        names = [m.words for m in self.marks[:4]]
        return " · ".join([*names, *([f"and {len(self.marks) - 4} more"] if len(self.marks) > 4 else [])])


def placed(marks: Sequence[Mark], where: F64, width: float) -> list[Placed]:
    """A tick an epoch; the gravest have a text, and no two texts lie in the same 200 px."""
    by_epoch: dict[int, list[Mark]] = {}
    for mark in marks:
        if mark.epoch < len(where):
            by_epoch.setdefault(mark.epoch, []).append(mark)
    taken: list[tuple[float, float]] = []
    out = []
    for epoch in sorted(by_epoch, key=lambda e: (by_epoch[e][0].rank, e)):
        x = float(where[epoch]) * width
        sides = [("l", x, x + TEXT_PX), ("r", x - TEXT_PX, x)]
        free = [s for s in sides if s[1] >= -1.0 and s[2] <= width + 1.0]
        free = [s for s in free if all(s[2] <= a or s[1] >= b for a, b in taken)]
        words = by_epoch[epoch][0].words if free else ""
        if free:
            taken.append(free[0][1:])
        out.append(Placed(x, tuple(by_epoch[epoch]), words, free[0][0] if free else "l"))
    return sorted(out, key=lambda p: p.x)


def accuracy_text(value: float) -> str:
    """An accuracy as it is said: "99.07 %" for shares, the number itself above 1."""
    if math.isnan(value):
        return "–"
    return f"{value * 100:.2f} %" if abs(value) <= 1.0 else f"{value:.4g}"


def metric_text(epochs: Sequence[Epoch], name: str, epoch: int) -> str:
    """A metric at an epoch as it is said; "–" where it was not recorded."""
    value = epochs[epoch].metrics.get(name)
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
    return accuracy_text(value) if is_accuracy(name) else f"{value:.3g}"
