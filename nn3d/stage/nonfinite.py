"""Cells that are not finite, told apart: how many are NaN, +Inf and −Inf, and their words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nn3d.run.model import FloatArray


@dataclass(frozen=True, slots=True)
class Odd:
    """Counts of cells."""

    nan: int = 0
    up: int = 0
    down: int = 0

    @property
    def words(self) -> tuple[tuple[str, int], ...]:
        """(name, count) of each kind that there is."""
        each = ("NaN", self.nan), ("+Inf", self.up), ("−Inf", self.down)
        return tuple((name, n) for name, n in each if n)


ALL_FINITE = Odd()


def odd_of(cells: FloatArray) -> Odd:
    """Counts of an array's cells."""
    n_nan, n_up = int(np.isnan(cells).sum()), int(np.isposinf(cells).sum())
    return Odd(n_nan, n_up, int(np.isneginf(cells).sum()))


def together(each: Iterable[Odd]) -> Odd:
    """The sums."""
    all_ = tuple(each)
    return Odd(sum(o.nan for o in all_), sum(o.up for o in all_), sum(o.down for o in all_))
