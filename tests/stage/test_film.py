"""Laws of the states of films: of epochs, of turns, of tours, and of what was done in a window."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from nn3d.cli.tours import look
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.stage import commands as c
from nn3d.stage.compose import initial_state
from nn3d.stage.film import even, exported, film_of_epochs, film_of_tour
from nn3d.stage.resident import Resident
from nn3d.stage.state import EXACT_PASSES, ViewState
from nn3d.stage.take import Moment, film_of_take
from nn3d.stage.tour import from_data


@pytest.fixture(scope="module")
def start() -> ViewState:
    with open_run(bundled_runs()["lenet-mnist"]) as run:
        return initial_state(run, Resident(run), size_px=(640, 360))


def take(first: ViewState, *timed: tuple[float, c.Command]) -> list[Moment]:
    state, moments = first, []
    for at, command in timed:
        state = c.apply(state, command)
        moments.append(Moment(at, command, state))
    return moments


def test_a_film_goes_evenly_from_its_first_epoch_to_its_last_and_is_the_same_each_time(start: ViewState) -> None:
    film = film_of_epochs(start, (2.0, 8.0), math.pi / 2, 1.0, 13.0)
    states = list(film.states())
    assert [s.time.epoch for s in states] == pytest.approx(np.linspace(2.0, 8.0, 13))
    yaws = [s.camera.yaw_rad - start.camera.yaw_rad for s in states]
    assert yaws == pytest.approx(np.linspace(0.0, math.pi / 2, 13))
    assert states == list(film.states())
    assert states[0] == film.first


def test_a_film_of_whole_turns_loops(start: ViewState) -> None:
    states = list(film_of_epochs(start, None, math.tau, 1.0, 20.0).states())
    steps = np.diff([s.camera.yaw_rad for s in states])
    assert steps == pytest.approx(np.full(19, math.tau / 20))
    assert states[-1].camera.yaw_rad + steps[0] == pytest.approx(start.camera.yaw_rad + math.tau)


def test_frames_are_whole_whatever_is_still_on_its_way(start: ViewState) -> None:
    state = c.apply(start, c.SetSelection("exact"))
    assert state.edges.passes < EXACT_PASSES
    assert {s.edges.passes for s in film_of_epochs(state, (0.0, 3.0), 0.0, 0.2, 20.0).states()} == {EXACT_PASSES}


def test_a_tour_plays_as_it_does_in_the_window() -> None:
    steps = [
        {"say": "All.", "look": "all", "secs": 0.5},
        {"say": "Before training.", "do": [{"do": "SetEpoch", "epoch": 0}], "look": "conv1", "secs": 1},
    ]
    with open_run(bundled_runs()["lenet-mnist"]) as run:
        resident = Resident(run)
        first = initial_state(run, resident, size_px=(640, 360))
        tour = from_data({"nn3d_tour": 1, "steps": steps}, {layer.name: layer.index for layer in run.layers})
        film = film_of_tour(first, tour, partial(look, run, resident), 10.0)
        states = list(film.states())
        assert len(states) == film.n_frames
        passing = film_of_tour(first, tour, partial(look, run, resident), 10.0, (0.0, 4.0))
        assert [s.time.epoch for s in passing.states()] == pytest.approx(np.linspace(0.0, 4.0, film.n_frames))
    captions = [s.caption for s in states]
    assert sorted(set(captions), key=captions.index) == ["All.", "Before training."]
    assert captions.count("All.") >= 5
    assert states[-1].time.epoch == 0.0
    still = [s for s in states if s.caption != "All." and not c.is_moving(s)]
    assert len(still) == pytest.approx(10, abs=1)


def test_a_take_shows_what_was_done_when_it_was_done(start: ViewState) -> None:
    moments = take(start, (0.25, c.SetTheme("light")), (0.75, c.SetSample(3)))
    states = list(film_of_take(start, moments, 1.0, 10.0).states())
    assert [s.theme for s in states] == ["dark"] * 3 + ["light"] * 7
    assert [s.sample for s in states] == [0] * 8 + [3] * 2
    assert states[-1] == exported(moments[-1].state)


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_a_slow_window_gives_the_same_film_as_a_quick_one(start: ViewState, steps: int) -> None:
    begun = (0.0, c.Play(True)), (0.0, c.SetOpen(1, not start.layers[1].is_open))
    slow = take(start, *begun, *((0.21 * (k + 1) / steps, c.Advance(0.21 / steps)) for k in range(steps)))
    quick = take(start, *begun, *((0.01 * (k + 1), c.Advance(0.01)) for k in range(21)))
    films = [film_of_take(start, moments, 0.3, 30.0).states() for moments in (slow, quick)]
    for a, b in zip(*films, strict=True):
        assert a.time.epoch == pytest.approx(b.time.epoch)
        assert a.layers[1].opening == pytest.approx(b.layers[1].opening)


def test_a_take_has_one_size_and_no_cards(start: ViewState) -> None:
    anchored = c.apply(start, c.Resize((641, 361), 1.0, start.anchors))
    moments = take(anchored, (0.1, c.Resize((900, 500), 2.0)))
    sizes = {(s.size_px, s.scale, s.anchors) for s in film_of_take(even(anchored), moments, 0.3, 10.0).states()}
    assert {(size, scale) for size, scale, _ in sizes} == {((640, 360), 1.0)}
    assert len(sizes) == 1


@pytest.mark.parametrize(
    ("size", "scale"), [((641, 361), 1.0), ((641, 361), 2.0), ((999, 777), 1.5), ((701, 333), 1.25)]
)
def test_even_sides_are_even_and_hardly_smaller(start: ViewState, size: tuple[int, int], scale: float) -> None:
    state = even(c.apply(start, c.Resize(size, scale)))
    for now, before in zip(state.size_px, size, strict=True):
        assert round(now * scale) % 2 == 0
        assert 0 <= before - now <= 8
