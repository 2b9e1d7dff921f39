"""Title, key and foot line stand on a ground where the network may lie behind them, and only there."""

from __future__ import annotations

from dataclasses import replace

from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, Rect, Text
from nn3d.stage.overlay.grounds import ALPHA
from nn3d.stage.resident import Resident
from tests.runs import bundled


def grounds(frame: Frame) -> list[Rect]:
    return [mark for mark in frame.marks if isinstance(mark, Rect) and mark.colour[3] == ALPHA]


def test_grounds_lie_under_title_key_and_foot_line_when_the_camera_is_free() -> None:
    run = bundled()
    resident = Resident(run)
    state = initial_state(run, resident)
    fitted = compose(run, state, resident=resident)
    free = compose(run, replace(state, camera=replace(state.camera, fit=False, distance=40.0)), resident=resident)
    assert not grounds(fitted)
    assert len(grounds(free)) == 4
    order = list(free.marks)
    for words in ("LeNet-5", "activation", "strands, sampled", "sides drawn"):
        text = next(mark for mark in order if isinstance(mark, Text) and words in mark.text)
        under = [g for g in grounds(free) if g.x0 <= text.x <= g.x1 and g.y0 <= text.y <= g.y1]
        assert len(under) == 1, words
        assert order.index(under[0]) < order.index(text)
