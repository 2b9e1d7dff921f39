"""Figures of a layer are those of numpy, whatever the values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nn3d.analysis.spread import spread_of, upper_quantile

QUANTILES = (0.97, 0.995)
KINDS: dict[str, Callable[[Any], Any]] = {
    "normal": lambda v: v,
    "after relu": lambda v: np.maximum(v, 0),
    "few steps": lambda v: np.round(v * 2) / 2,
    "far from zero": lambda v: 1000 + v * 0.01,
    "one value": lambda v: np.full_like(v, 0.25),
    "all zero": lambda v: v * 0,
    "huge": lambda v: v * np.float32(5e37),
    "not finite": lambda v: np.where(v > 1, np.nan, np.where(v < -2, -np.inf, v)),
    "tiny layer": lambda v: v[:2, :1, :3],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_has_the_figures_that_numpy_finds(kind: str, rng: np.random.Generator) -> None:
    given = np.asarray(KINDS[kind](rng.normal(size=(12, 40, 50)).astype(np.float32)), np.float32)
    found = spread_of(given, QUANTILES)
    good = given[np.isfinite(given)].astype(np.float64)
    signed = good.min() < -1e-3 * max(good.max(), 1e-12)
    pool = np.abs(good) if signed else good[good > 0]
    scale = np.abs(good).max() + 1e-9
    assert (found.lowest, found.highest) == (good.min(), good.max())
    assert found.mean == pytest.approx(good.mean(), abs=1e-6 * scale)
    assert found.std == pytest.approx(good.std(), rel=1e-4, abs=1e-9 * scale)
    assert found.zero_share == pytest.approx((good == 0).mean())
    assert found.full == pytest.approx(np.quantile(pool, QUANTILES[not signed]) if pool.size else 0.0, rel=1e-6)
    tops = np.where(np.isnan(given), 1.0, given).reshape(len(given), -1).max(1)
    assert (found.n_silent, found.n_nonfinite) == ((tops <= 0).sum(), given.size - good.size)


def test_a_layer_without_a_finite_value_has_no_figures() -> None:
    found = spread_of(np.full((2, 3, 3), np.nan, np.float32), QUANTILES)
    assert np.isnan([found.lowest, found.highest, found.mean, found.std]).all()
    assert (found.full, found.n_silent, found.n_nonfinite) == (0.0, 0, 18)


def test_the_quantile_is_exact_where_the_guess_is_wrong() -> None:
    """The values that the guess looks at are the largest ones."""
    values = np.zeros(40_960, np.float32)
    values[::10] = 5.0
    assert upper_quantile(values, 0.97) == np.quantile(values, 0.97)
    values[1::10] = np.linspace(0, 4, 4096)
    for share in (0.5, 0.85, 0.97, 0.995):
        assert upper_quantile(values, share) == pytest.approx(float(np.quantile(values, share)), rel=1e-6)
