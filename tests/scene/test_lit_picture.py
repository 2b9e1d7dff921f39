"""Laws of the dimmed picture: bright paths are drawn over dim ones, and nothing jumps when dimming begins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn3d.offscreen import Offscreen
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import Focus, Thing
from tests.runs import bundled


def test_the_paths_keep_their_pixels_and_all_else_gets_darker() -> None:
    resident = Resident(bundled())
    state = c.apply(initial_state(bundled(), resident), c.Resize((640, 360)))
    conv2 = bundled().layer("conv2").index
    with Offscreen() as screen:
        focused = replace(state, hover=Thing(conv2, 11), focus=Focus(Thing(conv2, 11), 1.0))
        frame = compose(bundled(), focused, resident=resident)
        dim = screen.pixels(frame).astype(int)
        begun = compose(bundled(), replace(focused, focus=Focus(Thing(conv2, 11), 1e-6)), resident=resident)
        undimmed = screen.pixels(begun).astype(int)
        only = replace(frame, strands=tuple(s for s in frame.strands if s.lit is None))
        without = screen.pixels(only).astype(int)
    strands = np.abs(dim - without).max(2) > 60
    assert strands.sum() > 100
    assert np.median(np.abs(dim - undimmed)[strands].max(1)) < 20
    changed = np.abs(dim - undimmed).max(2) > 8
    assert changed.mean() > 0.02
    assert (dim.sum(2) <= undimmed.sum(2))[changed].mean() > 0.99
