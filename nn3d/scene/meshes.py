"""The few fixed meshes: a unit box with normals, and a square."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CORNER = np.dtype([("corner", "f4", 3), ("normal", "f4", 3)])
FLAT = np.dtype([("corner", "f4", 2)])


def unit_box() -> NDArray[np.void]:
    """(36,) CORNER: a box from −1 to 1, two triangles a side."""
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, -1), (1, 1), (-1, 1)], np.float32)
    out = np.zeros(36, CORNER)
    for k, (axis, sign) in enumerate((a, s) for a in range(3) for s in (-1.0, 1.0)):
        part = out[6 * k : 6 * k + 6]
        part["corner"][:, axis] = sign
        part["corner"][:, (axis + 1) % 3], part["corner"][:, (axis + 2) % 3] = square[:, 0], square[:, 1]
        part["normal"][:, axis] = sign
    return out


def unit_square() -> NDArray[np.void]:
    """(4,) FLAT: a triangle strip from −1 to 1."""
    out = np.zeros(4, FLAT)
    out["corner"] = [(-1, -1), (1, -1), (-1, 1), (1, 1)]
    return out
