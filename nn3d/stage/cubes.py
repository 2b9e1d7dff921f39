"""Which tiles are so near that their cells rise as cubes: nearest first, as many as the budget allows.

A cell rises toward the reader by .62 · |t| · smoothstep(its size on screen), where t is its share of full colour. The
same formula of the size stands in shaders/cube.vert.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.frame import TileLayer, View
from nn3d.stage.reference import tile_places
from nn3d.stage.state import ViewState

F64 = NDArray[np.float64]

FROM_PX = 7.0  # logical px of a cell's shorter side where cubes begin to rise
FULL_PX = 13.0


def raised(tiles: tuple[TileLayer, ...], view: View, state: ViewState) -> tuple[tuple[TileLayer, ...], int]:
    """The plates with `cubes` set, and how many near cells stay flat for want of budget."""
    found: list[tuple[int, NDArray[np.int64], F64]] = []
    for row, tile in enumerate(tiles):
        if tile.values is not None and tile.lut in ("seq", "div") and tile.cells != (1, 1) and _may_rise(tile, view):
            k, distance = _near(tile, view, state)
            found.append((row, k, distance))
    if not any(k.size for _, k, _ in found):
        return tiles, 0
    rows = np.concatenate([np.full(k.size, row) for row, k, _ in found])
    which = np.concatenate([k for _, k, _ in found])
    order = np.argsort(np.concatenate([d for _, _, d in found]), kind="stable")
    n_cells = np.array([tile.cells[0] * tile.cells[1] for tile in tiles])[rows]
    fits = np.zeros(len(order), bool)
    fits[order] = np.cumsum(n_cells[order]) <= state.budget.cubes
    chosen = {row: np.sort(which[fits & (rows == row)]).astype(np.int32) for row in np.unique(rows[fits]).tolist()}
    for cubes in chosen.values():
        cubes.setflags(write=False)
    out = tuple(replace(t, cubes=chosen[row]) if row in chosen else t for row, t in enumerate(tiles))
    return out, int(n_cells[~fits].sum())


def _cell(tile: TileLayer) -> tuple[float, float]:
    """Height and width of an open tile's cell, in u."""
    return 2.0 * tile.open_half[0] / tile.cells[0], 2.0 * tile.open_half[1] / tile.cells[1]


def _may_rise(tile: TileLayer, view: View) -> bool:
    """Whether any cell of a plate could be large enough: a quick look at the plate as a whole."""
    if tile.opening <= 0.0:
        return False
    centre = view.world_from_bench @ np.array([0.0, tile.y, 0.0]) + np.array([tile.x, 0.0, 0.0])
    nearest = float(np.linalg.norm(view.eye_world - centre)) - float(np.hypot(*tile.block_half))
    return nearest <= 0.0 or min(_cell(tile)) / (view.px_per_unit * nearest) > FROM_PX


def _near(tile: TileLayer, view: View, state: ViewState) -> tuple[NDArray[np.int64], F64]:
    """(m,) tiles on screen whose cells rise, and their distances from the eye."""
    centres, half = tile_places(tile)
    to_world = view.world_from_bench
    middle = np.column_stack([centres[:, 0], np.zeros((len(centres), 2))]) + centres[:, 1:] @ to_world[:, 1:].T
    off = view.eye_world - middle
    distance = np.linalg.norm(off, axis=1)
    normal = np.cross(to_world[:, 1], to_world[:, 2])
    facing = np.abs(off @ normal) / np.maximum(distance, 1e-9)
    size = np.minimum(2 * half[:, 0] / tile.cells[0], 2 * half[:, 1] / tile.cells[1] * facing)
    px = size / (view.px_per_unit * np.maximum(distance, 1e-9))
    w, h = state.size_px
    at = view.project(centres, state.size_px)
    reach = np.hypot(half[:, 0], half[:, 1]) / (view.px_per_unit * np.maximum(distance, 1e-9))
    ahead = off @ np.cross(view.right_world, view.up_world) > 0.0
    seen = (at[:, 0] > -reach) & (at[:, 0] < w + reach) & (at[:, 1] > -reach) & (at[:, 1] < h + reach) & ahead
    k = np.flatnonzero(seen & (px > FROM_PX))
    return k, distance[k]


def words(tiles: tuple[TileLayer, ...], n_flat: int) -> tuple[str, ...]:
    """What the foot line says about cubes, if there are any."""
    if not n_flat and all(tile.cubes is None for tile in tiles):
        return ()
    left = f", {n_flat:,} near cells flat for want of budget" if n_flat else ""
    return (f"height of a cube = |value|{left}",)
