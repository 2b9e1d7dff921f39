"""`--near` and `--hover` mean the layer, tile and cell that they name."""

from __future__ import annotations

import numpy as np
import pytest

from nn3d.cli.pointing import pointed, thing_of
from nn3d.errors import Nn3dError
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.framing import corners_of
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing
from tests.runs import bundled


def test_a_layer_a_tile_a_cell() -> None:
    run = bundled()
    index = run.layer("conv2").index
    assert thing_of(run, "conv2", "--near") == Thing(index)
    assert thing_of(run, "conv2/5", "--near") == Thing(index, 5)
    assert thing_of(run, "conv2/5/3,4", "--hover") == Thing(index, 5, 3, 4)
    assert thing_of(run, "conv2:5,3,4", "--select") == Thing(index, 5, 3, 4)
    assert thing_of(run, "fc1:7", "--select") == Thing(run.layer("fc1").index, 7, 0, 0)


@pytest.mark.parametrize(
    "text", ["", "nothing", "conv2/x", "conv2/1/2", "conv2/-1", "conv2:1", "conv2:16,0,0", "conv2:1,2,"]
)
def test_what_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(Nn3dError):
        thing_of(bundled(), text, "--near")


@pytest.mark.parametrize("text", ["conv1", "conv1/4"])
def test_what_the_camera_is_near_fills_the_middle_of_the_picture(text: str) -> None:
    run = bundled()
    resident = Resident(run)
    before = initial_state(run, resident)
    state = pointed(run, before, resident, near=text)
    thing, frame = thing_of(run, text, "--near"), compose(run, state, resident=resident)
    corners = corners_of(next(t for t in frame.tiles if t.layer == thing.layer), thing.tile)
    box = frame.view.project(corners, state.size_px)[:, :2]
    x0, y0, x1, y1 = state.anchors.free
    assert (box.min(0) >= (x0 - 1, y0 - 1)).all()
    assert (box.max(0) <= (x1 + 1, y1 + 1)).all()
    share = np.ptp(box, axis=0) / (x1 - x0, y1 - y0)
    assert share.max() > 0.4
    assert pointed(run, before, resident, hover=text).hover == thing


def test_a_tile_too_many_is_refused() -> None:
    run = bundled()
    resident = Resident(run)
    with pytest.raises(Nn3dError, match="the layer has 6 tiles"):
        pointed(run, initial_state(run, resident), resident, near="conv1/6")
