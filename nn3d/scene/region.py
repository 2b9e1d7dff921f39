"""Where on the screen anything can stand: upright strips, each from its lowest to its highest px.

Only there is the picture multisampled; elsewhere it is the ground. What is found may be larger than what is covered,
never smaller.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.scene.plates import arrangement_at_rest
from nn3d.stage.frame import Frame, TileLayer
from nn3d.stage.reference import tile_places

STRIPS: Final = 64
MARGIN_PX: Final = 3.0  # of edges that are widened to be smooth, and of boxes that are at least a px wide
STEP_PX: Final = 16
PIECES: Final = 48  # a long box that spans more than so many strips is looked at in so many pieces
WIDE_STRIPS: Final = 4
CUBE_HEIGHT: Final = 0.62  # HEIGHT of cube.vert

F64 = NDArray[np.float64]
_SIGNS = np.array([(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])


def strip_px(width: int) -> int:
    """Width of a strip, px."""
    return -(-width // STRIPS)


def everywhere(size: tuple[int, int]) -> NDArray[np.int32]:
    """(64, 2) strips that cover a target."""
    return np.tile(np.array([0, size[1]], np.int32), (STRIPS, 1))


def strips_of(frame: Frame, size: tuple[int, int]) -> NDArray[np.int32]:
    """(64, 2) lower and upper px of each strip, from the bottom.

    Where strands are drawn, or something reaches behind the eye, the strips cover all of the target.
    """
    if any(len(s.strands) for s in frame.strands):
        return everywhere(size)
    low, high, is_behind = _rectangles(frame, size)
    if is_behind:
        return everywhere(size)
    wide = strip_px(size[0])
    out = np.zeros((STRIPS, 2), np.int32)
    inside = (high[:, 0] >= 0) & (low[:, 0] < size[0]) & (high[:, 1] >= 0) & (low[:, 1] < size[1])
    low, high = low[inside], high[inside]
    first, last = (np.clip(v[:, 0] // wide, 0, STRIPS - 1) for v in (low, high))
    k = np.arange(STRIPS)[:, None]
    covers = (first <= k) & (k <= last)
    bottom = np.where(covers, low[:, 1], np.inf).min(1, initial=np.inf)
    top = np.where(covers, high[:, 1], -np.inf).max(1, initial=-np.inf)
    is_used = covers.any(1)
    out[is_used, 0] = np.clip(np.floor(bottom[is_used] / STEP_PX) * STEP_PX, 0, size[1])
    out[is_used, 1] = np.clip(np.ceil(top[is_used] / STEP_PX) * STEP_PX, 0, size[1])
    return out


def _rectangles(frame: Frame, size: tuple[int, int]) -> tuple[F64, F64, bool]:
    """(n, 2) lower left and upper right px around each part of the picture, and whether any reaches behind the eye."""
    middle, half, is_bench = _parts(frame)
    low, high, is_behind = _projected(frame, size, middle, half, is_bench)
    if is_behind or not len(low):
        return low, high, is_behind
    is_wide = (high[:, 0] - low[:, 0] > WIDE_STRIPS * strip_px(size[0])) & (half.max(1) > 4.0 * half.min(1))
    long = np.eye(3)[half[is_wide].argmax(1)]
    share = (np.arange(PIECES) + 0.5) / PIECES * 2.0 - 1.0
    cut = middle[is_wide, None] + share[:, None] * (long * half[is_wide])[:, None]
    part = np.repeat(half[is_wide] * (1.0 - long * (1.0 - 1.0 / PIECES)), PIECES, 0)
    more = _projected(frame, size, cut.reshape(-1, 3), part, np.repeat(is_bench[is_wide], PIECES))
    return np.concatenate([low[~is_wide], more[0]]), np.concatenate([high[~is_wide], more[1]]), False


def _projected(
    frame: Frame, size: tuple[int, int], middle: F64, half: F64, is_bench: NDArray[np.bool_]
) -> tuple[F64, F64, bool]:
    """(n, 2) lower left and upper right px around boxes, and whether any reaches behind the eye."""
    points = middle[:, None] + _SIGNS * half[:, None]
    points[is_bench] = points[is_bench] @ frame.view.world_from_bench.T
    clip = points @ frame.view.clip_from_world[:, :3].T + frame.view.clip_from_world[:, 3]
    if not len(clip) or clip[..., 3].min() <= frame.view.near:
        return np.zeros((0, 2)), np.zeros((0, 2)), bool(len(clip))
    px = (clip[..., :2] / clip[..., 3:] * 0.5 + 0.5) * size
    margin = MARGIN_PX * max(1.0, frame.state.scale)
    return px.min(1) - margin, px.max(1) + margin, False


def _parts(frame: Frame) -> tuple[F64, F64, NDArray[np.bool_]]:
    """(n, 3) middles and half sizes of all boxes and plates, and whether each stands on the bench."""
    plates = [_plate(t) for t in frame.tiles]
    middle = np.array([p[0] for p in plates]).reshape(-1, 3)
    half = np.array([p[1] for p in plates]).reshape(-1, 3)
    boxes = frame.boxes
    return (
        np.concatenate([middle, boxes["centre"]]), np.concatenate([half, boxes["half"]]),
        np.concatenate([np.ones(len(plates), bool), boxes["ground"] < 0.5]),
    )  # fmt: skip


def _plate(tile: TileLayer) -> tuple[tuple[float, ...], tuple[float, ...]]:
    thick = max(tile.thickness) + (CUBE_HEIGHT if tile.cubes is not None else 0.0)
    if arrangement_at_rest(tile) is not None or not tile.table.size:
        return (tile.x, tile.y, 0.0), (thick, *tile.block_half)
    centres, halves = tile_places(tile)
    low, high = (centres[:, 1:] - halves).min(0), (centres[:, 1:] + halves).max(0)
    return (tile.x, *((low + high) / 2)), (thick, *((high - low) / 2))
