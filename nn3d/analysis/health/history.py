"""What is known of every layer at every epoch, in tables of epochs × layers, and of the metrics beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.health.figures import MOST_VALUES, Figures, layer_figures
from nn3d.run.model import Epoch, Layer
from nn3d.run.run import Run

Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class History:
    """(E, L) tables of Figures, in the order of epochs and `layers`; −1 and NaN as there.

    layers : those that hold values, all but constants. epochs : as recorded.
    """

    layers: tuple[Layer, ...]
    epochs: tuple[Epoch, ...]
    units: Counts
    dead: Counts
    saturated: Counts
    n_nan: Counts
    n_inf: Counts
    w_nan: Counts
    w_inf: Counts
    gradient: Numbers
    ratio: Numbers

    @property
    def n_odd(self) -> Counts:
        """(E, L) values and parameters that are not finite."""
        return np.asarray(self.n_nan + self.n_inf + self.w_nan + self.w_inf)


def watched_layers(run: Run) -> tuple[Layer, ...]:
    """The layers that have a health: all but constants of the graph."""
    return tuple(layer for layer in run.layers if layer.op not in ("parameter", "constant"))


def epoch_figures(run: Run, epoch: int, *, most_values: int = MOST_VALUES) -> tuple[Figures, ...]:
    """Figures of all watched layers at an epoch index."""
    return tuple(layer_figures(run, layer, epoch, most_values=most_values) for layer in watched_layers(run))


def history_of(run: Run, rows: Sequence[Sequence[Figures]]) -> History:
    """Figures of the first epochs of a run, one row an epoch, as tables."""
    layers = watched_layers(run)
    columns: dict[str, Any] = {}
    for field in fields(Figures):
        kind = np.float64 if field.name in ("gradient", "ratio") else np.int64
        table = [[getattr(cell, field.name) for cell in row] for row in rows]
        columns[field.name] = np.array(table, kind).reshape(len(rows), len(layers))
    return History(layers, run.epochs[: len(rows)], **columns)


def read_history(run: Run, *, most_values: int = MOST_VALUES, done: Callable[[], None] = lambda: None) -> History:
    """Of all epochs. done : called after each."""
    rows = []
    for epoch in range(len(run.epochs)):
        rows.append(epoch_figures(run, epoch, most_values=most_values))
        done()
    return history_of(run, rows)


def metric_names(epochs: Sequence[Epoch]) -> tuple[str, ...]:
    """All recorded metrics, in the order in which they appear."""
    return tuple(dict.fromkeys(name for epoch in epochs for name in epoch.metrics))


def metric_values(epochs: Sequence[Epoch], name: str) -> Numbers:
    """(E,) a metric at each epoch; NaN where it was not recorded, and where NaN was."""
    return np.array([epoch.metrics.get(name, np.nan) for epoch in epochs], np.float64)


def is_loss(name: str) -> bool:
    """Whether a metric is a loss, by its name: better when it falls, drawn on a log scale."""
    words = name.lower()
    return any(word in words for word in ("loss", "error", "perplexity", "nll", "mse"))


def is_accuracy(name: str) -> bool:
    """Whether a metric is a share of what is right, by its name: better when it rises."""
    words = name.lower()
    return any(word in words for word in ("acc", "f1", "auc", "iou", "dice"))
