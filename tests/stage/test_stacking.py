"""Laws of mosaics that are restacked where very many plates share the width."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from nn3d.layout.graph import topology
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.stage.plan import Plan, make_plan
from nn3d.stage.stacking import FEWEST_TILES, MANY_COLUMNS, is_crowded, stacked


@cache
def plan() -> Plan:
    """The plan of the bundled ResNet-20."""
    return make_plan(open_run(bundled_runs()["resnet20-cifar10"]))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_restacked_tiles_keep_their_size_fill_their_block_and_come_back(share: float) -> None:
    n_stacked = 0
    for row in plan().layers:
        made = stacked(row, share)
        assert (made.tiles.half, made.tiles.mosaic_half, made.tiles.n) == (
            row.tiles.half,
            row.tiles.mosaic_half,
            row.tiles.n,
        )
        reach = np.abs(made.tiles.mosaic).max(0) + made.tiles.mosaic_half
        assert (2.0 * reach <= made.tiles.extents[3] + 1e-4).all()
        np.testing.assert_array_equal(made.table["mosaic"], made.tiles.mosaic)
        np.testing.assert_allclose(stacked(made, 0.0).tiles.mosaic, row.tiles.mosaic, atol=1e-5)
        np.testing.assert_allclose(stacked(made, 0.0).tiles.extents, row.tiles.extents, atol=1e-5)
        if made is not row:
            n_stacked += 1
            high, wide = made.tiles.extents[3] / row.tiles.extents[3]
            assert (high, wide) == (pytest.approx(1.0 + share), pytest.approx(1.0 - share / 2.0))
            assert row.tiles.n >= FEWEST_TILES
    assert (n_stacked > 10) == (share > 0.0)


def test_whole_stacks_hold_no_two_tiles_in_one_place() -> None:
    for row in plan().layers:
        tiles = stacked(row, 1.0).tiles
        apart = np.abs(tiles.mosaic[:, None] - tiles.mosaic[None])
        meet = (apart < 2.0 * np.array(tiles.mosaic_half) * (1.0 - 1e-4)).all(-1)
        assert not (meet & ~np.eye(tiles.n, dtype=bool)).any()


def test_only_long_networks_with_few_lanes_are_crowded() -> None:
    def chain(n: int, lane: int) -> bool:
        top = topology([p.layer for p in plan().layers][:2])
        return is_crowded(
            replace(top, column=np.arange(n, dtype=np.int32), lane=np.arange(n, dtype=np.int32) % (lane + 1))
        )

    assert chain(MANY_COLUMNS, 0)
    assert chain(MANY_COLUMNS, 1)
    assert not chain(MANY_COLUMNS, 2)
    assert not chain(MANY_COLUMNS - 1, 0)
    assert not is_crowded(plan().topology)
