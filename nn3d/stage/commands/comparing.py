"""Commands of comparison: what the picture is compared with, and no comparison."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nn3d.errors import Nn3dError
from nn3d.stage.commands.common import Appliers
from nn3d.stage.state import Compare, ViewState


@dataclass(frozen=True, slots=True)
class SetCompare:
    """Show everything minus what it was at epoch index `epoch`, of another run with `is_other`; None shows it as it is.

    The other run is the one that was given beside the one on screen.
    """

    epoch: int | None
    is_other: bool = False


def _set_compare(state: ViewState, c: SetCompare) -> ViewState:
    if c.epoch is None:
        return replace(state, compare=None)
    if c.epoch < 0:
        raise Nn3dError(f"compare: epoch should be 0 or more, got {c.epoch}")
    if not c.is_other and c.epoch >= max(1, state.n_epochs):
        raise Nn3dError(f"compare: epoch should be below {max(1, state.n_epochs)}, got {c.epoch}")
    return replace(state, compare=Compare(c.epoch, c.is_other))


APPLY: Appliers = {SetCompare: _set_compare}
