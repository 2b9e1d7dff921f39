"""Laws of what goes to the GPU: an epoch costs looks, strength, turning and level morphs cost nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nn3d.layout.tables import LOOK
from nn3d.offscreen import Offscreen
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident
from nn3d.stage.state import Camera
from tests.runs import bundled

RESIDENT = Resident(bundled())
FIRST = c.apply(initial_state(bundled(), RESIDENT), c.Resize((480, 270)))


@pytest.fixture(scope="module")
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


def frame_of(*commands: c.Command) -> Frame:
    state = FIRST
    for command in commands:
        state = c.apply(state, command)
    return compose(bundled(), state, resident=RESIDENT)


def uploaded(screen: Offscreen, frame: Frame) -> int:
    """Bytes that strands take to the GPU for this frame."""
    screen.activate()
    screen.renderer.uploads.reset()
    screen.renderer.ribbons.prepare(frame)
    return screen.renderer.uploads.reset()


@pytest.mark.parametrize("selection", ["sampled", "top", "all"])
def test_an_epoch_uploads_looks_and_no_geometry(screen: Offscreen, selection: str) -> None:
    choose = c.SetSelection(selection)
    assert uploaded(screen, frame_of(choose, c.SetEpoch(3.0, at_once=True))) > 0
    frame = frame_of(choose, c.SetEpoch(4.0, at_once=True))
    looks = sum(len(s.strands) * LOOK.itemsize for s in frame.strands if s.colour == "sign")
    grey = sum(len(s.strands) * LOOK.itemsize for s in frame.strands if s.colour != "sign")
    assert looks <= uploaded(screen, frame) <= looks + grey


@pytest.mark.parametrize(
    "command",
    [c.SetStrength(0.3, at_once=True), c.SetCamera(Camera(yaw_rad=0.8)), c.Arrange(4, "circle", at_once=True)],
)
def test_strength_turning_and_arranging_upload_nothing(screen: Offscreen, command: c.Command) -> None:
    uploaded(screen, frame_of())
    assert uploaded(screen, frame_of(command)) == 0


def test_a_level_on_its_way_uploads_nothing(screen: Offscreen) -> None:
    change = c.SetLevel("maps")
    uploaded(screen, frame_of(change, c.Advance(0.05)))
    for secs in (0.1, 0.2, 0.3):
        assert uploaded(screen, frame_of(change, c.Advance(secs))) == 0
