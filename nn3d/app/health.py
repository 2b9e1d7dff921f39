"""Signals of training of the run that is open, as far as the window knows them: the loader reads epoch by epoch."""

from __future__ import annotations

from typing import Final, Protocol

from nn3d.analysis.health.figures import Figures
from nn3d.analysis.health.history import history_of, watched_layers
from nn3d.analysis.health.marks import Mark, figure_marks, in_order, metric_marks
from nn3d.run.run import Run

# Tensors of more values than this are not read for figures that were not recorded.
MOST_VALUES: Final = 1 << 17
ASKED_AHEAD: Final = 64


class Asking(Protocol):
    """What `Facts` is to this room: a question by its key, None while nobody knows."""

    run: Run

    def ask(self, *key: str | int) -> tuple[Figures, ...] | None:
        """What is known under a key."""
        ...


class Health:
    """Figures of the first epochs, as many as have been read, and the marks in them."""

    def __init__(self, facts: Asking) -> None:
        self._facts = facts
        self._rows: list[tuple[Figures, ...]] = []
        self._marks: tuple[Mark, ...] = ()
        self._of = (-1, -1)
        self._odd: tuple[int, dict[int, int]] = (-1, {})

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Marks of all metrics and of the epochs that have been read; asks for those that have not."""
        self._read_on()
        n = len(self._facts.run.epochs), len(self._rows)
        if n != self._of:
            self._of, history = n, history_of(self._facts.run, self._rows)
            self._marks = in_order([*figure_marks(history), *metric_marks(self._facts.run.epochs)])
        return self._marks

    @property
    def epochs(self) -> tuple[int, ...]:
        """Epoch indices that have a mark, ascending."""
        return tuple(sorted({mark.epoch for mark in self.marks})) if self._facts.run.epochs else ()

    def figures(self, epoch: int) -> tuple[Figures, ...] | None:
        """Figures of the watched layers at an epoch index; None until it is read."""
        if epoch < len(self._rows):
            return self._rows[epoch]
        return self._facts.ask("health", epoch) if epoch < len(self._facts.run.epochs) else None

    def n_odd(self, epoch: int) -> dict[int, int]:
        """Layer index → how many of its values and parameters are not finite; only layers that have some."""
        rows = self.figures(epoch)
        if rows is None:
            return {}
        if self._odd[0] != epoch:
            layers = watched_layers(self._facts.run)
            self._odd = epoch, {la.index: row.n_odd for la, row in zip(layers, rows, strict=True) if row.n_odd}
        return self._odd[1]

    def _read_on(self) -> None:
        n = len(self._facts.run.epochs)
        while len(self._rows) < n and (row := self._facts.ask("health", len(self._rows))) is not None:
            self._rows.append(row)
        for epoch in range(len(self._rows) + 1, min(n, len(self._rows) + ASKED_AHEAD)):
            self._facts.ask("health", epoch)
