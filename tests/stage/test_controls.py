"""The table of gestures: every row acts, no trigger twice, and what each gesture means."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from nn3d.run.grouping import groups_of
from nn3d.run.groups import Groups
from nn3d.run.memory import LayerSpec, run_from_arrays
from nn3d.run.run import Run
from nn3d.stage import camera as cameras
from nn3d.stage.bookmarks import DIGITS, marked
from nn3d.stage.commands import Command, OpenGroup, Select, apply
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.controls import GROUPS, KEYS, TABLE, Context, SavePicture, answer, markdown, tip
from nn3d.stage.controls.requests import Redo, Request, Undo
from nn3d.stage.framing import framed, layer_at_post
from nn3d.stage.resident import Resident
from nn3d.stage.state import Camera, Fold, Lens, Slide, Thing, ViewState


@pytest.fixture(scope="module")
def context() -> Context:
    rng = np.random.default_rng(3)
    layers = [
        LayerSpec("input", "input"),
        LayerSpec("conv", "conv2d", parameters={"weight": [rng.normal(size=(3, 1, 3, 3)).astype("f4")] * 3},
                  attributes={"padding": [1, 1], "stride": [1, 1]}),
        LayerSpec("fc", "linear", parameters={"weight": [rng.normal(size=(4, 108)).astype("f4")] * 3}),
    ]  # fmt: skip
    values = {
        "input": rng.random((5, 1, 6, 6)).astype("f4"),
        "conv": [rng.random((5, 3, 6, 6)).astype("f4")] * 3,
        "fc": [rng.normal(size=(5, 4)).astype("f4")] * 3,
    }
    run = run_from_arrays(layers, values)
    resident = Resident(run)
    state = initial_state(run, resident, size_px=(1000, 600))
    frame = compose_frame(run, state, resident)
    for need in frame.missing:
        resident.warm(need)  # type: ignore[arg-type]
    frame = replace(compose_frame(run, state, resident), groups=two_in_one(run))
    return Context(replace(state, group_depths=(0,), fold=Fold((0,), (0,))), frame, wrong=(1, 3), marks=(0, 2))


def two_in_one(run: Run) -> Groups:
    """The last two layers as one group."""
    modules = ("", "net.conv", "net.fc")
    return groups_of([replace(k, module=m) for k, m in zip(run.layers, modules, strict=True)], run.graph)


def after(context: Context, trigger: str) -> ViewState:
    state = context.state
    for act in answer(trigger, context):
        assert not isinstance(act, SavePicture)
        state = apply(state, act)
    return state


def lively(context: Context, opened: tuple[int, ...] = ()) -> Context:
    """A context in which every gesture has something to do."""
    state = replace(context.state, selection=Thing(1, 0, 0, 1), sample=2, hover=None, lens=Lens(path=1))
    state = replace(state, slide=Slide(Thing(1, 0), 6, 6, at=1.0, is_playing=False))
    state = replace(state, time=replace(state.time, epoch=1.0, target=1.0))
    state = replace(state, edges=replace(state.edges, level="maps", strength_target=0.5))
    state = replace(state, group_depths=(0,), fold=Fold(opened, opened))
    state = replace(state, bookmarks=tuple(marked(context.state, digit) for digit in DIGITS))
    return replace(context, state=state, at_px=(500.0, 300.0), delta_px=(12.0, 7.0), wheel=1.0, thing=Thing(1, 0, 0, 0))


def test_no_trigger_stands_in_two_rows() -> None:
    counts = Counter(trigger for row in TABLE for trigger in row.handlers)
    assert max(counts.values()) == 1
    assert set(counts) == KEYS


@pytest.mark.parametrize("trigger", sorted(KEYS))
def test_every_trigger_acts_and_changes_the_view(context: Context, trigger: str) -> None:
    given = lively(context, () if trigger == "U" else (0,))
    others = {"Alt Down": Thing(1), "H": Thing(2), "Alt Shift Up": Thing(1, 0, 2, 1)}
    chosen = others.get(trigger, given.state.selection)
    given = replace(given, state=replace(given.state, selection=chosen))
    acts = answer(trigger, given)
    assert acts
    asked = {"P": SavePicture(), "Ctrl Z": Undo(), "Ctrl Shift Z": Redo(), "Ctrl Y": Redo()}.get(trigger)
    if asked is not None:
        assert acts == (asked,)
        return
    commands = [act for act in acts if not isinstance(act, Request)]
    changed = given.state
    for act in commands:
        assert isinstance(act, Command)
        changed = apply(changed, act)
    assert changed != given.state or not commands


def test_unknown_triggers_do_nothing(context: Context) -> None:
    assert answer("Ctrl Alt Q", context) == ()


def test_every_row_has_words_keys_and_a_known_group() -> None:
    assert all(row.words and row.caps and row.handlers and row.group in GROUPS for row in TABLE)
    assert len({row.words for row in TABLE}) == len(TABLE)


def test_guide_and_tooltips_come_from_the_table() -> None:
    text = markdown()
    assert all(row.words in text for row in TABLE)
    assert tip("play or pause") == "Play or pause  (Space)"
    with pytest.raises(KeyError):
        tip("make coffee")


def test_drag_turns_against_the_pointer_and_keeps_the_target(context: Context) -> None:
    before = cameras.resolve(context.frame)
    turned = after(replace(context, delta_px=(100.0, 0.0)), "drag left").camera
    assert turned.yaw_rad == pytest.approx(before.yaw_rad - math.radians(28.0))
    assert turned.target == before.target


def test_right_drag_moves_what_is_under_the_pointer_with_it(context: Context) -> None:
    before = cameras.resolve(context.frame)
    moved = after(replace(context, delta_px=(40.0, 25.0)), "drag right").camera
    view = cameras.view_of(moved, context.state.size_px)
    at = view.project(np.array([before.target]), context.state.size_px)[0]
    was = cameras.view_of(before, context.state.size_px).project(np.array([before.target]), context.state.size_px)[0]
    assert at - was == pytest.approx((40.0, 25.0), abs=0.5)


def test_wheel_keeps_the_point_under_the_pointer(context: Context) -> None:
    size = context.state.size_px
    before = cameras.resolve(context.frame)
    nearer = after(replace(context, at_px=(700.0, 200.0), wheel=2.0), "wheel").camera
    assert nearer.distance < before.distance
    unit = cameras.view_of(before, size).px_per_unit * before.distance
    view = cameras.view_of(before, size)
    point = np.array(before.target) + view.right_world * 200.0 * unit + view.up_world * 100.0 * unit
    assert cameras.view_of(nearer, size).project(point, size)[0] == pytest.approx((700.0, 200.0), abs=0.5)


def test_gestures_add_up_though_the_frame_is_old(context: Context) -> None:
    once = replace(context, delta_px=(30.0, 0.0))
    state = after(once, "drag left")
    twice = after(replace(once, state=state), "drag left")
    assert twice.camera.yaw_rad == pytest.approx(cameras.resolve(context.frame).yaw_rad - math.radians(2 * 8.4))


def test_double_click_opens_and_collapses_a_layer_and_flies_to_a_map(context: Context) -> None:
    label = replace(context, thing=Thing(1))
    closed = after(label, "double click")
    assert not closed.layers[1].is_open
    block = replace(context, state=closed, thing=Thing(1, 2))
    assert after(block, "double click").layers[1].is_open
    flown = after(replace(context, thing=Thing(1, 2)), "double click")
    assert flown.layers == context.state.layers
    assert flown.flight is not None
    assert not flown.camera.fit


def test_arrangement_is_of_the_selected_layer_else_of_all(context: Context) -> None:
    everything = after(context, "L")
    assert {v.arrangement for v in everything.layers} == {"line"}
    one = after(replace(context, state=replace(context.state, selection=Thing(2))), "O")
    assert [v.arrangement for v in one.layers] == ["grid", "grid", "circle"]


def test_next_wrong_sample_goes_round(context: Context) -> None:
    first = after(context, "N")
    assert first.sample == 1
    second = after(replace(context, state=first), "N")
    assert second.sample == 3
    assert after(replace(context, state=second), "N").sample == 1
    assert answer("N", replace(context, wrong=())) == ()


def test_escape_closes_help_then_picture_only_then_lets_go(context: Context) -> None:
    state = replace(context.state, selection=Thing(1))
    state = replace(state, panels=replace(state.panels, help=True, picture_only=True))
    for expected in ((False, True, True), (False, False, True), (False, False, False)):
        state = after(replace(context, state=state), "Esc")
        assert (state.panels.help, state.panels.picture_only, state.selection is not None) == expected


def test_level_and_strength_stop_at_their_ends(context: Context) -> None:
    state = context.state
    for _ in range(12):
        state = after(replace(context, state=state), "[")
        state = after(replace(context, state=state), "-")
    assert (state.edges.level, state.edges.strength_target) == ("trunk", 0.0)


def test_framed_tile_stands_in_the_middle_of_the_free_rectangle(context: Context) -> None:
    camera = framed(context.frame, Thing(1, 1))
    assert isinstance(camera, Camera)
    x0, y0, x1, y1 = context.state.anchors.free
    plate = context.frame.tiles[1]
    centre = np.array([[plate.x, plate.y + float(plate.table[1]["grid"][0]), float(plate.table[1]["grid"][1])]])
    at = cameras.view_of(camera, context.state.size_px).project(centre, context.state.size_px)[0]
    assert at == pytest.approx(((x0 + x1) / 2, (y0 + y1) / 2), abs=12.0)


def test_post_and_label_belong_to_their_layer(context: Context) -> None:
    frame = context.frame
    foot = np.array([[frame.tiles[2].x, frame.floor_y, 0.0]])
    x, y = frame.view.project(foot, context.state.size_px)[0]
    assert layer_at_post(frame, x + 10, y + 25) == Thing(2)
    assert layer_at_post(frame, x + 2, y - 3) == Thing(2)
    assert layer_at_post(frame, 5.0, 5.0) is None


def test_double_click_opens_what_is_folded_and_closes_the_group_of_a_bracket(context: Context) -> None:
    folded = replace(context, state=replace(context.state, group_depths=(0,), fold=Fold()), thing=Thing(1, 0))
    assert answer("double click", folded) == (OpenGroup(0, True),)
    opened = replace(folded, state=replace(folded.state, fold=Fold((0,), (0,))))
    assert answer("double click", replace(opened, thing=Thing(3))) == (OpenGroup(0, False),)
    assert not any(isinstance(act, OpenGroup) for act in answer("double click", opened))


def test_fold_closes_the_group_around_the_selection_and_selects_it(context: Context) -> None:
    state = replace(context.state, group_depths=(0,), fold=Fold((0,), (0,)), selection=Thing(2))
    assert answer("Shift U", replace(context, state=state)) == (OpenGroup(0, False), Select(Thing(3)))
