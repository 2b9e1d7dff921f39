"""Where on the screen an item stands: the box around its plates as they are now. Logical px, top left origin."""

from __future__ import annotations

import numpy as np

from nn3d.stage.frame import Frame, TileLayer
from nn3d.stage.framing import corners_of

Rect = tuple[float, float, float, float]


def plates_of(frame: Frame, item: int) -> tuple[TileLayer, ...]:
    """The plates that stand for an item: its own, all of an open group, or that of the closed group around it."""
    own = tuple(t for t in frame.tiles if t.layer == item)
    if own or not 0 <= item < len(frame.stands):
        return own
    group = None if frame.groups is None else frame.groups.of_item(item)
    inside = (item,) if group is None else group.layers
    return tuple(frame.tiles[k] for k in sorted({frame.stands[i] for i in inside}))


def screen_box(frame: Frame, item: int) -> Rect | None:
    """Box x0, y0, x1, y1 around an item's plates; None where nothing stands for it, or it is out of sight."""
    plates = plates_of(frame, item)
    if not plates:
        return None
    width, height = frame.state.size_px
    px = frame.view.project(np.concatenate([corners_of(t) for t in plates]), frame.state.size_px)
    if not np.isfinite(px).all():
        return None
    x0, y0, x1, y1 = (float(v) for v in (*px.min(0), *px.max(0)))
    if x1 <= 0.0 or y1 <= 0.0 or x0 >= width or y0 >= height:
        return None
    return max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)
