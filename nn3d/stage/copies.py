"""Marks of copied values: an ivory bar at the near edge of every glued part that a skip brought."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.parts import part_spans
from nn3d.stage.frame import BOX
from nn3d.stage.look import colour
from nn3d.stage.plan import Plan
from nn3d.stage.standing import Stage
from nn3d.stage.state import ViewState

BAR_HALF = 0.10
BAR_OFF = 0.16
IDENTITY_SHARE = 0.60


def part_bars(plan: Plan, state: ViewState, stage: Stage) -> NDArray[np.void]:
    """(b,) BOX: one bar a part of a concatenation whose source is not its neighbour along the network."""
    column = plan.topology.column
    rows: list[tuple[float, float, float, float]] = []
    for link in plan.links:
        target = plan.layers[link.target]
        if not target.parts or column[link.target] - column[link.source] < 2:
            continue
        arguments = [k.argument for k in target.layer.links]
        if link.link.argument not in arguments:  # a closed group that ends in a concatenation
            continue
        number = arguments.index(link.link.argument)
        low, high = part_spans(target.tiles, target.parts)[number] * stage.height[link.target]
        edge = -state.side * (stage.width[link.target] / 2.0 + BAR_OFF)
        x, y = stage.x[link.target], stage.y[link.target]
        rows.append((x, y + (low + high) / 2.0, edge, (high - low) / 2.0))
    out = np.zeros(len(rows), BOX)
    if rows:
        at = np.array(rows)
        out["centre"] = at[:, :3]
        out["half"] = np.stack([0 * at[:, 3] + BAR_HALF, at[:, 3], 0 * at[:, 3] + BAR_HALF], 1)
        ink, fog = (np.array(colour(state.theme, name)[:3]) for name in ("identity", "fog"))
        out["colour"] = fog + (ink - fog) * IDENTITY_SHARE
    return out
