"""What stands out while the rest dims: the tile under the pointer (or the selected one) and the strands through it.

A hovered tile dims the rest in 120 ms and lets go in 180 ms; the state holds how far, so that time enters as Advance.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nn3d.stage.state import Focus, Thing, ViewState

IN_SECS: Final = 0.12
OUT_SECS: Final = 0.18


def wanted(state: ViewState) -> Thing | None:
    """The tile that should stand out: a selected cell, which is pinned, else what is hovered, else what is selected."""
    pinned = state.selection if state.selection is not None and state.selection.row >= 0 else None
    return next((t for t in (pinned, state.hover, state.selection) if t is not None and t.tile >= 0), None)


def advanced(state: ViewState, secs: float) -> ViewState:
    """The state after `secs` seconds of dimming or letting go."""
    goal, now = wanted(state), state.focus
    if goal is not None:
        focus = Focus(goal, min(1.0, now.share + secs / IN_SECS))
    else:
        share = max(0.0, now.share - secs / OUT_SECS)
        focus = Focus(now.thing if share > 0.0 else None, share)
    return state if focus == now else replace(state, focus=focus)
