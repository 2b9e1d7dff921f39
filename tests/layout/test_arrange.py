"""Laws of arrangements: tiles never overlap, extents hold them, every shape is folded."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn3d.layout.arrange import arrange, fold, grid_shape


@given(n=st.integers(1, 300), rows=st.integers(1, 40), cols=st.integers(1, 40), is_classes=st.booleans())
def test_tiles_never_overlap_in_any_arrangement(n: int, rows: int, cols: int, is_classes: bool) -> None:
    tiles = arrange(n, (rows, cols), is_classes=is_classes)
    for at, half in ((tiles.line, tiles.half), (tiles.at_grid, tiles.half), (tiles.mosaic, tiles.mosaic_half)):
        d = np.abs(at[:, None] - at[None]) / (2.0 * np.array(half, np.float32)) + 10.0 * np.eye(n)[:, :, None]
        assert d.max(-1).min() > 0.999


@given(n=st.integers(3, 60), cells=st.integers(1, 30))
def test_neighbours_on_the_circle_do_not_overlap(n: int, cells: int) -> None:
    tiles = arrange(n, (cells, cells))
    step = np.abs(tiles.circle - np.roll(tiles.circle, 1, 0)) / (2.0 * np.array(tiles.half, np.float32))
    assert step.max(-1).min() > 0.6
    assert np.allclose(np.linalg.norm(tiles.circle, axis=1), np.linalg.norm(tiles.circle[0]), rtol=1e-4)


@given(n=st.integers(1, 300), rows=st.integers(1, 40), cols=st.integers(1, 40))
def test_extents_hold_every_tile(n: int, rows: int, cols: int) -> None:
    tiles = arrange(n, (rows, cols))
    halves = (tiles.half, tiles.half, tiles.half, tiles.mosaic_half)
    for at, half, extent in zip(
        (tiles.line, tiles.circle, tiles.at_grid, tiles.mosaic), halves, tiles.extents, strict=True
    ):
        assert (np.abs(at) + np.array(half) <= extent / 2.0 + 1e-3).all()


@pytest.mark.parametrize(
    ("n", "neurons", "maps"),
    [(6, (3, 2), (3, 2)), (16, (8, 2), (4, 4)), (64, (16, 4), (8, 8)), (84, (14, 6), (12, 7)), (96, (16, 6), (12, 8)),
     (120, (15, 8), (12, 10)), (192, (24, 8), (16, 12)), (480, (32, 15), (24, 20)), (1000, (50, 20), (40, 25))],
)  # fmt: skip
def test_grids_are_tall_and_full(n: int, neurons: tuple[int, int], maps: tuple[int, int]) -> None:
    assert grid_shape(n, True, False) == neurons
    assert grid_shape(n, False, False) == maps


@given(st.lists(st.integers(1, 9), max_size=6).map(tuple))
def test_no_shape_is_refused_and_no_cell_is_lost(shape: tuple[int, ...]) -> None:
    k, rows, cols = fold(shape, ("C", "D", "H", "W")[: len(shape)])
    assert k * rows * cols == math.prod(shape)


def test_folding_keeps_the_words_meaning() -> None:
    assert fold((16, 10, 10), ("C", "H", "W")) == (16, 10, 10)
    assert fold((120,), ("F",)) == (120, 1, 1)
    assert fold((8, 50), ("C", "L")) == (8, 1, 50)
    assert fold((11, 96), ("T", "F")) == (1, 11, 96)
    assert fold((3, 4, 5, 6), ("C", "D", "H", "W")) == (12, 5, 6)
