"""Laws of the picture of a comparison: what is drawn is B − A, and what has no partner is drawn empty and named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nn3d.run.model import Sample
from nn3d.run.run import Run
from nn3d.stage import viewstring
from nn3d.stage.commands import (
    Advance,
    Hover,
    Select,
    SetCompare,
    SetEpoch,
    SetLevel,
    SetMode,
    SetSample,
    SetSelection,
    SetSides,
    apply,
)
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.controls import comparing
from nn3d.stage.controls.common import Context
from nn3d.stage.dump import dump_arrays
from nn3d.stage.frame import Frame, Text
from nn3d.stage.resident import Resident
from nn3d.stage.state import Compare, Thing, ViewState
from tests.runs import bundled, mlp_run


@pytest.fixture(scope="module")
def lenet() -> tuple[Run, Resident]:
    run = bundled()
    return run, Resident(run)


def state_of(run: Run, resident: Resident, against: SetCompare, *more: object) -> ViewState:
    state = initial_state(run, resident)
    for command in (against, *more):
        state = apply(state, command)  # type: ignore[arg-type]
    return state


def words(frame: Frame) -> str:
    return " | ".join(m.text for m in frame.marks if isinstance(m, Text))


def probabilities(run: Run, epoch: int, sample: int) -> np.ndarray:
    layer = run.layers[-1]
    v = np.asarray(run.values(layer.shown, layer.shown_output, epoch, sample), np.float64)
    e = np.exp(v - v.max())
    return np.asarray(e / e.sum())


def test_every_cell_is_the_value_at_the_playhead_minus_that_of_the_other_epoch(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    state = state_of(run, resident, SetCompare(2), SetEpoch(7.0, at_once=True), SetSample(3))
    frame = compose(run, state, resident=resident)
    for tile in frame.tiles:
        layer = run.layers[tile.layer]
        assert tile.values is not None
        seven, two = (np.asarray(run.values(layer.shown, layer.shown_output, e, 3), np.float32) for e in (7, 2))
        expected = seven if layer.op == "input" else seven - two
        assert np.array_equal(tile.values[0].cells.ravel(), expected.ravel())
        assert tile.lut == ("grey" if layer.op == "input" else "div")


def test_between_two_epochs_both_ends_are_differences(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    frame = compose(run, state_of(run, resident, SetCompare(0), SetEpoch(4.5, at_once=True)), resident=resident)
    tile = frame.tiles[1]
    layer = run.layers[tile.layer]
    values = [np.asarray(run.values(layer.shown, 0, e, 0), np.float32) for e in (4, 5, 0)]
    assert tile.values is not None
    assert frame.epoch_mix == 0.5
    assert np.array_equal(tile.values[0].cells.ravel(), (values[0] - values[2]).ravel())
    assert np.array_equal(tile.values[1].cells.ravel(), (values[1] - values[2]).ravel())


def test_a_strand_by_weight_is_the_change_of_its_weight(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    state = state_of(run, resident, SetCompare(1), SetMode("weight"), SetSelection("top"))
    dump = dump_arrays(run, compose(run, state, resident=resident))
    checked = 0
    for name in set(dump["params"]):
        at = (dump["params"][dump["edge_param"]] == name) & (dump["edge_weight_index"] >= 0)
        b, a = (np.asarray(run.weights(str(name), e), np.float32).ravel() for e in (10, 1))
        index = dump["edge_weight_index"][at]
        assert np.allclose(dump["edge_weight"][at], (b - a)[index], atol=1e-7)
        checked += int(at.sum())
    assert checked > 1000


def test_the_signs_of_a_rope_are_sums_of_changed_contributions() -> None:
    run = mlp_run((40, 30, 20))
    resident = Resident(run)
    state = state_of(run, resident, SetCompare(0), SetMode("contribution"), SetLevel("trunk", at_once=True))
    frame = compose(run, state, resident=resident)
    x = np.asarray(run.values(run.layers[0].shown, 0, 1, 0), np.float32)
    parameter = run.layers[1].weight
    assert parameter is not None
    b, a = (np.asarray(run.parameter(parameter, e), np.float32) * x for e in (1, 0))
    d = b - a
    strands = next(s for s in frame.strands if frame.tiles[s.target].layer == 1)
    up = float(strands.strands["area"][0, 0])
    assert up == pytest.approx(d[d > 0].sum() / np.abs(d).sum(), rel=1e-4)


def test_bars_are_the_change_of_the_shares_in_points(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    frame = compose(run, state_of(run, resident, SetCompare(1)), resident=resident)
    after, before = probabilities(run, 10, 0), probabilities(run, 1, 0)
    change = after - before
    best = int(np.abs(change).argmax())
    said = f"{100 * change[best]:+.1f}".replace("-", "−")
    assert said in words(frame)
    verdict = f"{run.classes[int(before.argmax())]} → {run.classes[int(after.argmax())]}"
    assert f"predicted {verdict}, truth" in words(frame)
    assert "epoch 10 − epoch 1" in words(frame)


def test_nothing_has_changed_since_itself(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    frame = compose(run, state_of(run, resident, SetCompare(10)), resident=resident)
    assert all(t.values is not None and not t.values[0].cells.any() for t in frame.tiles[1:])
    assert not any(s.counts[0] for s in frame.strands if s.colour == "sign")


def test_comparing_and_back_is_the_same_picture(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    plain = initial_state(run, resident)
    back = apply(apply(plain, SetCompare(3)), SetCompare(None))
    a, b = (compose(run, s, resident=resident) for s in (plain, back))
    assert [t.values and t.values[0].key for t in a.tiles] == [t.values and t.values[0].key for t in b.tiles]
    assert words(a) == words(b)


def test_two_runs_are_compared_layer_by_layer_and_what_has_no_partner_is_empty_and_named() -> None:
    run, other = mlp_run((5, 7, 6, 4), seed=1), mlp_run((5, 7, 4), seed=1)
    run.other = other
    resident = Resident(run)
    frame = compose(run, state_of(run, resident, SetCompare(0, is_other=True)), resident=resident)
    by_name = {run.layers[t.layer].name: t for t in frame.tiles}
    found = by_name["fc0"].values
    assert found is not None
    index = next(la.index for la in run.layers if la.name == "fc0")
    b, a = (np.asarray(r.values(r.layers[index].shown, 0, e, 0)) for r, e in ((run, 1), (other, 0)))
    assert np.array_equal(found[0].cells.ravel(), (b - a).ravel())
    assert by_name["fc1"].values is None
    assert by_name["fc2"].values is None
    assert by_name["input"].values is not None
    assert "without partner in A, shown empty: fc1, fc2" in words(frame)


def test_a_sample_that_the_other_run_lacks_is_shown_empty() -> None:
    run, other = mlp_run(seed=1), mlp_run(seed=1)
    header = replace(other.header, samples=(Sample("only one"),))
    run.other = Run(other.store, header)
    resident = Resident(run)
    state = state_of(run, resident, SetCompare(0, is_other=True), SetSample(1))
    frame = compose(run, state, resident=resident)
    assert all(t.values is None for t in frame.tiles if run.layers[t.layer].op != "input")


def test_without_the_other_run_values_are_shown_as_they_are_and_that_is_said(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    frame = compose(run, state_of(run, resident, SetCompare(0, is_other=True)), resident=resident)
    plain = compose(run, initial_state(run, resident), resident=resident)
    assert [t.values and t.values[0].key for t in frame.tiles] == [t.values and t.values[0].key for t in plain.tiles]
    assert "the other run of this comparison was not given" in words(frame)


def test_a_comparison_is_part_of_the_view_string(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    state = state_of(run, resident, SetCompare(4))
    again = viewstring.from_text(viewstring.to_text(state))
    assert again.compare == Compare(4)
    assert again == state


def test_one_key_compares_and_shows_values_again_with_what_was_compared_last(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    state = initial_state(run, resident)
    frame = compose(run, state, resident=resident)
    (on,) = comparing.toggle(Context(state, frame))
    assert on == SetCompare(0)
    state = apply(apply(state, SetCompare(6)), SetCompare(None))
    assert comparing.toggle(Context(state, frame)) == (SetCompare(6),)
    assert comparing.toggle(Context(apply(state, SetCompare(6)), frame)) == (SetCompare(None),)
    assert comparing.from_here(Context(state, frame)) == (SetCompare(10),)


def test_both_sides_stand_above_their_difference_as_they_are(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    state = state_of(run, resident, SetCompare(2), SetSides(True), SetSample(3))
    frame = compose(run, state, resident=resident)
    alone = compose(run, replace(state, compare_sides=False), resident=resident)
    assert not alone.insets
    assert frame.state == state
    for inset, epoch in zip(frame.insets, (2, 10), strict=True):
        plain = replace(initial_state(run, resident), sample=3)
        plain = apply(plain, SetEpoch(float(epoch), at_once=True))
        expected = compose(run, plain, resident=resident)
        for a, b in zip(inset.frame.tiles, expected.tiles, strict=True):
            assert a.values is not None
            assert b.values is not None
            assert a.values[0].key == b.values[0].key
            assert a.gain == b.gain
        assert inset.frame.state.camera == state.camera
    said = [" ".join(m.text for m in i.frame.marks if isinstance(m, Text)) for i in frame.insets]
    for text, letter, epoch in zip(said, "AB", (2, 10), strict=True):
        best = int(probabilities(run, epoch, 3).argmax())
        assert text.startswith(f"{letter} epoch {epoch}")
        assert f"{run.classes[best]} · " in text


def test_the_difference_has_the_room_that_both_sides_leave(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    state = state_of(run, resident, SetCompare(2), SetSides(True))
    frame = compose(run, state, resident=resident)
    lowest = max(i.y + i.frame.state.size_px[1] for i in frame.insets)
    for tile in frame.tiles:
        corner = np.array([[tile.x, tile.y + tile.block_half[0], 0.0]])
        assert frame.view.project(corner, state.size_px)[0, 1] > lowest


def test_a_small_picture_has_no_room_for_sides_and_shows_the_difference(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    state = initial_state(run, resident, size_px=(300, 240))
    for command in (SetCompare(2), SetSides(True)):
        state = apply(state, command)
    assert not compose(run, state, resident=resident).insets


def test_the_other_run_stands_beside_as_it_is() -> None:
    run, other = mlp_run((5, 7, 6, 4), seed=1), mlp_run((5, 7, 4), seed=2)
    run.other = other
    resident = Resident(run)
    frame = compose(run, state_of(run, resident, SetCompare(0, is_other=True), SetSides(True)), resident=resident)
    first = frame.insets[0].frame
    assert [other.layers[t.layer].name for t in first.tiles] == [la.name for la in other.layers]
    for tile in first.tiles:
        layer = other.layers[tile.layer]
        assert tile.values is not None
        assert np.array_equal(tile.values[0].cells.ravel(), other.values(layer.shown, 0, 0, 0).ravel())


def test_the_card_of_a_layer_tells_of_its_change_and_that_of_a_cell_of_b(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    state = state_of(run, resident, SetCompare(2))
    layer = compose(run, apply(state, Select(Thing(3))), resident=resident)
    assert "change of values " in words(layer)
    assert "silent" not in words(layer)
    cell = compose(run, apply(apply(state, Select(Thing(3, 1, 4, 4))), Advance(1.0)), resident=resident)
    assert "cell (4, 4), in B" in words(cell)


def test_the_card_of_a_layer_without_a_partner_says_why() -> None:
    run, other = mlp_run((5, 7, 6, 4), seed=1), mlp_run((5, 7, 4), seed=1)
    run.other = other
    resident = Resident(run)
    index = next(la.index for la in run.layers if la.name == "fc1")
    state = state_of(run, resident, SetCompare(0, is_other=True), Select(Thing(index)))
    assert "not compared, no partner in A: shape 6 against 4" in words(compose(run, state, resident=resident))


def test_what_stands_out_does_so_on_both_sides(lenet: tuple[Run, Resident]) -> None:
    run, resident = lenet
    state = state_of(run, resident, SetCompare(2), SetSides(True))
    state = apply(apply(state, Hover(Thing(3, 1))), Advance(1.0))
    for inset in compose(run, state, resident=resident).insets:
        bright = {t.layer: t.bright for t in inset.frame.tiles}
        assert bright[3] == 1.0 or inset.frame.tiles[3].lit is not None
        assert bright[6] < 1.0
