"""Laws of strands over epochs and levels: growth is continuous, presence is a matter of chance and amount alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nn3d.analysis import sampling
from nn3d.analysis.amounts import Moment, amounts_of
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState
from nn3d.stage.strands import WINDOW, window_of
from nn3d.stage.weave import Weaver
from tests.runs import bundled

RESIDENT = Resident(bundled())
FIRST = initial_state(bundled(), RESIDENT)


def frame_of(*commands: c.Command, state: ViewState = FIRST) -> Frame:
    for command in commands:
        state = c.apply(state, command)
    return compose(bundled(), state, resident=RESIDENT)


@pytest.mark.parametrize("selection", ["sampled", "top", "all"])
def test_strands_grow_continuously_through_every_epoch(selection: str) -> None:
    choose = c.SetSelection(selection)
    before = frame_of(choose, c.SetEpoch(4.5, at_once=True))
    after = frame_of(choose, c.SetEpoch(5.5, at_once=True))
    for a, b in zip(before.strands, after.strands, strict=True):
        assert a.shape_key == b.shape_key
        np.testing.assert_array_equal(a.strands["tiles"], b.strands["tiles"])
        np.testing.assert_array_equal(a.strands["area"][:, 1], b.strands["area"][:, 0])
        np.testing.assert_array_equal(a.strands["amount"][:, 1], b.strands["amount"][:, 0])


def test_presence_of_a_sampled_strand_is_its_chance_against_its_amount() -> None:
    run, n = bundled(), FIRST.budget.strands
    frame = frame_of(c.SetEpoch(4.0, at_once=True))
    for s in frame.strands:
        link = next(k for k in RESIDENT.plan.links if (k.source, k.target) == (s.source, s.target))
        wires = link.wiring
        if wires is None or s.level == "trunk":
            continue
        amounts = amounts_of(run, wires, s.level, Moment(4, 0, "contribution"))
        assert amounts is not None
        m = sampling.finite_magnitude(amounts.at(np.arange(wires.n_edges(s.level))))
        tau = sampling.threshold(m, n)
        chance = np.minimum(1.0, tau * m) if np.isfinite(tau) else np.sign(m)
        want = np.flatnonzero(sampling.chance(np.arange(m.size)) < chance)
        rows = s.strands[s.n_trunk :]
        assert (rows["area"][:, 0] > 0).sum() == want.size
        assert s.is_drawn is not None
        assert np.array_equal(s.is_drawn, rows["area"][:, 0] > 0)


def test_every_epoch_pair_lies_in_its_window() -> None:
    for n_epochs in range(1, 50):
        for first in range(n_epochs):
            for second in {first, min(first + 1, n_epochs - 1)}:
                window = window_of((first, second), n_epochs, 10)
                assert {first, second} <= set(window)
                assert len(window) <= WINDOW + 1
                assert max(window) < n_epochs


def test_a_level_thins_out_while_the_next_one_grows() -> None:
    half = [c.SetLevel("all"), c.Advance(0.2)]
    frame = frame_of(*half)
    both = [s for s in frame.strands if (s.source, s.target) == (0, 1)]
    assert [s.level for s in both] == ["kernels", "all"]
    assert sum(s.grow for s in both) == pytest.approx(1.0)
    whole = frame_of(*half, c.Advance(1.0))
    assert {s.level for s in whole.strands if (s.source, s.target) == (0, 1)} == {"all"}
    assert all(s.grow == 1.0 for s in whole.strands)


def test_a_level_change_can_be_turned_round_half_way() -> None:
    state = FIRST
    for command in (c.SetLevel("all"), c.Advance(0.1), c.SetLevel("kernels")):
        state = c.apply(state, command)
    assert state.edges.level == "kernels"
    assert state.edges.level_blend == pytest.approx(0.75)


def test_strands_stay_on_the_picture_while_a_run_grows() -> None:
    run = bundled()
    resident = Resident(run)
    state = c.apply(initial_state(run, resident), c.SetEpoch(3.0, at_once=True))
    weaver = Weaver(run, resident, resident.plan, state, (3, 3))
    link = next(k for k in resident.plan.links if k.wiring is not None and not k.wiring.kernel)
    need = weaver.need(link, "kernels")
    assert need.epochs == tuple(range(len(run.epochs)))
    assert link.index not in weaver.tables
    resident.warm(replace(need, epochs=need.epochs[:-1]))
    assert link.index in Weaver(run, resident, resident.plan, state, (3, 3)).tables
    last = len(run.epochs) - 1
    assert link.index not in Weaver(run, resident, resident.plan, state, (last, last)).tables
