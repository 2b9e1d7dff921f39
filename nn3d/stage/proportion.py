"""Room for the cards above plates in lanes: how far they reach, and what the next plate above leaves them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.bars import px_per_unit
from nn3d.stage.plan import Plan
from nn3d.stage.standing import Stage
from nn3d.stage.state import ViewState

F64 = NDArray[np.float64]

CARD_PX = 66.0


def card_corners(plan: Plan, state: ViewState, stage: Stage) -> F64:
    """(n, 3) on the bench: how far the cards above plates in lanes reach."""
    above = np.flatnonzero(stage.is_aloft & (plan.topology.lane > 0))
    room = CARD_PX / px_per_unit(stage, state)
    return np.stack([stage.x[above], (stage.y + stage.height / 2.0)[above] + room, 0.0 * stage.x[above]], 1)


def room_above(plan: Plan, stage: Stage, unit_px: float) -> F64:
    """(n,) px between a plate and the next one above it in its column, inf for the topmost."""
    column, out = plan.topology.column, np.full(len(stage.x), np.inf)
    for i in np.flatnonzero(stage.is_aloft):
        over = np.flatnonzero((column == column[i]) & (stage.y > stage.y[i]))
        if over.size:
            low = float((stage.y - stage.height / 2.0)[over].min())
            out[i] = (low - float(stage.y[i] + stage.height[i] / 2.0)) * unit_px
    return out
