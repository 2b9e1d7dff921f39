"""The tables that cross from geometry to the GPU: one truth for each vertex layout, as numpy structured dtypes."""

from __future__ import annotations

import numpy as np

# Where a tile, or the centroid of a cluster of tiles, stands in its layer's plane: (y, z) in each arrangement.
TILE = np.dtype([("line", "f4", 2), ("circle", "f4", 2), ("grid", "f4", 2), ("mosaic", "f4", 2)])

# One strand. tiles, clusters: rows of the TILE tables of source and target. uv: place in the tile, 0 … 1 from left and
# top as the reader sees it. amount: signed share of the strongest, −1 … 1, at the two epochs that are mixed.
# area: what it stands for as a share of the thickest, 0 when it is not drawn at that epoch. dock: place along the
# target tile's lower edge, −½ … ½ of its width. lane: place in the gutter, −1 … 1. spread: offset of the source's and
# the target's end in its cluster, (y, z, y, z) in units of the cluster's radius.
STRAND = np.dtype(
    [
        ("tiles", "i4", 2),
        ("clusters", "i4", 2),
        ("source_uv", "f4", 2),
        ("target_uv", "f4", 2),
        ("amount", "f4", 2),
        ("area", "f4", 2),
        ("dock_lane", "f4", 2),
        ("spread", "f4", 4),
    ]
)

# What of a strand stays when the epoch changes, and what does not: uploaded apart.
LOOK = np.dtype([(name, STRAND[name]) for name in ("amount", "area")])
SHAPE = np.dtype([(name, STRAND[name]) for name in STRAND.names or () if name not in (LOOK.names or ())])
