"""The way through a network by keys: in and out of groups, layers, tiles and cells, on and back along the graph.

Pure: from what is selected and what the picture shows to what is selected next. Items are numbered as in Groups.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nn3d.stage.frame import Frame, TileLayer
from nn3d.stage.spots import plates_of
from nn3d.stage.state import Thing, ViewState

ROW_APART = 1e-6


@dataclass(frozen=True, slots=True)
class Way:
    """Where a step leads. thing : what is selected then, None where it leads nowhere.

    open_group, close_group : a group to open or close on the way, −1 none. open_layer : a layer to open, −1 none.
    """

    thing: Thing | None = None
    open_group: int = -1
    close_group: int = -1
    open_layer: int = -1


def inward(state: ViewState, frame: Frame) -> Way:
    """Group → its first part, layer → its first tile, tile → its middle cell; from nothing to the first layer."""
    thing, n = state.selection, len(state.layers)
    if thing is None:
        return Way(_end(frame, state, first=True))
    if thing.layer >= n:
        return _into_group(state, frame, thing.layer - n)
    hidden = _hiding(state, frame, thing.layer)
    if hidden >= 0:
        return _into_group(state, frame, hidden)
    plate = plate_of(frame, thing.layer)
    if plate is None or thing.row >= 0:
        return Way()
    if thing.tile < 0:
        return Way(Thing(thing.layer, 0), open_layer=-1 if state.layers[thing.layer].is_open else thing.layer)
    rows, cols = plate.cells
    return Way(replace(thing, row=rows // 2, col=cols // 2))


def outward(state: ViewState, frame: Frame) -> Way:
    """Cell → tile → layer → the group around it, which closes → the group around that."""
    thing, groups = state.selection, frame.groups
    if thing is None:
        return Way()
    if thing.row >= 0:
        return Way(replace(thing, row=-1, col=-1))
    if thing.tile >= 0:
        return Way(Thing(thing.layer))
    if groups is None or not groups.parent:
        return Way()
    around = next((g for g in groups.around(thing.layer) if g in state.fold.after), None)
    return Way() if around is None else Way(Thing(groups.n_layers + around), close_group=around)


def along(state: ViewState, frame: Frame, step: int) -> Way:
    """One on (step 1) or back (−1): the next cell or tile, or along a link of the graph.

    Of several links the main one is taken; going back and on again takes the one after that by which one came.
    """
    thing = state.selection
    if thing is None:
        return Way(_end(frame, state, first=step > 0))
    plate = plate_of(frame, thing.layer)
    if thing.tile >= 0 and plate is not None:
        return Way(_beside(plate, thing, step))
    here = shown_item(state, frame, thing.layer)
    ends = neighbours(frame, members(frame, here), step)
    came = -1 if state.came is None else shown_item(state, frame, state.came.layer)
    if not ends:
        return Way()
    return Way(Thing(ends[(ends.index(came) + 1) % len(ends)] if came in ends else ends[0]))


def across(state: ViewState, frame: Frame, step: int) -> Way:
    """Beside (step 1 down, −1 up): the cell or tile in the next row, or the next branch of the same fork or join."""
    thing = state.selection
    if thing is None:
        return Way()
    plate = plate_of(frame, thing.layer)
    if thing.tile >= 0 and plate is not None:
        if thing.row >= 0:
            row = thing.row + step
            return Way(replace(thing, row=row) if 0 <= row < plate.cells[0] else None)
        return Way(_tile_across(plate, thing, step))
    here = shown_item(state, frame, thing.layer)
    mine = members(frame, here)
    around = [
        other for way in (-1, 1) for end in neighbours(frame, mine, way)
        for other in neighbours(frame, members(frame, end), -way)
    ]
    branches = list(dict.fromkeys([here, *sorted(around)]))
    ordered = sorted(branches)
    return Way() if len(ordered) < 2 else Way(Thing(ordered[(ordered.index(here) + step) % len(ordered)]))


def shown_item(state: ViewState, frame: Frame, item: int) -> int:
    """The visible item that stands for this one; an open group stands for itself."""
    groups = frame.groups
    if groups is None or not groups.parent:
        return item
    return groups.shown_as(item, frozenset(state.fold.after))


def neighbours(frame: Frame, members: frozenset[int], step: int) -> list[int]:
    """Items that links lead to (step 1) or come from (−1), the main ones first; `members` themselves left out."""
    ends = [(t, s) if step > 0 else (s, t) for s, t in frame.links]
    return list(dict.fromkeys(far for far, near in ends if near in members and far not in members))


def plate_of(frame: Frame, item: int) -> TileLayer | None:
    """The plate of a layer that stands as itself."""
    return next((t for t in frame.tiles if t.layer == item), None)


def members(frame: Frame, item: int) -> frozenset[int]:
    """The visible items that an item is: itself, or the parts of an open group."""
    groups = frame.groups
    group = None if groups is None else groups.of_item(item)
    if groups is None or group is None:
        return frozenset((item,))
    return frozenset({item} | {t.layer for t in plates_of(frame, item)})


def _into_group(state: ViewState, frame: Frame, group: int) -> Way:
    assert frame.groups is not None
    opened = frozenset((*state.fold.after, group))
    inside = frame.groups.shown_as(frame.groups.all[group].layers[0], opened)
    return Way(Thing(inside), open_group=-1 if group in state.fold.after else group)


def _hiding(state: ViewState, frame: Frame, layer: int) -> int:
    """The closed group that stands for a layer, −1 where it stands for itself."""
    item = shown_item(state, frame, layer)
    return item - len(state.layers) if item >= len(state.layers) else -1


def _end(frame: Frame, state: ViewState, *, first: bool) -> Thing | None:
    """The first or the last visible item."""
    n = len(state.layers)
    if not n:
        return None
    return Thing(shown_item(state, frame, 0 if first else n - 1))


def _beside(plate: TileLayer, thing: Thing, step: int) -> Thing | None:
    """The next cell in C order, or the next tile."""
    rows, cols = plate.cells
    if thing.row >= 0:
        at = thing.row * cols + thing.col + step
        return replace(thing, row=at // cols, col=at % cols) if 0 <= at < rows * cols else None
    tile = thing.tile + step
    return Thing(thing.layer, tile) if 0 <= tile < plate.table.size else None


def _tile_across(plate: TileLayer, thing: Thing, step: int) -> Thing | None:
    """The nearest tile of the row above or below in the grid."""
    y, z = plate.table["grid"].astype(np.float64).T
    away = (y[thing.tile] - y) * step
    below = np.flatnonzero(away > ROW_APART)
    if not below.size:
        return None
    row = below[away[below] <= away[below].min() + ROW_APART]
    return Thing(thing.layer, int(row[np.argmin(np.abs(z[row] - z[thing.tile]))]))
