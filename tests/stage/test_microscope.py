"""Laws of the microscope: which cells are framed, where frames stand, what keeps its light, what the card says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn3d.cli.pointing import thing_of
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Cells, Frame, Rect, Text, TileLayer
from nn3d.stage.microscope import Patch, cell_of, patches, spot_of, thing_at
from nn3d.stage.microscope_frames import _rects
from nn3d.stage.reference import cell_under, half_thickness, opened
from nn3d.stage.resident import Resident
from nn3d.stage.state import Camera, Thing, ViewState
from nn3d.stage.type import text_width
from tests.runs import bundled, conv_run

RESIDENT = Resident(bundled())
FIRST = initial_state(bundled(), RESIDENT)
CONV2 = bundled().layer("conv2").index
CELL = Thing(CONV2, 11, 8, 4)


def after(*commands: c.Command, state: ViewState = FIRST) -> ViewState:
    for command in commands:
        state = c.apply(state, command)
    return state


def frame_of(state: ViewState) -> Frame:
    return compose(bundled(), state, resident=RESIDENT)


def found_patches(run: Run, resident: Resident, state: ViewState, thing: Thing, depth: int) -> tuple[Patch, ...]:
    folded = resident.folds.of(state.fold.after)
    spot = spot_of(folded, Thing(folded.stands[thing.layer], thing.tile, thing.row, thing.col))
    assert spot is not None
    field = resident.field(spot.layer, run.layers[spot.layer].shown, spot.cell, depth)
    return patches(run, folded, spot, field, depth)


@pytest.mark.parametrize("name", sorted(bundled_runs()))
def test_a_thing_and_its_cell_name_each_other(name: str, rng: np.random.Generator) -> None:
    run = open_run(bundled_runs()[name])
    plan = Resident(run).plan
    for row, layer in enumerate(plan.layers):
        n, (rows, cols) = layer.tiles.n, layer.tiles.cells
        for _ in range(5):
            thing = Thing(row, int(rng.integers(n)), int(rng.integers(rows)), int(rng.integers(cols)))
            cell = cell_of(layer, thing)
            if cell is not None:
                assert thing_at(layer, row, cell) == thing
            else:
                assert layer.input is not None
                assert layer.tiles.n < layer.layer.shape[0]


@settings(max_examples=25, deadline=None)
@given(
    kernel=st.integers(1, 3), padding=st.integers(0, 2), stride=st.integers(1, 3), dilation=st.integers(1, 2),
    groups=st.sampled_from([1, 2]), data=st.data(),
)  # fmt: skip
def test_the_patch_of_a_convolution_is_what_its_kernel_meets(
    kernel: int, padding: int, stride: int, dilation: int, groups: int, data: st.DataObject
) -> None:
    run = conv_run(
        channels=(4, 4), size=9, kernel=kernel, padding=padding, stride=stride, dilation=dilation, groups=groups
    )  # fmt: skip
    resident = Resident(run)
    _, rows, cols = run.layers[1].shape
    thing = Thing(1, *(data.draw(st.integers(0, n - 1)) for n in (4, rows, cols)))
    found = found_patches(run, resident, initial_state(run, resident), thing, 4)
    met = [[at * stride - padding + k * dilation for k in range(kernel)] for at in (thing.row, thing.col)]
    inside = [[m for m in axis if 0 <= m < 9] for axis in met]
    if not all(inside):  # the kernel lies on the padding alone
        assert found == ()
        return
    (patch,) = found
    assert patch.rect == (inside[0][0], inside[0][-1] + 1, inside[1][0], inside[1][-1] + 1)
    first = thing.tile // (4 // groups) * (4 // groups)
    assert patch.tiles.tolist() == list(range(first, first + 4 // groups))


def test_the_field_goes_back_as_many_layers_as_asked() -> None:
    names = [
        {bundled().layers[p.row].name for p in found_patches(bundled(), RESIDENT, FIRST, CELL, n)} for n in range(4)
    ]
    assert names == [set(), {"pool1"}, {"pool1", "conv1"}, {"pool1", "conv1", "input"}]
    deep = found_patches(bundled(), RESIDENT, FIRST, CELL, 3)
    assert [(p.step, p.rect[1] - p.rect[0], p.rect[3] - p.rect[2], len(p.tiles)) for p in deep] == [
        (1, 5, 5, 6), (2, 10, 10, 6), (3, 14, 14, 1),
    ]  # fmt: skip


WAYS: dict[str, list[c.Command]] = {
    "grid": [], "line": [c.Arrange(None, "line"), c.Advance(1.0)],
    "circle": [c.Arrange(None, "circle"), c.Advance(1.0)],
    "midway": [c.Arrange(None, "circle"), c.Advance(0.2)], "opening": [c.SetOpen(None, False), c.Advance(0.3)],
    "collapsed": [c.SetOpen(None, False, at_once=True)],
    "behind": [c.SetCamera(Camera(yaw_rad=2.2)), c.Advance(1.0)],
    "above": [c.SetCamera(Camera(yaw_rad=1.3, pitch_rad=0.9)), c.Advance(1.0)],
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_frame_stands_around_the_cells_that_the_pointer_finds_there(way: str) -> None:
    state = after(c.SetEpoch(3.0, at_once=True), *WAYS[way], c.Hover(CELL), c.Advance(1e-6))
    state = after(state=state)
    frame = frame_of(state)
    n_checked = 0
    for patch in found_patches(bundled(), RESIDENT, state, CELL, 3):
        plate = frame.tiles[patch.row]
        side = side_of(frame, plate)
        middles, halves = _rects(plate, Patch(patch.row, patch.tiles, patch.rect, 1), side)
        for tile, middle, half in zip(patch.tiles.tolist(), middles, halves, strict=True):
            for corner in ((0.0, 0.0), (0.9, 0.9), (-0.9, 0.9), (1.2, 0.0), (0.0, -1.2)):
                thick = float(half_thickness(plate, opened(plate, np.array([tile])))[0])
                at = middle + np.array([side * thick, *(half * corner)])
                x, y = frame.view.project(at[None], state.size_px)[0]
                row, col = cell_under(frame, plate.layer, tile, float(x), float(y))
                inside = patch.rect[0] <= row < patch.rect[1] and patch.rect[2] <= col < patch.rect[3]
                is_edge = row in (0, plate.cells[0] - 1) or col in (0, plate.cells[1] - 1)
                assert inside == (max(map(abs, corner)) < 1.0) or is_edge
                n_checked += 1
    assert n_checked > 60


def side_of(frame: Frame, plate: TileLayer) -> float:
    stand = frame.view.world_from_bench @ np.array([plate.x, plate.y, 0.0])
    normal = np.cross(frame.view.world_from_bench[:, 1], frame.view.world_from_bench[:, 2])
    return 1.0 if (frame.view.eye_world - stand) @ normal > 0.0 else -1.0


def test_the_cells_of_the_field_keep_their_light_and_the_rest_of_their_plates_dims() -> None:
    tiles = {t.layer: t for t in frame_of(after(c.Hover(CELL), c.Advance(1.0))).tiles}
    for name, rect in (("pool1", (8, 13, 4, 9)), ("conv1", (16, 26, 8, 18)), ("input", (14, 28, 6, 20))):
        plate = tiles[bundled().layer(name).index]
        assert plate.lit is not None
        assert plate.bright == pytest.approx(0.3)
        assert (plate.lit.r1 - plate.lit.r0, plate.lit.c1 - plate.lit.c0) == (rect[1] - rect[0], rect[3] - rect[2])
    own = tiles[CONV2].lit
    assert own is not None
    assert (own.first, own.end) == (11, 12)
    assert all(t.lit is None for t in frame_of(FIRST).tiles)


@pytest.mark.parametrize("name", sorted(bundled_runs()))
def test_the_card_of_any_cell_of_a_bundled_run_says_the_stored_value(name: str, rng: np.random.Generator) -> None:
    run = open_run(bundled_runs()[name])
    resident = Resident(run)
    state = after(c.UnfoldAll(at_once=True), state=initial_state(run, resident))
    rows = [p for p in resident.plan.layers if p.input is None and p.shows == "values"]
    for plan in [rows[k] for k in rng.choice(len(rows), min(6, len(rows)), replace=False)]:
        n, (r, col) = plan.tiles.n, plan.tiles.cells
        thing = Thing(plan.layer.index, int(rng.integers(n)), int(rng.integers(r)), int(rng.integers(col)))
        frame = compose(run, after(c.Select(thing), c.Advance(1.0), state=state), resident=resident)
        found = frame.explained
        assert found is not None, plan.layer.name
        values = run.values(plan.layer.shown, plan.layer.shown_output, len(run.epochs) - 1, 0)
        assert found.explanation.stored == pytest.approx(float(values[found.explanation.cell]), abs=1e-12)
        assert found.explanation.known or found.explanation.reason
        said = [m.text for m in frame.marks if isinstance(m, Text)]
        assert any(w.startswith("stored ") for w in said), plan.layer.name
        assert frame.card is not None


def test_the_pictures_of_a_card_add_up_to_the_sum_without_the_bias() -> None:
    frame = frame_of(after(c.Select(CELL), c.Advance(1.0)))
    found = frame.explained
    assert found is not None
    assert found.pictures is not None
    e, p = found.explanation, found.pictures
    assert e.known
    assert float(p.products.sum()) == pytest.approx(e.before - (e.bias or 0.0), rel=1e-9)
    np.testing.assert_allclose(p.inputs * p.weights, p.products, atol=1e-12)
    assert np.abs(p.sums).tolist() == sorted(np.abs(p.sums).tolist(), reverse=True)
    assert sum(isinstance(m, Cells) for m in frame.marks) == 3 + 3 * 5


def test_a_card_too_large_for_a_window_s_room_says_the_sum_alone_until_its_kernel_slides() -> None:
    state = after(c.Select(CELL), c.Advance(1.0))
    rooms = {"wide": (10.0, 10.0, 1500.0, 800.0), "narrow": (230.0, 110.0, 930.0, 490.0)}
    shown = {
        name: replace(state, anchors=replace(state.anchors, room=room)) for name, room in rooms.items()
    }
    shown["sliding"] = after(c.StartSlide(10, 10), state=shown["narrow"])
    said = {name: frame_of(view) for name, view in shown.items()}
    assert {name: any(isinstance(m, Cells) for m in f.marks) for name, f in said.items()} == {
        "wide": True, "narrow": False, "sliding": True,
    }  # fmt: skip
    for frame in said.values():
        assert any(isinstance(m, Text) and m.text.startswith("stored ") for m in frame.marks)


def test_a_pinned_cell_stays_though_another_is_hovered() -> None:
    state = after(c.Select(CELL), c.Hover(Thing(CONV2, 2, 0, 0)), c.Advance(1.0))
    assert state.focus.thing == CELL
    assert after(c.Select(None), c.Advance(0.01), state=state).focus.thing == Thing(CONV2, 2, 0, 0)


def test_what_is_inside_a_closed_group_is_framed_as_its_block() -> None:
    run = open_run(bundled_runs()["resnet20-cifar10"])
    resident = Resident(run)
    state = initial_state(run, resident)
    folded = resident.folds.of(state.fold.after)
    hidden = {i for i in range(len(run.layers)) if folded.items[folded.stands[i]] != i}
    last = max(i for i, item in enumerate(folded.items) if item < len(run.layers) and run.layers[item].links)
    layer = run.layers[folded.items[last]]
    thing = Thing(layer.index, 0, 0, 0)
    found = found_patches(run, resident, state, thing, 64)
    assert hidden
    assert any(p.is_inside for p in found)
    assert all((folded.items[p.row] >= len(run.layers)) == p.is_inside for p in found)
    assert len(compose(run, after(c.Select(thing), c.Advance(1.0), state=state), resident=resident).boxes)


CELLS = {
    "lenet-mnist": ["conv1:1,15,12", "conv2:6,5,5", "pool2:2,2,2", "fc1:21", "fc3:3"],
    "gpt-python": ["blocks.0.attention.attention:2,13,9", "blocks.0.norm1:5,20", "add:3,3", "embed:3,3", "words:3,3"],
    "resnet20-cifar10": ["stage2.0.conv2:3,4,4", "stage2.0.add:3,4,4", "pool:7,0,0"],
}


@pytest.mark.parametrize("size", [(1280, 720), (1600, 900)], ids=str)
@pytest.mark.parametrize("name", CELLS)
def test_all_that_a_card_says_stands_on_it_and_the_card_on_the_picture(name: str, size: tuple[int, int]) -> None:
    run = open_run(bundled_runs()[name])
    resident = Resident(run)
    state = after(c.UnfoldAll(at_once=True), state=initial_state(run, resident, size_px=size))
    for text in CELLS[name]:
        thing = thing_of(run, text, "--select")
        frame = compose(run, after(c.Select(thing), c.SetPath(1), c.Advance(1.0), state=state), resident=resident)
        x0, y0, x1, y1 = frame.card or (0.0, 0.0, 0.0, 0.0)
        assert 0.0 <= x0 < x1 <= size[0], text
        assert 0.0 <= y0 < y1 <= size[1], text
        first = next(k for k, m in enumerate(frame.marks) if isinstance(m, Rect) and (m.x0, m.y0) == (x0, y0))
        for mark in frame.marks[first:]:
            if isinstance(mark, Text):
                width = text_width(mark.text, mark.size_px, mark.weight)
                left = mark.x - width * {"l": 0.0, "m": 0.5, "r": 1.0}[mark.anchor[0]]
                assert x0 <= left, (text, mark.text)
                assert left + width <= x1 + 1.0, (text, mark.text)
                assert y0 <= mark.y <= y1, (text, mark.text)
            elif isinstance(mark, Cells):
                rows, cols = mark.colours.shape[:2]
                assert x0 <= mark.x <= mark.x + cols * mark.width <= x1, text
                assert y0 <= mark.y <= mark.y + rows * mark.height <= y1, text
