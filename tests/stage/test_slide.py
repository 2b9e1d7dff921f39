"""Laws of the sliding kernel: time alone moves it, one cell after the other, and what is not computed yet is empty."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn3d.errors import Nn3dError
from nn3d.stage import commands as c
from nn3d.stage import jsonable
from nn3d.stage.complete import compose
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import Lens, Thing, ViewState
from tests.runs import bundled

RESIDENT = Resident(bundled())
FIRST = initial_state(bundled(), RESIDENT)
CONV2 = bundled().layer("conv2").index


def after(*commands: c.Command, state: ViewState = FIRST) -> ViewState:
    for command in commands:
        state = c.apply(state, command)
    return state


SLIDING = after(c.Select(Thing(CONV2, 11, 8, 4)), c.Advance(1.0), c.StartSlide(10, 10))


def number(state: ViewState) -> int:
    assert state.selection is not None
    return state.selection.row * 10 + state.selection.col


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.0, 3.0), max_size=12))
def test_a_slide_is_where_the_time_that_passed_says_in_any_steps(steps: list[float]) -> None:
    state = SLIDING
    for dt in steps:
        before = number(state)
        state = c.apply(state, c.Advance(dt))
        assert before <= number(state) <= before + dt * 4.0 + 1
    assert state.slide is not None
    assert state.slide.at == pytest.approx(min(99.0, 4.0 * sum(steps)), abs=1e-6)
    assert number(state) == int(state.slide.at)
    assert state.focus.thing == state.selection or not steps


def test_it_rests_at_the_last_cell_and_starts_over_from_there() -> None:
    state = after(c.Advance(60.0), state=SLIDING)
    assert number(state) == 99
    assert not c.is_moving(after(c.Advance(1.0), state=state))
    again = after(c.PlaySlide(True), state=state)
    assert number(again) == 0
    assert c.is_moving(again)


def test_pause_step_jump_speed_and_stop() -> None:
    state = after(c.Advance(2.6), c.PlaySlide(False), state=SLIDING)
    assert number(after(c.Advance(5.0), state=state)) == 10
    assert [number(after(c.StepSlide(n), state=state)) for n in (1, -1, -99, 999)] == [11, 9, 0, 99]
    jumped = after(c.Select(Thing(CONV2, 11, 7, 3)), state=state)
    assert number(jumped) == 73
    assert jumped.slide is not None
    fast = after(c.SetSlideSpeed(16.0), c.PlaySlide(True), c.Advance(0.5), state=state)
    assert number(fast) == 18
    stopped = after(c.StopSlide(), state=state)
    assert stopped.slide is None
    assert stopped.selection == state.selection


@pytest.mark.parametrize("thing", [None, Thing(CONV2), Thing(CONV2, 3, 0, 0), Thing(0, 0, 0, 0)])
def test_another_selection_ends_it(thing: Thing | None) -> None:
    assert after(c.Select(thing), state=SLIDING).slide is None


def test_without_a_selected_tile_it_is_refused() -> None:
    with pytest.raises(Nn3dError, match="select one of its cells"):
        c.apply(FIRST, c.StartSlide(10, 10))
    with pytest.raises(Nn3dError, match="cells of the tile"):
        c.apply(SLIDING, c.StartSlide(0, 10))


def test_cells_behind_the_kernel_have_their_values_and_those_before_it_wait() -> None:
    for secs, done in ((0.0, 1), (3.1, 13), (60.0, 100)):
        frame = compose(bundled(), after(c.Advance(secs), state=SLIDING), resident=RESIDENT)
        plate = next(t for t in frame.tiles if t.layer == CONV2)
        assert plate.lit is not None
        assert plate.lit.done == (11, done)
    resting = compose(bundled(), after(c.StopSlide(), state=SLIDING), resident=RESIDENT)
    plate = next(t for t in resting.tiles if t.layer == CONV2)
    assert plate.lit is not None
    assert plate.lit.done == (-1, 0)


def test_the_same_state_is_the_same_picture_also_from_json() -> None:
    state = after(c.Advance(3.1), c.SetPath(2), c.SetDepth(2), state=SLIDING)
    again: ViewState = jsonable.from_json(ViewState, json.loads(json.dumps(jsonable.to_json(state))))
    assert again == state
    one = compose(bundled(), state, resident=RESIDENT)
    two = compose(bundled(), again, resident=Resident(bundled()))
    assert one.marks == two.marks
    assert one.boxes.tobytes() == two.boxes.tobytes()
    assert [s.strands.tobytes() for s in one.strands] == [s.strands.tobytes() for s in two.strands]
    for command in (c.StartSlide(3, 4), c.PlaySlide(False), c.StepSlide(-2), c.SetSlideSpeed(8.0), c.StopSlide(),
                    c.SetDepth(3), c.SetPath(1)):  # fmt: skip
        assert c.from_json(json.loads(json.dumps(c.to_json(command)))) == command


def test_while_a_cell_is_read_the_card_is_that_of_the_last_cell_that_was() -> None:
    resident = Resident(bundled())
    state = after(c.Advance(1.0), state=SLIDING)
    whole = compose(bundled(), state, resident=resident)
    later = after(c.Advance(0.5), state=state)
    frame = compose_frame(bundled(), later, resident)
    assert whole.explained is not None
    assert frame.explained is whole.explained
    assert frame.missing
    hostile = replace(state, slide=None)
    assert compose_frame(bundled(), after(c.Select(Thing(CONV2, 1, 0, 0)), state=hostile), resident).explained is None


def test_a_state_from_elsewhere_with_an_impossible_slide_is_still_a_picture() -> None:
    from_file = replace(SLIDING.slide, rows=0, cols=0, at=1e300) if SLIDING.slide is not None else None
    state = replace(SLIDING, slide=from_file, lens=Lens(depth=10**9, path=10**9))
    frame = compose(bundled(), state, resident=RESIDENT)
    assert frame.explained is not None
    assert after(c.Advance(0.1), state=state).slide is not None
    assert after(c.StepSlide(1), c.Select(Thing(CONV2, 11, 3, 3)), state=state).selection is not None
