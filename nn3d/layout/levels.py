"""Resolution levels of a U: which layers stand at which level, and how high the levels lie. World units u, y up.

A graph has levels when at least two nested skips join layers of equal resolution, each next one inside the last and
smaller. Then a skip needs no arc: it is a straight stave at its own level, and everything it spans lies below.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.lanes import Lanes
from nn3d.layout.staves import COPIES, SKIP_REACH
from nn3d.run.model import Layer

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

LEVEL_GAP = 2.1
CLEAR = 0.5
RAIL_DROP = 2.0
SHELF_DROP = 0.9
MIN_SKIPS = 2


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels of n layers, 0 the finest and highest.

    level : (n,) int32. skip : (q, 2) int32 source and target layer of each stave. span : (q, 2) float64, bottom and top
    of what it fills of the target's height, −½ … ½. beside : (n,) int32, the skip that a layer stands before, at the
    height where its stave leaves, or −1. under : (n,) int32, the skip whose stave runs above a layer, or −1.
    links : numbers of the links that are staves.
    """

    level: I32
    skip: I32
    span: F64
    beside: I32
    under: I32
    links: tuple[int, ...]


def find_levels(layers: Sequence[Layer], ends: I32, lanes: Lanes) -> Levels | None:
    """The levels of a graph, or None where it is no U. ends : (m, 2) source and target place of each link."""
    skips = _nested(layers, ends, lanes)
    if len(skips) < MIN_SKIPS:
        return None
    size = [_resolution(layer) for layer in layers]
    column = lanes.column
    first, last = column[ends[skips[0], 0]], column[ends[skips[0], 1]]
    within = [i for i in range(len(layers)) if first <= column[i] <= last and size[i]]
    finest = size[ends[skips[0], 0]]
    steps = sorted({size[i] for i in within if size[i] <= finest}, reverse=True)
    main = sorted(lanes.main, key=lambda i: int(column[i]))
    on_main = [_level_of(size[i], steps) if first <= column[i] <= last else 0 for i in main]
    at = np.clip(np.searchsorted(column[main], column, side="right") - 1, 0, len(main) - 1)
    level = np.array(on_main, np.int32)[at]
    beside, under = np.full(len(layers), -1, np.int32), np.full(len(layers), -1, np.int32)
    for q, k in enumerate(skips):
        source, target = ends[k]
        own = level == level[source]
        beside[own & (column <= column[source])] = q
        under[own & (column > column[source]) & (column < column[target])] = q
    span = np.array([_span(layers, ends[k]) for k in skips], np.float64)
    return Levels(level, ends[skips].astype(np.int32), span, beside, under, tuple(skips))


def spans_levels(layers: Sequence[Layer], at: int) -> bool:
    """Whether an addition joins what went down in resolution and up again with what did not: a step of a U."""
    number = {layer.index: k for k, layer in enumerate(layers)}
    sources = [number[link.source] for link in layers[at].links if link.source in number]
    first, size = min(sources, default=at), _resolution(layers[at])
    seen, front = set(sources), list(sources)
    while front:
        k = front.pop()
        if 0 < _resolution(layers[k]) < size:
            return True
        before = {number[link.source] for link in layers[k].links if link.source in number}
        front += [b for b in before if b > first and b not in seen]
        seen |= before
    return False


def _resolution(layer: Layer) -> int:
    """Cells of one map, 0 for what is no map."""
    return math.prod(layer.shape[1:]) if layer.axes[:1] == ("C",) and len(layer.shape) > 1 else 0


def _level_of(size: int, steps: list[int]) -> int:
    return sum(step > size for step in steps) if size else 0


def _nested(layers: Sequence[Layer], ends: I32, lanes: Lanes) -> list[int]:
    """Numbers of the nested skips, from the outermost: on the main line, equal resolution, each inside the last."""
    on_main = set(lanes.main)
    sizes = np.array([_resolution(layer) for layer in layers], np.int64)
    along = np.array(sorted(on_main, key=lambda i: int(lanes.column[i])), np.int64)
    columns, sizes_along = lanes.column[along], sizes[along]
    found: list[int] = []
    wide = sorted(range(len(ends)), key=lambda k: int(lanes.column[ends[k, 0]] - lanes.column[ends[k, 1]]))
    for k in wide:
        source, target = (int(i) for i in ends[k])
        size = int(sizes[source])
        if not {source, target} <= on_main or layers[target].op not in COPIES or not size:
            continue
        if size != sizes[target] or lanes.column[target] - lanes.column[source] < 2:
            continue
        first, last = np.searchsorted(columns, (lanes.column[source] + 1, lanes.column[target]))
        between = sizes_along[first:last]
        if not ((between > 0) & (between < size)).any():
            continue
        outer = ends[found[-1]] if found else None
        if outer is not None and not (
            lanes.column[outer[0]] < lanes.column[source]
            and lanes.column[target] < lanes.column[outer[1]]
            and size < sizes[outer[0]]
        ):
            continue
        found.append(k)
    return found


def _span(layers: Sequence[Layer], ends: I32) -> tuple[float, float]:
    source, target = layers[int(ends[0])], layers[int(ends[1])]
    if target.op != "concat":
        return -0.5, 0.5
    done, total = 0, max(1, target.shape[0])
    for link in target.links:
        part = next((layer.shape[0] for layer in layers if layer.index == link.source and layer.shape), 0)
        if link.source == source.index:
            return 0.5 - (done + part) / total, 0.5 - done / total
        done += part
    return -0.5, 0.5


def level_heights(levels: Levels, lane_y: F64, heights: F64) -> F64:
    """(n,) y of every layer. lane_y : (n,) heights of the lanes around the main line. heights : (n,) full heights.

    A level lies under the one above it: Δy = −Σ(half heights) − 2.1. In it, what a stave leaves from stands where the
    stave runs, and what the stave passes stands below.
    """
    y = lane_y.copy()
    source, target = levels.skip[:, 0], levels.skip[:, 1]
    run = levels.span.mean(1) * heights[target]
    low = run - SKIP_REACH * heights[source] - CLEAR
    is_beside, is_under = levels.beside >= 0, levels.under >= 0
    y[is_beside] += run[levels.beside[is_beside]]
    y[is_under] += np.minimum(-run[levels.under[is_under]], low[levels.under[is_under]] - heights[is_under] / 2.0)
    n = int(levels.level.max()) + 1
    top, bottom = np.full(n, -np.inf), np.full(n, np.inf)
    np.maximum.at(top, levels.level, y + heights / 2.0)
    np.minimum.at(bottom, levels.level, y - heights / 2.0)
    used = np.isfinite(top)
    top, bottom = np.where(used, top, 0.0), np.where(used, bottom, 0.0)
    drop = np.concatenate([[0.0], np.cumsum(bottom[:-1] - LEVEL_GAP - top[1:])])
    return np.asarray(y + drop[levels.level])


def rails(levels: Levels | None, column: I32, y: F64, heights: F64) -> tuple[F64, I32]:
    """(n,) height of the rail under each layer, and (n,) which piece of it that is.

    One rail 2 u under the lowest plate; in a U stairs, a shelf .9 u under the plates of each level and side.
    """
    low = y - heights / 2.0
    if levels is None:
        return np.full(len(y), low.min() - RAIL_DROP if len(y) else 0.0), np.zeros(len(y), np.int32)
    order = np.argsort(column, kind="stable")
    shelf = np.empty(len(column), np.int32)
    shelf[order] = np.concatenate([[0], np.cumsum(np.diff(levels.level[order]) != 0)])
    lowest = np.full(int(shelf.max()) + 1, np.inf)
    np.minimum.at(lowest, shelf, low)
    return lowest[shelf] - SHELF_DROP, shelf
