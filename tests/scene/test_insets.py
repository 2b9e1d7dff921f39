"""Laws of pictures inside a picture: each is what it is alone, at its place, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nn3d.offscreen import Offscreen
from nn3d.stage.commands import Resize, SetCompare, SetSides, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from tests.runs import bundled


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_an_inset_is_its_own_picture_at_its_place(scale: float) -> None:
    run = bundled()
    resident = Resident(run)
    state = initial_state(run, resident)
    for command in (Resize((900, 560), scale), SetCompare(1), SetSides(True)):
        state = apply(state, command)
    frame = compose(run, state, resident=resident)
    assert len(frame.insets) == 2
    with Offscreen() as screen:
        whole = screen.pixels(frame)
        rest = screen.pixels(replace(frame, insets=()))
        again = screen.pixels(frame)
        outside = np.ones(whole.shape[:2], np.bool_)
        for inset in frame.insets:
            own = screen.pixels(inset.frame)
            y, x = round(inset.y * scale), round(inset.x * scale)
            at = slice(y, y + own.shape[0]), slice(x, x + own.shape[1])
            assert np.array_equal(whole[at], own)
            outside[at] = False
    assert np.array_equal(whole[outside], rest[outside])
    assert np.array_equal(whole, again)
