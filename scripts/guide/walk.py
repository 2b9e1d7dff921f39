"""Walks through chapters: sends the events of each move, waits for what they bring about, and takes the picture."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from screen import photograph

from nn3d.app.window import Viewer
from nn3d.stage.reference import tile_places

LONGEST_SECS = 30
Hands = Callable[[Viewer], list[str]]


@dataclass(frozen=True, slots=True)
class Move:
    """hands : xdotool's words. until : whether what they bring about is there."""

    hands: Hands
    until: Callable[[Viewer], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class Chapter:
    """name : of the picture. words : a paragraph. is_rest : the picture is taken once nothing moves any more."""

    name: str
    title: str
    words: str
    moves: tuple[Move, ...] = ()
    is_rest: bool = True


class Walk:
    """What a window calls after each turn of its main loop."""

    def __init__(self, chapters: tuple[Chapter, ...], folder: Path, size: tuple[int, int]) -> None:
        self._left = list(chapters)
        self._moves = list(chapters[0].moves)
        self._folder, self._size = folder, size
        self._is_sent = False
        signal.signal(signal.SIGALRM, lambda *_: self.check())
        signal.alarm(LONGEST_SECS)

    def __call__(self, viewer: Viewer) -> None:
        """Do what is next, when the window is ready for it; end where a move has no effect."""
        if viewer.draws < 3 or (self._is_sent and not self._moves[0].until(viewer)):
            return
        if self._is_sent:
            del self._moves[0]
            self._is_sent = False
            signal.alarm(LONGEST_SECS)
        slide = viewer.state.slide
        is_playing = viewer.state.time.is_playing or (slide is not None and slide.is_playing)
        if not viewer.is_idle and not is_playing:
            return
        if not self._moves and (viewer.is_idle or not self._left[0].is_rest):
            photograph(self._folder / f"{self._left[0].name}.png", self._size)
            del self._left[0]
            if not self._left:
                viewer.stop()
                return
            self._moves = list(self._left[0].moves)
        if self._moves:
            subprocess.run(["xdotool", *self._moves[0].hands(viewer)], check=True)
            self._is_sent = True

    def check(self) -> None:
        """End with an error when not all chapters were walked through."""
        signal.alarm(0)
        if self._left:
            raise SystemExit(f"{self._left[0].name}: {len(self._moves)} moves had no effect")


def point(x: float, y: float) -> list[str]:
    """To a place, in two moves, since a pointer that is there already tells nobody."""
    near, there = (round(x) - 3, round(y) - 2), (round(x), round(y))
    return ["mousemove", *map(str, near), "sleep", "0.05", "mousemove", *map(str, there)]


def press_at(x: float, y: float, times: int = 1) -> list[str]:
    """Click there."""
    return [*point(x, y), "sleep", "0.2", "click", "--repeat", str(times), "--delay", "80", "1"]


def keys(*names: str) -> Hands:
    """Press keys, one after the other."""
    return lambda _: ["key", "--delay", "120", *names]


def cell_at(viewer: Viewer, layer: int, tile: int, row: float, col: float) -> tuple[float, float]:
    """Where a cell of a tile lies on the screen, px."""
    plate = next(t for t in viewer.frame.tiles if t.layer == layer)
    centres, halves = tile_places(plate)
    rows, cols = plate.cells
    y = centres[tile, 1] + halves[tile, 0] * (1.0 - 2.0 * (row + 0.5) / rows)
    z = centres[tile, 2] + halves[tile, 1] * (2.0 * (col + 0.5) / cols - 1.0)
    face = np.array([[plate.x - plate.thickness[0], y, z]])
    x_px, y_px = viewer.frame.view.project(face, viewer.state.size_px)[0]
    return float(x_px), float(y_px)


def foot_at(viewer: Viewer, layer: int) -> tuple[float, float]:
    """Where a layer's name stands, px."""
    plate = next(t for t in viewer.frame.tiles if t.layer == layer)
    x, y = viewer.frame.view.project(np.array([[plate.x, viewer.frame.floor_y, 0.0]]), viewer.state.size_px)[0]
    return float(x), float(y) + 22.0
