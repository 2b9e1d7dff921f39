"""Where the tiles of one layer stand: line, circle, grid and mosaic, in the layer's own (y, z) plane, y up.

World units u. Tile sides are s0·nᵖ for n cells. The reader looks along +x with z to the right, so rows run down in y
and columns along +z. Anchors are in index order, tile k is map k of the layer, unless a layer has an order of its own
(Tiles.place).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

S0 = 0.80
POWER = 0.6
POWER_LARGE = 0.5
LARGE_CELLS = 64
INPUT_SCALE = 1.55
MOSAIC_SCALE = 1.25
CLASS_SCALE = 1.18
MIN_BLOCK = 2.4
HALF_THICKNESS = 0.10
TOKEN_WIDTH = 9.0
TOKEN_ROW = 1.4
TOKEN_HEIGHT = 15.5

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tiles:
    """The tiles of a layer.

    n : number of tiles; cells : (R, C) of each. grid : (rows, columns) of the grid and the mosaic.
    line, circle, at_grid, mosaic : (n, 2) float32 centres (y, z). half : (half height, half width) of an open tile.
    gutter : free height between two rows of the grid. extents : (4, 2) full (height, width) of line, circle, grid and
    collapsed block. block_thickness : half thickness of the collapsed block.
    place : (n,) slot of each tile where they do not stand in index order (nn3d.layout.order), else None.
    """

    n: int
    cells: tuple[int, int]
    grid: tuple[int, int]
    line: F32
    circle: F32
    at_grid: F32
    mosaic: F32
    half: tuple[float, float]
    mosaic_half: tuple[float, float]
    gutter: float
    extents: NDArray[np.float64]
    block_thickness: float
    place: NDArray[np.int64] | None = None


def fold(shape: tuple[int, ...], axes: tuple[str, ...]) -> tuple[int, int, int]:
    """(K tiles, R rows, C columns) of an array of this shape: never refuses one.

    (N) → N tiles of one cell; (T, D) → one tile, (T) and (T, heads, D) too, whose rows are tokens; (C, L) → C strips;
    (C, H, W) → C tiles; (C, D, H, W) → C·D tiles; anything else is folded to tiles of its two last axes.
    """
    if not shape:
        return 1, 1, 1
    if len(shape) == 1:
        return (1, shape[0], 1) if axes == ("T",) else (shape[0], 1, 1)
    if len(shape) == 2:
        return (shape[0], 1, shape[1]) if axes[:1] == ("C",) else (1, shape[0], shape[1])
    if len(shape) == 3 and axes[:2] == ("T", "heads"):
        return 1, shape[0], shape[1] * shape[2]
    return math.prod(shape[:-2]), shape[-2], shape[-1]


def side(n_cells: int, power: float) -> float:
    """Drawn length of `n_cells` cells, in u."""
    return S0 * math.pow(n_cells, power)


def grid_shape(n: int, is_neurons: bool, is_classes: bool) -> tuple[int, int]:
    """(rows, columns) for n tiles: a divisor pair, tall rather than wide; ragged only when every pair is a sliver."""
    if n <= 1 or (is_classes and n <= 24):
        return max(1, n), 1
    goal = 2.05 if is_neurons else 1.25
    pairs = [(n // c, c) for c in range(1, math.isqrt(n) + 1) if n % c == 0]
    rows, cols = min(pairs, key=lambda p: abs(math.log(p[0] / p[1] / goal)))
    if rows / cols > 5.0 and n > 5:
        cols = max(1, round(math.sqrt(n / goal)))
        rows = math.ceil(n / cols)
    return rows, cols


def tile_half(
    cells: tuple[int, int], *, is_token: bool, scale: float, power: float, usual: int = 96
) -> tuple[float, float]:
    """(half height, half width) of one open tile; token tiles of the `usual` number of columns are 9 u wide."""
    r, c = cells
    if is_token:
        width = TOKEN_WIDTH * min(2.4, max(0.16, math.sqrt(c / usual)))
        return min(TOKEN_HEIGHT, max(1.0, TOKEN_ROW * r)) / 2.0, width / 2.0
    return side(r, power) * scale / 2.0, side(c, power) * scale / 2.0


def _gaps(cells: tuple[int, int], half: tuple[float, float], is_classes: bool) -> tuple[float, float]:
    if cells == (1, 1):
        return (0.62, 0.0) if is_classes else (0.30, 0.16)
    side_u = 2.0 * max(half)
    return max(0.30, 0.62 * math.sqrt(2.0 * half[0])), min(0.55, max(0.16, 0.20 * math.sqrt(side_u)))


def arrange(
    n: int,
    cells: tuple[int, int],
    *,
    is_token: bool = False,
    is_input: bool = False,
    is_classes: bool = False,
    power: float = POWER,
    columns: int | None = None,
    scale: float = 0.0,
    usual: int = 96,
) -> Tiles:
    """All four arrangements of n tiles of `cells` (R, C) cells; `columns` of the grid where they are not free.

    scale : of the tiles, where it is not the usual one (0). usual : columns of most token tiles of the network.
    """
    scale = scale or (INPUT_SCALE if is_input and n <= 3 else 1.0)
    half = tile_half(cells, is_token=is_token, scale=scale, power=power, usual=usual)
    rows, cols = (-(-n // columns), columns) if columns else grid_shape(n, cells == (1, 1), is_classes)
    gap_y, gap_z = _gaps(cells, half, is_classes)
    k = np.arange(n)
    r, c = k // cols, k % cols
    grid, grid_extent = lattice(r, c, (rows, cols), half, (gap_y, gap_z))
    line, line_extent = lattice(np.zeros(n, np.int64), k, (1, n), half, (gap_y, gap_z))
    circle, circle_extent = _ring(n, half, gap_z)
    mosaic_half = _mosaic_half((rows, cols), cells, half, power, is_one=n == 1, is_classes=is_classes)
    mosaic, block = lattice(r, c, (rows, cols), mosaic_half, (0.0, 0.0))
    return Tiles(
        n, cells, (rows, cols), line, circle, grid, mosaic, half, mosaic_half, gap_y,
        np.stack([line_extent, circle_extent, grid_extent, block]), 0.16 + 0.11 * math.log2(n + 1),
    )  # fmt: skip


def _mosaic_half(
    grid: tuple[int, int],
    cells: tuple[int, int],
    half: tuple[float, float],
    power: float,
    *,
    is_one: bool,
    is_classes: bool,
) -> tuple[float, float]:
    """(half height, half width) of a tile in the collapsed block, whose sides are those of one picture of all cells."""
    if is_one:
        return half
    if is_classes:
        return half[0] * CLASS_SCALE, half[1] * CLASS_SCALE
    sides = [side(g * n, power) * MOSAIC_SCALE for g, n in zip(grid, cells, strict=True)]
    grow = max(1.0, MIN_BLOCK / max(sides))
    return sides[0] * grow / 2.0 / grid[0], sides[1] * grow / 2.0 / grid[1]


def lattice(
    r: NDArray[np.int64],
    c: NDArray[np.int64],
    shape: tuple[int, int],
    half: tuple[float, float],
    gaps: tuple[float, float],
) -> tuple[F32, NDArray[np.float64]]:
    """(n, 2) centres (y, z) of tiles at rows r and columns c (n,) of a lattice, and its (2,) full height and width."""
    h, w = 2.0 * half[0], 2.0 * half[1]
    height = shape[0] * h + (shape[0] - 1) * gaps[0]
    width = shape[1] * w + (shape[1] - 1) * gaps[1]
    y = height / 2.0 - half[0] - r * (h + gaps[0])
    z = -width / 2.0 + half[1] + c * (w + gaps[1])
    return np.stack([y, z], 1).astype(np.float32), np.array([height, width])


def _ring(n: int, half: tuple[float, float], gap: float) -> tuple[F32, NDArray[np.float64]]:
    """n tiles on a circle, the first at the top, clockwise as the reader sees them."""
    if n == 1:
        return np.zeros((1, 2), np.float32), 2.0 * np.array(half)
    chord = 2.0 * math.hypot(*half) * 0.86 + gap
    radius = max(chord / (2.0 * math.sin(math.pi / n)), 2.0 * max(half)) if n > 2 else chord / 2.0 + max(half) * 0.2
    angle = 2.0 * math.pi * np.arange(n) / n
    at = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).astype(np.float32)
    return at, 2.0 * np.abs(at).max(0).astype(np.float64) + 2.0 * np.array(half)
