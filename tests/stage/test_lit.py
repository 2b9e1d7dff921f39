"""Laws of what stands out: paths through a tile, in by 120 ms and out by 180, the rest dim."""

from __future__ import annotations

import pytest

from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.lit import lit_links
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing, ViewState
from tests.runs import bundled

RESIDENT = Resident(bundled())
FIRST = initial_state(bundled(), RESIDENT)
CONV2 = bundled().layer("conv2").index


def after(*commands: c.Command, state: ViewState = FIRST) -> ViewState:
    for command in commands:
        state = c.apply(state, command)
    return state


def frame_of(state: ViewState) -> Frame:
    return compose(bundled(), state, resident=RESIDENT)


def test_hover_dims_in_120_ms_and_lets_go_in_180() -> None:
    state = after(c.Hover(Thing(CONV2, 11, 2, 3)), c.Advance(0.06))
    assert state.focus.share == pytest.approx(0.5)
    state = after(c.Advance(0.07), state=state)
    assert state.focus.share == 1.0
    assert not c.is_moving(state)
    state = after(c.Hover(None), c.Advance(0.09), state=state)
    assert state.focus.share == pytest.approx(0.5)
    assert state.focus.thing is not None
    assert after(c.Advance(0.1), state=state).focus == FIRST.focus


def test_a_layer_without_a_tile_dims_nothing() -> None:
    assert after(c.Hover(Thing(CONV2)), c.Advance(1.0)).focus == FIRST.focus


def test_a_selected_tile_stands_out_until_another_is_hovered() -> None:
    chosen, other = Thing(CONV2, 3), Thing(CONV2, 5)
    assert after(c.Select(chosen), c.Advance(1.0)).focus.thing == chosen
    assert after(c.Select(chosen), c.Hover(other), c.Advance(1.0)).focus.thing == other


def test_paths_go_through_one_to_one_links_and_one_weighted_link_each_way() -> None:
    plan = RESIDENT.plan
    lit = lit_links(plan, Thing(CONV2, 11))
    names = {(bundled().layers[plan.links[k].source].name, bundled().layers[plan.links[k].target].name): v
             for k, v in lit.items()}  # fmt: skip
    assert names == {
        ("pool1", "conv2"): (-1, 11, True), ("conv2", "pool2"): (11, -1, True), ("pool2", "fc1"): (11, -1, True),
    }  # fmt: skip


def test_plates_off_the_paths_dim_to_three_tenths() -> None:
    frame = frame_of(after(c.Hover(Thing(CONV2, 11)), c.Advance(1.0)))
    bright = {t.layer: t.bright for t in frame.tiles}
    assert bright[CONV2] == 1.0
    assert bright[bundled().layer("pool1").index] == 1.0
    assert bright[bundled().layer("fc3").index] == pytest.approx(0.3)
    assert {t.bright for t in frame_of(FIRST).tiles} == {1.0}
