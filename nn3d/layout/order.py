"""In which order the tiles of each layer stand so that strong connections cross little: barycentre sweeps.

After Sugiyama, Tagawa and Toda (1981), with weights; a layer beside a fixed picture is placed by linear assignment, so
that each tile stands near the cells it looks at. The measure is Σ w·w′ over the pairs of edges that cross between the
rows of two grids, of the strongest tenth of each link. Blocks are layers that share one order; places are slots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

STRONGEST = 0.10
ROUNDS = 12
MAX_ASSIGNED = 1024
MAX_SWAPPED = 24
SWAP_PASSES = 4


@dataclass(frozen=True, slots=True)
class Block:
    """n tiles in a grid of `columns`, filled row by row. is_fixed : they stay in index order."""

    n: int
    columns: int
    is_fixed: bool = False

    def rows(self, place: I64) -> I64:
        """(n,) row of each tile."""
        return place // self.columns

    @property
    def n_rows(self) -> int:
        """Rows of the grid."""
        return -(-self.n // self.columns)


@dataclass(frozen=True, slots=True)
class Tie:
    """A link between two blocks. weight : (n target, n source) magnitudes.

    looks_at : (n target, 2) mean (row, column) 0 … 1 of the cells of a picture that each target tile reads, or None;
    the source is then a block of the picture's rows.
    """

    source: int
    target: int
    weight: F64
    looks_at: F64 | None = None


def flow_order(blocks: Sequence[Block], ties: Sequence[Tie]) -> tuple[list[I64], float, float]:
    """(places by block, crossings in index order, crossings now): place[k] is the slot of tile k.

    Blocks are in the order of the network. Never worse than index order; the same input gives the same order.
    """
    strong = [_strongest(t) for t in ties]
    best = [np.arange(b.n) for b in blocks]
    before = least = _total(blocks, strong, best)
    if before > 0.0:
        for start in (0, 1):
            found, cost = _swept(blocks, strong, start)
            if cost < least:
                best, least = found, cost
        best, least = _swapped(blocks, strong, best, least)
    return best, before, least


@dataclass(frozen=True, slots=True)
class _Strong:
    """The strongest edges of a tie: (m,) source tile, target tile, weight."""

    source: int
    target: int
    i: I64
    j: I64
    w: F64
    looks_at: F64 | None

    def side(self, at: int) -> tuple[int, I64, I64]:
        """Seen from block `at`: the other block, this block's tiles and the other's, edge by edge."""
        return (self.source, self.j, self.i) if at == self.target else (self.target, self.i, self.j)


def _strongest(tie: Tie) -> _Strong:
    """The strongest tenth of a tie (at least as many edges as the larger block has tiles)."""
    w = np.nan_to_num(np.abs(tie.weight), nan=0.0, posinf=0.0).astype(np.float64).ravel()
    keep = min(w.size, max(int(np.ceil(STRONGEST * w.size)), *tie.weight.shape))
    limit = np.partition(w, w.size - keep)[w.size - keep] if keep else 0.0
    more, equal = np.flatnonzero(w > limit), np.flatnonzero(w == limit)
    index = np.sort(np.concatenate([more, equal[: keep - more.size]]))
    index = index[w[index] > 0.0]
    j, i = np.divmod(index, max(1, tie.weight.shape[1]))
    return _Strong(tie.source, tie.target, i, j, w[index], tie.looks_at)


def crossings(tie: _Strong, source_rows: I64, target_rows: I64, shape: tuple[int, int]) -> float:
    """Σ w·w′ over the pairs of edges that cross between rows; shape : rows of (source, target)."""
    flat = source_rows[tie.i] * shape[1] + target_rows[tie.j]
    table = np.bincount(flat, tie.w, shape[0] * shape[1]).reshape(shape)
    left = np.cumsum(table, 1) - table
    below = left.sum(0) - np.cumsum(left, 0)
    return float((table * below).sum())


def _cost(blocks: Sequence[Block], tie: _Strong, places: list[I64]) -> float:
    a, b = blocks[tie.source], blocks[tie.target]
    rows = a.rows(places[tie.source]), b.rows(places[tie.target])
    return crossings(tie, *rows, (a.n_rows, b.n_rows))


def _total(blocks: Sequence[Block], ties: Sequence[_Strong], places: list[I64]) -> float:
    return sum(_cost(blocks, t, places) for t in ties)


def _swept(blocks: Sequence[Block], ties: Sequence[_Strong], start: int) -> tuple[list[I64], float]:
    """The best of some sweeps to and fro; start 0: forward first, 1: backward first."""
    places = [np.arange(b.n) for b in blocks]
    best, least = list(places), _total(blocks, ties, places)
    for turn in range(ROUNDS):
        forward = (turn + start) % 2 == 0
        for at in range(len(blocks)) if forward else range(len(blocks) - 1, -1, -1):
            if not blocks[at].is_fixed and blocks[at].n > 1:
                places[at] = _placed(blocks, ties, places, at, forward=forward)
        cost = _total(blocks, ties, places)
        if cost < least:
            best, least = list(places), cost
    return best, least


def _placed(blocks: Sequence[Block], ties: Sequence[_Strong], places: list[I64], at: int, *, forward: bool) -> I64:
    """Places of one block from the rows of its neighbours on one side, or on the other where that has none."""
    block = blocks[at]
    into, out = [t for t in ties if t.target == at], [t for t in ties if t.source == at]
    chosen = (into or out) if forward else (out or into)
    if not chosen:
        return places[at]
    picture = next((t.looks_at for t in into if t.looks_at is not None), None) if chosen is into else None
    if picture is not None and block.n <= MAX_ASSIGNED:
        return _assigned(block, picture)
    total, mass = np.zeros(block.n), np.zeros(block.n)
    for tie in chosen:
        other, mine, theirs = tie.side(at)
        rows = blocks[other].rows(places[other]) / max(1, blocks[other].n_rows - 1)
        total += np.bincount(mine, tie.w * rows[theirs], block.n)
        mass += np.bincount(mine, tie.w, block.n)
    now = block.rows(places[at]) / max(1, block.n_rows - 1)
    wanted = np.where(mass > 0.0, total / np.where(mass > 0.0, mass, 1.0), now)
    return _ranks(np.lexsort((places[at], wanted)))


def _ranks(order: I64) -> I64:
    out = np.empty_like(order)
    out[order] = np.arange(order.size)
    return out


def _assigned(block: Block, looks_at: F64) -> I64:
    """Each tile to a slot near what it looks at: the least sum of squared distances (Crouse 2016, in scipy)."""
    from scipy.optimize import linear_sum_assignment  # here: it takes longer to import than all else of a start

    slots = np.arange(block.n)
    grid = np.stack([slots // block.columns, slots % block.columns], 1).astype(np.float64)
    wanted, grid = (_even(v, block.columns) for v in (looks_at, grid))
    cost = ((wanted[:, None, :] - grid[None, :, :]) ** 2).sum(2)
    return np.asarray(linear_sum_assignment(cost)[1], np.int64)


def _even(points: F64, columns: int) -> F64:
    """Points with mean 0 and spread 1 on each axis; a single column has rows alone."""
    spread = points.std(0)
    out = (points - points.mean(0)) / np.where(spread > 1e-12, spread, 1.0)
    return np.asarray(out if columns > 1 else out[:, :1])


def _swapped(
    blocks: Sequence[Block], ties: Sequence[_Strong], places: list[I64], least: float
) -> tuple[list[I64], float]:
    """Small blocks by exchanging two tiles for as long as that helps."""
    places = [p.copy() for p in places]
    small = [k for k, b in enumerate(blocks) if not b.is_fixed and 1 < b.n <= MAX_SWAPPED]
    for _ in range(SWAP_PASSES):
        start = least
        for at in small:
            near = [t for t in ties if at in (t.source, t.target)]
            cost = _total(blocks, near, places)
            for i in range(blocks[at].n):
                for j in range(i):
                    cost = _try_swap(blocks, near, places, (at, i, j), cost)
        least = _total(blocks, ties, places)
        if least >= start:
            break
    return places, least


def _try_swap(
    blocks: Sequence[Block], near: list[_Strong], places: list[I64], which: tuple[int, int, int], cost: float
) -> float:
    at, i, j = which
    place = places[at]
    place[[i, j]] = place[[j, i]]
    now = _total(blocks, near, places)
    if now < cost * (1.0 - 1e-12):
        return now
    place[[i, j]] = place[[j, i]]
    return cost
