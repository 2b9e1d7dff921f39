"""Taller mosaics where very many plates share a picture's width: the same tiles in half as many columns. World u."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nn3d.layout.arrange import lattice
from nn3d.layout.bundle import tile_table
from nn3d.layout.graph import Topology

if TYPE_CHECKING:
    from nn3d.stage.plan import LayerPlan

MANY_COLUMNS = 40
MOST_LANES = 2
FEWEST_TILES = 4
TALLEST = 2.0


def is_crowded(topology: Topology) -> bool:
    """Whether width is scarce and height is not: 40 columns or more, and at most two lanes."""
    lane, column = topology.lane, topology.column
    return len(lane) > 0 and int(column.max()) + 1 >= MANY_COLUMNS and int(np.ptp(lane)) < MOST_LANES


def stacked(plan: LayerPlan, share: float) -> LayerPlan:
    """A row whose mosaic is on its way (share 0 … 1) from its own columns to half as many, twice as high.

    Its tiles keep their size. Only maps are stacked: no neurons, tokens, heads or glued parts, nothing slim already.
    """
    if share == plan.stacked or not _can_be(plan):
        return plan
    tiles = plan.tiles
    rows, cols = tiles.grid
    k = np.arange(tiles.n)
    wide, tall = (
        lattice(k // c, k % c, (r, c), tiles.mosaic_half, (0.0, 0.0)) for r, c in ((rows, cols), (2 * rows, cols // 2))
    )
    mosaic = (wide[0] * (1.0 - share) + tall[0] * share).astype(np.float32)
    extents = tiles.extents.copy()
    extents[3] = wide[1] * (1.0 - share) + tall[1] * share
    made = replace(tiles, mosaic=mosaic, extents=extents)
    return replace(plan, tiles=made, table=tile_table(made), stacked=share)


def _can_be(plan: LayerPlan) -> bool:
    tiles, axes = plan.tiles, plan.layer.axes
    rows, cols = tiles.grid
    is_slim = cols % 2 == 1 or rows >= TALLEST * cols or rows * cols != tiles.n
    is_maps = plan.shows == "values" and axes[:1] == ("C",) and len(plan.layer.shape) == 3 and tiles.cells != (1, 1)
    return is_maps and tiles.n >= FEWEST_TILES and not (is_slim or plan.parts or plan.recurrent or plan.input)
