"""Laws of edges that add up: passes are parts of one whole, whatever the way there, and sampling is nearer to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fidelity import SIZE_PX, error_after, error_sampled, error_top, exact_frame, sums
from nn3d.analysis import sampling
from nn3d.offscreen import Offscreen
from nn3d.scene.renderer import common_uniforms
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, Text
from nn3d.stage.resident import Resident
from nn3d.stage.state import EXACT_PASSES, Camera, ViewState
from tests.runs import bundled

RESIDENT = Resident(bundled())
FIRST = c.apply(initial_state(bundled(), RESIDENT), c.Resize((480, 270)))


@pytest.fixture(scope="module")
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


def state_after(*commands: c.Command, state: ViewState = FIRST) -> ViewState:
    for command in commands:
        state = c.apply(state, command)
    return state


def frame_of(*commands: c.Command) -> Frame:
    return compose(bundled(), state_after(*commands), resident=RESIDENT)


def test_batches_are_all_edges_once() -> None:
    for n in (0, 5, 32, 1000, 4097):
        order, starts = sampling.batches(n, EXACT_PASSES)
        assert np.array_equal(np.sort(order), np.arange(n))
        assert (starts[0], starts[-1]) == (0, n)
        assert np.ptp(np.diff(starts)) <= 1


def test_passes_step_by_step_are_the_same_sums_as_at_once(screen: Offscreen) -> None:
    screen.activate()
    for _ in range(2):  # forth and back: another view in between
        for passes in (1, 2, 7, EXACT_PASSES):
            frame = frame_of(c.SetSelection("exact", at_once=True))
            state = replace(frame.state, edges=replace(frame.state.edges, passes=passes))
            stepped = screen.pixels(replace(frame, state=state))
        screen.pixels(frame_of(c.SetSelection("exact", at_once=True), c.SetCamera(Camera(yaw_rad=0.7)), c.Advance(9.0)))
    with Offscreen() as other:
        assert np.array_equal(other.pixels(frame_of(c.SetSelection("exact", at_once=True))), stepped)


def test_exact_converges_to_all_edges_and_sampled_is_nearer_than_the_strongest(screen: Offscreen) -> None:
    screen.activate()
    frame = exact_frame(bundled())
    whole = sums(screen, frame)
    assert whole.shape == (SIZE_PX[1], SIZE_PX[0], 2)
    errors = [error_after(screen, frame, whole, passes) for passes in (1, 4, 16, EXACT_PASSES)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-6
    for n in (100, 400):
        assert error_sampled(screen, frame, whole, n) < 0.8 * error_top(screen, frame, whole, n)


def test_all_edges_in_one_draw_are_the_sums_of_all_passes(screen: Offscreen) -> None:
    screen.activate()
    frame = exact_frame(bundled())
    whole = sums(screen, frame)
    one = replace(
        frame, strands=tuple(replace(s, batches=(0, *[s.batches[-1]] * EXACT_PASSES)) if s.batches else s
                             for s in frame.strands),
    )  # fmt: skip
    other = replace(one, strands=tuple(replace(s, key=(s.key, "one")) for s in one.strands))
    screen.renderer.prepare(other)
    screen.renderer.sums.add(other, common_uniforms(other), SIZE_PX)
    np.testing.assert_allclose(screen.renderer.sums.sums(), whole, rtol=1e-4, atol=1e-5)


def test_at_rest_passes_count_up_and_a_move_starts_over() -> None:
    state = state_after(c.SetSelection("exact"))
    assert state.edges.passes == 0
    state = state_after(c.Advance(0.01), c.Advance(0.01), state=state)
    assert state.edges.passes == 2
    assert c.is_moving(state)
    assert state_after(c.SetTheme("light"), c.Hover(None), state=state).edges.passes == 2
    assert state_after(c.SetCamera(Camera(yaw_rad=0.2)), state=state).edges.passes == 0
    assert state_after(c.SetEpoch(3.0, at_once=True), state=state).edges.passes == 0
    done = state_after(c.Advance(10.0), state=state)
    assert done.edges.passes == EXACT_PASSES
    assert not c.is_moving(done)
    assert state_after(c.SetSelection("sampled"), state=done).edges.passes == 0


def test_the_foot_line_says_how_many_edges_have_counted() -> None:
    said = [m.text for m in frame_of(c.SetSelection("exact"), c.Advance(1.5)).marks if isinstance(m, Text)]
    assert any("exact, 38 % of edges counted" in text for text in said)
    said = [m.text for m in frame_of(c.SetSelection("exact"), c.SetSpeed(2.0)).marks if isinstance(m, Text)]
    assert any("exact as soon as nothing moves" in text for text in said)
