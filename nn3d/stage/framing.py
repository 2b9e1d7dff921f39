"""Where to look: cameras that frame one layer or one tile of a frame, and the layer whose post or label is at a point.

World units u; screen lengths are logical px, top left origin.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.stage import camera as cameras
from nn3d.stage.frame import Frame, Text, TileLayer
from nn3d.stage.reference import ease, half_thickness, tile_places
from nn3d.stage.sight import clear
from nn3d.stage.state import Camera, Thing
from nn3d.stage.type import text_width

F64 = NDArray[np.float64]
CLOSE_YAW_RAD: Final = math.radians(42.0)
CLOSE_PITCH_RAD: Final = math.radians(11.0)
LAYER_SHARE: Final = 0.72
TILE_SHARE: Final = 0.5
POST_PX: Final = 6.0
LABEL_PX: Final = (52.0, 74.0)  # half width, height under the foot


def framed(frame: Frame, thing: Thing) -> Camera:
    """The camera, free of fit, that shows a layer, a group, or one tile from close up, in the free rectangle.

    Where other plates would stand in front of a layer or a tile, it looks from beside them.
    """
    camera = replace(cameras.resolve(frame), fit=False)
    plates = _plates(frame, thing.layer)
    corners = np.concatenate([corners_of(layer, thing.tile) for layer in plates])
    if thing.tile >= 0:
        camera = replace(camera, yaw_rad=math.copysign(CLOSE_YAW_RAD, camera.yaw_rad), pitch_rad=CLOSE_PITCH_RAD)
    share = TILE_SHARE if thing.tile >= 0 else LAYER_SHARE
    rect = shrunk(frame.state.anchors.free, share)

    def placed(at: Camera) -> Camera:
        return cameras.fitted(at, corners, rect, frame.state.size_px)

    if len(plates) > 1:
        return placed(camera)
    face = corners[[0, 1, 3, 2]]
    return clear(camera, placed, face, [t for t in frame.tiles if t is not plates[0] and t.x < plates[0].x])


def corners_of(layer: TileLayer, tile: int = -1) -> F64:
    """(8, 3) corners of a layer's plate as it stands now, or of one tile."""
    middle, half = np.array([layer.x, layer.y, 0.0]), np.array(layer.block_half)
    if 0 <= tile < len(layer.table):
        centres, halves = tile_places(layer)
        middle, half = centres[tile], halves[tile]
    depth = float(half_thickness(layer, ease(layer.opening)))
    signs = np.array(list(product((-1.0, 1.0), repeat=3)))
    return np.asarray(middle + signs * np.array([depth, *half]), np.float64)


def layer_at_post(frame: Frame, x_px: float, y_px: float) -> Thing | None:
    """The layer on the main line whose post, foot or label lies at a point; the nearest one where several do."""
    rows = [t for t in frame.tiles if abs(t.y) < 1e-6 and t.scale > 0.5]
    if not rows:
        return None
    top = np.array([[t.x, t.y - t.block_half[0], 0.0] for t in rows])
    foot = np.array([[t.x, frame.floor_y, 0.0] for t in rows])
    upper = frame.view.project(top, frame.state.size_px)
    lower = frame.view.project(foot, frame.state.size_px)
    aside = np.abs(lower[:, 0] - x_px)
    is_post = (np.minimum(upper[:, 1], lower[:, 1]) <= y_px) & (y_px <= lower[:, 1] + POST_PX) & (aside <= POST_PX)
    is_label = (lower[:, 1] < y_px) & (y_px <= lower[:, 1] + LABEL_PX[1]) & (aside <= LABEL_PX[0])
    near = np.flatnonzero(is_post | is_label)
    return Thing(rows[int(near[np.argmin(aside[near])])].layer) if near.size else None


def group_at(frame: Frame, x_px: float, y_px: float) -> Thing | None:
    """The group whose pill or bracket lies at a point."""
    hit = (item for item, (x0, y0, x1, y1) in frame.handles if x0 <= x_px <= x1 and y0 <= y_px <= y1)
    return next((Thing(item) for item in hit), None)


def _plates(frame: Frame, item: int) -> list[TileLayer]:
    """The plates that stand for an item: its own, all of an open group, or that of the closed group around it."""
    own = [t for t in frame.tiles if t.layer == item]
    if own:
        return own
    group = None if frame.groups is None else frame.groups.of_item(item)
    inside = (item,) if group is None else group.layers
    return [frame.tiles[k] for k in sorted({frame.stands[i] for i in inside})]


def shrunk(rect: tuple[float, float, float, float], share: float) -> tuple[float, float, float, float]:
    """A rectangle about the same middle, `share` as wide and high."""
    x0, y0, x1, y1 = rect
    dx, dy = (x1 - x0) * (1.0 - share) / 2.0, (y1 - y0) * (1.0 - share) / 2.0
    return x0 + dx, y0 + dy, x1 - dx, y1 - dy


def screen_boxes(frame: Frame) -> F64:
    """(n, 4) x0, y0, x1, y1 in px of what a frame shows: each layer's plate with its post, and each line of text."""
    size = frame.state.size_px
    boxes = []
    for layer in frame.tiles:
        corners = corners_of(layer)
        if abs(layer.y) < 1e-6:
            corners = np.vstack([corners, [[layer.x, frame.floor_y, 0.0]]])
        px = frame.view.project(corners, size)
        boxes.append([*px.min(0), *px.max(0)])
    for mark in frame.marks:
        if isinstance(mark, Text):
            width = text_width(mark.text, mark.size_px, mark.weight)
            left = mark.x - width * {"l": 0.0, "m": 0.5, "r": 1.0}[mark.anchor[0]]
            boxes.append([left, mark.y - mark.size_px, left + width, mark.y + mark.size_px])
    return np.array(boxes, np.float64).reshape(-1, 4)
