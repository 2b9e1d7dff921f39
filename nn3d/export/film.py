"""Films as files: frame after frame from a run, drawn offscreen, into a video, an animated GIF or a folder of PNGs.

Frames stream: one is in memory at a time. A film stands under its name once it is whole, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from nn3d.errors import ExportError
from nn3d.export.cutout import cutout
from nn3d.export.frames import FrameFolder
from nn3d.export.gif import GifFile
from nn3d.export.video import SUFFIXES as VIDEO_SUFFIXES
from nn3d.export.video import VideoFile
from nn3d.offscreen import Offscreen
from nn3d.run.run import Run
from nn3d.stage.complete import compose
from nn3d.stage.film import Film
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState

Pixels = NDArray[np.uint8]
GIF: Final = ".gif"
SUFFIXES: Final = (*VIDEO_SUFFIXES, GIF)
QUALITY: Final = 80


class Sink(Protocol):
    """Where frames go. n_samples : how many frames, spread over the film, it wants to see before the first."""

    n_samples: int

    def begin(self, samples: Iterator[Pixels]) -> None:
        """Get ready. Raises ExportError when the film could not be written."""

    def has(self, k: int, state: ViewState) -> bool:
        """Whether frame k is there already."""

    def add(self, k: int, pixels: Pixels, state: ViewState) -> None:
        """Take the next frame: (H, W, 3 or 4) uint8. Raises ExportError."""

    def finish(self) -> None:
        """Put the film under its name. Raises ExportError."""

    def abandon(self) -> None:
        """Leave nothing behind that is not whole."""


def is_film(path: Path) -> bool:
    """Whether a name is a film's: of a video, of a GIF, or, without an ending, of a folder of frames."""
    return path.suffix.lower() in ("", *SUFFIXES) or path.is_dir()


def sink_for(path: Path, run: Run, film: Film, *, transparent: bool = False, quality: int = QUALITY) -> Sink:
    """What writes a film to `path`. Raises ExportError when it can hold no such film, or cannot be written at all.

    quality : 0 (small) to 100 (best), of videos. transparent : no ground; in .webm and folders of frames.
    """
    ending = path.suffix.lower()
    if ending in VIDEO_SUFFIXES:
        return VideoFile(path, film.fps, quality=quality, transparent=transparent)
    if ending == GIF:
        if transparent:
            raise ExportError(f"{path}: a .gif cannot be transparent; a .webm or a folder of frames can")
        return GifFile(path, film.fps, film.n_frames)
    if ending and not path.is_dir():
        endings = ", ".join(SUFFIXES)
        raise ExportError(f"{path}: expected a film's name, ending in {endings}, or a folder of frames, got {ending}")
    return FrameFolder(path, run, film, transparent=transparent)


def write_film(
    run: Run, film: Film, sink: Sink, resident: Resident, *, transparent: bool = False,
    on_frame: Callable[[int], None] = lambda _: None,
) -> int:  # fmt: skip
    """Draw the film into its sink; returns how many frames were drawn, not found there.

    on_frame : called with the number of frames that stand, after each. Whatever it raises ends the film.
    Raises ExportError, GraphicsError.
    """
    drawn = 0
    try:
        with Offscreen() as screen:

            def pixels(state: ViewState) -> Pixels:
                frame = compose(run, state, resident=resident)
                return cutout(frame, screen) if transparent else screen.pixels(frame)

            sink.begin(pixels(state) for state in _spread(film, sink.n_samples))
            for k, state in enumerate(film.states()):
                if not sink.has(k, state):
                    sink.add(k, pixels(state), state)
                    drawn += 1
                on_frame(k + 1)
        sink.finish()
    except BaseException:
        sink.abandon()
        raise
    return drawn


def _spread(film: Film, n: int) -> Iterator[ViewState]:
    """n states, from the first to the last."""
    if not n:
        return iter(())
    step = max(1, (film.n_frames - 1) // max(1, n - 1))
    return islice(film.states(), 0, None, step)
