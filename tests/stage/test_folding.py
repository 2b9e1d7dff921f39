"""Laws of folding: what is drawn is the quotient of the graph, and opening happens in place, there and back."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn3d.analysis.contribution import trunk_sums
from nn3d.errors import Nn3dError
from nn3d.extract.trace import capture
from nn3d.run.memory import LayerSpec, run_from_arrays
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage import jsonable
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.dump import dump_arrays
from nn3d.stage.first_view import MOST_ROWS, first_open
from nn3d.stage.folding import brief, group_row, words
from nn3d.stage.folds import of_run, toward
from nn3d.stage.frame import Frame, Text
from nn3d.stage.reference import half_thickness
from nn3d.stage.resident import Resident
from nn3d.stage.state import FoldEnd, Thing, ViewState
from nn3d.stage.unfolding import shown
from tests.networks import SMALL

NAMES = ("resnet", "densenet", "vit", "googlenet", "unet")


@cache
def case(name: str) -> tuple[Run, Resident, ViewState]:
    run = capture(*SMALL[name]())
    resident = Resident(run)
    state = c.apply(initial_state(run, resident), c.Resize((640, 360)))
    return run, resident, c.apply(state, c.SetSelection("off"))


def some_groups(state: ViewState, seed: int) -> tuple[int, ...]:
    rng = random.Random(seed)
    return tuple(g for g in range(len(state.group_depths)) if rng.random() < 0.6)


def moved(state: ViewState, *commands: c.Command) -> ViewState:
    for command in commands:
        state = c.apply(state, command)
    return state


CASES = st.tuples(st.sampled_from(NAMES), st.integers(0, 1000))


@settings(max_examples=20, deadline=None)
@given(CASES)
def test_links_between_what_is_visible_are_the_quotient_of_the_graph(at: tuple[str, int]) -> None:
    run, resident, state = case(at[0])
    folded = resident.folds.of(some_groups(state, at[1]))
    groups = resident.plan.groups
    row = [folded.row_of[groups.shown_as(i, folded.opened)] for i in range(len(run.layers))]
    assert len(row) == len(run.layers)
    wanted = {(row[k.source], row[k.target]) for k in resident.plan.links if row[k.source] != row[k.target]}
    assert {(k.source, k.target) for k in folded.plan.links} == wanted
    assert all(s < t for s, t in wanted), "rows are in the order of the graph"
    under = [n for k in folded.plan.links for n in k.under]
    assert len(under) == len(set(under))


@settings(max_examples=20, deadline=None)
@given(CASES, st.floats(0.0, 1.0))
def test_nothing_overlaps_whatever_is_open(at: tuple[str, int], half: float) -> None:
    _, resident, state = case(at[0])
    state = moved(state, c.FoldAll(at_once=True), c.UnfoldAll()) if at[1] % 5 == 0 else state
    state = replace(state, fold=replace(state.fold, before=(), after=some_groups(state, at[1]), progress=1.0))
    found = shown(resident.folds, state)
    s, depth = found.stage, np.array([p.depth for p in found.plan.layers]) + 0.1
    apart = np.abs(s.x[:, None] - s.x) >= depth[:, None] + depth - 1e-9
    apart |= np.abs(s.y[:, None] - s.y) >= (s.height[:, None] + s.height) / 2 - 1e-9
    assert (apart | np.eye(len(s.x), dtype=bool)).all()
    assert all(s.x[k.target] > s.x[k.source] for k in found.plan.links), "what is visible keeps its order on the axis"


def places(frame: Frame) -> dict[int, np.ndarray]:
    return {
        t.layer: np.array([t.x, t.y, *t.block_half, float(half_thickness(t, 0.0)), t.scale]) for t in frame.tiles
    }


@pytest.mark.parametrize("name", NAMES)
def test_opening_begins_as_the_closed_picture_and_ends_as_the_open_one(name: str) -> None:
    run, resident, state = case(name)
    closed, opened = moved(state, c.FoldAll(at_once=True)), moved(state, c.UnfoldAll(at_once=True))
    begin = moved(closed, c.UnfoldAll())
    assert begin.fold.progress == 0.0
    before, first = places(compose(run, closed, resident=resident)), places(compose(run, begin, resident=resident))
    for item, place in before.items():
        group = resident.plan.groups.of_item(item)
        np.testing.assert_allclose(first[item if group is None else group.last], place, atol=1e-9)
    visible = {item for item, place in first.items() if place[-1] > 0.0}
    assert len(visible) == len(before), "all else is hidden in the middle of its block"
    end = replace(begin, fold=replace(begin.fold, progress=1.0))
    last, goal = places(compose(run, end, resident=resident)), places(compose(run, opened, resident=resident))
    assert last.keys() == goal.keys()
    for item in goal:
        np.testing.assert_allclose(last[item], goal[item], atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_turning_round_half_way_stays_where_it_is(name: str) -> None:
    run, resident, state = case(name)
    half = moved(state, c.FoldAll(at_once=True), c.UnfoldAll(), c.Advance(0.3))
    back = moved(half, c.FoldAll())
    assert back.fold.progress == pytest.approx(1.0 - half.fold.progress)
    a, b = (places(compose(run, s, resident=resident)) for s in (half, back))
    assert a.keys() == b.keys()
    for item in a:
        np.testing.assert_allclose(a[item], b[item], atol=1e-9)
    home = moved(back, c.Advance(5.0))
    assert home.fold == moved(state, c.FoldAll(at_once=True)).fold
    assert not c.is_moving(home)


def test_motion_has_no_jumps() -> None:
    run, resident, state = case("resnet")
    state = moved(state, c.FoldAll(at_once=True), c.UnfoldAll())
    steps = [places(compose(run, moved(state, c.Advance(0.65 * k / 40)), resident=resident)) for k in range(40)]
    extent = max(p[0] for p in steps[-1].values())
    for a, b in pairwise(steps):
        assert max(np.abs(a[i][:4] - b[i][:4]).max() for i in a) < 0.06 * extent


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("interrupted", [0.2, 0.7])
def test_another_choice_of_groups_half_way_goes_on_from_where_everything_stands(name: str, interrupted: float) -> None:
    run, resident, state = case(name)
    way = moved(state, c.FoldAll(at_once=True), c.UnfoldAll(), c.Advance(0.65 * interrupted))
    other = some_groups(state, 5)
    for last in (other, some_groups(state, 6)):
        asked = toward(way, last)
        a, b = (places(compose(run, s, resident=resident)) for s in (way, asked))
        for item, place in a.items():
            group = None if item in b else resident.plan.groups.of_item(item)
            np.testing.assert_allclose(place, b[item if group is None else group.last], atol=1e-6)
        seen = [sum(place[-1] > 1e-6 for place in p.values()) for p in (a, b)]
        assert seen[0] == seen[1], "nothing appears out of nowhere"
        way = moved(asked, c.Advance(0.2))
    home = moved(way, c.Advance(5.0))
    assert (home.fold.after, home.fold.start) == (tuple(sorted(last)), ())
    assert not c.is_moving(home)


@pytest.mark.parametrize("name", ["resnet", "googlenet"])
def test_no_plate_jumps_when_groups_open_and_close_one_after_the_other(name: str) -> None:
    run, resident, state = case(name)
    state = moved(state, c.FoldAll(at_once=True))
    n = len(state.group_depths)
    acts = {0: c.OpenGroup(0, True), 7: c.OpenGroup(n - 1, True), 12: c.OpenGroup(0, False), 18: c.OpenGroup(0, True)}
    steps = []
    for k in range(48):
        state = moved(state, *([acts[k]] if k in acts else []), c.Advance(0.65 / 30))
        steps.append(places(compose(run, state, resident=resident)))
    reach = max(p[0] for step in steps for p in step.values()) - min(p[0] for step in steps for p in step.values())
    for a, b in pairwise(steps):
        assert max(np.abs(a[i][:4] - b[i][:4]).max() for i in a.keys() & b.keys()) < 0.08 * reach


def test_a_way_that_began_in_the_midst_of_another_goes_through_json_and_nonsense_begins_at_rest() -> None:
    state = moved(case("resnet")[2], c.FoldAll(at_once=True), c.UnfoldAll(), c.Advance(0.3), c.OpenGroup(0, False))
    assert len(state.fold.start) == 2
    assert sum(end.share for end in state.fold.start) == pytest.approx(1.0)
    assert jsonable.from_json(ViewState, jsonable.to_json(state)) == state
    wrong = replace(state, fold=replace(state.fold, start=(FoldEnd((99,), 5.0),)))
    assert of_run(wrong, case("resnet")[1].plan.groups).fold.start == ()


def test_a_rope_into_a_group_sums_the_signs_of_the_links_under_it() -> None:
    run, resident, state = case("googlenet")
    state = moved(state, c.FoldAll(at_once=True), c.SetSelection("sampled"))
    plan = resident.folds.of(()).plan
    link = next(k for k in plan.links if len(k.under) > 2 and k.weighted is not None)
    frame = compose(run, state, resident=resident)
    rope = next(s for s in frame.strands if (s.source, s.target) == (link.source, link.target) and s.colour == "sign")
    sums = np.zeros(2)
    for n in link.under:
        weighted = resident.plan.links[n].weighted
        assert weighted is not None
        sums += trunk_sums(run, weighted, 0, 0)
    up = rope.strands["area"][rope.strands["amount"][:, 0] > 0, 0]
    assert up[0] == pytest.approx(sums[0] / sums.sum(), rel=1e-5)


def said(frame: Frame) -> str:
    return " ".join(m.text for m in frame.marks if isinstance(m, Text))


def test_what_stands_inside_closed_groups_is_counted_and_named() -> None:
    run, resident, state = case("densenet")
    state = moved(state, c.Resize((1600, 900)))
    frame = compose(run, moved(state, c.FoldAll(at_once=True)), resident=resident)
    closed = [t.layer for t in frame.tiles if t.layer >= len(run.layers)]
    hidden = sum(len(resident.plan.groups.all[i - len(run.layers)].layers) for i in closed)
    own = len(run.layers) - hidden
    assert f"{len(run.layers)} layers: {own} shown, {hidden} in {len(closed)} closed groups" in said(frame)
    assert "× 3" in said(frame)
    assert "3 DenseLayer" in said(frame)
    opened = compose(run, moved(state, c.UnfoldAll(at_once=True)), resident=resident)
    assert "closed group" not in said(opened)
    assert len(opened.tiles) == len(run.layers)


def test_a_deck_has_a_slab_for_each_repeat_with_its_own_values() -> None:
    run, resident, state = case("vit")
    frame = compose(run, moved(state, c.FoldAll(at_once=True)), resident=resident)
    blocks = next(g for g in resident.plan.groups.all if g.name == "blocks")
    parts = resident.plan.groups.parts(blocks.index)
    slabs = [t for t in frame.tiles if t.layer in parts]
    assert [t.layer for t in slabs] == list(parts)
    keys = {t.values[0].key for t in slabs if t.values is not None}
    assert len(keys) == len(parts) == blocks.count


def test_the_first_view_keeps_repeats_folded_and_is_not_crowded() -> None:
    for name in NAMES:
        run, resident, _ = case(name)
        opened = first_open(resident.folds, (1600, 900))
        folded = resident.folds.of(opened)
        groups = resident.plan.groups
        if len(opened) < len(groups.all):
            assert len(folded.items) <= MOST_ROWS
            closed = [g for i in folded.items if (g := groups.of_item(i)) is not None]
            assert closed
        assert folded.items[folded.plan.output] == resident.plan.output, "the output is seen"
        assert len(run.layers) > 16 or len(opened) == len(groups.all)


def test_a_thousand_layers_open_as_their_outermost_groups() -> None:
    layers: list[LayerSpec] = [LayerSpec("input", "input")]
    one = np.ones((2, 2), np.float32)
    for k in range(1000):
        name = f"stage{k // 100}.block{k % 100 // 4}.fc{k % 4}"
        layers.append(LayerSpec(name, "linear", parameters={"weight": one}, module=name))
    run = run_from_arrays(layers, {k.name: one for k in layers})
    resident = Resident(run)
    started = time.process_time()
    state = initial_state(run, resident)
    frame = compose(run, state, resident=resident)
    assert time.process_time() - started < 5.0
    names = [resident.plan.groups.all[t.layer - 1001].name for t in frame.tiles if t.layer >= 1001]
    assert {f"stage{k}" for k in range(1, 10)} <= set(names)
    assert len(frame.tiles) <= MOST_ROWS
    assert len(compose(run, moved(state, c.UnfoldAll(at_once=True)), resident=resident).tiles) == 1001


def test_ropes_between_what_stays_are_the_same_while_groups_open() -> None:
    run, resident, state = case("resnet")
    state = moved(state, c.SetSelection("sampled"), c.SetLevel("trunk", at_once=True))

    def ropes(state: ViewState) -> dict[tuple[int, int], object]:
        frame = compose(run, state, resident=resident)
        return {(frame.tiles[s.source].layer, frame.tiles[s.target].layer): s.shape_key for s in frame.strands}

    closed, opened = (ropes(moved(state, command)) for command in (c.FoldAll(at_once=True), c.UnfoldAll(at_once=True)))
    both = closed.keys() & opened.keys()
    assert both
    assert all(closed[k] == opened[k] for k in both)


def test_a_dump_names_closed_groups_after_the_layers() -> None:
    run, resident, state = case("resnet")
    arrays = dump_arrays(run, compose(run, moved(state, c.FoldAll(at_once=True)), resident=resident))
    names = arrays["layers"][np.unique(arrays["tile_layer"])].tolist()
    assert {"layer1", "layer2"} <= set(names)
    opened = dump_arrays(run, compose(run, moved(state, c.UnfoldAll(at_once=True)), resident=resident))
    assert opened["layers"].tolist() == [k.name for k in run.layers]


def test_hidden_selections_are_those_of_the_block_around_them() -> None:
    run, resident, state = case("resnet")
    hidden = len(run.layers) - 4
    state = moved(state, c.FoldAll(at_once=True), c.Select(Thing(hidden, 0)))
    rows = resident.folds.of(()).rows_state(state)
    assert rows.selection is not None
    assert rows.selection.tile == -1
    block = resident.plan.groups.of_item(resident.folds.of(()).items[rows.selection.layer])
    assert block is not None
    assert hidden in block.layers
    compose(run, state, resident=resident)


def test_fold_commands_and_states_go_through_json() -> None:
    _, _, state = case("resnet")
    for command in (c.OpenGroup(0, True), c.OpenLevel(1, at_once=True), c.UnfoldAll(), c.FoldAll(at_once=True)):
        assert c.from_json(c.to_json(command)) == command
    half = moved(state, c.OpenGroup(state.fold.after[0], False), c.Advance(0.1))
    assert half != state
    assert jsonable.from_json(ViewState, jsonable.to_json(half)) == half


def test_a_group_that_is_not_there_is_one_clear_line() -> None:
    _, _, state = case("resnet")
    with pytest.raises(Nn3dError, match="group should be 0 to"):
        c.apply(state, c.OpenGroup(99, True))
    with pytest.raises(Nn3dError, match="no groups"):
        c.apply(replace(state, group_depths=()), c.OpenGroup(0, True))


@pytest.mark.parametrize("name", NAMES)
def test_a_group_that_no_module_holds_says_that_it_is_inferred_and_no_other_does(name: str) -> None:
    plan = case(name)[1].plan
    groups = plan.groups
    for group in groups.all:
        for said in (brief(group), words(group), group_row(plan, groups.n_layers + group.index).layer.kind):
            assert said.endswith("inferred") == (not group.path)
