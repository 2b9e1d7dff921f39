"""Laws of the order by flow: a permutation, fixed blocks stay, crossings never grow and are as defined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn3d.layout.order import STRONGEST, Block, Tie, flow_order


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[Block], list[Tie]]:
    """A chain of two to four blocks with random weights; first and last may be fixed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(1, 14), min_size=2, max_size=4))
    blocks = [Block(n, draw(st.integers(1, min(4, n))), is_fixed=draw(st.booleans())) for n in sizes]
    ties = [Tie(k, k + 1, rng.normal(size=(sizes[k + 1], sizes[k]))) for k in range(len(sizes) - 1)]
    return blocks, ties


def by_definition(blocks: list[Block], ties: list[Tie], places: list[np.ndarray]) -> float:
    """Σ w·w′ over all pairs of strong edges that cross between rows, pair by pair."""
    total = 0.0
    for tie in ties:
        w = np.abs(tie.weight).ravel()
        keep = np.argsort(-w, kind="stable")[: min(w.size, max(int(np.ceil(STRONGEST * w.size)), *tie.weight.shape))]
        j, i = np.divmod(keep, tie.weight.shape[1])
        a = places[tie.source][i] // blocks[tie.source].columns
        b = places[tie.target][j] // blocks[tie.target].columns
        crosses = (a[:, None] < a[None, :]) & (b[:, None] > b[None, :])
        total += float((np.outer(w[keep], w[keep]) * crosses).sum())
    return total


@settings(max_examples=60)
@given(chains())
def test_order_is_a_permutation_that_keeps_fixed_blocks_and_never_adds_crossings(
    chain: tuple[list[Block], list[Tie]],
) -> None:
    blocks, ties = chain
    places, before, after = flow_order(blocks, ties)
    for block, place in zip(blocks, places, strict=True):
        assert np.array_equal(np.sort(place), np.arange(block.n))
        assert not block.is_fixed or np.array_equal(place, np.arange(block.n))
    assert after <= before * (1 + 1e-12)
    index = [np.arange(b.n) for b in blocks]
    assert before == pytest.approx(by_definition(blocks, ties, index), rel=1e-9, abs=1e-12)
    assert after == pytest.approx(by_definition(blocks, ties, places), rel=1e-9, abs=1e-12)


def test_a_shuffled_ladder_is_straightened() -> None:
    """Tile k of one column joined to tile p[k] of a fixed one: no crossing is left."""
    p = np.array([3, 0, 4, 1, 5, 2, 7, 6])
    weight = np.zeros((8, 8))
    weight[p, np.arange(8)] = 1.0
    places, before, after = flow_order([Block(8, 1), Block(8, 1, is_fixed=True)], [Tie(0, 1, weight)])
    assert before > 0.0
    assert after == 0.0
    assert np.array_equal(places[0], p)


def test_tiles_beside_a_picture_stand_where_they_look() -> None:
    """Nine tiles in a 3 × 3 grid, each reading one ninth of a picture of nine rows, in random order."""
    rng = np.random.default_rng(5)
    p = rng.permutation(9)
    looks_at = np.stack([p // 3, p % 3], 1) / 2.0
    weight = np.zeros((9, 9))
    weight[np.arange(9), 4 * (p // 3)] = 1.0
    blocks = [Block(9, 1, is_fixed=True), Block(9, 3)]
    places, _, after = flow_order(blocks, [Tie(0, 1, weight, looks_at)])
    assert after == 0.0
    assert np.array_equal(places[1] // 3, p // 3)
