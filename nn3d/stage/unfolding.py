"""Where the rows of a picture stand while groups open and close. World units u.

The ends of a transition are laid out, and every row stands at the eased mix of its places: two, or more where one
choice of groups followed another before the picture was at rest. What is visible at one end only grows out of the
closed group around it: its last layer is the block's face to begin with, all others come out of the middle of the
block, so that opening happens in place and the neighbours make room.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.graph import apexes, turns
from nn3d.layout.splits import leaves
from nn3d.stage.folding import SLAB_HALF, Folded, Folds
from nn3d.stage.folds import ends_of
from nn3d.stage.plan import Plan
from nn3d.stage.stacking import is_crowded, stacked
from nn3d.stage.standing import Stage, stage_of
from nn3d.stage.state import ViewState, smooth

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Shown:
    """What is drawn now, row by row: a plan and a state in rows, and where the rows stand."""

    folded: Folded
    state: ViewState
    stage: Stage

    @property
    def plan(self) -> Plan:
        """What is visible, row by row."""
        return self.folded.plan


def shown(folds: Folds, state: ViewState) -> Shown:
    """The rows of a state and their places."""
    fold = state.fold
    if fold.progress >= 1.0 or fold.before == fold.after:
        return _at_rest(folds.of(fold.after), state)
    found = ends_of(fold)
    drawn = folds.of(frozenset(g for end in found for g in end.opened))
    ends = [_End.of(folds.of(end.opened), drawn, state) for end in found]
    return _mixed(drawn, state, ends, [end.share for end in found])


def _at_rest(folded: Folded, state: ViewState) -> Shown:
    rows = folded.rows_state(state)
    return Shown(folded, rows, stage_of(folded.plan, rows))


@dataclass(frozen=True, slots=True)
class _End:
    """The rows of `drawn` at one end of a transition: `row` of each there, and whether it is that row itself."""

    folded: Folded
    stage: Stage
    row: I64
    is_own: NDArray[np.bool_]
    x: F64
    y: F64
    height: F64
    width: F64
    thick: F64
    scale: F64

    @staticmethod
    def of(end: Folded, drawn: Folded, state: ViewState) -> _End:
        stage = stage_of(end.plan, end.rows_state(state))
        row = np.array([end.stands[item] for item in drawn.items])
        is_own = np.array([end.items[r] == item for r, item in zip(row, drawn.items, strict=True)])
        x, scale = stage.x[row].copy(), np.where(is_own, 1.0, 0.0)
        thick = np.array([end.plan.layers[r].tiles.block_thickness for r in row])
        for k in np.flatnonzero(~is_own):
            inside, face = drawn.plan.layers[k].layer.index, end.plan.layers[row[k]].layer.index
            slab = next((s for s in end.slabs.get(int(row[k]), ()) if s.layer == inside), None)
            if slab is not None:
                x[k], scale[k], thick[k] = x[k] + slab.x, 1.0, SLAB_HALF
            elif inside == face:
                scale[k] = 1.0
        return _End(end, stage, row, is_own, x, stage.y[row], stage.height[row], stage.width[row], thick, scale)


def _mixed(drawn: Folded, state: ViewState, ends: list[_End], shares: list[float]) -> Shown:
    """The rows of `drawn` at the mean of their places, weighted by shares."""
    rows, goal = drawn.rows_state(state), ends[-1]

    def mix(values: Iterable[F64]) -> F64:
        return np.asarray(sum(share * value for share, value in zip(shares, values, strict=True)))

    x, y = mix(end.x for end in ends), mix(end.y for end in ends)
    seen = [np.where(end.is_own | (end.scale > 0.0), 1.0, 0.0) for end in ends]
    height, width = (
        mix(getattr(end, name) * is_seen for end, is_seen in zip(ends, seen, strict=True))
        for name in ("height", "width")
    )
    opening = mix(np.where(end.is_own, 1.0, 0.0) for end in ends)
    top = drawn.plan.topology
    opened = np.array([smooth(v.opening * o) for v, o in zip(rows.layers, opening, strict=True)])
    stage = replace(
        goal.stage, x=x, y=y, height=height, width=width, open=opened,
        apex=_apexes(drawn, ends, shares, apexes(top, y, height)), turn=turns(top, x), leave=leaves(top, y, height),
        shelf=_own(ends, "shelf"), is_aloft=_own(ends, "is_aloft"), rail=mix(end.stage.rail[end.row] for end in ends),
        scale=mix(end.scale for end in ends), share=opening, thick=mix(end.thick for end in ends),
        grow=mix(_grown(end, drawn) for end in ends),
    )  # fmt: skip
    return Shown(_restacked(drawn, ends, shares), rows, stage)


def _restacked(drawn: Folded, ends: list[_End], shares: list[float]) -> Folded:
    """The rows of `drawn` with their mosaics between those of the ends."""
    share = sum(s for s, end in zip(shares, ends, strict=True) if is_crowded(end.folded.plan.topology))
    if share == 0.0 and not is_crowded(drawn.plan.topology):
        return drawn
    layers = tuple(stacked(row, min(1.0, share)) for row in drawn.plan.layers)
    return replace(drawn, plan=replace(drawn.plan, layers=layers))


def _own(ends: list[_End], name: str) -> NDArray[Any]:
    """A property of the rows that has nothing between: as at the last end where a row is visible, else at the first."""
    out = getattr(ends[0].stage, name)[ends[0].row]
    for end in ends[1:]:
        out = np.where(end.is_own, getattr(end.stage, name)[end.row], out)
    return np.asarray(out)


def _grown(end: _End, drawn: Folded) -> F64:
    """(m,) 1 for links whose ends are apart at this end of the transition, 0 for those inside a closed group."""
    ends = np.array([(k.source, k.target) for k in drawn.plan.links], np.int64).reshape(-1, 2)
    return np.where(end.row[ends[:, 0]] != end.row[ends[:, 1]], 1.0, 0.0)


def _apexes(drawn: Folded, ends: list[_End], shares: list[float], apex: F64) -> F64:
    """Heights of arcs: those of the ends at which an arc stands, and `apex`, as drawn, for the others' shares."""
    known = [
        {k.under: float(end.stage.apex[k.index]) for k in end.folded.plan.links if k.path == "arc"} for end in ends
    ]
    out = apex.copy()
    for link in drawn.plan.links:
        if link.path == "arc":
            at = apex[link.index]
            out[link.index] = sum(s * found.get(link.under, at) for s, found in zip(shares, known, strict=True))
    return out
