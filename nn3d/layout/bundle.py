"""How strands are bundled: clusters, lanes and docks of chosen edges, and the sunflower of a collapsed pair's rope.

The curve itself is closed-form and evaluated where it is drawn (shaders/include/route.glsl) and in
nn3d.stage.reference; here are only the few numbers of each strand that do not depend on the view.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.arrange import Tiles
from nn3d.layout.tables import STRAND, TILE

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

N_BANDS = 5
N_REGIONS = 3
MAX_ROW_CLUSTERS = 6
GOLDEN = 0.6180339887498949
GOLDEN_ANGLE = 2.399963229728653
DOCK_SHARE = 0.76
LANE_SHARE = 0.9


def tile_table(tiles: Tiles) -> NDArray[np.void]:
    """(n,) TILE anchors of a layer."""
    table = np.empty(tiles.n, TILE)
    table["line"], table["circle"] = tiles.line, tiles.circle
    table["grid"], table["mosaic"] = tiles.at_grid, tiles.mosaic
    return table


def rows_of(tiles: Tiles) -> I64:
    """(n,) row of each tile in the grid."""
    return np.asarray(slots(tiles) // tiles.grid[1])


def slots(tiles: Tiles) -> I64:
    """(n,) slot of each tile, counted row by row: its number, unless the layer has an order of its own."""
    return np.arange(tiles.n) if tiles.place is None else tiles.place


def source_clusters(tiles: Tiles) -> I64:
    """(n,) cluster of each source tile: maps are their own; neurons gather in up to 5 bands of rows."""
    if tiles.cells != (1, 1):
        return np.arange(tiles.n)
    return _bands(rows_of(tiles), tiles.grid[0])


def target_clusters(tiles: Tiles) -> I64:
    """(n,) cluster of each target tile: its row, or one of 5 bands where there are many rows."""
    rows = rows_of(tiles)
    return rows if tiles.grid[0] <= MAX_ROW_CLUSTERS else _bands(rows, tiles.grid[0])


def _bands(rows: I64, n_rows: int) -> I64:
    return np.minimum(rows * N_BANDS // max(1, n_rows), N_BANDS - 1) if n_rows > N_BANDS else rows


def centroids(table: NDArray[np.void], cluster: I64) -> NDArray[np.void]:
    """(n clusters,) TILE: the mean place of each cluster's members in every arrangement."""
    n = int(cluster.max()) + 1
    count = np.bincount(cluster, minlength=n)[:, None]
    out = np.empty(n, TILE)
    for name in ("line", "circle", "grid", "mosaic"):
        for axis in range(2):
            out[name][:, axis] = np.bincount(cluster, table[name][:, axis], n) / count[:, 0]
    return out


def strands(
    source: Tiles,
    target: Tiles,
    tiles: tuple[I64, I64],
    uv: tuple[F32, F32],
    *,
    by_region: bool = False,
) -> tuple[NDArray[np.void], tuple[float, float]]:
    """(m,) STRAND of chosen edges in their order, amount and area still 0, and the radii of the clusters.

    tiles : (m,) source and target tile. uv : (m, 2) places in them. A strand's row depends on its own edge alone.
    by_region : strands of a source that is one tile gather by the region of it that they start in (see `regions`).
    """
    out = np.zeros(tiles[0].size, STRAND)
    from_cluster, to_cluster = source_clusters(source), target_clusters(target)
    out["tiles"] = np.stack(tiles, 1)
    out["clusters"] = np.stack([from_cluster[tiles[0]], to_cluster[tiles[1]]], 1)
    out["source_uv"], out["target_uv"] = uv
    out["dock_lane"] = _dock_lane(source, target, tiles, uv)
    radii = (cluster_radius(source, from_cluster), cluster_radius(target, to_cluster))
    shape = regions(source) if by_region else None
    for k, (t, cluster) in enumerate(((source, from_cluster), (target, to_cluster))):
        at = t.at_grid[tiles[k]] + (0.5 - uv[k][:, ::-1]) * np.array([2.0 * t.half[0], -2.0 * t.half[1]], np.float32)
        off = at - _centres(t, cluster)[cluster[tiles[k]]]
        out["spread"][:, 2 * k : 2 * k + 2] = off / np.float32(radii[k])
    if shape is not None:
        place = np.minimum((uv[0][:, ::-1] * np.array(shape)).astype(np.int64), np.array(shape) - 1)
        out["clusters"][:, 0] = place[:, 0] * shape[1] + place[:, 1]
        off = (place + 0.5) / np.array(shape) - uv[0][:, ::-1]
        out["spread"][:, :2] = off * np.array([2.0 * shape[0], -2.0 * shape[1]])
        radii = (max(h / n for h, n in zip(source.half, shape, strict=True)) + 1e-6, radii[1])
    return out, radii


def regions(tiles: Tiles) -> tuple[int, int] | None:
    """(rows, columns) of regions of a layer's one tile, at most 3 × 3; None of several tiles, or one cell a side."""
    rows, cols = tiles.cells
    return (min(N_REGIONS, rows), min(N_REGIONS, cols)) if tiles.n == 1 and min(rows, cols) > 1 else None


def source_places(tiles: Tiles, table: NDArray[np.void], *, by_region: bool) -> NDArray[np.void]:
    """(n clusters,) TILE: where the strands of a source gather."""
    shape = regions(tiles) if by_region else None
    if shape is None:
        return centroids(table, source_clusters(tiles))
    row, col = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    at = np.stack([1.0 - (2.0 * row + 1.0) / shape[0], (2.0 * col + 1.0) / shape[1] - 1.0], 1)
    out = np.repeat(table[:1], row.size)
    for name in ("line", "circle", "grid", "mosaic"):
        out[name] += at * np.array(tiles.mosaic_half if name == "mosaic" else tiles.half)
    return out


def cluster_radius(tiles: Tiles, cluster: I64) -> float:
    """Largest distance along y or z of a member's rim from its cluster's centroid, in the open grid, u."""
    off = np.abs(tiles.at_grid - _centres(tiles, cluster)[cluster]) + np.array(tiles.half, np.float32)
    return float(off.max()) + 1e-6


def _centres(tiles: Tiles, cluster: I64) -> F32:
    count = np.maximum(np.bincount(cluster), 1)
    return np.stack([np.bincount(cluster, tiles.at_grid[:, a]) / count for a in range(2)], 1).astype(np.float32)


def _dock_lane(source: Tiles, target: Tiles, tiles: tuple[I64, I64], uv: tuple[F32, F32]) -> F32:
    out = np.empty((tiles[0].size, 2), np.float32)
    if source.cells == (1, 1) or target.cells == (1, 1):
        place = tiles[0] * source.cells[0] * source.cells[1] + _cell(source, uv[0])
        out[:, 0] = ((place * GOLDEN) % 1.0 - 0.5) * 0.7
        out[:, 1] = ((place * GOLDEN * GOLDEN) % 1.0 - 0.5) * 1.7
        return out
    slot = slots(source)[tiles[0]]
    order = slot + 0.98 * uv[0][:, 1] + 0.98 * uv[0][:, 0] * 0.05
    share = order / max(1.0, float(source.n)) - 0.5
    out[:, 0] = share * DOCK_SHARE
    lane = np.floor(uv[0][:, 1] * 6.0).clip(0, 5) + slot
    out[:, 1] = ((lane % 6.0) - 2.5) / 2.5 * LANE_SHARE
    is_column = target.n == 1 and target.cells[1] > 1
    if is_column:
        out[:, 0] = (uv[1][:, 0] - 0.5) * 0.98
    return out


def _cell(tiles: Tiles, uv: F32) -> I64:
    rows, cols = tiles.cells
    row = np.minimum((uv[:, 1] * rows).astype(np.int64), rows - 1)
    col = np.minimum((uv[:, 0] * cols).astype(np.int64), cols - 1)
    return np.asarray(row * cols + col)


def sunflower(n: int) -> F32:
    """(n, 2) points that fill the unit disc evenly (Vogel 1979)."""
    k = np.arange(n)
    r = 0.92 * np.sqrt((k + 0.5) / n)
    return np.stack([r * np.sin(k * GOLDEN_ANGLE), r * np.cos(k * GOLDEN_ANGLE)], 1).astype(np.float32)


def rope(shares: F32, per_sign: int, is_signed: bool) -> NDArray[np.void]:
    """STRAND rows of a collapsed pair's rope: per_sign strands a sign in sunflower packing.

    shares : (2 signs, 2 epochs) share of the whole that each sign carries; unsigned ropes use the first row.
    """
    n_signs = 2 if is_signed else 1
    out = np.zeros(n_signs * per_sign, STRAND)
    disc = sunflower(per_sign)
    for s in range(n_signs):
        part = out[s * per_sign : (s + 1) * per_sign]
        part["amount"] = 1.0 if s == 0 else -1.0
        part["area"] = shares[s]
        part["spread"][:, :2] = disc
    return out


def ribbon(per_ribbon: int, area: float = 1.0) -> NDArray[np.void]:
    """STRAND rows of a skip: parallel strands side by side, spread −1 … 1 along z."""
    out = np.zeros(per_ribbon, STRAND)
    out["amount"], out["area"] = 1.0, area
    out["spread"][:, 1] = np.linspace(-1.0, 1.0, per_ribbon) if per_ribbon > 1 else 0.0
    return out
