"""The products that one cell is made of, as strands: what stands out while the pointer is over it, exactly.

A convolution's output cell has k × k products an input channel, a neuron one a unit below it, a token's cell one a
column of the same token. A level samples all of a link's edges, so that few of them are drawn for any one cell; these
are the cell's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis import sampling
from nn3d.analysis.amounts import Moment, mode_of, moments
from nn3d.analysis.comparison.difference import Difference
from nn3d.analysis.sampling import I64
from nn3d.analysis.wiring import Ends, Wiring
from nn3d.layout.bundle import centroids, source_places, strands, target_clusters
from nn3d.run.model import FloatArray
from nn3d.run.run import Run
from nn3d.stage import small
from nn3d.stage.edges import looks_of
from nn3d.stage.plan import LinkPlan, Plan
from nn3d.stage.strands import THICKEST, Looks, StrandHistory, StrandsNeed, StrandTable

LEVEL = "cell"
MOST = 400


@dataclass(frozen=True, slots=True)
class _Products:
    """The products of one cell, (m,) each: both ends, and the signed amount; those with the padding are left out."""

    ends: Ends
    amount: FloatArray


def has_products(link: LinkPlan, plan: Plan, cell: tuple[int, int, int]) -> bool:
    """Whether a link's products of a cell (tile, row, column) of its target are known one by one."""
    wires = link.wiring
    if wires is None or link.path != "route" or len(link.under) > 1 or small.joins_columns(plan, link):
        return False
    ends = plan.layers[link.source], plan.layers[link.target]
    if any(p.tiles.cells != t[1:] for p, t in zip(ends, (wires.source, wires.target), strict=True)):
        return False
    is_whole = len(wires.link.shape) < 5 and (not wires.kernel or wires.target[0] == wires.link.shape[0])
    return is_whole and all(0 <= n < size for n, size in zip(cell, wires.target, strict=True))


def cell_words(plan: Plan, link: LinkPlan, cell: tuple[int, int, int], table: StrandTable) -> str:
    """What stands out, for people: "conv2 map 5 cell 3, 4: 121 of 150 products, the others are 0"."""
    target, (tile, row, col) = plan.layers[link.target], cell
    place = f"{tile}" if target.tiles.cells == (1, 1) else f"map {tile} cell {row}, {col}"
    place = f"row {row} column {col}" if target.is_token else place
    if not table.shown:
        return f"{target.layer.name} {place}: all {table.total:,} products are 0"
    left = ", the others are 0" if table.shown < table.total else ""
    share = left if table.share > 0.9999 else f" ({100 * table.share:.0f} % of Σ|c|)"
    return f"{target.layer.name} {place}: {table.shown:,} of {table.total:,} products{share}"


def cell_strands(run: Run, plan: Plan, link: LinkPlan, need: StrandsNeed) -> StrandHistory:
    """The strands of need.cell at the epochs of the need; without any where its products were not recorded."""
    wires = link.wiring
    assert wires is not None
    assert need.cell is not None
    found = {e: _products(run, wires, need.cell, Moment(e, need.sample, need.mode)) for e in need.epochs}
    parts = [p for p in found.values() if p is not None]
    known = {e: p.amount for e, p in found.items() if p is not None} if len(parts) == len(found) else {}
    n = min(MOST, need.n)
    picks = {e: sampling.top(c, n) if need.selection == "top" else sampling.sampled(c, n) for e, c in known.items()}
    index = np.unique(np.concatenate([p.index for p in picks.values()])) if picks else np.zeros(0, np.int64)
    ends = _of(parts[0].ends, index) if picks else _NO_ENDS
    looks = {}
    for e, pick in picks.items():
        c = known[e][index]
        amount, area, is_drawn = looks_of(c, pick, index)
        total = _signs(known[e])
        looks[e] = Looks(amount, area, is_drawn, c.astype(np.float32), pick.index.size, pick.share, pick.unit, total)
    none = dict.fromkeys(need.epochs, _NOTHING)
    return StrandHistory(_table(plan, link, need, ends, parts[0].amount.size if parts else 0), looks or none)


def _table(plan: Plan, link: LinkPlan, need: StrandsNeed, ends: Ends, total: int) -> StrandTable:
    a, b = plan.layers[link.source], plan.layers[link.target]
    from_tile = np.minimum(ends.source_tile, a.tiles.n - 1)  # the three channels of a picture are drawn as one tile
    by_region = not small.is_wire(plan, link)
    tiles, uv = (from_tile, ends.target_tile), (ends.source_uv, ends.target_uv)
    rows, radii = strands(a.tiles, b.tiles, tiles, uv, by_region=by_region)
    rows = small.placed_on_edges(plan, link, rows)
    return StrandTable(
        rows, 0, 0, source_places(a.tiles, a.table, by_region=by_region),
        centroids(b.table, target_clusters(b.tiles)), radii, "sign", THICKEST, LEVEL,
        need.selection, 0, total, 1.0, 0.0, None, ends.weight,
        np.zeros(len(rows), np.float32), ends.source_cell, ends.target_cell,
        (LEVEL, need.link, need.cell, need.epochs, need.sample, need.mode, need.selection, need.n),
    )  # fmt: skip


def _products(run: Run, wires: Wiring, cell: tuple[int, int, int], moment: Moment) -> _Products | None:
    mode = mode_of(run, wires, moment)
    if not mode:
        return None
    if isinstance(run, Difference):
        return _difference(*(_products(side, wires, cell, m) for side, m in moments(run, replace(moment, mode=mode))))
    tile, row, col = cell
    ends = _ends(wires, tile, row, col)
    c = np.asarray(run.parameter(wires.link.parameter, moment.epoch).reshape(-1)[ends.weight], np.float32)
    if mode != "weight":
        a = run.values(*wires.link.source, moment.epoch, moment.sample).reshape(wires.source[0], -1)
        c = c * a[ends.source_tile, np.maximum(ends.source_cell, 0)]
    if mode == "gradient":
        g = run.activation_gradient(wires.link.node.id, 0, moment.epoch, moment.sample)
        if g is None:
            return None
        c = c * np.float32(g.reshape(wires.target)[tile, row, col])
    return _Products(ends, np.where(ends.source_cell >= 0, c, 0.0).astype(np.float32))


def _difference(after: _Products | None, before: _Products | None) -> _Products | None:
    if after is None or before is None:
        return None
    return _Products(after.ends, np.asarray(after.amount - before.amount, np.float32))


def _ends(wires: Wiring, tile: int, row: int, col: int) -> Ends:
    """Of all products of a cell, those with the padding with source cell −1."""
    (_, rows, cols), n_in = wires.target, wires.link.shape[1]
    if wires.kernel:
        size = n_in * prod(wires.kernel)
        return wires.ends(((tile * rows + row) * cols + col) * size + np.arange(size), "all")
    unit = np.arange(n_in)
    if not wires.is_token:
        return wires.ends(((tile * rows + row) * cols + col) * n_in + unit, "kernels")
    ends = wires.ends(col * n_in + unit, "kernels")
    high = np.float32((row + 0.5) / rows)
    uv = [np.stack([end[:, 0], np.full(n_in, high)], 1) for end in (ends.source_uv, ends.target_uv)]
    there = np.full(n_in, row * cols + col)
    return Ends(ends.source_tile, ends.target_tile, row * n_in + unit, there, ends.weight, uv[0], uv[1])


def _of(ends: Ends, index: I64) -> Ends:
    return Ends(
        ends.source_tile[index], ends.target_tile[index], ends.source_cell[index], ends.target_cell[index],
        ends.weight[index], ends.source_uv[index], ends.target_uv[index],
    )  # fmt: skip


def _signs(c: FloatArray) -> tuple[float, float]:
    good = np.nan_to_num(c.astype(np.float64), posinf=0.0, neginf=0.0)
    return float(good[good > 0].sum()), float(-good[good < 0].sum())


_NONE: I64 = np.zeros(0, np.int64)
_NO_UV: FloatArray = np.zeros((0, 2), np.float32)
_NO_AREA: FloatArray = np.zeros(0, np.float32)
_NOT: NDArray[np.bool_] = np.zeros(0, np.bool_)
_NO_ENDS = Ends(_NONE, _NONE, _NONE, _NONE, _NONE, _NO_UV, _NO_UV)
_NOTHING = Looks(_NO_AREA, _NO_AREA, _NOT, _NO_AREA, 0, 1.0, 0.0, (0.0, 0.0))
