"""The order of tiles that follows the flow: from a run's weights to a place for each tile, and the tables that use it.

Layers joined 1:1 without weights share one order; input pictures, classes, glued parts, recurrent plates, channel
groups and whatever joins them 1:1 stay in index order. Weights are those of the last epoch, so that the order does
not depend on sample or epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.arrange import Tiles
from nn3d.layout.bundle import tile_table
from nn3d.layout.order import Block, Tie, flow_order
from nn3d.run.run import Run
from nn3d.stage.plan import LinkPlan, Plan

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

MAX_EDGES = 1 << 22


@dataclass(frozen=True, slots=True)
class OrderNeed:
    """The order by flow of a run's tiles."""


@dataclass(frozen=True, slots=True)
class Orders:
    """places : by layer, (n,) slot of each tile; layers that stay are not in it.

    before, after : weighted crossings of the strongest tenth of all ordered links, by index and by flow.
    n_large : links that were left out because their weights are too many to be read whole.
    """

    places: dict[int, I64]
    before: float
    after: float
    n_large: int

    @property
    def nbytes(self) -> int:
        """Memory of the places."""
        return sum(p.nbytes for p in self.places.values())

    @property
    def change(self) -> float:
        """Relative change of the crossings, −0.31 for 31 % fewer."""
        return self.after / self.before - 1.0 if self.before > 0.0 else 0.0


def orders_of(run: Run, plan: Plan) -> Orders:
    """The order by flow. Reads the weights of the last epoch, link by link."""
    of_layer = _shared(plan)
    fixed = _fixed(run, plan, of_layer)
    blocks = [Block(p.tiles.n, p.tiles.grid[1], is_fixed=k in fixed) for k, p in enumerate(plan.layers)]
    ties: list[Tie] = []
    n_large = 0
    for link in plan.links:
        ends = of_layer[link.source], of_layer[link.target]
        if link.wiring is None or link.weighted is None or all(blocks[e].is_fixed for e in ends):
            continue
        if link.wiring.n_edges("kernels") > MAX_EDGES:
            n_large += 1
            continue
        tie = _tie(run, plan, link, ends, blocks)
        if tie is not None:
            ties.append(tie)
    places, before, after = flow_order(blocks, ties)
    moved = {k: places[at] for k, at in enumerate(of_layer) if (places[at] != np.arange(places[at].size)).any()}
    for place in moved.values():
        place.setflags(write=False)
    return Orders(moved, before, after, n_large)


def _is_straight(plan: Plan, link: LinkPlan) -> bool:
    """Whether a link joins tile k to tile k and carries no weights."""
    a, b = plan.layers[link.source].tiles, plan.layers[link.target].tiles
    return link.weighted is None and link.link.kind != "weight" and a.n == b.n


def _shared(plan: Plan) -> list[int]:
    """The first layer of the group that shares one order with each layer."""
    root = list(range(len(plan.layers)))

    def find(k: int) -> int:
        while root[k] != k:
            k = root[k]
        return k

    for link in plan.links:
        if _is_straight(plan, link):
            a, b = sorted((find(link.source), find(link.target)))
            root[b] = a
    return [find(k) for k in range(len(plan.layers))]


def _fixed(run: Run, plan: Plan, of_layer: list[int]) -> set[int]:
    """Blocks that stay in index order."""
    out = set()
    for k, p in enumerate(plan.layers):
        is_own = p.input is not None or p.is_classes or bool(p.parts) or p.recurrent is not None or p.is_output
        if is_own or p.is_token or not plan.layers[of_layer[k]].layer.links:
            out.add(of_layer[k])
    for link in plan.links:
        is_grouped = link.weighted is not None and link.weighted.groups != 1
        if is_grouped or (link.wiring is None and not _is_straight(plan, link)):
            out |= {of_layer[link.source], of_layer[link.target]}
    return out


def _tie(run: Run, plan: Plan, link: LinkPlan, ends: tuple[int, int], blocks: list[Block]) -> Tie | None:
    """|weights| of a link summed up by tile; from a picture by its rows, which become a fixed block of their own."""
    assert link.wiring is not None
    assert link.weighted is not None
    epochs = [e for e in range(len(run.epochs)) if run.has_parameter(link.weighted.parameter, e)]
    if not epochs:
        return None
    w = np.abs(np.asarray(run.parameter(link.weighted.parameter, epochs[-1]), np.float32))
    w = np.nan_to_num(w, nan=0.0, posinf=0.0)
    a, b = plan.layers[link.source].tiles, plan.layers[link.target].tiles
    fits = w.shape[:2] == (b.n, a.n) if link.wiring.kernel else w.shape[0] % b.n == w.shape[1] % a.n == 0
    if not fits or (a.n == 1 and link.wiring.kernel):
        return None
    if a.n > 1:
        shape = (b.n, -1, a.n, w.size // (w.shape[0] * a.n))
        return Tie(ends[0], ends[1], w.reshape(shape).sum((1, 3), dtype=np.float64))
    rows, cols = a.cells
    if cols == 1 or w.size != w.shape[0] * rows * cols:
        return None
    cells = w.reshape(b.n, -1, rows, cols).sum(1, dtype=np.float64)
    by_row, mass = cells.sum(2), np.maximum(cells.sum((1, 2)), 1e-30)
    looks_at = np.stack([by_row @ np.linspace(0, 1, rows), cells.sum(1) @ np.linspace(0, 1, cols)], 1) / mass[:, None]
    blocks.append(Block(rows, 1, is_fixed=True))
    return Tie(len(blocks) - 1, ends[1], by_row, looks_at)


def moved(tiles: Tiles, place: I64) -> Tiles:
    """The tiles with tile k in slot place[k], in every arrangement."""
    return replace(
        tiles, line=tiles.line[place], circle=tiles.circle[place], at_grid=tiles.at_grid[place],
        mosaic=tiles.mosaic[place], place=place,
    )  # fmt: skip


def ordered(plan: Plan, orders: Orders) -> Plan:
    """The plan with every layer's tiles in the order by flow."""
    layers = list(plan.layers)
    for k, place in orders.places.items():
        tiles = moved(layers[k].tiles, place)
        layers[k] = replace(layers[k], tiles=tiles, table=tile_table(tiles))
    return replace(plan, layers=tuple(layers))


def blended(table: NDArray[np.void], place: I64 | None, share: float) -> NDArray[np.void]:
    """A TILE table on its way: share 0 index order, 1 the order by flow (places of a table in index order)."""
    if place is None or share <= 0.0 or len(place) != len(table):
        return table
    goal = table[place]
    if share >= 1.0:
        return goal
    out = np.empty_like(table)
    for name in table.dtype.names or ():
        out[name] = table[name] * np.float32(1.0 - share) + goal[name] * np.float32(share)
    return out
