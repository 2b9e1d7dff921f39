"""How the choice of open groups changes: one transition at a time, which turns round half-way."""

from __future__ import annotations

from dataclasses import replace

from nn3d.errors import Nn3dError
from nn3d.run.groups import Groups
from nn3d.stage.state import Fold, ViewState

FOLD_SECS = 0.65


def toward(state: ViewState, after: tuple[int, ...], *, at_once: bool = False) -> ViewState:
    """The state on its way to `after`.

    Going back half-way turns the transition round where it is. Another goal half-way replaces the one that was less
    than half reached; one that was more than half reached is finished first, at once.
    """
    fold, goal = state.fold, tuple(sorted(set(after)))
    if at_once:
        return replace(state, fold=Fold(goal, goal))
    if goal == fold.after:
        return state
    if fold.progress >= 1.0:
        return replace(state, fold=Fold(fold.after, goal, 0.0))
    if goal == fold.before:
        return replace(state, fold=Fold(fold.after, goal, 1.0 - fold.progress))
    if fold.progress < 0.5:
        return replace(state, fold=Fold(fold.before, goal, fold.progress))
    return replace(state, fold=Fold(fold.after, goal, 0.0))


def opened(state: ViewState, group: int, *, is_open: bool, at_once: bool = False) -> ViewState:
    """The state on its way to a group open or closed. Raises Nn3dError where there is no such group."""
    n = len(state.group_depths)
    if not 0 <= group < n:
        raise Nn3dError(f"group should be 0 to {n - 1}, got {group}" if n else "this network has no groups to open")
    now = set(state.fold.after)
    return toward(state, tuple(now | {group} if is_open else now - {group}), at_once=at_once)


def level(state: ViewState, depth: int | None = None) -> tuple[int, ...]:
    """Groups less deep than `depth`; all of them for None."""
    return tuple(g for g, d in enumerate(state.group_depths) if depth is None or d < depth)


def advanced(state: ViewState, dt_secs: float) -> ViewState:
    """The state after some time: at the end of a transition `before` is `after`."""
    fold = state.fold
    if fold.progress >= 1.0 and fold.before == fold.after:
        return state
    progress = fold.progress + dt_secs / FOLD_SECS
    return replace(state, fold=replace(fold, progress=progress) if progress < 1.0 else Fold(fold.after, fold.after))


def of_run(state: ViewState, groups: Groups) -> ViewState:
    """A state that may be of another run of the same network, or older than groups: only groups that there are."""
    depths, fold = tuple(g.depth for g in groups.all), state.fold
    before, after = (tuple(g for g in which if 0 <= g < len(depths)) for which in (fold.before, fold.after))
    if not state.group_depths:
        before = after = tuple(range(len(depths)))
    return replace(state, group_depths=depths, fold=replace(fold, before=before, after=after))
