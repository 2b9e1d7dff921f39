"""Laws of cubes: which cells rise and how far, their colour, what lies under the pointer, and the budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from nn3d.offscreen import Offscreen
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, Text, TileLayer
from nn3d.stage.framing import framed
from nn3d.stage.reference import tile_places
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing, ViewState
from tests.runs import bundled
from tests.scene.test_tiles import one_layer

HEIGHT = 0.62


@pytest.fixture(scope="module")
def _made() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


@pytest.fixture
def screen(_made: Offscreen) -> Offscreen:
    _made.activate()
    return _made


def near_state(run: Run, thing: Thing, *, cubes: int = 24_000) -> tuple[Resident, ViewState]:
    """The view of a tile from close up, without strands."""
    resident = Resident(run)
    state = initial_state(run, resident, size_px=(960, 540))
    budget = replace(state.budget, cubes=cubes, shade=False)
    for command in (c.SetSelection("off"), c.SetOpen(None, True, at_once=True), c.SetBudget(budget)):
        state = c.apply(state, command)
    return resident, c.apply(state, c.SetCamera(framed(compose(run, state, resident=resident), thing)))


def near_frame(run: Run, thing: Thing, *, cubes: int = 24_000) -> Frame:
    resident, state = near_state(run, thing, cubes=cubes)
    return compose(run, state, resident=resident)


def plate_of(frame: Frame, layer: int) -> TileLayer:
    return next(t for t in frame.tiles if t.layer == layer)


def front_px(frame: Frame, plate: TileLayer, tile: int, cell: tuple[float, float], height: float) -> np.ndarray:
    """px of the middle of a cube's front."""
    centres, half = (a[tile] for a in tile_places(plate))
    rows, cols = plate.cells
    up, right = half[0] * (1 - 2 * (cell[0] + 0.5) / rows), half[1] * (2 * (cell[1] + 0.5) / cols - 1)
    return frame.view.project(centres + np.array([-plate.thickness[0] - height, up, right]), frame.state.size_px)[0]


def bump(value: float) -> Run:
    """One map of nothing but one large value (which is full colour) and one of the given share of it."""
    cells = np.zeros((1, 6, 6), np.float32)
    cells[0, 4, 1], cells[0, 1, 4] = 1.0, value
    return one_layer(cells)


@pytest.mark.parametrize("value", [0.2, 0.6, 1.0])
def test_a_cube_rises_by_its_value_and_its_front_has_the_exact_colour(screen: Offscreen, value: float) -> None:
    frame = near_frame(bump(value), Thing(1, 0))
    plate = plate_of(frame, 1)
    share = min(1.0, value * plate.gain[0])
    x, y = front_px(frame, plate, 0, (1, 4), HEIGHT * share).astype(int)
    picture = screen.pixels(replace(frame, marks=())).astype(int)
    want = frame.palette.ramps["seq"][round(255 * share**plate.power)] * 255
    assert np.abs(picture[y, x] - want).max() <= 2
    shift = np.linalg.norm(front_px(frame, plate, 0, (1, 4), HEIGHT) - front_px(frame, plate, 0, (1, 4), 0.0))
    width = np.linalg.norm(front_px(frame, plate, 0, (1, 3), 0.0) - front_px(frame, plate, 0, (1, 4), 0.0))
    assert shift > width / 2
    inside, outside = (front_px(frame, plate, 0, (1, 4 - d), HEIGHT * share).astype(int) for d in (0.36, 0.50))
    assert np.abs(picture[inside[1], inside[0]] - want).max() <= 2
    assert np.abs(picture[outside[1], outside[0]] - want).max() > 8


def test_values_that_round_to_nothing_and_such_as_are_not_finite_do_not_rise(screen: Offscreen) -> None:
    frame = near_frame(bump(0.01), Thing(1, 0))
    flat = replace(frame, tiles=tuple(replace(t, cubes=None) for t in frame.tiles))
    x, y = front_px(frame, plate_of(frame, 1), 0, (1, 4), 0.0).astype(int)
    part = np.s_[y - 12 : y + 12, x - 12 : x + 12]
    assert np.array_equal(screen.pixels(frame)[part], screen.pixels(flat)[part])
    bad = near_frame(bump(float("nan")), Thing(1, 0))
    x, y = front_px(bad, plate_of(bad, 1), 0, (1, 4), 0.0).astype(int)
    assert np.abs(screen.pixels(bad)[y, x] - np.array(bad.palette.nonfinite[:3]) * 255).max() <= 2


def test_the_pointer_on_a_cube_names_its_cell(screen: Offscreen) -> None:
    conv2 = bundled().layer("conv2").index
    frame = near_frame(bundled(), Thing(conv2, 5))
    plate = plate_of(frame, conv2)
    assert plate.values is not None
    assert plate.cubes is not None
    share = np.clip(plate.values[0].cells[5] * plate.gain[0], 0.0, 1.0)
    named = []
    for row, col in np.argwhere(share > 0.05):
        hit = screen.renderer.pick(frame, *front_px(frame, plate, 5, (row, col), HEIGHT * share[row, col]))
        named.append(hit == Thing(conv2, 5, int(row), int(col)))
    assert len(named) > 10
    assert np.mean(named) > 0.9  # the others stand behind a higher neighbour


def test_the_nearest_rise_first_and_the_foot_line_says_what_stays_flat() -> None:
    conv2 = bundled().layer("conv2").index
    everything = near_frame(bundled(), Thing(conv2, 5))
    few = near_frame(bundled(), Thing(conv2, 5), cubes=500)
    whole, some = (sum(t.cubes.size * t.cells[0] * t.cells[1] for t in f.tiles if t.cubes is not None) for f in (
        everything, few))  # fmt: skip
    assert 0 < some <= 500 < whole
    said = " ".join(m.text for m in few.marks if isinstance(m, Text))
    assert f"{whole - some:,} near cells flat" in said
    places = [
        (np.linalg.norm(tile_places(t)[0][k] - few.view.eye_world), k in (() if s.cubes is None else s.cubes))
        for t, s in zip(everything.tiles, few.tiles, strict=True)
        if t.cubes is not None
        for k in t.cubes.tolist()
    ]
    raised, flat = ([d for d, up in places if up is want] for want in (True, False))
    assert max(raised) <= min(flat) + 1e-6


def test_a_whole_network_in_sight_has_no_cubes() -> None:
    run = bundled()
    assert all(t.cubes is None for t in compose(run, initial_state(run, Resident(run))).tiles)


def test_cubes_grow_without_a_jump_as_the_camera_comes_near(screen: Offscreen) -> None:
    run = bundled()
    conv2 = run.layer("conv2").index
    resident, state = near_state(run, Thing(conv2, 5))
    state = c.apply(state, c.SetCamera(replace(state.camera, distance=state.camera.distance * 4.4)))
    pictures = [
        screen.pixels(replace(compose(run, c.apply(state, c.SetCamera(camera)), resident=resident), marks=()))
        for step in range(9)
        for camera in (replace(state.camera, distance=state.camera.distance * 0.95**step),)
    ]
    moves = [np.abs(b.astype(int) - a).mean() for a, b in pairwise(pictures)]
    assert max(moves) < 1.6 * np.median(moves)
