"""Where the neurons of a small network stand: one column a layer of tiles large enough to carry their numbers. u.

A network is small when nothing but neurons and input pictures is in it, at most 40 neurons in all, so that every
weight can be drawn from a tile's right edge to the next one's left edge.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from nn3d.layout.arrange import POWER, Tiles, _ring, fold, lattice, side
from nn3d.run.model import Layer

MAX_NEURONS = 40
MAX_COLUMN = 20
HALF = (1.0, 1.55)
WIDEST = 1.4
GAPS = (1.15, 2.15, 4.3)
GAP_ROWS = 8
MOSAIC_SCALE = 0.62
PICTURE_SHARE = 0.45
STEP = (12.0, 0.74, 42.0)


def tallest_column(layers: Sequence[Layer], input_nodes: Collection[int]) -> int:
    """The most neurons in one layer of a small network; 0 when the network is not small.

    input_nodes : nodes that hold the model's inputs (a picture among them does not count).
    """
    counts = []
    for layer in layers:
        n, rows, cols = fold(layer.shape, layer.axes)
        if (rows, cols) == (1, 1):
            counts.append(n)
        elif not set(layer.nodes) & set(input_nodes):
            return 0
    is_small = len(counts) > 1 and sum(counts) <= MAX_NEURONS and max(counts) <= MAX_COLUMN
    return max(counts) if is_small else 0


def neuron_half(tallest: int) -> tuple[float, float]:
    """(half height, half width) of a neuron's tile: wider where columns are tall, so that its value still fits."""
    return HALF[0], HALF[1] * min(WIDEST, max(1.0, tallest / GAP_ROWS) ** 0.5)


def column_gap(n: int, tallest: int) -> float:
    """Free height between two neurons of a column of n: columns grow toward the tallest one's height."""
    least = max(GAPS[0], min(GAPS[1], GAPS[1] * GAP_ROWS / max(1, tallest)))
    return min(GAPS[2], least * max(1.0, tallest / max(1, n)))


def column_height(n: int, tallest: int) -> float:
    """Full height of a column of n neurons."""
    return n * 2.0 * HALF[0] + (n - 1) * column_gap(n, tallest)


def neuron_column(n: int, tallest: int) -> Tiles:
    """n neurons under one another: all four arrangements; the mosaic is the same column, smaller and without gaps."""
    gap, half = column_gap(n, tallest), neuron_half(tallest)
    r, c = np.arange(n), np.zeros(n, np.int64)
    grid, grid_extent = lattice(r, c, (n, 1), half, (gap, 0.0))
    line, line_extent = lattice(c, r, (1, n), half, (gap, 0.8))
    circle, circle_extent = _ring(n, half, 1.2)
    mosaic_half = (half[0] * MOSAIC_SCALE, half[1] * MOSAIC_SCALE)
    mosaic, block = lattice(r, c, (n, 1), mosaic_half, (0.0, 0.0))
    extents = np.stack([line_extent, circle_extent, grid_extent, block])
    return Tiles(n, (1, 1), (n, 1), line, circle, grid, mosaic, half, mosaic_half, gap, extents, 0.30)


def picture_scale(rows: int, tallest: int, power: float = POWER) -> float:
    """How much an input picture of `rows` rows of cells is enlarged beside columns of neurons."""
    return max(1.0, PICTURE_SHARE * column_height(tallest, tallest) / side(rows, power))


def column_step(tallest: int) -> float:
    """The gap before an open column, in u: wider where the columns are tall, since height binds the picture then."""
    least, share, most = STEP
    return min(most, max(least, share * column_height(tallest, tallest)))
