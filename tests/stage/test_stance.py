"""Laws of how plates turn and lean: upright from the front, legible from every side, one linear map for all."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from nn3d.stage import commands as c
from nn3d.stage.camera import direction
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.reference import cell_under, tile_places
from nn3d.stage.resident import Resident
from nn3d.stage.stance import STEEP_YAW_RAD, plate_axes, swung, words, world_from_bench
from nn3d.stage.state import ViewState
from tests.runs import bundled

RESIDENT = Resident(bundled())
FIRST = c.apply(initial_state(bundled(), RESIDENT), c.Resize((960, 540)))


def seen(yaw: float, pitch: float = 13.0, state: ViewState = FIRST) -> ViewState:
    """The view from (yaw, pitch) in degrees, at rest."""
    camera = replace(state.camera, yaw_rad=math.radians(yaw), pitch_rad=math.radians(pitch))
    return c.apply(c.apply(state, c.SetCamera(camera)), c.Advance(1.0))


def frame(yaw: float, pitch: float = 13.0) -> Frame:
    return compose(bundled(), seen(yaw, pitch), resident=RESIDENT)


@pytest.mark.parametrize("yaw", [-60.0, -30.0, 0.0, 30.0, 53.0, 66.0])
def test_from_the_front_and_level_the_bench_is_the_world(yaw: float) -> None:
    assert np.array_equal(world_from_bench(seen(yaw)), np.eye(3))


@pytest.mark.parametrize("yaw", range(-170, 180, 20))
@pytest.mark.parametrize("pitch", [0.0, 25.0, 45.0, 60.0, 80.0])
def test_plates_keep_their_shape_and_the_axis_its_direction(yaw: float, pitch: float) -> None:
    bench = world_from_bench(seen(yaw, pitch))
    axes = plate_axes(bench)
    assert np.allclose(axes.T @ axes, np.eye(3), atol=1e-12)
    assert np.array_equal(bench[:, 0], [1.0, 0.0, 0.0])


@pytest.mark.parametrize("yaw", range(20, 165, 5))
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("pitch", [0.0, 13.0, 40.0, 60.0])
def test_no_plate_is_seen_steeper_than_the_limit_and_it_is_the_input_side_that_is_seen(
    yaw: float, side: int, pitch: float
) -> None:
    state = seen(yaw * side, pitch)
    normal = plate_axes(world_from_bench(state))[:, 0]
    reader = direction(state.camera)
    toward = -float(normal @ reader)
    level = math.cos(STEEP_YAW_RAD) * math.cos(math.radians(pitch))
    assert toward >= min(level, math.cos(math.radians(60.0))) - 1e-9
    assert toward > 0.0


@pytest.mark.parametrize(("yaw", "pitch"), [(53, 13), (127, 13), (-127, 13), (88, 13), (78, 60), (-102, 60)])
def test_columns_read_from_left_to_right_and_rows_downward_from_every_side(yaw: float, pitch: float) -> None:
    shown = frame(yaw, pitch)
    plate = shown.tiles[bundled().layer("conv2").index]
    centres, half = tile_places(plate)
    corner = np.array([0.0, half[0, 0], -half[0, 1]])
    px = shown.view.project(np.stack([centres[0] + corner, centres[0] - corner]), shown.state.size_px)
    n_columns = int((plate.table["grid"][:, 0] == plate.table["grid"][0, 0]).sum())
    row = shown.view.project(centres[:n_columns], shown.state.size_px)
    column = shown.view.project(centres[::n_columns], shown.state.size_px)
    assert (np.diff(row[:, 0]) > 0).all()
    assert px[0, 0] < px[1, 0]
    assert (np.diff(column[:, 1]) > 0).all()


@pytest.mark.parametrize(("yaw", "pitch"), [(127, 13), (-140, 20), (84, 13), (78, 60), (60, 40)])
def test_the_cell_under_a_point_is_the_cell_drawn_there(yaw: float, pitch: float) -> None:
    shown = frame(yaw, pitch)
    for name in ("input", "conv1", "conv2"):
        plate = shown.tiles[bundled().layer(name).index]
        centres, half = tile_places(plate)
        rows, cols = plate.cells
        bench, axes = shown.view.world_from_bench, plate_axes(shown.view.world_from_bench)
        for tile in (0, len(centres) - 1):
            for row, col in ((0, 0), (rows // 2, cols - 1)):
                up, right = 1 - 2 * (row + 0.5) / rows, 2 * (col + 0.5) / cols - 1
                on_face = np.array([-plate.thickness[0], up * half[tile, 0], right * half[tile, 1]])
                at = bench @ centres[tile] + axes @ on_face
                x, y = shown.view.project_world(at, shown.state.size_px)[0]
                assert cell_under(shown, plate.layer, tile, x, y) == (row, col)


def test_turning_round_is_a_motion_that_can_be_turned_back() -> None:
    behind = replace(FIRST.camera, yaw_rad=math.radians(127.0))
    state = c.apply(c.apply(FIRST, c.SetCamera(behind)), c.Advance(0.1))
    assert -1.0 < state.facing < 1.0
    state = c.apply(c.apply(state, c.SetCamera(FIRST.camera)), c.Advance(1.0))
    assert np.array_equal(world_from_bench(state), np.eye(3))


def test_the_edge_is_crossed_with_hysteresis() -> None:
    assert seen(95.0).facing == 1.0
    assert seen(99.0).facing == -1.0
    assert seen(85.0, state=seen(99.0)).facing == -1.0
    assert seen(81.0, state=seen(99.0)).facing == 1.0


@pytest.mark.parametrize("yaw", np.linspace(20.0, 97.0, 12).tolist())
def test_plates_turn_without_a_jump(yaw: float) -> None:
    step = math.radians(0.01)
    camera = replace(FIRST.camera, yaw_rad=math.radians(yaw), pitch_rad=math.radians(40.0))
    here, there = (c.apply(FIRST, c.SetCamera(replace(camera, yaw_rad=camera.yaw_rad + d))) for d in (0.0, step))
    assert np.abs(world_from_bench(here) - world_from_bench(there)).max() < 2.0 * step


def test_the_picture_says_how_plates_stand() -> None:
    assert words(FIRST) == []
    assert words(seen(127.0)) == ["seen from behind, plates turned round"]
    assert words(seen(78.0, 60.0)) == ["plates turn 43° and lean 42° to the reader"]
    assert words(seen(102.0, 60.0)) == [
        "seen from behind, plates turned round: plates turn 43° and lean 42° to the reader"
    ]


def test_the_bench_swings_to_the_side_only_from_above() -> None:
    camera = FIRST.camera
    assert swung(camera) == camera
    above = swung(replace(camera, pitch_rad=math.radians(60.0)))
    assert math.degrees(above.yaw_rad) == pytest.approx(78.0)
