"""What one picture needs and in which order it is read: ropes first, then what is open, nearest first.

Ropes come first because they are drawn from stored sums alone; single strands late because they read the weights; and
passes over weights whose sums are not stored last.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.comparing import ComparedNeed, OtherNeed
from nn3d.stage.frame import View
from nn3d.stage.holding import Wanted
from nn3d.stage.plan import Plan
from nn3d.stage.resident import Resident, ValuesNeed
from nn3d.stage.standing import Stage
from nn3d.stage.state import ViewState
from nn3d.stage.strands import StrandsNeed
from nn3d.stage.sums import SumsNeed

SMALL, ROPES, OPEN, CLOSED, SINGLE, PASSES = range(6)
# Distances closer to each other than this share of the camera's own count as equal, so that a turn reorders little.
STEP = 0.1


@dataclass(frozen=True, slots=True)
class Due:
    """What a picture needs (wanted), what of it is still to be read (missing), and what memory has no room for."""

    wanted: Wanted
    missing: tuple[Hashable, ...]
    left_out: tuple[Hashable, ...]


def due(resident: Resident, plan: Plan, state: ViewState, stage: Stage, view: View) -> Due:
    """What was looked up in `resident.asked`, in order. plan, state, stage : in rows of what is visible."""
    asked = resident.asked or {}
    needs = sorted(asked, key=_Order(plan, state, stage, view).key)
    wanted = Wanted(tuple(needs), state.budget.memory_mb << 20)
    refused = resident.held.refused(wanted)
    lacking = [need for need in needs if not asked[need]]
    return Due(wanted, tuple(n for n in lacking if n not in refused), tuple(n for n in lacking if n in refused))


class _Order:
    """Rank and distance of needs."""

    def __init__(self, plan: Plan, state: ViewState, stage: Stage, view: View) -> None:
        self._rows = {p.layer.index: row for row, p in enumerate(plan.layers)}
        self._links = {(link.under or (link.index,))[0]: (link.source, link.target) for link in plan.links}
        self._is_open = [v.is_open or v.opening > 0.0 for v in state.layers]
        self._steps = _steps(stage, view)

    def key(self, need: Hashable) -> tuple[int, float]:
        """Sorts by rank, then by distance; Python's sort keeps the order of the layers among equals."""
        if isinstance(need, ComparedNeed | OtherNeed):
            return self.key(need.need)
        if isinstance(need, ValuesNeed):
            row = self._rows.get(need.layer)
            if row is None:
                return CLOSED, 0.0
            return OPEN if self._is_open[row] else CLOSED, self._steps[row]
        if isinstance(need, StrandsNeed):
            near = min((self._steps[row] for row in self._links.get(need.link, ())), default=0.0)
            return SINGLE if need.single else ROPES, near
        return (PASSES if isinstance(need, SumsNeed) else SMALL), 0.0


def _steps(stage: Stage, view: View) -> list[float]:
    """Distance of each row from the eye in coarse steps."""
    at: NDArray[np.float64] = np.column_stack([stage.x, stage.y, np.zeros(len(stage.x))]) @ view.world_from_bench.T
    away = np.linalg.norm(at - view.eye_world, axis=1)
    steps: list[float] = np.round(away / max(view.distance * STEP, 1e-9)).tolist()
    return steps
