"""What of a frame may be uploaded now: so much a frame, nearest first; the rest waits for the next one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from nn3d.stage.frame import Frame, StrandLayer, TileLayer


def within(
    frame: Frame, n_bytes: int, tile_cost: Callable[[TileLayer], int], strand_cost: Callable[[StrandLayer], int]
) -> tuple[Frame, int]:
    """The frame with at most `n_bytes` that are not on the GPU yet (one thing at the least), and how many things wait.

    tile_cost, strand_cost : bytes that a layer's values, or a link's strands, would upload. Plates that wait are drawn
    empty, strands that wait are not drawn. Tiles come before strands.
    """
    eye = np.linalg.solve(frame.view.world_from_bench, frame.view.eye_world)

    def away(tile: TileLayer) -> float:
        return float(np.linalg.norm(eye - (tile.x, tile.y, 0.0)))

    far = [away(t) for t in frame.tiles]
    near = [min(far[s.source], far[s.target]) for s in frame.strands]
    costs = [tile_cost(t) for t in frame.tiles]
    spent, tiles_wait = _choose(costs, far, n_bytes, 0)
    strand_costs = [strand_cost(s) for s in frame.strands]
    _, strands_wait = _choose(strand_costs, near, n_bytes, spent)
    if not tiles_wait and not strands_wait:
        return frame, 0
    tiles = [replace(t, values=None, gains=None) if k in tiles_wait else t for k, t in enumerate(frame.tiles)]
    strands = [s for k, s in enumerate(frame.strands) if k not in strands_wait]
    now = replace(frame, tiles=tuple(tiles), strands=tuple(strands))
    return now, len(tiles_wait) + len(strands_wait)


def _choose(costs: Sequence[int], far: Sequence[float], n_bytes: int, spent: int) -> tuple[int, set[int]]:
    """Bytes spent after taking what is nearest, and numbers of what waits."""
    waiting = set()
    for k in sorted((k for k, cost in enumerate(costs) if cost), key=lambda k: far[k]):
        if spent and spent + costs[k] > n_bytes:
            waiting.add(k)
        else:
            spent += costs[k]
    return spent, waiting
