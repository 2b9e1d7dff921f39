"""Laws of what is read before it is needed: playing finds the next epoch in memory."""

from __future__ import annotations

from dataclasses import replace

from nn3d.app.ahead import Ahead
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState


def first(run: Run, resident: Resident) -> ViewState:
    state = c.apply(initial_state(run, resident), c.SetEpoch(0.0, at_once=True))
    compose(run, state, resident=resident)
    return state


def read(resident: Resident, needs: tuple[object, ...]) -> None:
    for need in needs:
        resident.warm(need)  # type: ignore[arg-type]


def test_playing_from_epoch_to_epoch_lacks_nothing_once_it_is_read_ahead(small_run: Run) -> None:
    resident = Resident(small_run)
    ahead = Ahead(small_run, resident)
    state = c.apply(first(small_run, resident), c.Play(True))
    state = c.apply(state, c.Advance(0.5))
    read(resident, compose_frame(small_run, state, resident).missing)
    while state.time.is_playing:
        needs = ahead.of(state)
        assert ahead.of(state) is needs, "one look for each pair of epochs"
        read(resident, needs)
        state = c.apply(state, c.Advance(0.35))
        assert not compose_frame(small_run, state, resident).missing


def test_on_the_way_to_an_epoch_that_one_is_read_and_none_that_is_passed(small_run: Run) -> None:
    resident = Resident(small_run)
    ahead = Ahead(small_run, resident)
    state = first(small_run, resident)
    assert ahead.of(state) == ()
    going = c.apply(c.apply(state, c.SetEpoch(3.0)), c.Advance(0.01))
    assert {n.epoch for n in ahead.of(going) if hasattr(n, "epoch")} == {3}
    read(resident, ahead.of(going))
    there = c.apply(state, c.SetEpoch(3.0, at_once=True))
    assert not compose_frame(small_run, there, resident).missing
    back = c.apply(c.apply(there, c.SetEpoch(0.0)), c.Advance(0.01))
    assert ahead.of(back) == (), "it is in memory"


def test_a_step_to_the_next_epoch_ends_with_everything_in_memory(small_run: Run) -> None:
    resident = Resident(small_run)
    ahead = Ahead(small_run, resident)
    state = c.apply(c.apply(first(small_run, resident), c.SetEpoch(1.0)), c.Advance(0.05))
    read(resident, compose_frame(small_run, state, resident).missing)
    read(resident, ahead.of(state))
    while c.is_moving(state):
        assert not compose_frame(small_run, state, resident).missing
        state = c.apply(state, c.Advance(0.05))
    assert state.time.epoch == 1.0
    assert not compose_frame(small_run, state, resident).missing


def test_nothing_is_read_ahead_when_memory_is_half_full(small_run: Run) -> None:
    resident = Resident(small_run)
    state = c.apply(first(small_run, resident), c.Play(True))
    tight = replace(state, budget=replace(state.budget, memory_mb=0))
    assert Ahead(small_run, resident).of(tight) == ()
    assert Ahead(small_run, resident).of(state) != ()
