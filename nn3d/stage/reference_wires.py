"""What shaders/include/wires.glsl computes, in numpy: the weights of a small network from edge to edge (u)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.frame import TileLayer

F64 = NDArray[np.float64]

OUT, IN, LIFT, GATHER = 0.72, 0.62, 0.09, 1.1
AT = np.array([0.0, 0.01, 0.10, 0.22, 0.36, 0.50, 0.64, 0.78, 0.90, 0.97, 1.0])
UP = np.array([0.0, 0.0, 0.0, 0.03, 0.20, 0.50, 0.80, 0.97, 1.0, 1.0, 1.0])
OVER = np.array([0.0, 0.0, 0.12, 0.25, 0.38, 0.50, 0.62, 0.75, 0.90, 1.0, 1.0])


class End(Protocol):
    """One end of m strands: places (m, 2) as (y, z), half sizes (m, 2), half thickness (m,), and the layer's x."""

    @property
    def x(self) -> float:
        """Of the layer."""
        ...

    @property
    def tile(self) -> F64:
        """Centres of the tiles."""
        ...

    @property
    def cell(self) -> F64:
        """The cells on the faces."""
        ...

    @property
    def cluster(self) -> F64:
        """Centroids of the clusters."""
        ...

    @property
    def half(self) -> F64:
        """Half height and half width of the tiles."""
        ...

    @property
    def thick(self) -> F64:
        """Half thickness of the tiles."""
        ...


def wire_points(
    layers: tuple[TileLayer, TileLayer], s: End, t: End, source_u: F64, off: F64, side: float, behind: float
) -> F64:
    """(m, 11, 3) control points.

    source_u : (m,) place across the source, 1 for a neuron's edge. off : (m, 2). behind : 0 from the front, 1 behind.
    """
    source, target = layers
    is_picture = source_u < 1.0
    up_t = (t.tile[:, 0] - target.y) / max(target.block_half[0], 0.5e-6)
    up_s = (s.tile[:, 0] - source.y) / max(source.block_half[0], 0.5e-6)
    y0 = np.where(is_picture, s.cell[:, 0], s.tile[:, 0] + OUT * up_t * s.half[:, 0])
    z0 = np.where(is_picture, s.cell[:, 1], s.tile[:, 1] + side * s.half[:, 1])
    y1 = np.where(is_picture, t.cell[:, 0], t.tile[:, 0] + (IN * up_s + LIFT) * t.half[:, 0])
    z1 = t.tile[:, 1] - side * t.half[:, 1]
    z0 = z0 * (1.0 - behind) + (s.tile[:, 1] + side * s.half[:, 1]) * behind
    x0, x1 = s.x + s.thick * (1.0 - behind), t.x - t.thick * (1.0 - behind)
    bundle = is_picture[:, None] * (np.arange(AT.size) >= 2) * (1.0 - behind)
    ya = y0[:, None] * (1 - bundle) + (s.cluster[:, 0] + GATHER * off[:, 0])[:, None] * bundle
    za = z0[:, None] * (1 - bundle) + (s.cluster[:, 1] + GATHER * off[:, 1])[:, None] * bundle
    out = np.empty((len(y0), AT.size, 3))
    out[:, :, 0] = x0[:, None] + (x1 - x0)[:, None] * AT
    out[:, :, 1] = ya * (1 - UP) + y1[:, None] * UP
    out[:, :, 2] = za * (1 - OVER) + z1[:, None] * OVER
    out[:, 0, 2] -= side * 0.3 * s.half[:, 1] * ~is_picture * (1.0 - behind)
    return out
