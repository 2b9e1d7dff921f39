"""Laws of the ambient shade: it darkens structure and strands, and leaves faces and the background exactly alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nn3d.offscreen import Offscreen
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import Budget
from tests.runs import bundled

RESIDENT = Resident(bundled())
FIRST = c.apply(initial_state(bundled(), RESIDENT), c.Resize((960, 540)))


@pytest.fixture(scope="module")
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


def picture(screen: Offscreen, *commands: c.Command) -> NDArray[np.int16]:
    state = FIRST
    for command in commands:
        state = c.apply(state, command)
    screen.activate()
    return screen.pixels(compose(bundled(), state, resident=RESIDENT)).astype(np.int16)


def faces_and_ground(screen: Offscreen) -> NDArray[np.bool_]:
    """(H, W) px of which no part takes shade, from the alpha of the resolved picture drawn last."""
    flat = screen.renderer.shade.flat
    assert flat is not None
    raw = np.frombuffer(flat.color_attachments[0].read(), np.uint8).reshape(flat.size[1], flat.size[0], 4)
    return np.asarray(raw[::-1, :, 3] == 0)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_shade_leaves_faces_and_background_as_they_are(screen: Offscreen, theme: str) -> None:
    shaded = picture(screen, c.SetTheme(theme))
    alone = faces_and_ground(screen)
    plain = picture(screen, c.SetTheme(theme), c.SetBudget(replace(Budget(), shade=False)))
    assert alone.mean() > 0.5
    assert np.array_equal(shaded[alone], plain[alone])


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_shade_only_darkens_and_does(screen: Offscreen, theme: str) -> None:
    plain = picture(screen, c.SetTheme(theme), c.SetBudget(replace(Budget(), shade=False)))
    shaded = picture(screen, c.SetTheme(theme))
    taken = ~faces_and_ground(screen)
    change = (plain - shaded)[taken]
    assert change.min() >= -1
    assert change.mean() > 2.0


def test_the_middle_of_every_face_takes_no_shade(screen: Offscreen) -> None:
    from nn3d.stage.reference import tile_places

    frame = compose(bundled(), c.apply(FIRST, c.SetSelection("off")), resident=RESIDENT)
    screen.activate()
    screen.draw(frame)
    alone = faces_and_ground(screen)
    for plate in frame.tiles:
        centres, _ = tile_places(plate)
        px = frame.view.project(centres - [plate.thickness[0], 0.0, 0.0], frame.state.size_px).astype(int)
        assert alone[px[:, 1], px[:, 0]].mean() > 0.9
