"""Laws of memory: a picture stays within its budget, is read most urgent first, and says what it lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nn3d.run.memory import run_from_arrays
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.frame import Frame, Text
from nn3d.stage.resident import Resident, ValuesNeed
from nn3d.stage.state import Camera, ViewState
from nn3d.stage.strands import StrandsNeed
from nn3d.stage.sums import SumsNeed
from tests.runs import bundled, mlp_run


@pytest.fixture(scope="module")
def large() -> Run:
    """Six layers of 8 maps of 200 × 200: 1.28 MB of values each."""
    rng = np.random.default_rng(3)
    names = [f"conv{k}" for k in range(5)]
    attributes = {"padding": [0, 0], "stride": [1, 1], "kernel_size": [1, 1]}
    layers = [{"name": "input", "op": "input"}] + [
        {"name": n, "op": "conv2d", "attributes": attributes,
         "parameters": {"weight": rng.normal(size=(8, 8, 1, 1)).astype(np.float32)}} for n in names
    ]  # fmt: skip
    values = {n: rng.random((1, 8, 200, 200)).astype(np.float32) for n in ("input", *names)}
    return run_from_arrays(layers, values, model="large")


def with_memory(state: ViewState, mb: int) -> ViewState:
    return c.apply(state, c.SetBudget(replace(state.budget, memory_mb=mb)))


def said(frame: Frame) -> str:
    return " ".join(m.text for m in frame.marks if isinstance(m, Text))


@pytest.mark.parametrize("mb", [1, 3, 5, 64])
def test_what_is_held_stays_within_the_budget_and_the_rest_is_named_on_the_picture(large: Run, mb: int) -> None:
    resident = Resident(large)
    frame = compose(large, with_memory(initial_state(large, resident), mb), resident=resident)
    assert resident.held.nbytes <= mb << 20
    assert not frame.missing
    empty = sum(t.values is None for t in frame.tiles)
    assert (empty > 0) == (mb < 64)
    assert (f"left out, memory is {mb} MB: " in said(frame)) == (mb < 64)
    assert len(frame.left_out) >= empty


def test_the_picture_of_a_state_does_not_depend_on_what_was_looked_at_before(large: Run) -> None:
    fresh, used = Resident(large), Resident(large)
    state = with_memory(initial_state(large, fresh), 3)
    for wide in (with_memory(state, 64), c.apply(state, c.SetOpen(2, False, at_once=True)), with_memory(state, 1)):
        compose(large, wide, resident=used)
    first, again = compose(large, state, resident=fresh), compose(large, state, resident=used)
    assert [t.values is None for t in first.tiles] == [t.values is None for t in again.tiles]
    assert first.left_out == again.left_out
    assert said(first) == said(again)


def test_ropes_are_read_before_open_layers_and_single_strands_last() -> None:
    run = bundled()
    resident = Resident(run)
    state = c.apply(initial_state(run, resident), c.SetOpen(5, False, at_once=True))
    frame = compose_frame(run, state, resident)
    kinds = []
    for need in frame.missing:
        if isinstance(need, StrandsNeed):
            kinds.append("single" if need.single else "rope")
        elif isinstance(need, ValuesNeed):
            kinds.append("closed" if need.layer == 5 else "open")
    assert kinds == sorted(kinds, key=["rope", "open", "closed", "single"].index)
    assert set(kinds) == {"rope", "open", "closed", "single"}
    assert set(frame.missing) == {n for n in frame.wanted.needs if not is_sums(n)}


def test_the_nearest_open_layers_are_read_first() -> None:
    run = bundled()
    resident = Resident(run)
    state = initial_state(run, resident)
    x = [t.x for t in compose_frame(run, state, resident).tiles]
    for near in (0, len(x) - 1):
        camera = Camera(target=(x[near], 0.0, 0.0), distance=30.0, yaw_rad=1.57, pitch_rad=0.0, fit=False)
        frame = compose_frame(run, c.apply(state, c.SetCamera(camera)), resident)
        layers = [n.layer for n in frame.missing if isinstance(n, ValuesNeed)]
        assert layers[0] == near
        assert sorted(layers, key=lambda k: abs(x[k] - x[near])) == layers


def test_what_is_still_being_read_is_said_and_then_no_more() -> None:
    run = mlp_run()
    resident = Resident(run)
    state = initial_state(run, resident)
    frame = compose_frame(run, state, resident)
    assert f"reading {len(frame.missing)} more" in said(frame)
    assert "reading" not in said(compose(run, state, resident=resident))


def test_a_rope_without_stored_sums_says_so_until_a_pass_over_its_weights_is_done() -> None:
    rng = np.random.default_rng(5)
    w = rng.normal(size=(1100, 1000)).astype(np.float32)
    layers = [{"name": "x", "op": "input"}, {"name": "fc", "op": "linear", "parameters": {"weight": w}}]
    values = {"x": rng.normal(size=(1, 1000)).astype(np.float32), "fc": np.ones((1, 1100), np.float32)}
    runs = [run_from_arrays(layers, values, statistics=s, model="bare") for s in (False, True)]
    resident = Resident(runs[0])
    state = c.apply(initial_state(runs[0], resident), c.SetOpen(None, False, at_once=True))
    for _ in range(3):
        frame = compose_frame(runs[0], state, resident)
        for need in frame.missing:
            assert is_sums(need) or resident.warm(need, frame.wanted)  # type: ignore[arg-type]
    assert [is_sums(n) for n in frame.missing] == [True]
    assert not runs[0].knows_parameter_stats(0, 0)
    assert "not known yet" in said(frame)
    assert frame.strands[0].colour == "neutral"
    whole = compose(runs[0], state, resident=resident)
    stored = compose(runs[1], state)
    assert "not known yet" not in said(whole)
    np.testing.assert_array_equal(whole.strands[0].strands, stored.strands[0].strands)


def is_sums(need: object) -> bool:
    return isinstance(need, SumsNeed)
