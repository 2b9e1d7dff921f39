"""Laws of sampling: the same edge keeps its chance, the expected sum is the true sum, coverage is what it says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nn3d.analysis import sampling


@given(seed=st.integers(0, 10_000), n=st.integers(1, 400))
def test_expected_number_of_sampled_edges_is_the_budget(seed: int, n: int) -> None:
    m = np.random.default_rng(seed).lognormal(size=1000).astype(np.float32)
    tau = sampling.threshold(m, n)
    assert abs(np.minimum(1.0, tau * m).sum() - n) < 1e-3 * n + 1e-6


def test_what_shown_strands_stand_for_is_unbiased() -> None:
    rng = np.random.default_rng(5)
    m = rng.lognormal(sigma=1.5, size=20_000).astype(np.float32)
    group = np.arange(m.size) % 50
    true = np.bincount(group, m)
    sums = []
    for start in range(40):
        chosen = sampling.sampled(m, 1500, edges=np.arange(m.size) + start * m.size)
        sums.append(np.bincount(group[chosen.index - start * m.size], chosen.stands, 50))
    spread = np.std(sums, axis=0) / np.sqrt(len(sums))
    assert (np.abs(np.mean(sums, axis=0) - true) < 4.5 * spread).all()


@given(seed=st.integers(0, 1000), grow=st.floats(1.0, 3.0))
def test_an_edge_that_grows_never_disappears(seed: int, grow: float) -> None:
    m = np.random.default_rng(seed).lognormal(size=500).astype(np.float32)
    before = sampling.sampled(m, 60)
    stronger = m.copy()
    stronger[before.index[0]] *= grow
    pi = sampling.threshold(stronger, 60) * stronger[before.index[0]]
    kept = before.index[0] in sampling.sampled(stronger, 60).index
    assert kept or pi < sampling.threshold(m, 60) * m[before.index[0]]


def test_chance_is_uniform_and_belongs_to_the_edge() -> None:
    u = sampling.chance(np.arange(100_000))
    assert np.array_equal(u[500:600], sampling.chance(np.arange(500, 600)))
    assert 0.0 <= u.min() < u.max() < 1.0
    assert np.abs(np.histogram(u, 20, (0, 1))[0] / 5000.0 - 1.0).max() < 0.08


def test_top_takes_the_strongest_and_says_their_share() -> None:
    c = np.array([[3.0, -8.0], [0.5, 2.0]], np.float32)
    chosen = sampling.top(c, 2)
    assert chosen.index.tolist() == [0, 1]
    assert abs(chosen.share - 11.0 / 13.5) < 1e-6


def test_all_keeps_edges_of_no_weight() -> None:
    assert sampling.every(np.zeros((2, 3), np.float32)).index.tolist() == [0, 1, 2, 3, 4, 5]


def test_infinite_weights_are_drawn_as_the_strongest_and_nan_not_at_all() -> None:
    m = sampling.finite_magnitude(np.array([1.0, np.nan, -np.inf, 4.0], np.float32))
    assert m.tolist() == [1.0, 0.0, 4.0, 4.0]
