"""Laws of the stage that a layer shows: its recorded values, its name on the card, and what does not change with it."""

from __future__ import annotations

import numpy as np
import pytest

from nn3d.errors import Nn3dError
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, Text
from nn3d.stage.resident import Resident
from nn3d.stage.stages import labels_of, stages_of
from tests.runs import bundled, mlp_run

RUN = bundled()
RESIDENT = Resident(RUN)
FIRST = initial_state(RUN, RESIDENT)
CONV2 = RUN.layer("conv2")


def frame_of(*commands: c.Command) -> Frame:
    state = FIRST
    for command in commands:
        state = c.apply(state, command)
    return compose(RUN, state, resident=RESIDENT)


def shown(frame: Frame, layer: int) -> np.ndarray:
    plate = next(t for t in frame.tiles if t.layer == layer)
    assert plate.values is not None
    return plate.values[0].cells


def test_each_recorded_stage_can_be_shown_and_the_last_is_what_is_shown_else() -> None:
    assert labels_of(RUN, CONV2, 0) == ("Conv", "ReLU")
    last = len(RUN.epochs) - 1
    for stage, node in enumerate(stages_of(RUN, CONV2, last)):
        cells = shown(frame_of(c.SetStage(CONV2.index, stage)), CONV2.index)
        np.testing.assert_array_equal(cells, RUN.values(node, 0, last, 0))
    np.testing.assert_array_equal(cells, shown(frame_of(), CONV2.index))
    before = shown(frame_of(c.SetStage(CONV2.index, 0)), CONV2.index)
    np.testing.assert_allclose(np.maximum(before, 0), cells, atol=1e-2 * np.abs(before).max())


def test_values_before_a_rectifier_are_signed_and_the_card_says_so() -> None:
    frame = frame_of(c.SetStage(CONV2.index, 0))
    plate = next(t for t in frame.tiles if t.layer == CONV2.index)
    assert plate.lut == "div"
    words = [m.text for m in frame.marks if isinstance(m, Text)]
    assert "Conv 5×5, before ReLU" in words
    assert "Conv 5×5 · ReLU" in words  # conv1
    assert frame_of(c.SetStage(CONV2.index, -1)).marks == frame_of().marks


def test_other_layers_strands_and_predictions_do_not_depend_on_it() -> None:
    run = mlp_run()
    resident = Resident(run)
    state = initial_state(run, resident)
    hidden = run.layer("fc0").index
    other = c.apply(state, c.SetStage(hidden, 0))
    a, b = (compose(run, s, resident=resident) for s in (state, other))
    for left, right in zip(a.strands, b.strands, strict=True):
        np.testing.assert_array_equal(left.strands, right.strands)
    for left, right in zip(a.tiles, b.tiles, strict=True):
        assert (left.values == right.values) == (left.layer != hidden)


def test_a_stage_that_does_not_exist_is_refused_in_one_line() -> None:
    with pytest.raises(Nn3dError, match=r"layer 'conv2': stage should be 0 to 1 .* got 5"):
        frame_of(c.SetStage(CONV2.index, 5))
    with pytest.raises(Nn3dError, match="stage should be 0 or more"):
        c.apply(FIRST, c.SetStage(CONV2.index, -2))
    assert c.from_json(c.to_json(c.SetStage(2, 0))) == c.SetStage(2, 0)
