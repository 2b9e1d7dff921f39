"""Which rows of a picture are away while something stands apart, and how much of them is still there.

What is away shrinks to nothing where it stands, and grows again from there. Rows are what is visible.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.apart import ALL, same, wanted
from nn3d.stage.folding import Folded
from nn3d.stage.frame import StrandLayer
from nn3d.stage.plan import Plan
from nn3d.stage.standing import Stage
from nn3d.stage.state import Apart, ViewState, smooth

F64 = NDArray[np.float64]
T = TypeVar("T")
SHOWN: Final = 0.5


def seen(folded: Folded, state: ViewState) -> F64 | None:
    """(rows,) how much of each row is there, 0 away … 1, eased; None where all of all rows is."""
    if not state.apart:
        return None
    total = sum(a.share for a in state.apart)
    away = sum(a.share / total * _away(folded, a) for a in state.apart)
    return np.array([1.0 - smooth(float(v)) for v in np.atleast_1d(away)])


def _away(folded: Folded, choice: Apart) -> F64:
    """(rows,) 1 for rows that a choice leaves out."""
    out = np.zeros(len(folded.items))
    hidden = {i for item in choice.hidden for i in layers_of(folded, item)}
    for row, item in enumerate(folded.items):
        if hidden and hidden.issuperset(layers_of(folded, item)):
            out[row] = 1.0
    if choice.around:
        near = near_rows(folded, choice.around, choice.reach)
        out[[row for row in range(len(out)) if row not in near]] = 1.0
    return out


def layers_of(folded: Folded, item: int) -> tuple[int, ...]:
    """The layers of an item; () for one that there is not."""
    groups = folded.plan.groups
    if item < folded.n_layers:
        return (item,)
    return groups.all[item - groups.n_layers].layers if item - groups.n_layers < len(groups.all) else ()


def near_rows(folded: Folded, items: tuple[int, ...], reach: int) -> frozenset[int]:
    """Rows of items, and those that at most `reach` links lead to from them, or to them from there."""
    start = frozenset(folded.stands[i] for item in items for i in layers_of(folded, item))
    found = set(start)
    for way in (0, 1):
        edge = set(start)
        for _ in range(reach):
            ends = ((k.source, k.target) if way else (k.target, k.source) for k in folded.plan.links)
            edge = {b for a, b in ends if a in edge} - found
            found |= edge
    return frozenset(found)


def thinned(stage: Stage, plan: Plan, part: F64 | None) -> Stage:
    """The stage with rows as large as the part of them that is there; links fade with what they join."""
    if part is None:
        return stage
    ends = np.array([(k.source, k.target) for k in plan.links], np.int64).reshape(-1, 2)
    return replace(
        stage, scale=stage.scale * part, share=stage.share * part, height=stage.height * part,
        width=stage.width * part, thick=stage.thick * part, grow=stage.grow * part[ends].min(1), seen=part,
    )  # fmt: skip


def words(folded: Folded, state: ViewState) -> tuple[str, ...]:
    """What the picture says of it: "focus: conv2 ± 1 link: 3 of 8 plates"."""
    goal = wanted(state)
    if same(goal, ALL):
        return ("focus: select a layer",) if state.reach else ()
    away = _away(folded, goal)
    n, left = len(away), int(len(away) - away.sum())
    said = []
    if goal.around:
        links = f"± {goal.reach} link{'s' * (goal.reach > 1)}"
        more = f" and {len(goal.around) - 1} more" if len(goal.around) > 1 else ""
        said.append(f"focus: {folded.names[goal.around[0]]}{more} {links}")
    if goal.hidden:
        said.append(f"{len(goal.hidden)} nearer hidden")
    return (f"{', '.join(said)}: {left} of {n} plates",)


def is_there(stage: Stage, row: int) -> bool:
    """Whether more than half of a row is there."""
    return stage.seen is None or bool(stage.seen[row] > SHOWN)


def there(strands: tuple[StrandLayer, ...], stage: Stage, first: list[int]) -> tuple[StrandLayer, ...]:
    """The strands whose ends are both there, as thin as the lesser of them; `first` plate of each row."""
    if stage.seen is None:
        return strands
    rows = np.searchsorted(first, np.array([(s.source, s.target) for s in strands]).reshape(-1, 2), side="right") - 1
    part = stage.seen[rows].min(1)
    return tuple(s for s, p in zip(strands, part, strict=True) if p > 0.0)


def places(found: dict[int, T], stage: Stage) -> dict[int, T]:
    """What is said of links, without those that are away."""
    return found if stage.seen is None else {k: v for k, v in found.items() if stage.grow[k] > SHOWN}


def gathered(stage: Stage) -> Stage:
    """The stage as a camera fits it: what is away counts where the middle of all that is there lies."""
    seen = stage.seen
    if seen is None or float(seen.sum()) == 0.0:
        return stage
    middle = {name: float((getattr(stage, name) * seen).sum() / seen.sum()) for name in ("x", "y", "rail")}
    return replace(stage, **{name: getattr(stage, name) * seen + at * (1.0 - seen) for name, at in middle.items()})
