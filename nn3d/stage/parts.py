"""What of a view a user changes, part by part: what undo brings back, and what a bookmark keeps.

A part has a goal: where it is once nothing moves any more. Not among them: time that passes, the pointer, the window's
size and cards, what may be drawn. Inputs of one's own are undone stroke by stroke, but no bookmark keeps them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from nn3d.stage.state import ViewState

GOALS: Final[dict[str, Callable[[ViewState], Any]]] = {
    "camera": lambda s: s.camera,
    "groups": lambda s: s.fold.after,
    "layers": lambda s: tuple((v.is_open, v.arrangement, v.stage) for v in s.layers),
    "selection": lambda s: (s.selection, s.also),
    "epoch": lambda s: s.time.target,
    "own": lambda s: s.own,
    "sample": lambda s: s.sample,
    "level": lambda s: s.edges.level,
    "mode": lambda s: s.edges.mode,
    "edges": lambda s: s.edges.selection,
    "strength": lambda s: s.edges.strength_target,
    "print": lambda s: s.edges.print,
    "theme": lambda s: s.theme,
    "scope": lambda s: s.scope,
    "ramp": lambda s: s.ramp,
    "signal": lambda s: s.signal,
    "order": lambda s: s.order,
    "lens": lambda s: s.lens,
    "focus": lambda s: s.reach,
    "hidden": lambda s: s.hidden,
    "compare": lambda s: (s.compare, s.compare_sides),
}
PARTS: Final = tuple(GOALS)
KEPT: Final = tuple(p for p in PARTS if p not in ("theme", "print", "own"))
WORDS: Final = {
    "groups": "open groups", "layers": "open layers", "level": "level of edges", "mode": "what edges show",
    "edges": "edges drawn", "print": "colour of print", "scope": "full colour", "ramp": "colours",
    "signal": "what tiles show", "order": "order of tiles", "lens": "microscope", "hidden": "what is hidden",
    "compare": "comparison", "own": "own input",
}  # fmt: skip


def goals(state: ViewState) -> dict[str, Any]:
    """Where each part of a view is going."""
    return {name: goal(state) for name, goal in GOALS.items()}


def changed(before: ViewState, after: ViewState) -> tuple[str, ...]:
    """The parts whose goals differ."""
    return tuple(name for name, goal in GOALS.items() if goal(before) != goal(after))


def words(parts: tuple[str, ...]) -> str:
    """Parts for people: "camera, open groups"."""
    return ", ".join(WORDS.get(part, part) for part in parts)
