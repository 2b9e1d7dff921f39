"""Frames around the cells that a cell was made from, and the cells that keep their light while the rest dims.

A frame is four thin bars on the face of a tile that looks at the reader, on the bench, in world units u; never thinner
than a px and a half. Farther back in the network frames fade toward the fog.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.frame import BOX, Lit, Palette, TileLayer, View
from nn3d.stage.lit import DIM_TILES
from nn3d.stage.microscope import Patch, Spot
from nn3d.stage.reference import half_thickness, opened, tile_places
from nn3d.stage.stance import plate_axes

F64 = NDArray[np.float64]

WIDTH: Final = 0.042
LEAST_PX: Final = 2.2
MOST_SHARE: Final = 0.14
FADE: Final = 0.80
DIMMEST: Final = 0.35
LIFT: Final = 0.08
FENCE: Final = 0.16
DIM_ON_PATH: Final = 0.35
MANY: Final = 640


def lit_plates(
    tiles: tuple[TileLayer, ...], first: Sequence[int], spot: Spot, patches: Sequence[Patch], share: float,
    n_done: int | None = None, onward: Sequence[int] = (),
) -> tuple[TileLayer, ...]:  # fmt: skip
    """The plates with the light of one cell: its tile, and what it was made from, are bright, the rest of them dims.

    first : where the plates of each row begin. share : 0 … 1, how far the rest has dimmed. n_done : how many cells of
    the spot's tile are computed so far, None all. onward : rows that read each tile into one of their own.
    """
    out = list(tiles)
    rows, cols = tiles[first[spot.row]].cells
    done = (-1, 0) if n_done is None else (spot.thing.tile, n_done)
    own = Lit(spot.thing.tile, spot.thing.tile + 1, 0, rows, 0, cols, done)
    out[first[spot.row]] = _lit(tiles[first[spot.row]], own, share)
    for row in onward:
        rows, cols = tiles[first[row]].cells
        tile = Lit(spot.thing.tile, spot.thing.tile + 1, 0, rows, 0, cols)
        out[first[row]] = _lit(tiles[first[row]], tile, share)
    for patch in patches:
        k = first[patch.row]
        lo, hi = _span(patch)
        if patch.row == spot.row or hi <= lo:
            continue
        out[k] = _lit(tiles[k], Lit(lo, hi, *patch.rect), share)
    return tuple(out)


def path_plates(
    tiles: tuple[TileLayer, ...], first: Sequence[int], spot: Spot, patches: Sequence[Patch], share: float
) -> tuple[TileLayer, ...]:
    """The plates with the light of a path: those it goes through keep most of theirs, all others dim."""
    on = {first[spot.row], *(first[p.row] for p in patches)}
    return tuple(replace(t, bright=1.0 - (DIM_ON_PATH if k in on else DIM_TILES) * share) for k, t in enumerate(tiles))


def _lit(tile: TileLayer, lit: Lit, share: float) -> TileLayer:
    return replace(tile, bright=1.0 - DIM_TILES * share, lit=lit)


def _span(patch: Patch) -> tuple[int, int]:
    """First tile of a patch and the one after its last, where they lie side by side; else (0, 0)."""
    n = len(patch.tiles)
    lo, hi = (int(patch.tiles[0]), int(patch.tiles[-1]) + 1) if n else (0, 0)
    return (lo, hi) if hi - lo == n else (0, 0)


def frames(
    tiles: tuple[TileLayer, ...], first: Sequence[int], spot: Spot | None, patches: Sequence[Patch], view: View,
    palette: Palette, share: float,
) -> NDArray[np.void]:  # fmt: skip
    """(n,) BOX of all frames: the spot's own cell, and its patches."""
    if spot is None or share <= 0.0:
        return np.zeros(0, BOX)
    own = spot.thing
    cell = Patch(spot.row, np.array([own.tile], np.int32), (own.row, own.row + 1, own.col, own.col + 1), 0)
    there = [p for p in (cell, *patches) if tiles[first[p.row]].scale > 0.0]  # the others are away
    return np.concatenate([np.zeros(0, BOX), *(_bars(tiles[first[p.row]], p, view, palette, share) for p in there)])


def _bars(tile: TileLayer, patch: Patch, view: View, palette: Palette, share: float) -> NDArray[np.void]:
    axes = plate_axes(view.world_from_bench)
    stand = view.world_from_bench @ np.array([tile.x, tile.y, 0.0])
    side = 1.0 if ((view.eye_world - stand) @ axes)[0] > 0.0 else -1.0
    middle, half = _rects(tile, patch, side)
    thick = np.full(len(middle), tile.thickness[1])
    if len(patch.tiles) == len(middle):
        thick = half_thickness(tile, opened(tile, patch.tiles.astype(np.int64)))
    depth = FENCE if tile.cubes is not None else LIFT
    normal = np.linalg.inv(view.world_from_bench) @ (axes[:, 0] * side)
    middle = middle + np.outer(thick + depth * 0.5, normal)
    away = np.linalg.norm(middle @ view.world_from_bench.T - view.eye_world, axis=1)
    width = np.maximum(WIDTH, LEAST_PX * view.px_per_unit * away) / 2.0 * share
    width = np.minimum(width, MOST_SHARE * half.min(1))
    out = np.zeros((4, len(middle)), BOX)
    fade = max(DIMMEST, FADE ** max(0, patch.step - 1))
    out["colour"] = np.array(palette.accent[:3]) * fade + np.array(palette.fog[:3]) * (1.0 - fade)
    deep = np.full_like(width, depth * 0.5)
    for k, sign in enumerate((-1.0, 1.0)):
        out["centre"][k] = middle + sign * np.column_stack([0.0 * deep, 0.0 * deep, half[:, 1]])
        out["half"][k] = np.column_stack([deep, half[:, 0] + width, width])
        out["centre"][2 + k] = middle + sign * np.column_stack([0.0 * deep, half[:, 0], 0.0 * deep])
        out["half"][2 + k] = np.column_stack([deep, width, half[:, 1] + width])
    return out.reshape(-1)


def _is_whole(tile: TileLayer, patch: Patch) -> bool:
    rows, cols = tile.cells
    return len(patch.tiles) == tile.table.size and patch.rect == (0, rows, 0, cols)


def _rects(tile: TileLayer, patch: Patch, side: float) -> tuple[F64, F64]:
    """(m, 3) middles and (m, 2) half (height, width) of what is framed, on the bench; the whole plate of many tiles.

    Farther back than one step, so is a plate of which every cell counts. side : 1 where the reader sees the face at +x,
    on which columns run the other way.
    """
    if patch.is_inside or len(patch.tiles) > MANY or (patch.step > 1 and _is_whole(tile, patch)):
        return np.array([[tile.x, tile.y, 0.0]]), np.array([tile.block_half], np.float64)
    centre, half = (a[patch.tiles] for a in tile_places(tile))
    (rows, cols), (r0, r1, c0, c1) = tile.cells, patch.rect
    v, u = (r0 + r1) / rows - 1.0, ((c0 + c1) / cols - 1.0) * -side
    at = centre + np.column_stack([np.zeros(len(centre)), -v * half[:, 0], u * half[:, 1]])
    return at, half * np.array([(r1 - r0) / rows, (c1 - c0) / cols])
