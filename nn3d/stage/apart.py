"""What stands apart: the selection with its neighbours, a few links back and on, or all but what was hidden.

The state holds which choices the picture lies between and their shares, so that a change half-way goes on from where
everything is. Items as in Groups. What rows make of it: nn3d.stage.apart_rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nn3d.stage.state import Apart, ViewState

APART_SECS: Final = 0.4
LEAST_SHARE: Final = 0.002
MOST_REACH: Final = 9
ALL: Final = Apart()


def wanted(state: ViewState) -> Apart:
    """The choice that the picture goes to."""
    around = () if state.selection is None or not state.reach else chosen_items(state)
    return Apart(around, state.reach if around else 0, state.hidden)


def chosen_items(state: ViewState) -> tuple[int, ...]:
    """The items that are selected."""
    return () if state.selection is None else (state.selection.layer, *state.also)


def advanced(state: ViewState, secs: float) -> ViewState:
    """The state after `secs` seconds on the way to what is wanted."""
    goal, now = wanted(state), state.apart or (ALL,)
    old = next((a.share for a in now if same(a, goal)), 0.0)
    share = min(1.0, old + secs / APART_SECS)
    if share >= 1.0:
        apart: tuple[Apart, ...] = () if same(goal, ALL) else (goal,)
    else:
        left = (1.0 - share) / (1.0 - old)
        rest = (replace(a, share=a.share * left) for a in now if not same(a, goal))
        apart = (*(a for a in rest if a.share > LEAST_SHARE), replace(goal, share=share))
    return state if apart == state.apart else replace(state, apart=apart)


def at_once(state: ViewState) -> ViewState:
    """The state where it wants to be."""
    return advanced(state, APART_SECS)


def same(a: Apart, b: Apart) -> bool:
    """Whether two choices leave out the same, whatever their shares."""
    return (a.around, a.reach, a.hidden) == (b.around, b.reach, b.hidden)
