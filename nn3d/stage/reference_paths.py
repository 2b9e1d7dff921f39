"""What shaders/include/paths.glsl computes, in numpy: staves from edge to edge and the loop of a recurrence (u)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.frame import StrandLayer, TileLayer

F64 = NDArray[np.float64]

PATHS = ("stave", "loop")
ROWS_AT = np.array([0.0, 0.04, 0.10, 0.20, 0.34, 0.50, 0.66, 0.80, 0.90, 0.96, 1.0])
ROWS_OVER = np.array([0.0, 0.067, 0.164, 0.316, 0.507, 0.692, 0.84, 0.935, 0.98, 0.996, 1.0])
LOOP_AT = np.array([0.0, 0.0, 0.01, 0.05, 0.16, 0.5, 0.84, 0.95, 0.99, 1.0, 1.0])
LOOP_UP = np.array([0.0, 0.35, 0.75, 0.96, 1.0, 1.0, 1.0, 0.96, 0.75, 0.35, 0.0])


def path_points(
    source: TileLayer, target: TileLayer, strands: StrandLayer, side: float, behind: float = 0.0
) -> F64:
    """(m, 11, 3) control points of a link whose path is "stave" or "loop", before the strength is applied."""
    spread = strands.strands["spread"].astype(np.float64)
    if strands.path == "loop":
        return _loop(source, target, strands.apex, spread[:, 1])
    return _stave(source, target, strands.turn, spread[:, [0, 2]], side, behind)


def _ease(p: F64) -> F64:
    q = np.clip(p, 0.0, 1.0)
    return np.asarray(q * q * (3.0 - 2.0 * q))


def _stave(
    source: TileLayer, target: TileLayer, turn: tuple[float, float], rows: F64, side: float, behind: float
) -> F64:
    a = source.y + rows[:, 0] * 2.0 * source.block_half[0]
    b = target.y + rows[:, 1] * 2.0 * target.block_half[0]
    length = max(abs(target.x - source.x), 1e-3)
    climb = np.clip(8.0 * np.abs(b - a) / length - 0.4, 0.0, 1.0)[:, None]
    lift = ROWS_AT * (1.0 - climb) + _ease((ROWS_AT - turn[0]) / max(turn[1] - turn[0], 1e-3)) * climb
    out = np.empty((len(rows), ROWS_AT.size, 3))
    out[:, :, 0] = source.x + (target.x - source.x) * ROWS_AT
    out[:, :, 1] = a[:, None] + (b - a)[:, None] * lift
    z = (side * source.block_half[1], -side * target.block_half[1])
    bow = min(1.0, max(0.0, (abs(z[1] - z[0]) / length - 0.35) / 0.5))
    bowed = ROWS_OVER * (1.0 - behind) + (1.0 - ROWS_OVER[::-1]) * behind
    out[:, :, 2] = z[0] + (z[1] - z[0]) * (ROWS_AT * (1.0 - bow) + bowed * bow)
    return out


def _loop(source: TileLayer, target: TileLayer, apex: float, across: F64) -> F64:
    outward = 1.0 if apex > source.y else -1.0
    ends = np.array([source.y + outward * source.block_half[0], target.y + outward * target.block_half[0]])
    base = np.array([ends[0]] * 5 + [ends.mean()] + [ends[1]] * 5)
    out = np.empty((across.size, LOOP_AT.size, 3))
    out[:, :, 0] = source.x + (target.x - source.x) * LOOP_AT
    out[:, :, 1] = base * (1.0 - LOOP_UP) + apex * LOOP_UP
    zs, zt = across * 0.92 * source.block_half[1], across * 0.92 * target.block_half[1]
    out[:, :, 2] = zs[:, None] + (zt - zs)[:, None] * LOOP_AT
    return out
