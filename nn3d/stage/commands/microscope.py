"""Commands of the microscope: how far back a cell is traced, and the kernel that slides over its tile."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nn3d.stage import slide
from nn3d.stage.commands.common import Appliers
from nn3d.stage.state import ViewState

DEEPEST = 64


@dataclass(frozen=True, slots=True)
class SetDepth:
    """Frame what a cell was made from, this many layers back (0 to 64)."""

    layers: int


@dataclass(frozen=True, slots=True)
class SetPath:
    """Follow the strongest contributions of a cell, this many layers back and onward (0: not at all)."""

    layers: int


@dataclass(frozen=True, slots=True)
class StartSlide:
    """Let the kernel slide over the tile of the selected cell, which has rows × cols cells."""

    rows: int
    cols: int


@dataclass(frozen=True, slots=True)
class PlaySlide:
    """Slide on, or pause."""

    on: bool


@dataclass(frozen=True, slots=True)
class StepSlide:
    """Go n cells on (or back), and rest there."""

    n: int


@dataclass(frozen=True, slots=True)
class SetSlideSpeed:
    """How many cells a second the kernel slides (0.25 to 256)."""

    cells_per_sec: float


@dataclass(frozen=True, slots=True)
class StopSlide:
    """End the slide: all values show; the cell stays selected."""


def _set_speed(state: ViewState, c: SetSlideSpeed) -> ViewState:
    speed = min(slide.FASTEST, max(slide.SLOWEST, c.cells_per_sec))
    return state if state.slide is None else replace(state, slide=replace(state.slide, cells_per_sec=speed))


def _depth(layers: int) -> int:
    return min(DEEPEST, max(0, layers))


APPLY: Appliers = {
    SetDepth: lambda s, c: replace(s, lens=replace(s.lens, depth=_depth(c.layers))),
    SetPath: lambda s, c: replace(s, lens=replace(s.lens, path=_depth(c.layers))),
    StartSlide: lambda s, c: slide.started(s, c.rows, c.cols),
    PlaySlide: lambda s, c: slide.played(s, on=c.on),
    StepSlide: lambda s, c: slide.stepped(s, c.n),
    SetSlideSpeed: _set_speed,
    StopSlide: lambda s, c: replace(s, slide=None),
}
