"""Recording in the window: what is done is kept with its times, and drawn afterwards, offscreen, on a thread.

So a film has every frame, however fast the window was. Times are seconds of the caller's clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Final

from nn3d.app.saving import film_name, free_path
from nn3d.errors import ExportError, Nn3dError
from nn3d.export.film import QUALITY, Sink, sink_for, write_film
from nn3d.export.video import EXTRA, find_ffmpeg
from nn3d.run.run import Run
from nn3d.stage.commands import Command
from nn3d.stage.film import Film, default_secs, even, exported, film_of_epochs
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState
from nn3d.stage.take import Moment, film_of_take

FPS: Final = 30.0
LONGEST_SECS: Final = 600.0


class _LetGoError(Exception):
    """The window closes: the film is not wanted any more."""


@dataclass(slots=True)
class _Take:
    """What is being recorded."""

    first: ViewState
    since: float
    moments: list[Moment]


@dataclass(slots=True)
class _Job:
    """A film that is being written. done : frames that stand."""

    path: Path
    n_frames: int
    sink: Sink
    future: Future[str] | None = None
    done: int = 0


class Filming:
    """Records and writes the films of one run, one after the other."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._take: _Take | None = None
        self._jobs: deque[_Job] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="nn3d film")
        self._ends = Event()

    @property
    def is_recording(self) -> bool:
        """Commands are being kept."""
        return self._take is not None

    @property
    def is_busy(self) -> bool:
        """Something is recorded, written, or to be told."""
        return self._take is not None or bool(self._jobs)

    def words(self, now: float) -> str:
        """What is being done: "0:12", or "frame 31 of 300, lenet-5-film.mp4"; "" for nothing."""
        if self._take is not None:
            minutes, secs = divmod(int(now - self._take.since), 60)
            return f"{minutes}:{secs:02d}"
        if self._jobs:
            job = self._jobs[0]
            return f"frame {job.done} of {job.n_frames}, {job.path.name}"
        return ""

    def note(self, command: Command, state: ViewState, now: float) -> None:
        """A command was applied, and `state` came of it."""
        if self._take is not None:
            self._take.moments.append(Moment(now - self._take.since, command, state))

    def is_full(self, now: float) -> bool:
        """Ten minutes have been recorded: it is time to stop."""
        return self._take is not None and now - self._take.since >= LONGEST_SECS

    def turn(self, state: ViewState, now: float) -> str:
        """Start recording from `state`, or stop and write what was recorded; what there is to say, "" for nothing."""
        take, self._take = self._take, None
        if take is None:
            self._take = _Take(state, now, [])
            return ""
        secs = now - take.since
        return self._begin(lambda: film_of_take(even(take.first), take.moments, secs, FPS), state)

    def epochs(self, state: ViewState) -> str:
        """Write a film of the epochs, from the first to the last, in the view of `state`; what there is to say."""
        if state.n_epochs < 2:
            return "A film of the epochs needs two of them"
        epochs = 0.0, float(state.n_epochs - 1)
        seen = even(exported(replace(state, hover=None)))
        return self._begin(lambda: film_of_epochs(seen, epochs, 0.0, default_secs(epochs), FPS), state)

    def arrived(self) -> str | None:
        """What came of a film that is done, one at a time."""
        future = self._jobs[0].future if self._jobs else None
        if future is None or not future.done():
            return None
        self._jobs.popleft()
        return future.result()

    def close(self) -> None:
        """Stop; a film that is not whole leaves no file. Waits for the frame in hand."""
        self._ends.set()
        self._pool.shutdown(cancel_futures=True)
        for job in self._jobs:
            if job.future is not None and job.future.cancelled():
                job.sink.abandon()

    def _begin(self, make: Callable[[], Film], state: ViewState) -> str:
        try:
            film = make()
            suffix, hint = _format()
            path = free_path(Path.cwd(), film_name(self._run), suffix, [job.path for job in self._jobs])
            sink = sink_for(path, self._run, film, quality=QUALITY)
        except (Nn3dError, OSError) as error:
            return " ".join(str(error).split())
        job = _Job(path, film.n_frames, sink)

        def frame(done: int) -> None:
            job.done = done
            if self._ends.is_set():
                raise _LetGoError

        def write() -> str:
            try:
                write_film(self._run, film, sink, Resident(self._run), on_frame=frame)
            except _LetGoError:
                return ""
            except (Nn3dError, OSError, MemoryError) as error:
                return " ".join(str(error).split()) or type(error).__name__
            return f"Saved {path}{hint}"

        job.future = self._pool.submit(write)
        self._jobs.append(job)
        return ""


def _format() -> tuple[str, str]:
    """The ending of a film here, and what to say about it."""
    try:
        find_ffmpeg()
    except ExportError:
        return ".gif", f" ({EXTRA} makes it an .mp4)"
    return ".mp4", ""
