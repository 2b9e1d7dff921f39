"""The way through a network by keys, and what stands apart, on networks with groups, branches and skips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage import apart_rows, jsonable
from nn3d.stage.apart import APART_SECS, wanted
from nn3d.stage.commands import Advance, Hide, Select, SelectAlso, SetCamera, SetReach, UnfoldAll, apply
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.controls import TABLE, Act, Context, answer
from nn3d.stage.controls.going import settled
from nn3d.stage.controls.parting import items_nearer
from nn3d.stage.controls.requests import Request, Tell
from nn3d.stage.controls.searching import taken
from nn3d.stage.finding import network_entries
from nn3d.stage.frame import Frame, Text
from nn3d.stage.resident import Resident
from nn3d.stage.spots import screen_box
from nn3d.stage.state import Thing, ViewState


class Walker:
    """Presses keys on a run; motions are over after each."""

    def __init__(self, name: str) -> None:
        self.run: Run = open_run(bundled_runs()[name])
        self.resident = Resident(self.run)
        self.state = initial_state(self.run, self.resident)
        self.said = ""

    def picture(self, state: ViewState) -> Frame:
        return compose_frame(self.run, state, self.resident)

    @property
    def frame(self) -> Frame:
        return self.picture(self.state)

    def press(self, *keys: str) -> Thing | None:
        for key in keys:
            for act in answer(key, Context(self.state, self.frame, compose=self.picture)):
                self.take(act)
            self.state = replace(apply(settled(self.state), Advance(1.0)), flight=None)
        return self.state.selection

    def read(self) -> Frame:
        """The picture once everything in it is read."""
        frame = self.frame
        while frame.missing:
            for need in frame.missing:
                self.resident.warm(need)  # type: ignore[arg-type]
            frame = self.frame
        return frame

    def take(self, act: Act) -> None:
        if isinstance(act, Tell):
            self.said = act.text
        elif not isinstance(act, Request):
            self.state = apply(self.state, act)


@pytest.fixture
def lenet() -> Walker:
    return Walker("lenet-mnist")


@pytest.fixture
def resnet() -> Walker:
    return Walker("resnet20-cifar10")


def test_keys_alone_lead_from_nothing_to_the_value_of_a_cell(lenet: Walker) -> None:
    assert lenet.press("Alt Right") == Thing(0)
    assert lenet.press("Alt Right") == Thing(1)
    assert lenet.press("Alt Down") == Thing(1, 0)
    assert lenet.press("Alt Right", "Alt Right") == Thing(1, 2)
    assert lenet.press("Alt Down") == Thing(1, 2, 14, 14)
    assert lenet.press("Alt Left", "Alt Shift Up") == Thing(1, 2, 13, 13)
    lenet.read()
    lenet.press("Alt Right")
    layer = lenet.run.layers[1]
    stored = lenet.run.values(layer.shown, layer.shown_output, len(lenet.run.epochs) - 1, 0)[2, 13, 14]
    said = lenet.said.rpartition(": ")[2].replace("−", "-")
    assert float(said) == pytest.approx(float(stored), rel=1e-5)


def test_walking_on_passes_every_visible_layer_of_a_chain_and_back_again(lenet: Walker) -> None:
    on = [lenet.press("Alt Right") for _ in lenet.run.layers]
    assert on == [Thing(k) for k in range(len(lenet.run.layers))]
    assert lenet.press("Alt Right") == Thing(len(lenet.run.layers) - 1)
    back = [lenet.press("Alt Left") for _ in on[1:]]
    assert back == on[-2::-1]


def test_out_closes_the_group_around_and_in_opens_it_again(resnet: Walker) -> None:
    resnet.press("Alt Right", "Alt Right", "Alt Right")
    while resnet.state.selection is not None and resnet.state.selection.layer < len(resnet.run.layers):
        resnet.press("Alt Right")
    group, opened = resnet.state.selection, resnet.state.fold.after
    inside = resnet.press("Alt Down")
    assert inside is not None
    assert len(resnet.state.fold.after) == len(opened) + 1
    assert resnet.press("Alt Up") == group
    assert resnet.state.fold.after == opened


def test_at_a_fork_going_back_and_on_again_takes_the_other_branch(resnet: Walker) -> None:
    resnet.state = settled(apply(resnet.state, UnfoldAll(at_once=True)))
    links = resnet.frame.links
    fork = next(s for s, _ in links if len({t for a, t in links if a == s}) == 2)
    ends = {t for a, t in links if a == fork}
    resnet.state = apply(resnet.state, Select(Thing(fork)))
    first = resnet.press("Alt Right")
    while resnet.state.selection != Thing(fork):
        resnet.press("Alt Left")
    second = resnet.press("Alt Right")
    assert first is not None
    assert second is not None
    assert {first.layer, second.layer} == ends


def test_every_layer_is_reached_by_walking_on_and_beside(resnet: Walker) -> None:
    resnet.state = settled(apply(resnet.state, UnfoldAll(at_once=True)))
    frame = resnet.frame
    seen, waiting = set[int](), [0]
    while waiting:
        item = waiting.pop()
        if item in seen:
            continue
        seen.add(item)
        waiting += [t for s, t in frame.links if s == item]
    assert seen == set(range(len(resnet.run.layers)))


@settings(deadline=None, max_examples=12)
@given(st.lists(st.sampled_from([
    "Alt Right", "Alt Left", "Alt Down", "Alt Up", "Alt Shift Up", "Alt Shift Down", "I", "Shift I", "H", "Esc",
]), max_size=10))  # fmt: skip
def test_any_walk_selects_what_there_is_and_never_fails(keys: list[str]) -> None:
    walker = Walker("resnet20-cifar10")
    n_items = len(walker.run.layers) + len(walker.state.group_depths)
    for key in keys:
        thing = walker.press(key)
        assert thing is None or 0 <= thing.layer < n_items


def shown_layers(walker: Walker) -> set[int]:
    return {t.layer for t in walker.frame.tiles if t.scale > 0.5}


def hud(frame: Frame) -> str:
    return " ".join(m.text for m in frame.marks if isinstance(m, Text))


def test_focus_leaves_the_selection_with_its_neighbours_and_says_so(lenet: Walker) -> None:
    lenet.state = apply(lenet.state, Select(Thing(3)))
    lenet.press("I")
    assert shown_layers(lenet) == {2, 3, 4}
    assert "focus: conv2 ± 1 link: 3 of 8 plates" in hud(lenet.frame)
    lenet.press("Alt Right")
    assert shown_layers(lenet) == {3, 4, 5}
    lenet.press("Shift I")
    assert shown_layers(lenet) == {2, 3, 4, 5, 6}
    lenet.press("Esc")
    assert shown_layers(lenet) == set(range(8))
    assert "focus" not in hud(lenet.frame)


@pytest.mark.parametrize("is_fit", [True, False])
def test_the_camera_frames_what_focus_will_show(lenet: Walker, is_fit: bool) -> None:
    lenet.state = apply(lenet.state, Select(Thing(3)))
    if not is_fit:
        lenet.state = apply(lenet.state, SetCamera(replace(Context(lenet.state, lenet.frame).camera, fit=False)))
    for keys, shown in ((["I"], {2, 3, 4}), (["Alt Right", "Alt Right"], {4, 5, 6}), (["Shift I"], {3, 4, 5, 6, 7})):
        lenet.press(*keys)
        assert shown_layers(lenet) == shown
        boxes = [screen_box(lenet.frame, item) for item in shown]
        x0, y0, x1, y1 = lenet.state.anchors.free
        spans = np.array([box for box in boxes if box is not None])
        assert len(spans) == len(shown)
        low, high = spans[:, :2].min(0), spans[:, 2:].max(0)
        assert (low >= (x0 - 2, y0 - 2)).all()
        assert (high <= (x1 + 2, y1 + 2)).all()
        assert max((high - low) / (x1 - x0, y1 - y0)) > (0.6 if is_fit else 0.8)
        assert lenet.state.camera.fit == is_fit


def test_several_are_selected_framed_and_focused_on_together(lenet: Walker) -> None:
    for item in (3, 6, 5):
        lenet.state = apply(lenet.state, SelectAlso(item))
    assert (lenet.state.selection, lenet.state.also) == (Thing(3), (6, 5))
    lenet.state = apply(lenet.state, SelectAlso(5))
    lenet.press("I")
    assert shown_layers(lenet) == {2, 3, 4, 5, 6, 7}
    assert "focus: conv2 and 1 more ± 1 link" in hud(lenet.frame)
    lenet.press("Shift F")
    x0, y0, x1, y1 = lenet.state.anchors.free
    for item in (3, 6):
        box = screen_box(lenet.frame, item)
        assert box is not None
        assert box[0] >= x0 - 2
        assert box[1] >= y0 - 2
        assert box[2] <= x1 + 2
        assert box[3] <= y1 + 2
    assert apply(lenet.state, Select(Thing(1))).also == ()
    again = apply(apply(lenet.state, SelectAlso(3)), SelectAlso(6))
    assert (again.selection, again.also) == (None, ())


def test_strands_and_names_of_what_is_away_are_away(lenet: Walker) -> None:
    lenet.state = apply(lenet.state, Select(Thing(3)))
    lenet.press("I")
    frame = lenet.read()
    assert {(frame.tiles[s.source].layer, frame.tiles[s.target].layer) for s in frame.strands} == {(2, 3), (3, 4)}
    names = [m.text for m in frame.marks if isinstance(m, Text)]
    assert "conv2" in names
    assert "fc1" not in names
    assert not any("truth" in name for name in names)
    everything = lenet.picture(replace(lenet.state, reach=0, apart=()))
    assert len(everything.boxes) - len(frame.boxes) >= 2 * 5, "five layers have no post and no foot"


def test_a_pinned_cell_frames_nothing_on_what_is_away(lenet: Walker) -> None:
    lenet.state = apply(lenet.state, Select(Thing(5, 3)))
    lenet.press("I", "Alt Down")
    lenet.read()
    away = [t for t in lenet.frame.tiles if t.scale == 0.0]
    assert away
    boxes = lenet.frame.boxes["centre"].astype(np.float64)
    for plate in away:
        assert not (np.abs(boxes - (plate.x, plate.y, 0.0)).max(1) < 0.5).any()


def test_hide_takes_away_what_stands_nearer_and_brings_it_back(lenet: Walker) -> None:
    lenet.state = apply(lenet.state, Select(Thing(3)))
    nearer = items_nearer(Context(lenet.state, lenet.frame), 3)
    assert nearer == (0, 1, 2)
    lenet.press("H")
    assert shown_layers(lenet) == {3, 4, 5, 6, 7}
    assert "3 nearer hidden" in hud(lenet.frame)
    lenet.press("H")
    assert shown_layers(lenet) == set(range(8))


def test_parting_is_continuous_and_goes_on_from_where_it_is() -> None:
    walker = Walker("lenet-mnist")
    state = apply(apply(walker.state, Select(Thing(3))), SetReach(1))
    last, steps = np.ones(8), 30
    for k in range(3 * steps):
        if k == steps // 3:
            state = apply(state, Select(Thing(5)))
        if k == steps:
            state = apply(state, Hide((6,)))
        if k == 2 * steps:
            state = apply(state, SetReach(0))
        state = apply(state, Advance(APART_SECS / steps))
        now = apart_rows.seen(walker.resident.folds.of(state.fold.after), state)
        now = np.ones(8) if now is None else now
        assert np.abs(now - last).max() <= 2.5 / steps
        last = now
    state = apply(state, Advance(APART_SECS))
    assert state.apart[-1].hidden == (6,)
    assert wanted(state).around == ()


def test_nothing_apart_is_the_picture_as_it_was(lenet: Walker) -> None:
    before = lenet.frame
    state = apply(apply(lenet.state, Select(Thing(3))), SetReach(2, at_once=True))
    state = apply(apply(state, SetReach(0, at_once=True)), Select(None))
    after = lenet.picture(apply(state, Advance(0.0)))
    assert [t.scale for t in after.tiles] == [t.scale for t in before.tiles]
    assert hud(after) == hud(before)


@settings(deadline=None, max_examples=10)
@given(st.lists(st.sampled_from(sorted(t for row in TABLE for t, _, _ in row.key_words())), max_size=10))
def test_any_keys_of_the_table_in_any_order_give_a_picture_and_a_state_that_survives_json(keys: list[str]) -> None:
    walker = Walker("lenet-mnist")
    for key in keys:
        walker.press(key)
        assert jsonable.from_json(ViewState, jsonable.to_json(walker.state)) == walker.state
    assert len(walker.frame.tiles) >= 2


def test_a_parameter_that_was_found_is_flown_to_and_shown_in_the_inspector(lenet: Walker) -> None:
    entries = network_entries(lenet.run, lenet.resident.plan.groups)
    bias = next(e for e in entries if e.kind == "parameter" and e.name.endswith("conv2.bias"))
    acts = taken(Context(lenet.state, lenet.frame, compose=lenet.picture), bias, ())
    assert not isinstance(acts, str)
    for act in acts:
        lenet.take(act)
    assert lenet.state.selection == Thing(3)
    assert lenet.run.parameter_info(lenet.state.panels.tensor).name == bias.name
    assert lenet.state.panels.inspector
