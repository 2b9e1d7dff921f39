"""Where plates stand that take single rows of one plate: one over another beside it, centred on those rows. World u."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

# Between two of them, with room for the lower one's card.
FAN_GAP = 4.6


@dataclass(frozen=True, slots=True)
class Picked:
    """A link that takes rows: of `source` into `target`; `middle` of them as a share of its height, −½ … ½."""

    source: int
    target: int
    middle: float


def fanned(y: F64, heights: F64, column: NDArray[np.int32], picked: Sequence[Picked]) -> F64:
    """(n,) y, where the plates of a column that all take rows of one plate stand in the order of those rows.

    heights : (n,) full heights. They keep a gap, and their mean height is that of the rows. A column in which
    anything else stands stays as it is.
    """
    out = y.copy()
    for source in sorted({p.source for p in picked}):
        own = {p.target: p.middle for p in picked if p.source == source}
        for at in sorted({int(column[t]) for t in own}):
            members = [int(i) for i in np.flatnonzero(column == at)]
            if len(members) < 2 or not set(members) <= own.keys():
                continue
            members.sort(key=lambda i: (-own[i], i))
            high = heights[members]
            below = np.cumsum(np.concatenate([[0.0], (high[1:] + high[:-1]) / 2.0 + FAN_GAP]))
            goal = y[source] + np.array([own[i] for i in members]) * heights[source]
            out[members] = float(goal.mean() + below.mean()) - below
    return out
