"""What lies under a point of a picture, as a value: what picking answers, and what tooltips and gestures are told.

A `Pointed` has a `kind`, and names what it is by numbers that the frame explains:

- "label": a line of text. `mark` is its index in Frame.marks; `thing` the layer or group it belongs to, None for others
  (title, key, foot line, class bars).
- "edge": a single strand. `link` is its layer's index in Frame.strands, `row` its number among the single strands: the
  index into that layer's weight_index, weight, source_cell and target_cell.
- "trunk": the rope of a pair of layers, or a whole skip, stave or recurrence. `link` as above; `row` the rope's strand.
- "cell": `thing` has layer, tile, row and col: real indices are those of the tile table (index order).
- "tile": `thing` has layer and tile: the side of a tile, which has no cells.
- "layer": `thing` has the layer: a collapsed block's side, its post or its foot.
- "group": `thing.layer` is the item of a group (nn3d.run.groups): its pill, its bracket or its closed block; over a
  cell of the map that the block shows, `thing` has that as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.frame import Frame, StrandLayer, Text
from nn3d.stage.framing import group_at, layer_at_post
from nn3d.stage.state import Thing
from nn3d.stage.type import text_width

KINDS = ("label", "edge", "trunk", "cell", "tile", "layer", "group")
WHOLE_PATHS = ("arc", "stave", "loop")


@dataclass(frozen=True, slots=True)
class Pointed:
    """What lies under a point. Numbers that do not apply are −1; see the kinds above."""

    kind: str
    thing: Thing | None = None
    link: int = -1
    row: int = -1
    mark: int = -1


def text_boxes(frame: Frame) -> NDArray[np.float64]:
    """(n, 5) x0, y0, x1, y1 in px and the index in Frame.marks of each line of text, in drawing order."""
    rows = []
    for k, mark in enumerate(frame.marks):
        if isinstance(mark, Text) and mark.text.strip():
            width = text_width(mark.text, mark.size_px, mark.weight)
            left = mark.x - width * {"l": 0.0, "m": 0.5, "r": 1.0}[mark.anchor[0]]
            top = mark.y - mark.size_px * {"a": 0.0, "m": 0.5, "s": 0.8, "b": 1.0, "d": 1.0}[mark.anchor[1]]
            rows.append((left, top, left + width, top + mark.size_px, float(k)))
    return np.array(rows, np.float64).reshape(-1, 5)


def label_at(frame: Frame, boxes: NDArray[np.float64], x_px: float, y_px: float) -> Pointed | None:
    """The line of text at a point, the last one drawn where several are; `boxes` are those of `text_boxes`."""
    x0, y0, x1, y1, mark = boxes.T
    hit = np.flatnonzero((x0 <= x_px) & (x_px <= x1) & (y0 <= y_px) & (y_px <= y1))
    if not hit.size:
        return None
    thing = group_at(frame, x_px, y_px) or layer_at_post(frame, x_px, y_px)
    return Pointed("label", thing, mark=int(mark[hit[-1]]))


def of_thing(frame: Frame, thing: Thing) -> Pointed:
    """A cell, a tile, a layer or a group."""
    if frame.groups is not None and thing.layer >= frame.groups.n_layers:
        return Pointed("group", thing)
    return Pointed("cell" if thing.row >= 0 else "tile" if thing.tile >= 0 else "layer", thing)


def of_strand(frame: Frame, link: int, row: int) -> Pointed:
    """Strand number `row` of a link's table, the rope's first."""
    layer = frame.strands[link]
    if is_rope(layer, row):
        return Pointed("trunk", link=link, row=row)
    return Pointed("edge", link=link, row=row - layer.n_trunk)


def is_rope(layer: StrandLayer, row: int) -> bool:
    """Whether a strand of a link's table stands for all of the link, not for an edge."""
    return layer.path in WHOLE_PATHS or row < layer.n_trunk


def at_bracket_or_post(frame: Frame, x_px: float, y_px: float) -> Pointed | None:
    """A group by its pill or bracket, or a layer by its post, foot or the place of its card."""
    group, layer = group_at(frame, x_px, y_px), layer_at_post(frame, x_px, y_px)
    found = group or layer
    return None if found is None else of_thing(frame, found)
