"""Laws of a picture without its ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn3d.export.cutout import cutout
from nn3d.offscreen import Offscreen
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from tests.runs import bundled


def test_a_cutout_over_a_ground_is_the_picture_drawn_there() -> None:
    resident = Resident(bundled())
    frame = compose(bundled(), c.apply(initial_state(bundled(), resident), c.Resize((480, 270))), resident=resident)
    cut = cutout(frame).astype(float) / 255.0
    assert cut[0, 0, 3] == 0.0
    assert (cut[..., 3] > 0.98).mean() > 0.02
    ground = (0.25, 0.5, 0.75, 1.0)
    palette = replace(frame.palette, background=(ground, ground), floor=(0.0, 0.0, 0.0, 0.0))
    with Offscreen() as screen:
        drawn = screen.pixels(replace(frame, palette=palette)).astype(float) / 255.0
    over = cut[..., :3] * cut[..., 3:] + np.array(ground[:3]) * (1.0 - cut[..., 3:])
    assert (np.abs(over - drawn).max(2) > 4 / 255).mean() < 0.002
