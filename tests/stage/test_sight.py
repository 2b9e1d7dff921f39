"""Laws of looking at one plate or tile: nothing stands in front of it where any angle is free."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.stage import camera as cameras
from nn3d.stage import sight
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.framing import CLOSE_PITCH_RAD, CLOSE_YAW_RAD, corners_of, framed
from nn3d.stage.resident import Resident
from nn3d.stage.state import Camera, Thing


@cache
def frame_of(name: str) -> Frame:
    """The first picture of a bundled run."""
    run = open_run(bundled_runs()[name])
    resident = Resident(run)
    return compose(run, initial_state(run, resident), resident=resident)


def straight(frame: Frame, thing: Thing, face: np.ndarray) -> Camera:
    """The close-up from the usual angles, whatever stands there."""
    camera = replace(cameras.resolve(frame), yaw_rad=CLOSE_YAW_RAD, pitch_rad=CLOSE_PITCH_RAD)
    x0, y0, x1, y1 = frame.state.anchors.free
    rect = (x0 + 0.25 * (x1 - x0), y0 + 0.25 * (y1 - y0), x1 - 0.25 * (x1 - x0), y1 - 0.25 * (y1 - y0))
    return cameras.fitted(camera, face, rect, frame.state.size_px)


@pytest.mark.parametrize("name", ["lenet-mnist", "resnet20-cifar10", "gpt-python"])
def test_a_tile_is_looked_at_from_where_nothing_stands_in_front_of_it(name: str) -> None:
    frame = frame_of(name)
    for plate in frame.tiles:
        if frame.groups is not None and plate.layer >= frame.groups.n_layers:
            continue  # slabs of a deck stand behind each other
        others = [t for t in frame.tiles if t is not plate]
        for tile in (0, len(plate.table) // 2):
            corners = corners_of(plate, tile)
            assert sight.hidden(framed(frame, Thing(plate.layer, tile)), corners[[0, 1, 3, 2]], others) <= 0.02


def test_what_stands_in_the_way_is_walked_round_and_what_is_free_is_seen_from_the_usual_angles() -> None:
    frame = frame_of("lenet-mnist")
    near = replace(frame.tiles[2], x=frame.tiles[1].x + 5.0)
    crowded = replace(frame, tiles=(*frame.tiles[:2], near, *frame.tiles[3:]))
    thing, corners = Thing(near.layer, 2), corners_of(near, 2)
    face, others = corners[[0, 1, 3, 2]], [t for t in crowded.tiles if t is not near]
    blocked = sight.hidden(straight(crowded, thing, corners), face, others)
    assert blocked > 0.2
    assert sight.hidden(framed(crowded, thing), face, others) < blocked
    usual = framed(frame, Thing(near.layer, 2))
    assert (usual.yaw_rad, usual.pitch_rad) == (CLOSE_YAW_RAD, CLOSE_PITCH_RAD)


def test_hidden_is_the_share_that_a_wall_covers_and_walls_behind_cover_nothing() -> None:
    frame = frame_of("lenet-mnist")
    base = replace(frame.tiles[0], opening=0.0, y=0.0)
    face = np.array([[0.0, -1.0, -1.0], [0.0, -1.0, 1.0], [0.0, 1.0, 1.0], [0.0, 1.0, -1.0]])
    camera = Camera(yaw_rad=0.0, pitch_rad=0.0, target=(0.0, 0.0, 0.0), distance=1e5, fit=False)
    whole = replace(base, x=-5.0, block_half=(3.0, 3.0))
    third = replace(base, x=-5.0, y=1.0, block_half=(2.0 / 3.0, 3.0))
    behind = replace(base, x=5.0, block_half=(3.0, 3.0))
    assert sight.hidden(camera, face, [whole]) == 1.0
    assert math.isclose(sight.hidden(camera, face, [third]), 1.0 / 3.0, abs_tol=0.12)
    assert sight.hidden(camera, face, [behind]) == 0.0
