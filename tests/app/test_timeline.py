"""The timeline: where epochs, curves, ticks and texts lie; loops and marks by mouse and keys in a real window."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.analysis.health.marks import KINDS, Mark
from nn3d.app.panels.timeline.series import (
    TEXT_PX,
    TICK_PX,
    axes_of,
    bad_spans,
    curve_shares,
    drawn,
    epoch_at,
    metric_text,
    place_of,
    placed,
    positions,
    shown_metrics,
    smoothed,
    ticks,
)  # fmt: skip
from nn3d.errors import Nn3dError
from nn3d.run.model import Epoch
from nn3d.run.run import Run
from nn3d.stage.commands import Advance, Play, SetChart, SetEpoch, SetLoopRange, apply
from nn3d.stage.controls import Context, answer
from nn3d.stage.state import Chart, LayerView, ViewState
from tests.app.test_window import drive, key, move, plot_at

START = ViewState(n_epochs=11, n_samples=2, layers=(LayerView(),))
IRREGULAR = [Epoch(i, step=s, wall_time=100.0 + t) for i, s, t in ((0, 0, 0), (1, 10, 5), (5, 20, 50), (6, 100, 51))]


@pytest.mark.parametrize(("axis", "shares"), [("epoch", (0, 1 / 6, 5 / 6, 1)), ("step", (0, 0.1, 0.2, 1))])
def test_epochs_lie_where_their_number_or_step_is(axis: str, shares: tuple[float, ...]) -> None:
    where = positions(IRREGULAR, axis)
    np.testing.assert_allclose(where, shares)
    for epoch in (0.0, 1.0, 1.5, 2.75, 3.0):
        assert epoch_at(where, place_of(where, epoch)) == pytest.approx(epoch, abs=1e-9)


def test_steps_and_times_are_offered_only_where_they_rise() -> None:
    assert axes_of(IRREGULAR) == ("epoch", "step", "time")
    assert axes_of([Epoch(0, wall_time=9.0), Epoch(1, wall_time=3.0)]) == ("epoch",)
    np.testing.assert_allclose(positions([Epoch(0), Epoch(2), Epoch(3)], "step"), (0, 2 / 3, 1))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.floats(60, 1500))
def test_numbers_of_ticks_never_touch(gaps: list[int], width: float) -> None:
    where = positions([Epoch(int(k)) for k in np.cumsum([0, *gaps])], "epoch")
    x = where[ticks(where, width)] * width
    assert x[0] == 0.0
    assert (np.diff(x) >= TICK_PX - 1e-6).all()


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(KINDS)), max_size=40), st.floats(100, 1500))
def test_every_mark_has_a_tick_and_no_two_texts_share_200_px(found: list[tuple[int, str]], width: float) -> None:
    where = np.linspace(0, 1, 31)
    marks = sorted((Mark(e, k, f"{k} at {e}") for e, k in found), key=lambda m: (m.epoch, m.rank))
    out = placed(marks, where, width)
    assert [p.marks[0].epoch for p in out] == sorted({m.epoch for m in marks})
    spans = sorted((p.x, p.x + TEXT_PX) if p.align == "l" else (p.x - TEXT_PX, p.x) for p in out if p.words)
    assert all(b[0] >= a[1] for a, b in itertools.pairwise(spans))
    assert all(a >= -1.5 and b <= width + 1.5 for a, b in spans)
    gravest = min((m.rank for m in marks), default=None)
    if gravest is not None and width >= 2 * TEXT_PX:
        assert any(p.words and p.marks[0].rank == gravest for p in out)


def test_smoothing_is_the_mean_of_what_came_weighted_by_age() -> None:
    values = np.array([1.0, np.nan, 3.0, 2.0])
    w = 0.8
    weights = np.array([w**2, w, 1.0])
    expected = float((weights * values[[0, 2, 3]]).sum() / weights.sum())
    out = smoothed(values, w)
    assert out[3] == pytest.approx(expected)
    assert math.isnan(out[1])
    assert smoothed(values, 0.0) is values


def test_a_curve_of_many_epochs_keeps_its_lowest_and_highest_points() -> None:
    rng = np.random.default_rng(0)
    shares = rng.random(20_000)
    shares[777], shares[12_345] = 5.0, -5.0
    (line,) = drawn(np.linspace(0, 1, 20_000), shares, 300)
    assert len(line) <= 602
    assert {max(y for _, y in line), min(y for _, y in line)} == {5.0, -5.0}
    assert [x for x, _ in line] == sorted(x for x, _ in line)


def test_a_loss_that_is_no_number_breaks_its_curve_and_says_so() -> None:
    losses = [1.0, 0.5, math.nan, math.nan, 0.4, math.inf]
    epochs = [Epoch(k, metrics={"loss": v}) for k, v in enumerate(losses)]
    shares = curve_shares(epochs, "loss", Chart())
    assert np.isfinite(shares).tolist() == [True, True, False, False, True, False]
    assert [len(line) for line in drawn(np.linspace(0, 1, 6), shares, 300)] == [2, 1]
    assert bad_spans(epochs, "loss") == [(1, 3), (4, 5)]
    assert [metric_text(epochs, "loss", k) for k in (1, 2, 5)] == ["0.5", "NaN", "∞"]


def test_losses_are_logarithmic_unless_linear_is_asked_for() -> None:
    epochs = [Epoch(k, metrics={"loss": v}) for k, v in enumerate((1.0, 0.1, 0.01))]
    log, linear = (curve_shares(epochs, "loss", Chart(is_linear=flag)) for flag in (False, True))
    assert log[1] - log[2] == pytest.approx(log[0] - log[1])
    assert (linear[0] - linear[1]) / (linear[1] - linear[2]) == pytest.approx(10.0)


def test_metrics_are_those_asked_for_else_accuracy_and_loss() -> None:
    epochs = [Epoch(0, metrics={"rate": 1.0, "loss": 2.0, "val_acc": 0.5})]
    assert shown_metrics(epochs, Chart()) == ("val_acc", "loss")
    assert shown_metrics(epochs, Chart(metrics=("rate", "gone"))) == ("rate",)
    assert shown_metrics([Epoch(0, metrics={"rate": 1.0})], Chart()) == ("rate",)


def test_playing_stays_inside_the_loop() -> None:
    state = apply(apply(START, SetLoopRange((7, 3))), Play(True))
    assert state.time.loop == (3, 7)
    state = apply(state, SetEpoch(3.0, at_once=True))
    state = apply(state, Play(True))
    seen = []
    for _ in range(100):
        state = apply(state, Advance(0.13))
        seen.append(state.time.epoch)
    assert state.time.is_playing
    assert min(seen) >= 3.0
    assert max(seen) < 7.0
    assert apply(state, SetLoopRange(None)).time.loop is None
    with pytest.raises(Nn3dError, match="from one epoch to another"):
        apply(state, SetLoopRange((4, 4)))


def test_what_the_chart_cannot_be_is_refused() -> None:
    with pytest.raises(Nn3dError, match="axis"):
        apply(START, SetChart(Chart(axis="weeks")))
    with pytest.raises(Nn3dError, match="smoothing"):
        apply(START, SetChart(Chart(smoothing=1.5)))


def test_shift_and_arrows_go_from_mark_to_mark() -> None:
    context = Context(apply(START, SetEpoch(4.0)), None, marks=(1, 4, 8))  # type: ignore[arg-type]
    assert answer("Shift Right", context) == (SetEpoch(8.0),)
    assert answer("Shift Left", context) == (SetEpoch(1.0),)
    last = Context(apply(START, SetEpoch(9.0)), None, marks=(1, 4, 8))  # type: ignore[arg-type]
    assert answer("Shift Right", last) == ()


def test_marks_loops_and_the_chart_answer_to_mouse_and_keys(display: str, small_run: Run) -> None:
    def pressed(name: str):  # type: ignore[no-untyped-def]
        def hands(v):  # type: ignore[no-untyped-def]
            box = v._surface._ui.places[name]
            return [*move(box.x + box.w / 2, box.y + box.h / 2), "sleep", "0.1", "click", "1"]

        return hands

    def shift_drag(v):  # type: ignore[no-untyped-def]
        (x0, y), (x1, _) = plot_at(v, 0.34), plot_at(v, 0.98)
        there = ["mousemove", str(round(x1)), str(round(y)), "sleep", "0.1", "mouseup", "1", "keyup", "shift"]
        half = ["mousemove", str(round((x0 + x1) / 2)), str(round(y)), "sleep", "0.1"]
        return [*move(x0, y), "keydown", "shift", "sleep", "0.1", "mousedown", "1", "sleep", "0.1", *half, *there]

    drive(
        small_run,
        (lambda v: move(v.state.size_px[0] / 2, 70), lambda v: len(v._facts.health.marks) > 0),
        (key("Home"), lambda v: v.state.time.epoch == 0.0),
        (key("shift+Right"), lambda v: v.state.time.epoch == v._facts.health.epochs[0] == 2.0),
        (shift_drag, lambda v: v.state.time.loop == (1, 3) and v.state.time.is_looping),
        (pressed("curves"), lambda v: "metric0" in v._surface._ui.places),
        (pressed("scale1"), lambda v: v.state.chart.is_linear),
        (pressed("metric1"), lambda v: v.state.chart.metrics == ("loss",)),
        (pressed("no loop"), lambda v: v.state.time.loop is None),
    )
