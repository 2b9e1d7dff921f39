"""Random scrubs in a real window: when it answers, when all is there, and what memory it takes."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from nn3d.app.picture import Picture
from nn3d.app.viewer import Viewer
from nn3d.app.window import show
from nn3d.run.run import Run
from nn3d.stage.commands import SetEpoch
from nn3d.stage.frame import Frame


@dataclass(slots=True)
class Scrubs:
    """Milliseconds of each scrub until the first picture of the epoch and until the whole one, and of the last draw.

    lacking : share of what the first picture needs that was still to be read. held : MB of memory by number of scrubs.
    """

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    draws: list[float] = field(default_factory=list)
    lacking: list[float] = field(default_factory=list)
    held: dict[int, float] = field(default_factory=dict)
    budget_mb: int = 0


class _Driver:
    """Asks for one epoch after the other, each when the one before is there and the window rests."""

    def __init__(self, run: Run, n: int, marks: Sequence[int]) -> None:
        self.found = Scrubs()
        self._n, self._marks, self._n_epochs = n, marks, len(run.epochs)
        self._rng = random.Random(1)
        self._began = 0.0
        self._goal: int | None = None
        self._is_answered = self._is_whole = False

    def drew(self, frame: Frame, *, is_whole: bool, secs: float) -> None:
        """The scene was drawn."""
        if self._goal is None or frame.state.time.epoch != self._goal or self._is_whole:
            return
        ms = (time.perf_counter() - self._began) * 1000.0
        if not self._is_answered:
            self._is_answered = True
            self.found.first.append(ms)
            self.found.lacking.append(len(frame.missing) / max(1, len(frame.wanted.needs)))
        if not frame.missing and is_whole:
            self._is_whole = True
            self.found.whole.append(ms)
            self.found.draws.append(secs * 1000.0)

    def turn(self, viewer: Viewer) -> None:
        """After each turn of the window's loop."""
        if self._goal is not None and not self._is_whole:
            return
        if not viewer.is_idle:
            viewer.awake()
            return
        n = len(self.found.whole)
        if n in self._marks and n not in self.found.held:
            from benchmarks.scrub import anonymous_mb

            self.found.held[n] = anonymous_mb()
        if n >= self._n:
            self.found.budget_mb = viewer.state.budget.memory_mb
            viewer.stop()
            return
        here = round(viewer.state.time.epoch)
        self._goal = self._rng.choice([e for e in range(self._n_epochs) if e != here])
        self._is_answered = self._is_whole = False
        viewer.awake()
        self._began = time.perf_counter()
        viewer.do([SetEpoch(float(self._goal), at_once=True)])


def scrubbed(run: Run, n: int, marks: Sequence[int], size_px: tuple[int, int] = (1280, 720)) -> Scrubs:
    """Go to `n` random epochs, or as far as 10 s for each last."""
    driver, draw = _Driver(run, n, marks), Picture.show

    def watched(self: Picture, frame: Frame) -> None:
        begin = time.perf_counter()
        draw(self, frame)
        self._ctx.finish()
        driver.drew(frame, is_whole=self.is_whole, secs=time.perf_counter() - begin)

    Picture.show = watched  # type: ignore[method-assign]
    try:
        show(run, size_px=size_px, on_frame=driver.turn, max_secs=10.0 * n)
    finally:
        Picture.show = draw  # type: ignore[method-assign]
    return driver.found
