"""The microscope on the picture: lit cells keep their exact colour, cells to come are empty, frames show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from nn3d.cli.pointing import pointed
from nn3d.offscreen import Offscreen
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, TileLayer
from nn3d.stage.reference import tile_places
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing, ViewState
from tests.runs import bundled

RESIDENT = Resident(bundled())
CONV2, POOL1 = (bundled().layer(name).index for name in ("conv2", "pool1"))
CELL = Thing(CONV2, 11, 8, 4)


@pytest.fixture(scope="module")
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


def near(name: str, *commands: c.Command) -> ViewState:
    state = initial_state(bundled(), RESIDENT)
    state = c.apply(pointed(bundled(), state, RESIDENT, near=name), c.SetSelection("off"))
    for command in commands:
        state = c.apply(state, command)
    return state


def plate_of(frame: Frame, layer: int) -> TileLayer:
    return next(t for t in frame.tiles if t.layer == layer)


def colour_at(pixels: np.ndarray, frame: Frame, layer: int, tile: int, row: int, col: int) -> np.ndarray | None:
    """The px in the middle of a cell's face; None under the card."""
    plate = plate_of(frame, layer)
    centre, half = (a[tile] for a in tile_places(plate))
    rows, cols = plate.cells
    at = centre + np.array(
        [-plate.thickness[0], (1 - 2 * (row + 0.5) / rows) * half[0], (2 * (col + 0.5) / cols - 1) * half[1]]
    )
    x, y = frame.view.project(at[None], frame.state.size_px)[0]
    return None if frame.is_card(x, y) else pixels[int(y), int(x)].astype(int)


def test_what_a_cell_was_made_from_keeps_its_exact_colour_and_the_rest_dims(screen: Offscreen) -> None:
    before = compose(bundled(), near("pool1/2"), resident=RESIDENT)
    after = compose(bundled(), near("pool1/2", c.Hover(CELL), c.Advance(1.0)), resident=RESIDENT)
    lit = plate_of(after, POOL1).lit
    assert lit is not None
    one, two = screen.pixels(before), screen.pixels(after)
    inside = outside = 0
    for row in range(14):
        for col in range(14):
            was, now = (colour_at(p, f, POOL1, 2, row, col) for p, f in ((one, before), (two, after)))
            if was is None or now is None:
                continue
            if lit.r0 < row < lit.r1 - 1 and lit.c0 < col < lit.c1 - 1:
                assert np.abs(was - now).max() <= 1
                inside += 1
            elif was.max() > 120 and not (lit.r0 - 2 < row < lit.r1 + 1 and lit.c0 - 2 < col < lit.c1 + 1):
                assert now.sum() < 0.7 * was.sum()
                outside += 1
    assert inside == 9
    assert outside


def test_cells_that_the_kernel_has_not_reached_are_as_empty_as_a_dead_map(screen: Offscreen) -> None:
    start = (c.Select(CELL), c.Advance(1.0), c.StartSlide(10, 10), c.Advance(10.9))
    moving = compose(bundled(), near("conv2/11", *start), resident=RESIDENT)
    still = compose(bundled(), near("conv2/11", *start, c.StopSlide()), resident=RESIDENT)
    one, two = screen.pixels(moving), screen.pixels(still)
    ground = np.rint(255 * moving.palette.ramps["seq"][0]).astype(int)
    values = bundled().values(bundled().layers[CONV2].shown, 0, 10, 0)[11].reshape(-1)
    n_bright = 0
    for number in range(100):
        cell = divmod(number, 10)
        now, then = (colour_at(p, f, CONV2, 11, *cell) for p, f in ((one, moving), (two, still)))
        if now is None or then is None or abs(number - 43) <= 1 or abs(number - 43) in (9, 10, 11):
            continue  # under the frame of the cell
        if number < 43:
            assert np.abs(now - then).max() <= 1
        else:
            assert np.abs(now - ground).max() <= 2
            n_bright += values[number] > 1.0
    assert n_bright


def test_frames_are_drawn_around_each_map_that_is_read(screen: Offscreen) -> None:
    lit = (c.Hover(CELL), c.Advance(1.0))
    states = near("pool1/2", *lit), near("pool1/2", *lit, c.SetDepth(0))
    framed, bare = (compose(bundled(), s, resident=RESIDENT) for s in states)
    accent = np.rint(255 * np.array(framed.palette.accent[:3])).astype(int)
    counts = [
        int((np.abs(screen.pixels(f).astype(int) - accent).max(-1) < 16).sum()) for f in (framed, bare)
    ]
    assert counts[0] > counts[1] + 400
