"""The picture takes the room that the cards leave, and touches none of them."""

from __future__ import annotations

import numpy as np
import pytest

from nn3d.app.cards import Needs, arrange_cards, fitting_panels, is_clear
from nn3d.app.fitting import grown
from nn3d.run.run import Run
from nn3d.stage.commands import Resize, apply
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.framing import screen_boxes
from nn3d.stage.resident import Resident
from nn3d.stage.state import Panels


@pytest.mark.parametrize("size", [(1000, 640), (1280, 720), (1600, 900), (1920, 1080), (2560, 1440)])
def test_grown_picture_is_at_least_as_large_and_enters_no_card(small_run: Run, size: tuple[int, int]) -> None:
    resident = Resident(small_run)
    state = initial_state(small_run, resident, size_px=size)
    layout = arrange_cards(size, fitting_panels(Panels(), size[0]), Needs())
    anchors = grown(small_run, state, resident, layout)
    frames = [compose_frame(small_run, apply(state, Resize(size, 1.0, a)), resident) for a in (layout.anchors, anchors)]
    assert frames[1].view.distance <= frames[0].view.distance * 1.001
    if anchors != layout.anchors:
        labels = screen_boxes(frames[1])[: len(frames[1].tiles)]
        assert is_clear(layout, labels)


def test_boxes_of_a_frame_hold_every_plate(small_run: Run) -> None:
    resident = Resident(small_run)
    frame = compose_frame(small_run, initial_state(small_run, resident), resident)
    boxes = screen_boxes(frame)
    assert boxes.shape[1] == 4
    assert (boxes[:, 0] <= boxes[:, 2]).all()
    plate = frame.tiles[1]
    at = frame.view.project(np.array([[plate.x, plate.y, 0.0]]), frame.state.size_px)[0]
    assert boxes[1, 0] < at[0] < boxes[1, 2]
    assert boxes[1, 1] < at[1] < boxes[1, 3]
