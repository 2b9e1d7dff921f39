"""Commands of comparison: what the picture is compared with, and no comparison."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nn3d.stage.commands.common import Appliers
from nn3d.stage.state import Compare, ViewState


@dataclass(frozen=True, slots=True)
class SetCompare:
    """Show everything minus what it was at epoch index `epoch`, of another run with `is_other`; None shows it as it is.

    The other run is the one that was given beside the one on screen. An epoch that is not there is the nearest one.
    """

    epoch: int | None
    is_other: bool = False


@dataclass(frozen=True, slots=True)
class SetSides:
    """Show both sides of a comparison, small above their difference; or the difference alone."""

    on: bool


def _set_compare(state: ViewState, c: SetCompare) -> ViewState:
    if c.epoch is None:
        return replace(state, compare=None)
    last = max(0, state.n_epochs - 1)
    against = Compare(max(0, c.epoch) if c.is_other else min(max(0, c.epoch), last), c.is_other)
    return replace(state, compare=against, compare_again=against)


APPLY: Appliers = {SetCompare: _set_compare, SetSides: lambda s, c: replace(s, compare_sides=c.on)}
