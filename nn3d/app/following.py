"""A run that grows, watched: a thread polls its folder, so that a network file system serves too.

What it finds waits until the main loop takes it; nothing here changes what is shown. Words about it are pure functions
of `Pulse`, which knows when epochs landed: seconds of the caller's monotonic clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from threading import Event, Lock, Thread
from typing import Final

from nn3d.errors import Nn3dError
from nn3d.run.folder import GrowingRun, holds_epochs
from nn3d.run.model import Epoch
from nn3d.run.ports import Follower, Opener
from nn3d.run.run import Run
from nn3d.stage.state import ViewState

POLL_SECS: Final = 0.25
SLOWEST_POLL_SECS: Final = 1.0
SILENT_RHYTHMS: Final = 3.0
LEAST_SILENCE_SECS: Final = 2.0
LAST_EPOCHS: Final = 9


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a run comes along. landed : when its last epoch did, None without one. rhythm_secs : usual time between two.

    epoch : id of the last one. trouble : why the folder cannot be read at the moment.
    """

    epoch: int = -1
    landed: float | None = None
    rhythm_secs: float | None = None
    trouble: str = ""

    def is_silent(self, now: float) -> bool:
        """Whether the last epoch is older than three times the usual."""
        if self.landed is None or self.rhythm_secs is None:
            return False
        return now - self.landed > max(LEAST_SILENCE_SECS, SILENT_RHYTHMS * self.rhythm_secs)

    def words(self, now: float) -> str:
        """What the card says: "epoch 7 landed 3 s ago · about one every 4 s", or "no epoch for 40 s"."""
        if self.trouble:
            return self.trouble
        if self.landed is None:
            return "waiting for the first epoch"
        age = max(0.0, now - self.landed)
        if self.is_silent(now):
            return f"no epoch for {secs_text(age)} · epoch {self.epoch} was the last"
        rhythm = f" · about one every {secs_text(self.rhythm_secs)}" if self.rhythm_secs is not None else ""
        return f"epoch {self.epoch} landed {secs_text(age)} ago{rhythm}"

    def wake_secs(self, now: float) -> float:
        """After how long the words change."""
        age = 0.0 if self.landed is None else max(0.0, now - self.landed)
        step = 1.0 if age < 120.0 else 60.0
        return step - age % step + 0.01


@dataclass(frozen=True, slots=True)
class News:
    """What came since the main loop looked: epochs, or the run that has taken this one's place."""

    epochs: tuple[Epoch, ...] = ()
    successor: Run | None = None


class Following:
    """Polls `run` on a thread; `wake` is called there when there is something to take.

    growing : the run as something that grows; the main loop gives it the epochs that it takes. opener : opens the
    folder anew when another run has been begun in it.
    """

    def __init__(self, run: Run, growing: Follower, opener: Opener, wake: Callable[[], None]) -> None:
        self.path = Path(run.path)
        self.growing, self._opener, self._wake = growing, opener, wake
        self._times = list(_intervals(run.epochs[-LAST_EPOCHS:]))
        self._last = run.epochs[-1] if run.epochs else None
        id_ = -1 if self._last is None else self._last.id
        self._pulse = self._begun(Pulse(id_, _landed(self._last), _rhythm(self._times)))
        self._news = News()
        self._lock, self._stopped = Lock(), Event()
        self._thread = Thread(target=self._work, name="nn3d following", daemon=True)
        self._thread.start()

    def _begun(self, pulse: Pulse) -> Pulse:
        """What it is like before the first look."""
        return pulse

    @property
    def pulse(self) -> Pulse:
        """How the run comes along, as far as it was looked at."""
        with self._lock:
            return self._pulse

    @property
    def has_news(self) -> bool:
        """Something waits to be taken."""
        with self._lock:
            return bool(self._news.epochs) or self._news.successor is not None

    def take(self) -> News:
        """What came; each thing once. Whoever takes a successor closes it."""
        with self._lock:
            news, self._news = self._news, News()
        return news

    def close(self) -> None:
        """Stop looking; a successor that nobody took is closed."""
        self._stopped.set()
        self._thread.join()
        successor = self.take().successor
        if successor is not None:
            successor.close()

    def _work(self) -> None:
        while not self._stopped.wait(self._pause()):
            epochs, successor, trouble = self._look()
            with self._lock:
                changed = bool(epochs) or successor is not None or trouble != self._pulse.trouble
                if epochs:
                    self._note(epochs)
                self._pulse = replace(self._pulse, trouble=trouble)
                self._news = News(self._news.epochs + epochs, successor or self._news.successor)
            if changed:
                self._wake()
            if successor is not None:
                return

    def _look(self) -> tuple[tuple[Epoch, ...], Run | None, str]:
        """New epochs, a run that took this one's place, and what is wrong with the folder."""
        try:
            if self.growing.is_replaced:
                return (), self._reopened(), "another run begins in this folder"
            epochs = self.growing.poll()
        except (Nn3dError, OSError, ValueError) as error:
            return (), None, " ".join(str(error).split()) or type(error).__name__
        is_gone = not epochs and not self.path.is_dir()
        return epochs, None, f"{self.path.name} is gone; waiting for it to come back" if is_gone else ""

    def _reopened(self) -> Run | None:
        """The other run, once it has an epoch."""
        run = self._opener(self.path)
        if run.epochs:
            return run
        run.close()
        return None

    def _pause(self) -> float:
        rhythm = self._pulse.rhythm_secs
        return POLL_SECS if rhythm is None else min(max(rhythm / 8.0, POLL_SECS), SLOWEST_POLL_SECS)

    def _note(self, epochs: tuple[Epoch, ...]) -> None:
        known = epochs if self._last is None else (self._last, *epochs)
        self._times = [*self._times, *_intervals(known)][-LAST_EPOCHS:]
        self._last = epochs[-1]
        self._pulse = Pulse(epochs[-1].id, time.monotonic(), _rhythm(self._times))


def followed(run: Run | None, folder: Path | None, opener: Opener, wake: Callable[[], None]) -> Following | None:
    """`run` followed, if it is the one in `folder` and can grow."""
    if folder is None or not isinstance(run, GrowingRun) or Path(run.path) != folder:
        return None
    run.bear_losses()
    return Following(run, run, opener, wake)


def resumed(before: Run, run: Run, last: ViewState) -> ViewState | None:
    """The view of a run goes on in the one that took its place, where both are the same network; else None.

    A playhead that is held goes to the epoch whose id is nearest; one that follows, to the last.
    """
    if [(layer.name, layer.shape) for layer in before.layers] != [(layer.name, layer.shape) for layer in run.layers]:
        return None
    at, ids = len(run.epochs) - 1, [e.id for e in run.epochs]
    if last.live is not None and last.live.is_held and before.epochs:
        id_ = before.epochs[min(round(last.time.target), len(before.epochs) - 1)].id
        at = min(range(len(ids)), key=lambda i: abs(ids[i] - id_))
    n_samples = max(1, len(run.samples)) + len(last.own)
    moment = replace(last.time, epoch=float(at), target=float(at))
    return replace(
        last, n_epochs=len(run.epochs), n_samples=n_samples, sample=min(last.sample, n_samples - 1), time=moment,
        wave=None, hover=None,
    )  # fmt: skip


class Waiting:
    """An opener that waits until a folder holds a run with an epoch; `stop` ends the waiting."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self._stopped = Event()

    def __call__(self, path: Path) -> Run:
        """The run, as soon as there is one. Raises Nn3dError when it was stopped, or when the path is a file."""
        while not self._stopped.is_set():
            if path.is_file():
                return self._opener(path)
            if holds_epochs(path):
                try:
                    run = self._opener(path)
                except (Nn3dError, OSError):
                    run = None
                if run is not None and run.epochs:
                    return run
                if run is not None:
                    run.close()
            self._stopped.wait(POLL_SECS)
        raise Nn3dError(f"{path}: no longer waited for")

    def stop(self) -> None:
        """Wait no longer."""
        self._stopped.set()


def secs_text(secs: float) -> str:
    """A span of time as people say it: "4 s", "0.4 s", "3 min", "2 h"."""
    if secs < 0.95:
        return f"{secs:.1f} s"
    if secs < 119.5:
        return f"{secs:.0f} s"
    return f"{secs / 60.0:.0f} min" if secs < 7170.0 else f"{secs / 3600.0:.1f} h"


def _intervals(epochs: Sequence[Epoch]) -> list[float]:
    """Seconds between neighbours, by the clock of the one who wrote them."""
    times = [e.wall_time for e in epochs]
    return [b - a for a, b in pairwise(times) if a is not None and b is not None and b > a]


def _rhythm(times: Sequence[float]) -> float | None:
    return median(times) if times else None


def _landed(epoch: Epoch | None) -> float | None:
    """When an epoch that was there already landed, on the monotonic clock; clocks of two machines may differ."""
    if epoch is None:
        return None
    age = 0.0 if epoch.wall_time is None else max(0.0, time.time() - epoch.wall_time)
    return time.monotonic() - age
