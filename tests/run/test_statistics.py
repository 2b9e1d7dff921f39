"""Laws of a parameter's figures: what is read slice by slice is what numpy says of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from nn3d.run import statistics
from nn3d.run.memory import run_from_arrays
from nn3d.run.run import Run
from nn3d.run.statistics import parameter_stats_from, parameter_vector


@pytest.mark.parametrize("shape", [(70, 45), (3, 500), (90, 2, 3, 3), (64, 1), (1, 40)])
@pytest.mark.parametrize("slice_values", [50, 1 << 20])
def test_figures_read_in_slices_are_those_of_the_whole(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], slice_values: int
) -> None:
    monkeypatch.setattr(statistics, "_SLICE_VALUES", slice_values)
    w = rng.normal(size=shape).astype(np.float32)
    w.ravel()[[3, 7, 11]] = np.nan, np.inf, -np.inf
    stats = parameter_stats_from(parameter_vector(w), shape)
    kept = w[np.isfinite(w)].astype(np.float64)
    matrix = np.where(np.isfinite(w), w, 0.0).reshape(shape[0], -1).astype(np.float64)
    assert (stats.n_nan, stats.n_posinf, stats.n_neginf) == (1, 1, 1)
    np.testing.assert_allclose([stats.mean, stats.std], [kept.mean(), kept.std()], rtol=1e-5, atol=1e-7)
    assert (stats.low, stats.high, stats.max_abs) == (kept.min(), kept.max(), np.abs(kept).max())
    assert stats.histogram.sum() == kept.size
    up, down = np.maximum(matrix, 0), np.minimum(matrix, 0)
    for found, want in ((stats.col_pos, up.sum(0)), (stats.col_neg, down.sum(0)), (stats.row_pos, up.sum(1)),
                        (stats.row_neg, down.sum(1))):  # fmt: skip
        np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)
    _, tall, wide = stats.pyramid.shape
    rows, columns = matrix.shape
    for p, q in ((0, 0), (tall // 2, wide // 2), (tall - 1, wide - 1)):
        block = matrix[p * rows // tall : (p + 1) * rows // tall, q * columns // wide : (q + 1) * columns // wide]
        want = block.mean(), np.abs(block).mean(), np.abs(block).max()
        np.testing.assert_allclose(stats.pyramid[:, p, q], want, rtol=1e-5, atol=1e-6)


def bare_run(rng: np.random.Generator) -> Run:
    """One linear layer of 1,100 × 1,000 weights without recorded statistics."""
    w = rng.normal(size=(1100, 1000)).astype(np.float32)
    layers = [{"name": "x", "op": "input"}, {"name": "fc", "op": "linear", "parameters": {"weight": w}}]
    values = {"x": rng.normal(size=(1, 1000)).astype(np.float32), "fc": np.ones((1, 1100), np.float32)}
    return run_from_arrays(layers, values, statistics=False)


def test_figures_that_are_not_recorded_are_computed_once_and_known_from_then_on(rng: np.random.Generator) -> None:
    run = bare_run(rng)
    assert not run.knows_parameter_stats(0, 0)
    first = run.computed_parameter_stats(0, 0)
    assert run.knows_parameter_stats(0, 0)
    assert first is not None
    assert run.computed_parameter_stats(0, 0) is first
    assert list(run.computing_parameter_stats(0, 0)) == []
    np.testing.assert_allclose(first.col_pos + first.col_neg, run.parameter(0, 0).sum(0), rtol=1e-4, atol=1e-3)
