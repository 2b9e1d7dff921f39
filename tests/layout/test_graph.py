"""Laws of the graph layout: on random graphs, and on the structures that networks are made of."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.layout.graph import (
    ARC_BASE,
    IDENTITY_GAP,
    LANE_GAP,
    Footprints,
    apexes,
    gaps,
    place_layers,
    positions,
    topology,
    turns,
)
from nn3d.run.model import Layer, LayerLink

YAW = math.radians(53.0)
WEIGHTED = ("conv2d", "linear")


def layer(index: int, sources: tuple[int, ...] = (), op: str = "conv2d") -> Layer:
    kind = "weight" if op in WEIGHTED else "map"
    links = tuple(LayerLink(s, s, 0, "input", kind, index) for s in sources)
    return Layer(
        index, f"l{index}", op, op, "", (index,), index, 0, (4, 8, 8), ("C", "H", "W"), links, (), None, 0, 0
    )  # fmt: skip


def network(*parts: tuple[tuple[int, ...], str]) -> tuple[Layer, ...]:
    return tuple(layer(i, sources, op) for i, (sources, op) in enumerate(parts))


def chain(n: int) -> tuple[Layer, ...]:
    return tuple(layer(i, (i - 1,) if i else ()) for i in range(n))


def residual_block() -> tuple[Layer, ...]:
    return network(((), "input"), ((0,), "conv2d"), ((1,), "conv2d"), ((2, 0), "add"), ((3,), "conv2d"))


def inception() -> tuple[Layer, ...]:
    return network(
        ((), "input"), ((0,), "conv2d"), ((0,), "conv2d"), ((2,), "conv2d"), ((0,), "conv2d"), ((4,), "conv2d"),
        ((0,), "max_pool2d"), ((6,), "conv2d"), ((1, 3, 5, 7), "concat"), ((8,), "linear"),
    )  # fmt: skip


def u_net() -> tuple[Layer, ...]:
    return network(
        ((), "input"), ((0,), "conv2d"), ((1,), "conv2d"), ((2,), "conv2d"), ((3,), "conv_transpose2d"),
        ((4, 2), "concat"), ((5,), "conv2d"), ((6, 1), "concat"), ((7,), "conv2d"),
    )  # fmt: skip


def dense_net(*blocks: int) -> tuple[Layer, ...]:
    parts: list[tuple[tuple[int, ...], str]] = [((), "input")]
    for size in blocks:
        features = [len(parts) - 1]
        for _ in range(size):
            at = len(parts)
            parts += [(tuple(features), "concat"), ((at,), "conv2d"), ((at + 1,), "conv2d")]
            features.append(at + 2)
        at = len(parts)
        parts += [(tuple(features), "concat"), ((at,), "conv2d"), ((at + 1,), "avg_pool2d")]
    return network(*parts)


@st.composite
def random_layers(draw: st.DrawFn) -> tuple[Layer, ...]:
    n = draw(st.integers(1, 28))
    parts = []
    for i in range(n):
        sources = draw(st.sets(st.integers(max(0, i - 7), i - 1), max_size=3)) if i else set()
        parts.append((tuple(sorted(sources)), draw(st.sampled_from(("conv2d", "add", "concat", "relu")))))
    return network(*parts)


@st.composite
def layers_and_sizes(draw: st.DrawFn) -> tuple[tuple[Layer, ...], np.ndarray, np.ndarray, np.ndarray]:
    layers = draw(random_layers())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = len(layers)
    return layers, rng.uniform(0.3, 30.0, n), rng.uniform(0.3, 30.0, n), rng.uniform(1.0, 7.0, n)


@given(layers_and_sizes())
def test_x_increases_along_every_link_and_plates_do_not_cover_each_other(
    case: tuple[tuple[Layer, ...], np.ndarray, np.ndarray, np.ndarray],
) -> None:
    layers, widths, heights, before = case
    x, _ = positions(topology(layers), widths, heights, before, YAW)
    for target in layers:
        for link in target.links:
            room = (widths[link.source] + widths[target.index]) / 2 / math.tan(YAW) + before[target.index]
            assert x[target.index] - x[link.source] >= room - 1e-9


@given(layers_and_sizes())
def test_no_two_layers_overlap(case: tuple[tuple[Layer, ...], np.ndarray, np.ndarray, np.ndarray]) -> None:
    layers, widths, heights, before = case
    x, y = positions(topology(layers), widths, heights, before, YAW)
    apart_x = np.abs(x[:, None] - x) >= (widths[:, None] + widths) / 2 / math.tan(YAW) - 1e-9
    apart_y = np.abs(y[:, None] - y) >= (heights[:, None] + heights) / 2 + LANE_GAP - 1e-9
    assert (apart_x | apart_y | np.eye(len(layers), dtype=bool)).all()


@given(layers_and_sizes())
def test_the_main_line_is_a_chain_at_height_zero(
    case: tuple[tuple[Layer, ...], np.ndarray, np.ndarray, np.ndarray],
) -> None:
    layers, widths, heights, before = case
    top = topology(layers)
    _, y = positions(top, widths, heights, before, YAW)
    assert set(np.flatnonzero(y == 0.0)) == set(top.main)
    assert (np.diff(top.column[list(top.main)]) > 0).all()


@given(random_layers())
def test_every_arc_clears_what_it_spans(layers: tuple[Layer, ...]) -> None:
    top = topology(layers)
    heights = np.full(len(layers), 6.0)
    x, y = positions(top, heights, heights, gaps(top, np.ones(len(layers))), YAW)
    apex = apexes(top, y, heights)
    assert (np.isnan(apex) == [path != "arc" for path in top.paths]).all()
    for k in np.flatnonzero(~np.isnan(apex)):
        source, target = top.links[k]
        in_way = (x > x[source]) & (x < x[target]) & (top.lane == top.lane[target])
        in_way &= top.lane[source] == top.lane[target]
        clear = np.abs(apex[k]) - np.abs(y[in_way])
        assert (clear >= 3.0 + ARC_BASE).all()


@given(random_layers())
def test_links_turn_within_their_way(layers: tuple[Layer, ...]) -> None:
    top = topology(layers)
    n = len(layers)
    x, _ = positions(top, np.ones(n), np.ones(n), np.full(n, 3.0), YAW)
    share = turns(top, x)
    assert share.shape == (len(top.links), 2)
    assert (share[:, 0] >= 0).all()
    assert (share[:, 1] <= 1).all()
    assert (share[:, 0] < share[:, 1]).all()


@given(random_layers(), st.randoms(use_true_random=False))
def test_columns_do_not_depend_on_the_order_of_parallel_layers(layers: tuple[Layer, ...], random: object) -> None:
    linked = tuple(
        layer(i, tuple(k.source for k in old.links) or ((0,) if i else ()), old.op) for i, old in enumerate(layers)
    )
    order, left = [], set(range(len(linked)))
    while left:
        ready = [i for i in sorted(left) if all(k.source not in left for k in linked[i].links)]
        order.append(random.choice(ready))  # type: ignore[attr-defined]
        left.discard(order[-1])
    new = {old: at for at, old in enumerate(order)}
    shuffled = tuple(
        layer(at, tuple(sorted(new[k.source] for k in linked[old].links)), linked[old].op)
        for at, old in enumerate(order)
    )
    first, second = topology(linked), topology(shuffled)
    np.testing.assert_array_equal(first.column[order], second.column)


def test_a_chain_stands_on_one_line_in_order() -> None:
    top = topology(chain(6))
    assert top.main == (0, 1, 2, 3, 4, 5)
    assert set(top.paths) == {"route"}


def test_a_chain_steps_by_the_formula_of_its_yaw() -> None:
    top = topology(chain(2))
    x, y = positions(top, [4.0, 8.0], [1.0, 1.0], [0.0, 6.5], YAW)
    assert x.tolist() == pytest.approx([0.0, 6.0 / math.tan(YAW) + 6.5 / math.sin(YAW)])
    assert y.tolist() == [0.0, 0.0]


def test_a_residual_branch_lies_above_a_straight_identity() -> None:
    top = topology(residual_block())
    assert top.main == (0, 3, 4)
    assert top.lane.tolist() == [0, 1, 1, 0, 0]
    assert top.paths[3] == "direct"
    _, y = positions(top, np.ones(5), [8.0, 2.0, 6.0, 8.0, 4.0], np.full(5, 3.0), YAW)
    assert y[1] == y[2] == pytest.approx(4.0 + IDENTITY_GAP + 3.0)


def test_a_projection_keeps_the_stream_straight() -> None:
    parts = (((), "input"), ((0,), "conv2d"), ((1,), "conv2d"), ((0,), "conv2d"), ((2, 3), "add"))
    top = topology(network(*parts))
    assert top.main == (0, 3, 4)
    assert top.lane.tolist() == [0, 1, 1, 0, 0]


def test_nested_additions_win_over_the_skip_around_them() -> None:
    parts = (((), "input"), ((0,), "conv2d"), ((1,), "conv2d"), ((2, 1), "add"), ((3,), "conv2d"), ((4, 3), "add"))
    top = topology(network(*parts, ((5, 0), "add")))
    assert top.main == (0, 1, 3, 5, 6)
    assert top.paths[-1] == "arc"


def test_inception_branches_lie_in_module_order_from_the_top() -> None:
    top = topology(inception())
    _, y = positions(top, np.ones(10), np.ones(10), np.full(10, 3.0), YAW)
    assert top.main == (0, 4, 5, 8, 9) or top.main == (0, 2, 3, 8, 9)
    assert y[1] > y[3] == y[2] > y[5] == y[4] > y[7] == y[6]
    assert len({top.column[i] for i in (1, 2, 4, 6)}) == 1


def test_a_short_branch_keeps_its_height_until_the_join() -> None:
    top = topology(inception())
    x, _ = positions(top, np.ones(10), np.ones(10), np.full(10, 3.0), YAW)
    short = top.links.tolist().index([1, 8])
    assert top.paths[short] == "direct"
    assert turns(top, x)[short].tolist() == pytest.approx([0.5, 1.0], abs=0.05)


def test_a_u_net_stands_in_one_line_with_nested_arcs() -> None:
    layers = u_net()
    top = topology(layers)
    assert top.main == tuple(range(9))
    arcs = [k for k, path in enumerate(top.paths) if path == "arc"]
    assert top.links[arcs].tolist() == [[2, 5], [1, 7]]
    inner, outer = apexes(top, np.zeros(9), np.full(9, 6.0))[arcs]
    assert inner == pytest.approx(3.0 + ARC_BASE * (1 + math.log2(3)))
    assert outer > inner


def test_a_dense_block_is_one_line_and_no_two_equal_arcs_coincide() -> None:
    layers = dense_net(6)
    top = topology(layers)
    assert len(top.main) == len(layers)
    apex = apexes(top, np.zeros(len(layers)), np.full(len(layers), 4.0))
    arcs = [k for k, path in enumerate(top.paths) if path == "arc"]
    for a in arcs:
        for b in arcs:
            crosses = top.links[a, 0] < top.links[b, 0] < top.links[a, 1] < top.links[b, 1]
            if crosses and top.links[a, 1] - top.links[a, 0] == top.links[b, 1] - top.links[b, 0]:
                assert apex[a] != apex[b]


def test_a_second_input_stands_next_to_where_it_is_used() -> None:
    parts = (((), "input"), ((), "input"), ((0,), "conv2d"), ((2,), "conv2d"), ((3, 1), "concat"))
    top = topology(network(*parts))
    assert top.main == (0, 2, 3, 4)
    assert top.column[1] == top.column[4] - 1
    assert top.lane[1] != 0


def test_layers_without_links_keep_their_place_in_line() -> None:
    assert topology(tuple(layer(i) for i in range(4))).column.tolist() == [0, 1, 2, 3]
    empty = topology(())
    assert empty.paths == ()
    assert positions(empty, [], [], [], YAW)[0].shape == (0,)


def test_a_recurrent_link_is_an_arc_and_moves_no_column() -> None:
    first = layer(0)
    loop = layer(1, (0, 2))
    top = topology((first, loop, layer(2, (1,))))
    assert top.column.tolist() == [0, 1, 2]
    assert top.paths == ("route", "arc", "route")


def test_opening_a_layer_pushes_only_what_comes_after_it() -> None:
    top = topology(chain(4))
    shut = positions(top, [2.0] * 4, [2.0] * 4, gaps(top, [0.0] * 4), YAW)[0]
    wide = positions(top, [2.0, 2.0, 9.0, 2.0], [2.0] * 4, gaps(top, [0.0, 0.0, 1.0, 0.0]), YAW)[0]
    assert wide[:2].tolist() == shut[:2].tolist()
    assert wide[2] > shut[2]
    assert wide[3] - wide[2] > shut[3] - shut[2]


def test_a_large_network_is_placed_without_quadratic_work() -> None:
    layers = dense_net(6, 12, 24, 16, 40)
    n = len(layers)
    sizes = Footprints(np.full(n, 5.0), np.full(n, 6.0), np.full(n, 3.0))
    start = time.process_time()
    placement = place_layers(layers, sizes, YAW)
    placed_secs = time.process_time() - start
    start = time.process_time()
    for _ in range(10):
        positions(placement.topology, sizes.widths, sizes.heights, sizes.gaps, YAW)
    assert n > 300
    assert placed_secs < 0.5, "CPU seconds, ten times what it takes: something became quadratic"
    assert (time.process_time() - start) / 10 < 0.05


def test_far_plates_step_wider_as_they_are_seen_and_near_ones_as_before() -> None:
    layers, n, field = chain(21), 21, math.radians(10.0)
    top, size = topology(layers), np.full(n, 8.0)
    plain, _ = positions(top, size, size, np.full(n, 3.0), YAW)
    wide, _ = positions(top, size, size, np.full(n, 3.0), YAW, 0.0, field)
    near, far = np.diff(plain), np.diff(wide)
    np.testing.assert_allclose(far[:10], near[:10])
    assert (np.diff(far[10:]) > 0).all()
    share = 1.0 - 1.0 / (n - 1)  # of the way from the middle to the far end, at the last step
    cot = 1.0 / math.tan(YAW) + share * math.tan(field) / math.sin(YAW) ** 2
    assert far[-1] == pytest.approx(8.0 * cot + 3.0 * math.hypot(1.0, cot))
