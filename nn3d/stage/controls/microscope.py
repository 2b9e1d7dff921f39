"""Handlers of the microscope: the kernel slides, one cell on, speed, how far back, and the path of a cell."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nn3d.stage.commands import (
    PlaySlide,
    Select,
    SetDepth,
    SetPath,
    SetSlideSpeed,
    StartSlide,
    StepSlide,
    StopSlide,
)
from nn3d.stage.controls.common import Acts, Context, Handler
from nn3d.stage.frame import TileLayer

DEEPEST_PATH: Final = 8


def _plate(c: Context) -> TileLayer | None:
    """The plate of the selected tile."""
    thing = c.state.selection
    if thing is None or thing.tile < 0:
        return None
    found = (t for t in c.frame.tiles if t.layer == thing.layer and thing.tile < t.table.size)
    return next(found, None)


def slide(c: Context) -> Acts:
    """Let the kernel slide over the selected tile, or pause it."""
    if c.state.slide is not None:
        return (PlaySlide(not c.state.slide.is_playing),)
    plate = _plate(c)
    return () if plate is None else (StartSlide(*plate.cells),)


def stop(c: Context) -> Acts:
    """End the slide."""
    return (StopSlide(),) if c.state.slide is not None else ()


def step(n: int) -> Handler:
    """The cell n further on in its tile; while the kernel slides, it rests there."""

    def handler(c: Context) -> Acts:
        thing, plate = c.state.selection, _plate(c)
        if c.state.slide is not None:
            return (StepSlide(n),)
        if thing is None or plate is None:
            return ()
        rows, cols = plate.cells
        now = thing.row * cols + thing.col if thing.row >= 0 else -n if n > 0 else 1
        row, col = divmod(min(max(0, now + n), rows * cols - 1), cols)
        return (Select(replace(thing, row=row, col=col)),)

    return handler


def speed(factor: float) -> Handler:
    """Slide faster or slower."""

    def handler(c: Context) -> Acts:
        now = c.state.slide
        return () if now is None else (SetSlideSpeed(now.cells_per_sec * factor),)

    return handler


def depth(step: int) -> Handler:
    """Frame what a cell was made from fewer or more layers back."""
    return lambda c: (SetDepth(c.state.lens.depth + step),)


def path(c: Context) -> Acts:
    """Follow the strongest contributions one layer further back and onward."""
    return (SetPath((c.state.lens.path + 1) % (DEEPEST_PATH + 1)),)


def no_path(c: Context) -> Acts:
    """Follow no contributions."""
    return (SetPath(0),) if c.state.lens.path else ()
