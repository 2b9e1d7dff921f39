"""Where ropes leave a plate that several links start from: at staggered heights, in the order of what they go to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.graph import Topology

F64 = NDArray[np.float64]

PITCH = 1.2
SHARE = 0.6
ROPES = ("route", "direct")


def leaves(topology: Topology, y: F64, heights: F64) -> F64:
    """(m,) how far above a plate's middle each rope starts, u: ±.6, ±1.8 …, within .6 of the plate's height.

    Links to one height leave together; a plate with one rope lets it leave from its middle.
    """
    out = np.zeros(len(topology.links))
    by_source: dict[int, list[int]] = {}
    for k, path in enumerate(topology.paths):
        if path in ROPES:
            by_source.setdefault(int(topology.links[k, 0]), []).append(k)
    for source, links in by_source.items():
        goals = y[topology.links[links, 1]]
        steps = np.unique(goals.round(6))
        if len(steps) > 1:
            pitch = min(PITCH, SHARE * float(heights[source]) / (len(steps) - 1))
            rank = np.searchsorted(steps, goals.round(6))
            out[links] = (rank - (len(steps) - 1) / 2.0) * pitch
    return out
