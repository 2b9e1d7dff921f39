"""Figures of a layer's values over all samples: spreads on one scale, moments from parts, dead channels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn3d.analysis import activity
from nn3d.analysis.activity import BIN_DECADES, BINS, decade_of, moments_of, ridge_of, spread_of, window_of
from nn3d.run.memory import LayerSpec, run_from_arrays
from nn3d.run.run import Run


def run_with(values: np.ndarray) -> Run:
    """A run whose one layer has these values (N, C, H, W) at one epoch."""
    layers = [LayerSpec("input", "input"), LayerSpec("relu", "relu")]
    return run_from_arrays(layers, {"input": np.zeros_like(values), "relu": [values]})


def maps(seed: int, shape: tuple[int, ...] = (3, 5, 4, 6), *, signed: bool = False) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=shape) * 10.0 ** rng.integers(-6, 6, shape)).astype(np.float32)
    return values if signed else np.maximum(values, 0)


def node_of(run: Run) -> tuple[int, int]:
    layer = run.layers[-1]
    return layer.shown, layer.shown_output


@given(st.integers(0, 2**31), st.booleans())
@settings(max_examples=20)
def test_a_spread_counts_every_active_value_in_the_bin_of_its_size(seed: int, signed: bool) -> None:
    values = maps(seed, signed=signed)
    run = run_with(values)
    spread = spread_of(run, *node_of(run), 0)
    assert spread is not None
    active = np.abs(values[values != 0]).astype(np.float64)
    assert spread.counts.sum() == active.size
    low = np.array([10.0 ** decade_of(b) for b in range(len(spread.counts) + 1)])
    assert np.array_equal(spread.counts, np.histogram(active, low)[0])
    assert spread.is_signed == (signed and bool((values < 0).any()))
    assert (spread.n_samples, spread.n_values, spread.n_all) == (3, values.size, values.size)


def test_a_window_is_as_wide_for_every_epoch_and_ends_behind_the_largest_value() -> None:
    spreads = []
    for scale in (1e-3, 1.0, 40.0):
        run = run_with(maps(1) * np.float32(scale))
        found = spread_of(run, *node_of(run), 0)
        assert found is not None
        spreads.append(found)
    first, last = window_of(spreads)
    assert last - first == BINS
    largest = max(np.flatnonzero(s.counts)[-1] for s in spreads)
    assert first <= largest < last
    assert last - largest <= 0.5 / BIN_DECADES


def test_a_ridge_has_its_peak_at_one_and_an_empty_one_is_flat() -> None:
    run = run_with(maps(2))
    spread = spread_of(run, *node_of(run), 0)
    assert spread is not None
    ridge = ridge_of(spread, window_of([spread]))
    assert (ridge.max(), ridge.min() >= 0, len(ridge)) == (1.0, True, BINS)
    silent = run_with(np.zeros((2, 3, 4, 4), np.float32))
    nothing = spread_of(silent, *node_of(silent), 0)
    assert nothing is not None
    assert (ridge_of(nothing, window_of([nothing])) == 0).all()


def test_of_too_many_values_evenly_spread_ones_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "MOST_VALUES", 10_000)
    run = run_with(maps(3, (10, 4, 20, 20)))
    spread = spread_of(run, *node_of(run), 0)
    assert spread is not None
    assert spread.n_values == 2 * 4096
    assert spread.n_all == 16_000


@given(st.integers(0, 2**31), st.booleans())
@settings(max_examples=20)
def test_moments_joined_from_channels_are_those_of_all_values(seed: int, has_odd: bool) -> None:
    values = maps(seed, signed=bool(seed % 2)) / np.float32(1e3)
    values[:, 2] = 0.0
    if has_odd:
        values[0, 1, 0, :2] = np.nan, np.inf
    run = run_with(values)
    found = moments_of(run, *node_of(run), 0)
    assert found is not None
    finite = values[np.isfinite(values)].astype(np.float64)
    assert np.isclose(found.mean, finite.mean(), rtol=1e-4, atol=1e-6 * np.abs(finite).max())
    assert np.isclose(found.std, finite.std(), rtol=1e-4)
    assert found.n_nonfinite == values.size - finite.size
    is_signed = bool((finite < 0).any())
    dead = int(((values == 0).all(axis=(0, 2, 3))).sum())
    assert found.dead == (-1 if is_signed else dead)


def test_what_was_not_recorded_has_no_figures() -> None:
    layers = [LayerSpec("input", "input"), LayerSpec("relu", "relu"), LayerSpec("last", "relu")]
    values = np.ones((1, 2, 4, 4), np.float32)
    run = run_from_arrays(layers, {"input": values, "relu": [values]})
    nodes = [n.id for n in run.graph.nodes if not run.has_values(n.id, 0, 0)]
    assert nodes
    assert spread_of(run, nodes[0], 0, 0) is None
    assert moments_of(run, nodes[0], 0, 0) is None
