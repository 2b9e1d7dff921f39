"""Laws of the state: commands are values, every change comes back, time is a command."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.errors import Nn3dError
from nn3d.stage import commands as c
from nn3d.stage import jsonable
from nn3d.stage.state import Chart, LayerView, Thing, ViewState

START = ViewState(n_epochs=11, n_samples=16, layers=(LayerView(),) * 5)

COMMANDS = st.one_of(
    st.builds(c.Advance, st.floats(0, 2)),
    st.builds(c.SetEpoch, st.floats(-5, 20), st.booleans()),
    st.builds(c.StepEpoch, st.integers(-3, 3)),
    st.builds(c.Play, st.booleans()),
    st.builds(c.SetLoop, st.booleans()),
    st.builds(c.SetLoopRange, st.one_of(st.none(), st.tuples(st.integers(-2, 3), st.integers(4, 20)))),
    st.builds(c.SetChart, st.builds(Chart, st.lists(st.text(max_size=4), max_size=2).map(tuple),
                                    st.sampled_from(["epoch", "step", "time"]), st.booleans(), st.floats(0, 0.99))),
    st.builds(c.SetSpeed, st.floats(0.1, 10)),
    st.builds(c.SetSample, st.integers(-4, 40)),
    st.builds(c.SetOpen, st.one_of(st.none(), st.integers(0, 4)), st.booleans(), st.booleans()),
    st.builds(c.Arrange, st.one_of(st.none(), st.integers(0, 4)), st.sampled_from(["line", "circle", "grid"])),
    st.builds(c.Select, st.one_of(st.none(), st.builds(Thing, st.integers(0, 4), st.integers(-1, 3)))),
    st.builds(c.SetStrength, st.floats(-1, 2), st.booleans()),
    st.builds(c.SetLevel, st.sampled_from(["trunk", "maps", "kernels", "all"])),
    st.builds(c.SetSignal, st.sampled_from(["values", "zeros", "saturated", "ratio", "gradient"])),
    st.builds(c.SetTheme, st.sampled_from(["dark", "light"])),
    st.builds(c.Resize, st.tuples(st.integers(100, 4000), st.integers(100, 4000)), st.floats(0.5, 3)),
)


@given(st.lists(COMMANDS, max_size=30))
def test_state_and_commands_survive_json_both_ways(commands: list[c.Command]) -> None:
    state = START
    for command in commands:
        assert c.from_json(json.loads(json.dumps(c.to_json(command)))) == command
        state = c.apply(state, command)
    assert jsonable.from_json(ViewState, json.loads(json.dumps(jsonable.to_json(state)))) == state


@given(st.lists(COMMANDS, max_size=30))
def test_numbers_stay_in_their_range(commands: list[c.Command]) -> None:
    state = START
    for command in commands:
        state = c.apply(state, command)
    assert 0.0 <= state.time.epoch <= 10.0
    assert 0 <= state.sample < 16
    assert 0.0 <= state.edges.strength <= 1.0
    for view in state.layers:
        assert 0.0 <= view.opening <= 1.0
        assert abs(sum(view.weights) - 1.0) < 1e-9


@given(st.lists(COMMANDS, max_size=20))
def test_everything_comes_to_rest_when_not_playing(commands: list[c.Command]) -> None:
    state = START
    for command in commands:
        state = c.apply(state, command)
    state = c.apply(state, c.Play(False))
    for _ in range(40):
        state = c.apply(state, c.Advance(0.5))
    assert not c.is_moving(state)


def test_many_small_steps_of_time_equal_one_large_step_of_a_morph() -> None:
    a = c.apply(START, c.SetOpen(2, False))
    b = a
    for _ in range(10):
        b = c.apply(b, c.Advance(0.02))
    a = c.apply(a, c.Advance(0.2))
    assert abs(a.layers[2].opening - b.layers[2].opening) < 1e-9


def test_closing_can_be_turned_round_half_way_without_a_jump() -> None:
    state = c.apply(START, c.SetOpen(1, False))
    state = c.apply(state, c.Advance(0.2))
    middle = state.layers[1].opening
    state = c.apply(state, c.SetOpen(1, True))
    assert state.layers[1].opening == middle
    assert c.apply(state, c.Advance(0.01)).layers[1].opening > middle


def test_playing_stops_at_the_last_epoch_and_loops_when_asked() -> None:
    state = c.apply(c.apply(START, c.SetEpoch(9.0, at_once=True)), c.Play(True))
    stopped = c.apply(state, c.Advance(5.0))
    assert (stopped.time.epoch, stopped.time.is_playing) == (10.0, False)
    looped = c.apply(c.apply(state, c.SetLoop(True)), c.Advance(5.0))
    assert looped.time.is_playing
    assert 0.0 <= looped.time.epoch < 10.0


def test_playing_from_the_end_starts_over() -> None:
    state = c.apply(c.apply(START, c.SetEpoch(10.0, at_once=True)), c.Play(True))
    assert state.time.epoch == 0.0


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (c.Arrange(0, "spiral"), "line, circle, grid"),
        (c.SetOpen(9, True), "0 to 4"),
        (c.SetTheme("sepia"), "dark, light"),
        (c.Advance(float("nan")), "finite"),
    ],
)
def test_what_does_not_exist_is_named(command: c.Command, said: str) -> None:
    with pytest.raises(Nn3dError, match=said):
        c.apply(START, command)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "object"),
        ({"do": "Explode"}, "Explode"),
        ({"do": "SetEpoch"}, "epoch"),
        ({"do": "SetEpoch", "epoch": "two"}, "epoch should be float"),
        ({"do": "SetEpoch", "epoch": 1.0, "why": 2}, "why"),
        ({"do": "Resize", "size_px": [1]}, "2 entries"),
    ],
)
def test_a_wrong_command_is_one_clear_line(data: object, said: str) -> None:
    with pytest.raises(Nn3dError, match=said) as error:
        c.from_json(data)
    assert "\n" not in str(error.value)


def test_a_camera_command_turns_off_a_flight() -> None:
    state = c.apply(START, c.FlyTo(START.camera, replace(START.camera, yaw_rad=1.0)))
    assert state.flight is not None
    assert c.apply(state, c.SetCamera(START.camera)).flight is None
