"""How much is drawn while something moves."""

from __future__ import annotations

from nn3d.app.pace import HOLD_SECS, LONGEST_STEP_SECS, Pace, Patience
from nn3d.stage.state import Budget


def test_motion_draws_fewer_samples_and_rest_draws_all() -> None:
    pace = Pace()
    for k in range(5):
        pace.step(10.0 + k * 0.016, is_moving=True)
    assert pace.budget(Budget(), 10.08).samples == 24
    pace.step(10.3, is_moving=False)
    assert pace.budget(Budget(samples=24), 10.3).samples == 44


def test_slow_frames_draw_the_fewest_samples() -> None:
    pace = Pace()
    for k in range(5):
        pace.step(10.0 + k * 0.2, is_moving=True)
    assert pace.budget(Budget(), 10.8).samples == 8


def test_a_short_pause_of_the_hand_keeps_the_motion_budget() -> None:
    pace = Pace()
    pace.step(10.0, is_moving=True)
    pace.step(10.016, is_moving=True)
    pace.step(10.1, is_moving=False)
    assert pace.budget(Budget(), 10.1).samples == 24


def test_time_is_that_of_the_clock_within_a_motion_and_one_frame_at_its_start() -> None:
    pace = Pace()
    assert pace.step(5.0, is_moving=False) == 0.0
    assert pace.step(100.0, is_moving=True) == 1 / 60
    assert abs(pace.step(100.1, is_moving=True) - 0.1) < 1e-9
    assert pace.step(200.0, is_moving=True) == LONGEST_STEP_SECS


def test_strands_are_left_alone() -> None:
    pace = Pace()
    pace.step(1.0, is_moving=True)
    assert pace.budget(Budget(strands=77), 1.0).strands == 77


def test_a_picture_that_lacks_something_is_waited_for_a_moment_and_no_longer() -> None:
    patience = Patience()
    assert not patience.holds(1.0, lacks=False)
    assert patience.holds(1.0, lacks=True)
    assert patience.holds(1.0 + 0.9 * HOLD_SECS, lacks=True)
    assert not patience.holds(1.0 + 1.1 * HOLD_SECS, lacks=True)
    assert not patience.holds(2.0, lacks=False)
    assert patience.holds(3.0, lacks=True)


def test_ambient_shade_stays_in_motion_only_where_frames_are_quick() -> None:
    for frame_secs, stays in ((0.004, True), (0.03, False)):
        pace = Pace()
        for k in range(6):
            pace.step(10.0 + k * frame_secs, is_moving=True)
        assert pace.budget(Budget(), 10.0 + 6 * frame_secs).shade is stays
        assert pace.budget(Budget(), 20.0).shade
