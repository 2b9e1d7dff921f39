"""Laws of bundles: the strands of one large tile gather by the region that they start in."""

from __future__ import annotations

import numpy as np
import pytest

from nn3d.layout.arrange import arrange
from nn3d.layout.bundle import regions, source_places, strands, tile_table

CELLS = (28, 20)


@pytest.mark.parametrize("name", ["line", "circle", "grid", "mosaic"])
def test_strands_of_a_picture_gather_in_the_middle_of_the_region_they_start_in(name: str) -> None:
    picture, target = arrange(1, CELLS, scale=1.55, power=0.6), arrange(6, (10, 10), scale=1.0, power=0.6)
    rows, cols = np.divmod(np.arange(CELLS[0] * CELLS[1]), CELLS[1])
    uv = np.stack([(cols + 0.5) / CELLS[1], (rows + 0.5) / CELLS[0]], 1).astype(np.float32)
    tiles = np.zeros(rows.size, np.int64), np.arange(rows.size) % 6
    made, radii = strands(picture, target, tiles, (uv, np.full_like(uv, 0.5)), by_region=True)
    places = source_places(picture, tile_table(picture), by_region=True)
    half = np.array(picture.mosaic_half if name == "mosaic" else picture.half)
    starts = tile_table(picture)[name][0] + np.stack([1.0 - 2.0 * uv[:, 1], 2.0 * uv[:, 0] - 1.0], 1) * half
    away = np.linalg.norm((starts[:, None] - places[name][None]) / half, axis=2)
    assert (np.abs(starts - places[name][made["clusters"][:, 0]]) <= half / 3.0 + 1e-5).all()
    assert (away.argmin(1) == made["clusters"][:, 0]).all()
    assert np.abs(made["spread"][:, :2]).max() <= 1.0
    assert radii[0] == pytest.approx(max(picture.half) / 3.0, rel=1e-4)
    assert set(made["clusters"][:, 0]) == set(range(9))


def test_the_offset_in_a_bundle_points_to_where_the_strand_starts() -> None:
    picture, target = arrange(1, CELLS, scale=1.55, power=0.6), arrange(6, (10, 10), scale=1.0, power=0.6)
    uv = np.array([[0.01, 0.01], [0.99, 0.99]], np.float32)
    made, _ = strands(picture, target, (np.zeros(2, np.int64), np.zeros(2, np.int64)), (uv, uv), by_region=True)
    assert (made["spread"][0, :2] * [1.0, -1.0] > 0.9).all()
    assert (made["spread"][1, :2] * [-1.0, 1.0] > 0.9).all()


def test_layers_of_several_tiles_and_of_one_cell_have_no_regions() -> None:
    assert regions(arrange(6, (10, 10), scale=1.0, power=0.6)) is None
    assert regions(arrange(1, (1, 1), scale=1.0, power=0.6)) is None
    assert regions(arrange(1, (2, 40), scale=1.0, power=0.6)) == (2, 3)
