"""Pictures at both ends of a network from image to image: as large as the plates of their own resolution. World u."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nn3d.layout.arrange import INPUT_SCALE, arrange, side
from nn3d.layout.bundle import tile_table

if TYPE_CHECKING:
    from nn3d.stage.plan import LayerPlan

MOST_TILES = 3
SMALLEST_CELLS = 8


def is_picture(plan: LayerPlan) -> bool:
    """Whether a layer shows one picture, or a few: at most 3 maps of at least 8 × 8 cells."""
    t = plan.tiles
    return plan.shows == "values" and not plan.is_token and t.n <= MOST_TILES and min(t.cells) >= SMALLEST_CELLS


def with_pictures(layers: tuple[LayerPlan, ...], power: float) -> tuple[LayerPlan, ...]:
    """The layers; where a picture goes in and one comes out, both have the area of a usual plate of their resolution.

    An input is never smaller than the usual input picture, an output never smaller than a map.
    """
    inputs = [p for p in layers if p.input is not None and is_picture(p)]
    outputs = [p for p in layers if p.is_output and p.input is None and is_picture(p)]
    if not inputs or not outputs:
        return layers
    ends = {p.layer.index: _enlarged(p, layers, power) for p in (*inputs, *outputs)}
    return tuple(ends.get(p.layer.index, p) for p in layers)


def scale_of(plan: LayerPlan, power: float) -> float:
    """How much larger than a map of its resolution the tiles of a layer are drawn."""
    return 2.0 * plan.tiles.half[0] / side(plan.tiles.cells[0], power)


def _enlarged(plan: LayerPlan, layers: tuple[LayerPlan, ...], power: float) -> LayerPlan:
    own = plan.tiles
    plates = [p.tiles.extents[3] for p in layers if p.tiles.cells == own.cells and p.tiles.n > MOST_TILES]
    usual = float(np.sqrt(np.median(np.prod(plates, axis=1)))) if plates else 0.0
    alone = float(np.sqrt(side(own.cells[0], power) * side(own.cells[1], power) * own.n))
    scale = max(INPUT_SCALE if plan.input is not None else 1.0, usual / alone)
    tiles = arrange(own.n, own.cells, power=power, scale=scale)
    grow = np.array(tiles.half) / np.array(tiles.mosaic_half)
    extents = tiles.extents.copy()
    extents[3] *= grow
    mosaic = (tiles.mosaic * grow).astype(np.float32)
    tiles = replace(tiles, mosaic=mosaic, mosaic_half=tiles.half, extents=extents)
    return replace(plan, tiles=tiles, table=tile_table(tiles))
