"""`nn3d render -o film.mp4`: the options of a film, its states, and its writing with progress on a terminal."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nn3d.errors import Nn3dError
from nn3d.run.run import Run
from nn3d.stage.state import ViewState

if TYPE_CHECKING:
    from nn3d.stage.film import Film
    from nn3d.stage.resident import Resident

F = TypeVar("F", bound=Callable[..., Any])
FPS = 30.0


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """What was asked for; None where nothing was."""

    epochs: str | None = None
    fps: float | None = None
    turn: float | None = None
    secs: float | None = None
    quality: int | None = None

    @property
    def given(self) -> str:
        """The first option that was given, "" for none."""
        return next((f"--{name}" for name in self.__slots__ if getattr(self, name) is not None), "")


_OPTIONS = (
    click.option("--epochs", metavar="A..B", help="Film: from epoch A to B, interpolated.  [first..last]"),
    click.option("--fps", type=click.FloatRange(1.0, 240.0), metavar="N", help="Film: frames a second.  [30]"),
    click.option("--turn", type=float, metavar="D", help="Film: degrees that the camera turns; 360 alone loops.  [0]"),
    click.option(
        "--secs", type=click.FloatRange(0.0, 36000.0, min_open=True), metavar="S",
        help="Film: how long it plays.  [a second an epoch, 3 to 30]",
    ),
    click.option("--quality", type=click.IntRange(0, 100), metavar="Q", help="Video: 0 small to 100 best.  [80]"),
)  # fmt: skip


def film_options(command: F) -> F:
    """Add the options of a film to a click command, which takes them as `film`."""

    @wraps(command)
    def taking(
        *, epochs: str | None, fps: float | None, turn: float | None, secs: float | None, quality: int | None,
        **rest: Any,
    ) -> Any:  # fmt: skip
        return command(film=FilmOptions(epochs, fps, turn, secs, quality), **rest)

    wrapped: Any = taking
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


def make_film(run: Run, state: ViewState, resident: Resident, options: FilmOptions, tour: str | None) -> Film:
    """The film that was asked for, from `state`. Raises Nn3dError, UsageError."""
    from nn3d.cli.tours import look, steps_of
    from nn3d.stage.film import default_secs, film_of_epochs, film_of_tour

    fps = options.fps or FPS
    epochs = _epochs(run, options.epochs) if options.epochs is not None else None
    if tour is not None:
        if options.turn is not None or options.secs is not None:
            raise click.UsageError("a tour moves the camera and has its own times: leave --turn and --secs out")
        return film_of_tour(state, steps_of(run, tour), partial(look, run, resident), fps, epochs)
    if epochs is None and options.turn is None:
        if state.n_epochs < 2:
            raise Nn3dError(f"a film needs two epochs, this run has {state.n_epochs}: --turn 360 turns it")
        epochs = 0.0, float(state.n_epochs - 1)
    turn_rad = math.radians(options.turn or 0.0)
    return film_of_epochs(state, epochs, turn_rad, options.secs or default_secs(epochs), fps)


def render_film(
    run: Run, state: ViewState, output: Path, options: FilmOptions, tour: str | None, *, transparent: bool
) -> None:
    """Write the film and say so. Raises Nn3dError; KeyboardInterrupt once it was said what stands."""
    from nn3d.export.film import QUALITY, sink_for, write_film
    from nn3d.stage.film import even
    from nn3d.stage.resident import Resident

    resident = Resident(run)
    state = state if output.suffix.lower() in ("", ".gif") else even(state)
    film = make_film(run, state, resident, options, tour)
    quality = QUALITY if options.quality is None else options.quality
    sink = sink_for(output, run, film, transparent=transparent, quality=quality)
    progress = Progress(film.n_frames)
    try:
        drawn = write_film(run, film, sink, resident, transparent=transparent, on_frame=progress)
    except KeyboardInterrupt:
        progress.end()
        click.echo(_kept(output, progress), err=True)
        raise
    finally:
        progress.end()
    w, h = (round(v * state.scale) for v in state.size_px)
    found = film.n_frames - drawn
    were_there = f" ({found} were there)" if found else ""
    how = f"{w} × {h} px, {film.secs:.1f} s at {film.fps:g} a second"
    click.echo(f"{output}: {film.n_frames} frames{were_there}, {how}")


class Progress:
    """A line on the terminal: frames, how fast, how long still. Nothing where standard error is no terminal."""

    def __init__(self, n_frames: int) -> None:
        self.n, self.done = n_frames, 0
        self._shows = sys.stderr.isatty()
        self._start, self._last = time.monotonic(), 0.0

    def __call__(self, done: int) -> None:
        """`done` frames stand."""
        self.done = done
        now = time.monotonic()
        if not self._shows or now - self._last < 0.1:
            return
        self._last = now
        a_second = done / max(1e-6, now - self._start)
        words = f"frame {done} of {self.n}, {a_second:.1f} a second, {_time((self.n - done) / a_second)} left"
        click.echo(f"\r\x1b[2K{words}", nl=False, err=True)

    def end(self) -> None:
        """Take the line away."""
        if self._shows:
            click.echo("\r\x1b[2K", nl=False, err=True)
            self._shows = False


def _kept(output: Path, progress: Progress) -> str:
    if output.suffix:
        return f"stopped after {progress.done} of {progress.n} frames: {output} was not written"
    return f"stopped after {progress.done} of {progress.n} frames in {output}: the same command goes on from there"


def _time(secs: float) -> str:
    minutes, rest = divmod(round(secs), 60)
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


def _epochs(run: Run, text: str) -> tuple[float, float]:
    first, dots, last = text.partition("..")
    if not dots or not first.strip() or not last.strip():
        raise Nn3dError(f"--epochs should be A..B such as 0..10, got {text!r}")
    return float(run.epoch_index(first.strip())), float(run.epoch_index(last.strip()))
