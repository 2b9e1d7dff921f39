"""Sums of weights that a run does not store: asked for like values, computed slice by slice where someone can wait."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from nn3d.run.run import Run


@dataclass(frozen=True, slots=True)
class SumsNeed:
    """The sums of one parameter at one epoch index, which a rope and the sampling of a large matrix start from."""

    parameter: int
    epoch: int


class Sums:
    """Which sums of a run are known, and the passes over weights that are under way."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._known: set[SumsNeed] = set()
        self._passes: dict[SumsNeed, Generator[None, None, None]] = {}

    def knows(self, need: SumsNeed) -> bool:
        """Whether the sums can be had without reading a large array."""
        if need not in self._known and self._run.knows_parameter_stats(need.parameter, need.epoch):
            self._known.add(need)
        return need in self._known

    def go_on(self, need: SumsNeed) -> bool:
        """Read a slice more; True when the sums are known."""
        if self.knows(need):
            return True
        if need not in self._passes:
            self._passes[need] = self._run.computing_parameter_stats(need.parameter, need.epoch)
        if next(self._passes[need], self) is not self:
            return False
        del self._passes[need]
        return self.knows(need)
