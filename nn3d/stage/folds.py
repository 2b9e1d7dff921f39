"""How the choice of open groups changes: a transition that turns round half-way, or goes elsewhere from where it is."""

from __future__ import annotations

from dataclasses import replace

from nn3d.errors import Nn3dError
from nn3d.run.groups import Groups
from nn3d.stage.state import Fold, FoldEnd, ViewState, smooth

FOLD_SECS = 0.65
# A way that begins in the midst of others remembers so many of them, with at least this share of the picture.
MOST_ENDS, LEAST_SHARE = 6, 0.002


def toward(state: ViewState, after: tuple[int, ...], *, at_once: bool = False) -> ViewState:
    """The state on its way to `after`.

    Going back half-way turns the transition round where it is; another goal half-way begins where it is.
    """
    fold, goal = state.fold, tuple(sorted(set(after)))
    if at_once:
        return replace(state, fold=Fold(goal, goal))
    if goal == fold.after:
        return state
    if fold.progress >= 1.0:
        return replace(state, fold=Fold(fold.after, goal, 0.0))
    if goal == fold.before and not fold.start:
        return replace(state, fold=Fold(fold.after, goal, 1.0 - fold.progress))
    start = _kept(ends_of(fold))
    if len(start) == 1:
        return replace(state, fold=Fold(start[0].opened, goal, 0.0))
    return replace(state, fold=Fold(fold.after, goal, 0.0, start))


def ends_of(fold: Fold) -> tuple[FoldEnd, ...]:
    """What a picture lies between, each choice of groups once, the goal last; shares are eased and add up to 1."""
    done = 1.0 if fold.progress >= 1.0 else smooth(fold.progress)
    start = fold.start or (FoldEnd(fold.before),)
    left = tuple(replace(end, share=end.share * (1.0 - done)) for end in start if end.opened != fold.after)
    return (*left, FoldEnd(fold.after, 1.0 - sum(end.share for end in left)))


def _kept(ends: tuple[FoldEnd, ...]) -> tuple[FoldEnd, ...]:
    """The ends with the largest shares, as far as they can be seen, made to add up to 1."""
    most = sorted(ends, key=lambda end: -end.share)[:MOST_ENDS]
    kept = [end for end in most if end.share >= LEAST_SHARE]
    total = sum(end.share for end in kept)
    return tuple(replace(end, share=end.share / total) for end in kept)


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
    if not state.group_depths:
        everything = tuple(range(len(depths)))
        return replace(state, group_depths=depths, fold=replace(fold, before=everything, after=everything, start=()))

    def known(opened: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(g for g in opened if 0 <= g < len(depths))

    start = tuple(replace(end, opened=known(end.opened)) for end in fold.start)
    if any(end.share <= 0.0 for end in start) or abs(sum(end.share for end in start) - 1.0) > 1e-6:
        start = ()
    return replace(
        state, group_depths=depths,
        fold=replace(fold, before=known(fold.before), after=known(fold.after), start=start),
    )  # fmt: skip
