"""Undo, redo and bookmarks: what is done can be taken back, and done again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn3d.errors import Nn3dError
from nn3d.stage import jsonable
from nn3d.stage.bookmarks import bookmark_at, marked, view_of
from nn3d.stage.commands import (
    Advance,
    Arrange,
    Command,
    Hide,
    OpenGroup,
    Restore,
    Select,
    SetBookmark,
    SetCamera,
    SetEpoch,
    SetLevel,
    SetMode,
    SetOpen,
    SetOrder,
    SetRamp,
    SetReach,
    SetSample,
    SetSelection,
    SetStrength,
    SetTheme,
    apply,
    from_json,
    to_json,
)
from nn3d.stage.history import MOST_STEPS, History, recorded, redone, undone
from nn3d.stage.parts import KEPT, PARTS, changed, goals
from nn3d.stage.state import (
    ARRANGEMENTS,
    LEVELS,
    MODES,
    ORDERS,
    RAMPS,
    SELECTIONS,
    THEMES,
    Camera,
    LayerView,
    Thing,
    ViewState,
)

FIRST = ViewState(n_epochs=5, n_samples=4, layers=(LayerView(),) * 4, group_depths=(0, 1, 0))
COMMANDS = st.one_of(
    st.builds(SetTheme, st.sampled_from(THEMES)),
    st.builds(SetRamp, st.sampled_from(RAMPS)),
    st.builds(SetMode, st.sampled_from(MODES)),
    st.builds(SetLevel, st.sampled_from(LEVELS)),
    st.builds(SetSelection, st.sampled_from(SELECTIONS)),
    st.builds(SetOrder, st.sampled_from(ORDERS)),
    st.builds(SetStrength, st.floats(0, 1)),
    st.builds(SetEpoch, st.integers(0, 4).map(float)),
    st.builds(SetSample, st.integers(0, 3)),
    st.builds(Select, st.none() | st.builds(Thing, st.integers(0, 6))),
    st.builds(SetOpen, st.none() | st.integers(0, 3), st.booleans()),
    st.builds(Arrange, st.none() | st.integers(0, 3), st.sampled_from(ARRANGEMENTS)),
    st.builds(OpenGroup, st.integers(0, 2), st.booleans()),
    st.builds(SetCamera, st.builds(Camera, yaw_rad=st.floats(-3, 3), fit=st.booleans())),
    st.builds(SetReach, st.integers(0, 3)),
    st.builds(Hide, st.lists(st.integers(0, 6), max_size=3).map(tuple)),
)
PAUSES = st.builds(Advance, st.sampled_from([0.0, 0.01, 0.1, 0.3, 2.0]))


def done(
    state: ViewState, history: History, commands: list[Command], strokes: bool = True
) -> tuple[ViewState, History]:
    for k, command in enumerate(commands):
        after = apply(state, command)
        if not isinstance(command, Advance):
            history = recorded(history, state, after, k if strokes else 0)
        state = after
    return state, history


@settings(deadline=None)
@given(st.lists(COMMANDS | PAUSES, max_size=12))
def test_undoing_everything_brings_back_every_part_and_redoing_everything_too(commands: list[Command]) -> None:
    state, history = done(FIRST, History(), commands)
    last = goals(state)
    n = len(history.past)
    for _ in range(n):
        history, turn = undone(history)
        assert turn is not None
        state = apply(state, Restore(turn.view, turn.parts))
    assert goals(state) == goals(FIRST)
    assert undone(history) == (history, None)
    for _ in range(n):
        history, turn = redone(history)
        assert turn is not None
        state = apply(apply(state, Restore(turn.view, turn.parts)), Advance(0.1))
    assert goals(state) == last
    assert redone(history)[1] is None


@settings(deadline=None)
@given(COMMANDS, COMMANDS)
def test_one_step_changes_only_its_own_parts(first: Command, second: Command) -> None:
    state, history = done(FIRST, History(), [first, second])
    history, turn = undone(history)
    if turn is not None:
        after = apply(state, Restore(turn.view, turn.parts))
        assert set(changed(state, after)) == set(turn.parts)


def test_a_drag_is_one_step_and_a_new_drag_another() -> None:
    drag = [SetCamera(Camera(yaw_rad=k / 10, fit=False)) for k in range(1, 8)]
    state, history = done(FIRST, History(), list(drag), strokes=False)
    assert len(history.past) == 1
    assert history.past[0].before is FIRST
    again = recorded(history, state, apply(state, SetCamera(Camera(yaw_rad=2.0, fit=False))), 9)
    assert len(again.past) == 2


def test_what_changes_nothing_is_no_step_and_neither_is_time_or_the_pointer() -> None:
    state = apply(FIRST, SetTheme("dark"))
    assert recorded(History(), FIRST, state, 1) == History()
    moved = replace(state, hover=Thing(1), flight=None, size_px=(800, 600))
    assert recorded(History(), state, moved, 2) == History()


def test_a_drag_that_ends_where_it_began_leaves_no_step() -> None:
    there = apply(FIRST, SetStrength(0.3, at_once=True))
    history = recorded(History(), FIRST, there, 1)
    assert recorded(history, there, apply(there, SetStrength(1.0, at_once=True)), 1) == History()


def test_a_new_change_forgets_what_could_be_done_again_and_old_steps_are_dropped() -> None:
    state, history = done(FIRST, History(), [SetTheme("light"), SetSample(1)])
    history, _ = undone(history)
    after = apply(state, SetRamp("magma"))
    assert recorded(history, state, after, 7).future == ()
    many: list[Command] = [SetSample(k % 4) for k in range(1, 4 * MOST_STEPS)]
    assert len(done(FIRST, History(), many)[1].past) == MOST_STEPS


@settings(deadline=None)
@given(st.lists(COMMANDS, max_size=6), st.lists(COMMANDS | PAUSES, max_size=6))
def test_a_bookmark_brings_back_all_that_it_keeps_and_nothing_else(first: list[Command], then: list[Command]) -> None:
    kept, _ = done(FIRST, History(), first)
    state, _ = done(apply(kept, SetBookmark(3, marked(kept, 3).view)), History(), then)
    mark = bookmark_at(state, 3)
    assert mark is not None
    after = apply(state, Restore(view_of(mark), KEPT))
    assert {p: goals(after)[p] for p in KEPT} == {p: goals(kept)[p] for p in KEPT}
    left = set(PARTS) - set(KEPT)
    assert {p: goals(after)[p] for p in left} == {p: goals(state)[p] for p in left}


def test_going_back_takes_time_and_goes_on_from_where_everything_is() -> None:
    open_, shut = FIRST, apply(apply(FIRST, SetOpen(2, False)), Advance(2.0))
    half = apply(apply(shut, Restore(open_, ("layers", "camera"))), Advance(0.2))
    assert 0.0 < half.layers[2].opening < 1.0
    back = apply(half, Restore(shut, ("layers",)))
    assert back.layers[2].opening == half.layers[2].opening


def test_commands_of_going_back_survive_json() -> None:
    for command in (Restore(FIRST, ("camera", "epoch"), Camera(fit=False)), SetBookmark(1, marked(FIRST, 1).view)):
        assert from_json(to_json(command)) == command
    state = apply(FIRST, SetBookmark(9, marked(FIRST, 9).view))
    assert jsonable.from_json(ViewState, jsonable.to_json(state)) == state
    assert apply(state, SetBookmark(9, "")).bookmarks == ()


def test_what_cannot_be_brought_back_is_named() -> None:
    with pytest.raises(Nn3dError, match="part"):
        apply(FIRST, Restore(FIRST, ("colour of the sky",)))
    with pytest.raises(Nn3dError, match="this one has 4"):
        apply(FIRST, Restore(replace(FIRST, layers=(LayerView(),)), ("camera",)))
    with pytest.raises(Nn3dError, match="digit"):
        apply(FIRST, SetBookmark(10, "x"))
