"""Which cell is under the microscope, and which cells of which plates it was made from, layer by layer back.

A thing names a cell by tile, row and column of its layer's tiles; a cell of the run by one index for each axis of the
layer's array. Rows are what is visible (nn3d.stage.folding).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.explain import receptive_field
from nn3d.layout.arrange import fold
from nn3d.run.run import Run
from nn3d.stage.folding import Folded
from nn3d.stage.plan import LayerPlan
from nn3d.stage.stages import LAST, node_of
from nn3d.stage.state import Thing, ViewState

I32 = NDArray[np.int32]
Ranges = tuple[tuple[int, int], ...]
Rect = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Spot:
    """A cell of the run that is looked at. row : of what is visible. layer : index in the run.

    thing : tile, row and column, with the row of what is visible as its layer. cell : the same, one index an axis.
    """

    row: int
    layer: int
    thing: Thing
    cell: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Patch:
    """Cells of a visible row that a spot was made from.

    tiles : (m,) int32 of the row's tiles. rect : (first row, row after the last, first column, column after the last)
    of their cells. step : layers back, 1 for what the spot reads. is_inside : they lie in the closed group there.
    """

    row: int
    tiles: I32
    rect: Rect
    step: int
    is_inside: bool = False


def spot_of(folded: Folded, thing: Thing | None) -> Spot | None:
    """The cell that a thing (its layer a visible row) names; None where it names no single number of the run."""
    if thing is None or not 0 <= thing.layer < len(folded.plan.layers):
        return None
    plan = folded.plan.layers[thing.layer]
    if thing.tile >= 0 and thing.row < 0 and plan.tiles.cells == (1, 1):
        thing = replace(thing, row=0, col=0)
    if folded.items[thing.layer] >= folded.plan.groups.n_layers:
        return None
    cell = cell_of(plan, thing)
    return None if cell is None else Spot(thing.layer, plan.layer.index, thing, cell)


def cell_of(plan: LayerPlan, thing: Thing) -> tuple[int, ...] | None:
    """One index for each axis of the layer's array; None for colour pictures, averaged cells and weights."""
    layer = plan.layer
    n, rows, cols = fold(layer.shape, layer.axes)
    is_one = (n, rows, cols) == (plan.tiles.n, *plan.tiles.cells) and plan.pool == (1, 1)
    is_one = is_one and (plan.recurrent is None or plan.recurrent.directions == 1)
    inside = 0 <= thing.tile < n and 0 <= thing.row < rows and 0 <= thing.col < cols
    if not (is_one and inside and plan.shows == "values"):
        return None
    flat = (thing.tile * rows + thing.row) * cols + thing.col
    return tuple(int(i) for i in np.unravel_index(flat, layer.shape)) if layer.shape else ()


def thing_at(plan: LayerPlan, row: int, cell: tuple[int, ...]) -> Thing:
    """The thing that shows a cell of the run: the other way round."""
    _, rows, cols = fold(plan.layer.shape, plan.layer.axes)
    flat = int(np.ravel_multi_index(cell, plan.layer.shape)) if cell else 0
    tile, rest = divmod(flat, rows * cols)
    return Thing(row, min(tile, plan.tiles.n - 1), rest // cols // plan.pool[0], rest % cols // plan.pool[1])


def shown_node(run: Run, state: ViewState, spot: Spot) -> int:
    """Id of the node whose number the spot shows: of the stage that the layer shows."""
    layer = run.layers[spot.layer]
    stage = state.layers[spot.row].stage
    return layer.shown if stage == LAST else node_of(run, layer, stage, round(state.time.epoch))[0]


def patches(run: Run, folded: Folded, spot: Spot, found: dict[int, Ranges], depth: int) -> tuple[Patch, ...]:
    """What the spot was made from, up to `depth` layers back, nearest first; `found` : of `fields`."""
    layers = _back(run, spot.layer, depth)
    out: dict[tuple[int, bool], Patch] = {}
    for index, step in layers.items():
        ranges = found.get(index)
        if ranges is None or index == spot.layer:
            continue
        row = folded.stands[index]
        if folded.items[row] != index:
            if row != spot.row:
                out.setdefault((row, True), Patch(row, np.zeros(0, np.int32), (0, 0, 0, 0), step, is_inside=True))
            continue
        tiles, rect = _tiles_of(folded.plan.layers[row], ranges)
        out[row, False] = Patch(row, tiles, rect, step)
    return tuple(sorted(out.values(), key=lambda p: p.step))


def _back(run: Run, layer: int, depth: int) -> dict[int, int]:
    """Steps back from a layer to each of those it was made from, up to `depth`."""
    steps, here = {layer: 0}, [layer]
    for step in range(1, depth + 1):
        here = list(dict.fromkeys(k.source for i in here for k in run.layers[i].links if k.source not in steps))
        if not here:
            break
        steps |= dict.fromkeys(here, step)
    return steps


def fields(run: Run, layer: int, node: int, cell: tuple[int, ...], depth: int) -> dict[int, Ranges]:
    """Receptive field by layer index: from and to (exclusive) on each axis of the array that the layer shows."""
    number = {each.name: each.index for each in run.layers}
    found = receptive_field(run, layer, cell, depth=depth, node=node)
    return {number[name]: box for name, box in found.items() if len(box) == len(run.layers[number[name]].shape)}


def _tiles_of(plan: LayerPlan, ranges: Ranges) -> tuple[I32, Rect]:
    """Tiles and the rectangle of drawn cells in each of them that ranges of the layer's array cover."""
    shape, axes = plan.layer.shape, plan.layer.axes
    if not shape:
        return np.zeros(1, np.int32), (0, 1, 0, 1)
    if len(shape) == 1:
        return _one_axis(ranges[0], is_tokens=axes == ("T",))
    if len(shape) == 2:
        tiles, (rows, cols) = _two_axes(ranges, is_strips=axes[:1] == ("C",))
    elif len(shape) == 3 and axes[:2] == ("T", "heads"):
        (h0, h1), (d0, d1) = ranges[1:]
        one = h1 - h0 == 1
        cols = (h0 * shape[2] + d0, h0 * shape[2] + d1) if one else (h0 * shape[2], h1 * shape[2])
        tiles, rows = np.zeros(1, np.int32), ranges[0]
    else:
        each = [range(a, b) for a, b in ranges[:-2]]
        numbers = np.array([*product(*each)], np.int64).reshape(-1, len(each))
        tiles = np.asarray(np.ravel_multi_index(tuple(numbers.T), shape[:-2]), np.int32).reshape(-1)
        rows, cols = ranges[-2:]
    if plan.tiles.n < prod(shape[:-2]):  # the channels of a colour picture are one tile
        tiles = np.unique(np.minimum(tiles, plan.tiles.n - 1)).astype(np.int32)
    r, c = plan.pool
    return tiles, (rows[0] // r, -(-rows[1] // r), cols[0] // c, -(-cols[1] // c))


def _one_axis(span: tuple[int, int], *, is_tokens: bool) -> tuple[I32, Rect]:
    if is_tokens:
        return np.zeros(1, np.int32), (*span, 0, 1)
    return np.arange(*span, dtype=np.int32), (0, 1, 0, 1)


def _two_axes(ranges: Ranges, *, is_strips: bool) -> tuple[I32, Ranges]:
    if is_strips:
        return np.arange(*ranges[0], dtype=np.int32), ((0, 1), ranges[1])
    return np.zeros(1, np.int32), ranges
