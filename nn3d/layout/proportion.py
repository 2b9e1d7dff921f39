"""How wide and how high a network with branches stands, so that it fills its picture: gaps and lanes (u)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.graph import Topology

F64 = NDArray[np.float64]

MOST = 1.5
# Lanes of a network with so many columns may stand apart by at most this factor.
LONG_COLUMNS, MOST_LIFT = 24, 1.8
# Of the room that is left in height, how much the lanes take: names above and below them need the rest.
LIFT_SHARE = 0.5
BARS = 10.0


def stretched(topology: Topology, x: F64, y: F64, size: F64, aspect: float, angles_rad: tuple[float, float]) -> F64:
    """(n,) x with wider gaps where branches make a picture taller than the room for it.

    size : (n, 2) height and width of the plates. aspect : width a height of the room. angles_rad : yaw, pitch.
    """
    length = float(np.ptp(x)) if len(x) else 0.0
    if length == 0.0 or not (topology.lane != 0).any():
        return x
    yaw_rad, pitch_rad = angles_rad
    tall = float((y + size[:, 0] / 2.0).max() - (y - size[:, 0] / 2.0).min()) + 6.0
    across = float(size[:, 1].mean()) * math.cos(yaw_rad) + BARS
    rise = math.cos(yaw_rad) * math.sin(pitch_rad)
    share = (aspect * tall - across) / (length * max(0.1, math.sin(yaw_rad) - rise * aspect))
    return np.asarray(x[0] + (x - x[0]) * min(MOST, max(1.0, share)))


def lifted(topology: Topology, x: F64, y: F64, size: F64, aspect: float, angles_rad: tuple[float, float]) -> F64:
    """(n,) y with lanes farther apart where a long network with branches leaves its picture empty in height.

    Arguments as in `stretched`. Lanes never draw nearer, and those of a U keep their stairs.
    """
    reach = float(np.ptp(y)) if len(y) else 0.0
    if reach == 0.0 or topology.levels is not None or int(topology.column.max()) < LONG_COLUMNS:
        return y
    yaw_rad, pitch_rad = angles_rad
    length = float(np.ptp(x))
    tall = float((y + size[:, 0] / 2.0).max() - (y - size[:, 0] / 2.0).min()) + 6.0
    across = length * math.sin(yaw_rad) + float(size[:, 1].mean()) * math.cos(yaw_rad) + BARS
    room = across / aspect - length * math.cos(yaw_rad) * math.sin(pitch_rad) - tall
    return np.asarray(y * min(MOST_LIFT, max(1.0, 1.0 + LIFT_SHARE * room / reach)))
