"""Commands that bring a view back, part by part (undo, redo, bookmarks), and that set bookmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from nn3d.errors import Nn3dError
from nn3d.stage import folds, reorder
from nn3d.stage.commands.common import Appliers, one_of
from nn3d.stage.commands.edges import SetLevel, set_level
from nn3d.stage.parts import PARTS
from nn3d.stage.state import Bookmark, Camera, Flight, LayerView, ViewState

MOST_DIGIT: Final = 9


@dataclass(frozen=True, slots=True)
class Restore:
    """Go to `parts` of another view, in motion.

    start : where the camera is now, resolved; None: as the state says. Parts : of nn3d.stage.parts.
    """

    view: ViewState
    parts: tuple[str, ...]
    start: Camera | None = None
    duration_secs: float = 0.5


@dataclass(frozen=True, slots=True)
class SetBookmark:
    """Keep a view under a digit, 1 to 9, in place of the one that was there; an empty string takes it away."""

    digit: int
    view: str


def _set_bookmark(state: ViewState, c: SetBookmark) -> ViewState:
    if not 1 <= c.digit <= MOST_DIGIT:
        raise Nn3dError(f"digit should be 1 to {MOST_DIGIT}, got {c.digit}")
    rest = tuple(b for b in state.bookmarks if b.digit != c.digit)
    kept = (*rest, Bookmark(c.digit, c.view)) if c.view else rest
    return replace(state, bookmarks=tuple(sorted(kept, key=lambda b: b.digit)))


def _restore(state: ViewState, c: Restore) -> ViewState:
    if len(c.view.layers) != len(state.layers):
        raise Nn3dError(f"the view is of a network with {len(c.view.layers)} layers, this one has {len(state.layers)}")
    for part in c.parts:
        one_of("part", part, PARTS)
        state = _flown(state, c) if part == "camera" else _BACK[part](state, c.view)
    return state


def _flown(state: ViewState, c: Restore) -> ViewState:
    if c.view.camera == state.camera:
        return state
    start = c.start or state.camera
    return replace(state, camera=c.view.camera, flight=Flight(start=start, duration_secs=c.duration_secs))


def _groups(state: ViewState, view: ViewState) -> ViewState:
    n = len(state.group_depths)
    return folds.toward(state, tuple(g for g in view.fold.after if g < n))


def _layers(state: ViewState, view: ViewState) -> ViewState:
    return replace(state, layers=tuple(_layer(a, b) for a, b in zip(state.layers, view.layers, strict=True)))


def _layer(now: LayerView, goal: LayerView) -> LayerView:
    made = replace(now, is_open=goal.is_open, stage=goal.stage)
    if goal.arrangement == now.arrangement:
        return made
    if now.opening == 0.0:
        made = replace(made, arrangement=goal.arrangement, blend=1.0)
        return replace(made, weights_from=made.weights)
    return replace(made, arrangement=goal.arrangement, weights_from=now.weights, blend=0.0)


def _epoch(state: ViewState, view: ViewState) -> ViewState:
    goal = min(view.time.target, float(max(0, state.n_epochs - 1)))
    return replace(state, time=replace(state.time, target=goal, is_playing=False))


def _own(state: ViewState, view: ViewState) -> ViewState:
    n = state.n_recorded + len(view.own)
    return replace(state, own=view.own, n_samples=n, sample=min(state.sample, max(0, n - 1)), wave=None)


_BACK: Final[dict[str, Callable[[ViewState, ViewState], ViewState]]] = {
    "groups": _groups,
    "layers": _layers,
    "selection": lambda s, v: replace(s, selection=v.selection, also=v.also),
    "epoch": _epoch,
    "own": _own,
    "sample": lambda s, v: replace(s, sample=min(v.sample, s.n_samples - 1)),
    "level": lambda s, v: set_level(s, SetLevel(v.edges.level)),
    "mode": lambda s, v: replace(s, edges=replace(s.edges, mode=v.edges.mode)),
    "edges": lambda s, v: replace(s, edges=replace(s.edges, selection=v.edges.selection)),
    "strength": lambda s, v: replace(s, edges=replace(s.edges, strength_target=v.edges.strength_target)),
    "print": lambda s, v: replace(s, edges=replace(s.edges, print=v.edges.print)),
    "theme": lambda s, v: replace(s, theme=v.theme),
    "scope": lambda s, v: replace(s, scope=v.scope),
    "ramp": lambda s, v: replace(s, ramp=v.ramp),
    "signal": lambda s, v: replace(s, signal=v.signal),
    "order": lambda s, v: reorder.reordered(s, v.order, at_once=False),
    "lens": lambda s, v: replace(s, lens=v.lens),
    "focus": lambda s, v: replace(s, reach=v.reach),
    "hidden": lambda s, v: replace(s, hidden=v.hidden),
    "compare": lambda s, v: replace(s, compare=v.compare, compare_sides=v.compare_sides),
}

APPLY: Appliers = {Restore: _restore, SetBookmark: _set_bookmark}
