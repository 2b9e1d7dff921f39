"""Room for the cards above plates in lanes: how far they reach, and what the next plate above leaves them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.bars import px_per_unit
from nn3d.stage.plan import Plan
from nn3d.stage.standing import Stage
from nn3d.stage.state import YAW_RAD, ViewState

F64 = NDArray[np.float64]

CARD_PX = 66.0
WORD_PX = 96.0


def card_corners(plan: Plan, state: ViewState, stage: Stage) -> F64:
    """(n, 3) on the bench: how far the cards above plates in lanes reach, and the words left of token inputs."""
    above = np.flatnonzero(stage.is_aloft & (plan.topology.lane > 0))
    unit = px_per_unit(stage, state)
    cards = np.stack([stage.x, stage.y + stage.height / 2.0 + CARD_PX / unit, 0.0 * stage.x], 1)
    aside = WORD_PX / unit / math.sin(YAW_RAD)
    words = np.stack([stage.x - aside, stage.y, 0.0 * stage.x], 1)
    has_words = [p.input is not None and p.input.kind == "tokens" for p in plan.layers]
    return np.concatenate([cards[above], words[np.flatnonzero(has_words)]])


def room_above(plan: Plan, stage: Stage, unit_px: float) -> F64:
    """(n,) px between a plate and the next one above it in its column, inf for the topmost."""
    column, out = plan.topology.column, np.full(len(stage.x), np.inf)
    for i in np.flatnonzero(stage.is_aloft):
        over = np.flatnonzero((column == column[i]) & (stage.y > stage.y[i]))
        if over.size:
            low = float((stage.y - stage.height / 2.0)[over].min())
            out[i] = (low - float(stage.y[i] + stage.height[i] / 2.0)) * unit_px
    return out
