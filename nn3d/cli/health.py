"""What `nn3d info --health` reads: the whole history of a run, with progress on a terminal."""

from __future__ import annotations

import sys

import click

from nn3d.analysis.health.history import History, read_history
from nn3d.analysis.health.marks import Mark, find_marks
from nn3d.run.run import Run

MOST_VALUES = 1 << 32


def read_health(run: Run) -> tuple[History, tuple[Mark, ...]]:
    """Figures of all layers at all epochs, and the marks. Reads tensors, one at a time, where no figures are stored."""
    is_hidden = not sys.stderr.isatty()
    with click.progressbar(length=len(run.epochs), label="epochs", file=sys.stderr, hidden=is_hidden) as bar:
        history = read_history(run, most_values=MOST_VALUES, done=lambda: bar.update(1))
    return history, find_marks(history)
