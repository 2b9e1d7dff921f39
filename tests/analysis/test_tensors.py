"""Tensors as pictures: scales, kernels of any dimension, matrices of means, histograms on common bins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn3d.analysis import tensors
from nn3d.analysis.tensors import (
    Histogram,
    common_ridges,
    evenly_spread,
    histogram_of,
    kernel_shape,
    matrix_of,
    matrix_shape,
    read_kernels,
    scale_of,
)
from nn3d.run.memory import LayerSpec, run_from_arrays


def weights(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_a_scale_holds_995_of_1000_values_and_counts_what_is_not_finite() -> None:
    values = weights(1, 40, 50)
    values[0, :3] = np.nan, np.inf, -np.inf
    found = scale_of(values)
    finite = values[np.isfinite(values)]
    assert 0.994 <= (np.abs(finite) <= found.full).mean() <= 0.996
    assert (found.n_nonfinite, found.n_values, found.n_all) == (3, 2000, 2000)
    assert found.counts.sum() == finite.size
    assert (found.lowest, found.highest) == (finite.min(), finite.max())


@pytest.mark.parametrize("values", [np.zeros((3, 3), np.float32), np.full(4, np.nan, np.float32), np.zeros(0)])
def test_a_tensor_without_any_size_has_a_scale_to_divide_by(values: np.ndarray) -> None:
    assert scale_of(values.astype(np.float32)).full == 1.0


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((6, 3, 5, 5), (6, 3, 5, 5, 1)), ((8, 4, 7), (8, 4, 1, 7, 1)), ((2, 3, 4, 5, 6), (2, 3, 5, 24, 4))],
)
def test_kernels_have_a_picture_in_one_two_and_three_dimensions(
    shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    found = kernel_shape(shape)
    assert found is not None
    assert (found.n_out, found.n_in, found.rows, found.cols, found.depth) == expected
    values = weights(2, *shape)
    kernels = read_kernels(values, (1, 2), (0, 3))
    assert kernels.shape == (1, 3, found.rows, found.cols)
    if len(shape) == 5:
        assert np.array_equal(kernels[0, 1, :, 6:12], values[1, 1, 1])
    else:
        assert np.array_equal(kernels.ravel(), values[1:2, :3].ravel())


@pytest.mark.parametrize("shape", [(4, 4, 1, 1), (10, 20), (7,), (), (2, 3, 1)])
def test_what_has_no_kernels_has_no_kernel_shape(shape: tuple[int, ...]) -> None:
    assert kernel_shape(shape) is None


@given(st.integers(2, 70), st.integers(2, 70), st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**31))
@settings(max_examples=60)
def test_each_cell_of_a_matrix_is_the_mean_of_its_block(rows: int, cols: int, r: int, c: int, seed: int) -> None:
    values = weights(seed, rows, cols)
    found = matrix_of(values, (r, c))
    assert found.cells.shape[0] <= r
    assert found.cells.shape[1] <= c
    high, wide = found.block
    for i in range(found.cells.shape[0]):
        for j in range(found.cells.shape[1]):
            block = values[i * high : (i + 1) * high, j * wide : (j + 1) * wide]
            assert np.isclose(found.cells[i, j], block.mean(dtype=np.float64), rtol=1e-5, atol=1e-6)


def test_a_matrix_marks_the_blocks_that_are_not_finite_and_no_others() -> None:
    values = weights(4, 9, 9)
    values[4, 4] = np.nan
    found = matrix_of(values, (3, 3))
    assert np.isnan(found.cells[1, 1])
    assert np.isfinite(np.delete(found.cells.ravel(), 4)).all()


def test_of_a_large_matrix_some_rows_of_every_block_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "MATRIX_VALUES", 2000)
    values = np.repeat(np.arange(10, dtype=np.float32), 40)[:, None] * np.ones((1, 50), np.float32)
    found = matrix_of(values, (10, 50))
    assert found.read_share == 4 / 40
    assert np.array_equal(found.cells, np.arange(10, dtype=np.float32)[:, None] * np.ones((1, 50), np.float32))


@given(st.lists(st.integers(1, 6), max_size=6))
def test_any_shape_is_a_matrix_of_all_its_values(shape: list[int]) -> None:
    rows, cols = matrix_shape(tuple(shape))
    assert rows * cols == math.prod(shape)


def test_of_a_long_tensor_whole_blocks_from_end_to_end_are_read() -> None:
    flat = np.arange(10_000_000, dtype=np.float32)
    some = evenly_spread(flat, 1 << 20)
    assert some.size == 1 << 20
    assert (some[0], some[-1]) == (flat[0], flat[-1])
    assert (np.diff(some.reshape(-1, 4096), axis=1) == 1).all()
    assert np.diff(some[::4096]).std() <= 1.0


def test_a_stored_histogram_is_taken_and_equals_the_computed_one() -> None:
    values = weights(8, 20, 30)
    layers = [LayerSpec("input", "input"), LayerSpec("fc", "linear", parameters={"weight": [values]})]
    maps = {"input": np.zeros((1, 30), np.float32), "fc": [np.zeros((1, 20), np.float32)]}
    stored = run_from_arrays(layers, maps)
    bare = run_from_arrays(layers, maps, statistics=False)
    assert stored.parameter_stats(0, 0) is not None
    assert bare.parameter_stats(0, 0) is None
    a, b = histogram_of(stored, 0, 0), histogram_of(bare, 0, 0)
    assert a is not None
    assert b is not None
    assert np.isclose(a.most, b.most)
    assert np.abs(a.counts - b.counts).sum() <= 4


def test_common_ridges_keep_the_shape_of_the_widest_and_narrow_the_others() -> None:
    found = [scale_of(weights(5, 300, 300)), scale_of(weights(6, 300, 300) * np.float32(4.0))]
    narrow, wide = (Histogram(s.most, s.counts) for s in found)
    most, (a, b) = common_ridges([narrow, wide])
    assert most == wide.most
    assert np.allclose(b, wide.counts / wide.counts.max(), atol=1e-6)
    assert a.max() == b.max() == 1.0
    places = np.linspace(-most, most, len(a))
    spread = [float(np.sqrt((places**2 * row).sum() / row.sum())) for row in (a, b)]
    assert 3.0 < spread[1] / spread[0] < 5.0
