"""The kernel slides over the output map: which cell is computed now, from the time that passed.

Cells are numbered in C order, the order in which they are computed here; those before the present one have their
values, the others wait as empty cells.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nn3d.errors import Nn3dError
from nn3d.stage.state import Slide, Thing, ViewState

SLOWEST: Final = 0.25
FASTEST: Final = 256.0
LARGEST: Final = 1 << 24


def started(state: ViewState, rows: int, cols: int) -> ViewState:
    """Slide over the tile of the selected cell, from its first cell on. Raises Nn3dError when no tile is selected."""
    thing = state.selection
    if thing is None or thing.tile < 0:
        raise Nn3dError("a kernel slides over a tile: select one of its cells first, got no selected tile")
    if not (0 < rows <= LARGEST and 0 < cols <= LARGEST):
        raise Nn3dError(f"rows and cols should be the cells of the tile, got {rows} × {cols}")
    speed = Slide(thing, rows, cols).cells_per_sec if state.slide is None else state.slide.cells_per_sec
    return _at(state, Slide(Thing(thing.layer, thing.tile), rows, cols, cells_per_sec=speed), 0.0)


def advanced(state: ViewState, secs: float) -> ViewState:
    """The state after `secs` seconds of sliding; at the last cell it rests."""
    slide = state.slide
    if slide is None or not slide.is_playing:
        return state
    last = slide.rows * slide.cols - 1
    at = min(float(last), slide.at + secs * slide.cells_per_sec)
    return _at(state, replace(slide, is_playing=at < last), at)


def stepped(state: ViewState, n: int) -> ViewState:
    """Rest n cells further on (or back)."""
    slide = state.slide
    return state if slide is None else _at(state, replace(slide, is_playing=False), float(int(slide.at) + n))


def played(state: ViewState, *, on: bool) -> ViewState:
    """Slide on or pause; from the last cell it starts over."""
    slide = state.slide
    if slide is None:
        return state
    is_over = int(slide.at) >= slide.rows * slide.cols - 1
    return _at(state, replace(slide, is_playing=on), 0.0 if on and is_over else slide.at)


def kept(state: ViewState) -> ViewState:
    """The state with its slide where the selection is: at another cell of the tile, or ended with another selection."""
    slide, thing = state.slide, state.selection
    if slide is None:
        return state
    if thing is None or (thing.layer, thing.tile) != (slide.thing.layer, slide.thing.tile) or thing.row < 0:
        return replace(state, slide=None)
    number = thing.row * slide.cols + thing.col
    return state if number == int(slide.at) else _at(state, slide, float(number))


def _at(state: ViewState, slide: Slide, at: float) -> ViewState:
    """Slide and selection at a cell; beyond the ends there is none."""
    at = min(max(0.0, at), float(max(1, slide.rows * slide.cols) - 1))
    row, col = divmod(int(at), max(1, slide.cols))
    thing = replace(slide.thing, row=row, col=col)
    return replace(state, slide=replace(slide, at=at), selection=thing)
