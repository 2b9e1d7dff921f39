"""Laws of special layers' geometry: levels of a U, glued parts, buses, staves and the plates of a recurrent layer."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.layout.bus import with_buses
from nn3d.layout.graph import LANE_GAP, positions, topology
from nn3d.layout.levels import LEVEL_GAP, rails
from nn3d.layout.parts import PART_GAP, glued, part_spans
from nn3d.layout.recurrent import recurrent_of
from nn3d.layout.splits import leaves
from nn3d.layout.staves import MAX_ROWS, stave, strand_rows
from nn3d.run.model import Layer, LayerLink, Node, Output

YAW = math.radians(60.0)


def maps(index: int, sources: tuple[int, ...], shape: tuple[int, ...], op: str = "conv2d") -> Layer:
    kind = "weight" if op.startswith("conv") else "map"
    name = "tensors[{}]" if op == "concat" else "input"
    links = tuple(LayerLink(s, s, 0, name.format(k), kind, index) for k, s in enumerate(sources))
    axes = ("C", "H", "W") if len(shape) == 3 else ("T", "F")
    return Layer(index, f"l{index}", op, op, "", (index,), index, 0, shape, axes, links, (), None, 0, 0)


def u_net(depth: int, joined: str = "concat") -> tuple[Layer, ...]:
    """A U of `depth` skips: on each side a convolution a level, pools down, transposed convolutions up."""
    layers = [maps(0, (), (1, 64, 64), "input")]
    skips = []
    for k in range(depth):
        side = 64 >> k
        skips.append(len(layers))
        layers.append(maps(len(layers), (len(layers) - 1,), (4 << k, side, side)))
        layers.append(maps(len(layers), (len(layers) - 1,), (4 << k, side // 2, side // 2), "max_pool2d"))
    for k in reversed(range(depth)):
        side = 64 >> k
        layers.append(maps(len(layers), (len(layers) - 1,), (4 << k, side, side), "conv_transpose2d"))
        wide = 8 << k if joined == "concat" else 4 << k
        layers.append(maps(len(layers), (skips[k], len(layers) - 1), (wide, side, side), joined))
        layers.append(maps(len(layers), (len(layers) - 1,), (4 << k, side, side)))
    return tuple(layers)


@pytest.mark.parametrize("joined", ["concat", "add"])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_a_level_holds_one_resolution_and_lies_below_all_finer_ones(depth: int, joined: str) -> None:
    layers = u_net(depth, joined)
    levels = topology(layers).levels
    assert levels is not None
    assert len(levels.links) == depth
    for layer, level in zip(layers, levels.level, strict=True):
        assert layer.shape[-1] == 64 >> level
    heights = np.random.default_rng(depth).uniform(1.0, 9.0, len(layers))
    _, y = positions(topology(layers), np.ones(len(layers)), heights, np.full(len(layers), 3.0), YAW)
    for k in range(depth):
        above, below = levels.level == k, levels.level == k + 1
        assert (y + heights / 2)[below].max() <= (y - heights / 2)[above].min() - LEVEL_GAP + 1e-9


@pytest.mark.parametrize("depth", [2, 4])
def test_nothing_stands_where_a_stave_runs(depth: int) -> None:
    layers = u_net(depth)
    top = topology(layers)
    assert top.levels is not None
    heights = np.random.default_rng(depth).uniform(1.0, 9.0, len(layers))
    x, y = positions(top, np.ones(len(layers)), heights, np.full(len(layers), 3.0), YAW)
    for (source, target), span in zip(top.levels.skip, top.levels.span, strict=True):
        run = y[target] + span.mean() * heights[target]
        assert y[source] == pytest.approx(run), "a stave is straight"
        low = run - 0.31 * heights[source]
        between = (x > x[source]) & (x < x[target])
        assert ((y + heights / 2)[between] <= low).all()


def test_two_skips_of_one_resolution_are_no_levels() -> None:
    layers = [maps(0, (), (4, 8, 8), "input")]
    layers += [maps(k, (k - 1,), (4, 8, 8)) for k in range(1, 4)]
    layers += [maps(4, (3, 2), (8, 8, 8), "concat"), maps(5, (4, 1), (12, 8, 8), "concat")]
    assert topology(layers).levels is None


def test_shelves_are_the_stairs_of_a_u() -> None:
    layers = u_net(3)
    top = topology(layers)
    heights = np.full(len(layers), 4.0)
    _, y = positions(top, np.ones(len(layers)), heights, np.full(len(layers), 3.0), YAW)
    rail, shelf = rails(top.levels, top.column, y, heights)
    assert shelf.max() + 1 == 2 * 3 + 1
    assert (rail < y - heights / 2).all()
    steps = [float(rail[shelf == k][0]) for k in range(7)]
    assert all(a > b for a, b in pairwise(steps[:4]))
    assert all(a < b for a, b in pairwise(steps[3:]))


@given(st.lists(st.integers(1, 40), min_size=2, max_size=7), st.integers(1, 6))
def test_a_part_is_as_high_as_it_has_channels(counts: list[int], common: int) -> None:
    parts = tuple(c * common for c in counts)
    tiles = glued((5, 5), parts)
    spans = part_spans(tiles, parts) * tiles.extents[3, 0]
    np.testing.assert_allclose((spans[:, 1] - spans[:, 0]) / parts, 2 * tiles.mosaic_half[0] / tiles.grid[1], rtol=1e-4)
    np.testing.assert_allclose(spans[:-1, 0] - spans[1:, 1], PART_GAP, atol=1e-4 * tiles.extents[3, 0])


def test_a_growing_concatenation_is_one_bus_with_taps() -> None:
    layers = [maps(0, (), (8, 6, 6), "input")]
    taps = [0]
    for k in range(6):
        at = len(layers)
        layers.append(maps(at, tuple(taps), (8 + 4 * k, 6, 6), "concat"))
        layers.append(maps(at + 1, (at,), (4, 6, 6)))
        taps.append(at + 1)
    along_channels, shape = {"dim": 1}, Output((4, 6, 6), ("C", "H", "W"))
    nodes = {la.index: Node(la.index, la.op, la.name, "", along_channels, (), (shape,)) for la in layers}
    made = with_buses(layers, nodes)
    concats = [layer for layer in made if layer.op == "concat"]
    assert [len(layer.links) for layer in concats] == [1, 2, 2, 2, 2, 2]
    for before, layer in pairwise(concats):
        bus = layer.links[0]
        assert (bus.source, bus.node) == (before.index, before.nodes[0])
        held = [(k.node, k.output) for k in layers[before.index].links]
        assert held == [(k.node, k.output) for k in layers[layer.index].links][: len(held)]
    top = topology(made)
    _, y = positions(top, np.ones(len(made)), np.full(len(made), 5.0), np.full(len(made), 3.0), YAW)
    assert {float(y[layer.index]) for layer in concats} == {0.0}, "the bus is straight"
    assert (y[[layer.index for layer in made if layer.op == "conv2d"][:-1]] >= 5.0 + LANE_GAP).all()


@pytest.mark.parametrize("steps", [2, 11, 197, 1000])
def test_a_stream_has_one_strand_a_token_and_is_straight(steps: int) -> None:
    source = maps(0, (), (steps, 8), "embedding")
    target = maps(1, (0,), (steps, 8), "add")
    found = stave(source, target, target.links[0])
    assert found is not None
    assert found.is_copy
    np.testing.assert_array_equal(found.source, found.target)
    each = -(-steps // MAX_ROWS)
    assert len(found.source) == -(-steps // each)
    assert found.stands == ("token" if each == 1 else f"{each} tokens")
    height = 15.5
    _, hw = strand_rows(found, height)
    assert 2 * hw < height / len(found.source), "strands of neighbours never touch"


def test_a_read_is_no_copy_and_weights_are_no_stave() -> None:
    source = maps(0, (), (9, 8), "embedding")
    read = maps(1, (0,), (9, 8), "layer_norm")
    found = stave(source, read, read.links[0])
    assert found is not None
    assert not found.is_copy
    weighted = maps(1, (0,), (9, 8), "linear")
    link = LayerLink(0, 0, 0, "input", "weight", 1)
    assert stave(source, weighted, link) is None


def lstm(both: bool, levels: int, steps: int = 7, width: int = 5) -> Node:
    outputs = [Output((steps, width * (1 + both)), ("T", "F"))]
    for level in range(levels):
        for end in ("", "_reverse")[: 1 + both]:
            tail = f"_l{level}{end}" if both or levels > 1 else ""
            outputs.append(Output((4, steps, width), ("gate", "T", "F"), name=f"gates{tail}"))
            outputs += [Output((steps, width), ("T", "F"), name=f"{n}{tail}") for n in ("c", "h")]
    attributes = {"bidirectional": both, "num_layers": levels, "gates": ["i", "f", "g", "o"]}
    return Node(0, "lstm", "lstm", attributes=attributes, outputs=tuple(outputs))


@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize("both", [False, True])
def test_plates_of_a_recurrent_layer_do_not_cover_each_other(both: bool, levels: int) -> None:
    found = recurrent_of(lstm(both, levels))
    assert found is not None
    assert len(found.plates) == 3 * levels
    x, widths = found.places(YAW), found.plates[:, 1]
    assert (np.diff(x) >= (widths[1:] + widths[:-1]) / 2 / math.tan(YAW)).all()
    gates = [p for p in found.pieces if p.plate == 0]
    assert sorted("".join(p.letters) for p in gates) == sorted(["ifo" * (1 + both), "g" * (1 + both)])
    at = np.concatenate([p.tiles.at_grid for p in gates])
    half_y, half_z = gates[0].tiles.half
    apart = np.abs(at[:, None] - at)
    clear = (apart[..., 0] >= 2 * half_y) | (apart[..., 1] >= 2 * half_z) | np.eye(len(at), dtype=bool)
    assert clear.all()
    if both:
        assert found.lane(0)[0] > found.lane(1)[1], "forward is above"


def test_a_recurrent_layer_without_recorded_gates_stays_one_plate() -> None:
    bare = Node(0, "lstm", "lstm", attributes={"gates": ["i", "f", "g", "o"]}, outputs=(Output((7, 5), ("T", "F")),))
    assert recurrent_of(bare) is None


def test_ropes_of_a_split_leave_in_the_order_of_what_they_go_to_and_within_the_plate() -> None:
    layers = [maps(0, (), (8, 6, 6), "input")]
    layers += [maps(k, (0,), (4, 6, 6)) for k in range(1, 5)]
    layers.append(maps(5, (1, 2, 3, 4), (16, 6, 6), "concat"))
    top = topology(layers)
    heights = np.full(6, 5.0)
    _, y = positions(top, np.ones(6), heights, np.full(6, 3.0), YAW)
    leave = leaves(top, y, heights)
    split = [k for k, link in enumerate(top.links) if link[0] == 0]
    order = np.argsort(y[top.links[split, 1]])
    assert (np.diff(leave[split][order]) > 0).all()
    assert np.abs(leave).max() <= 0.3 * 5.0 + 1e-9
    assert leave[split].sum() == pytest.approx(0.0)
    assert leaves(topology(u_net(2)), np.zeros(13), np.full(13, 5.0)).any() == np.False_
