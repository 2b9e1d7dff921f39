"""Gestures of comparison."""

from __future__ import annotations

from nn3d.stage.commands import SetCompare
from nn3d.stage.controls.common import Acts, Context


def toggle(c: Context) -> Acts:
    """Show the difference from what was compared with last, at first the first epoch; or values as they are."""
    state = c.state
    if state.compare is not None:
        return (SetCompare(None),)
    again, here = state.compare_again, round(state.time.target)
    if again.is_other:
        return (SetCompare(again.epoch, is_other=True),)
    if state.n_epochs < 2:
        return ()
    return (SetCompare(state.n_epochs - 1 if again.epoch == here == 0 else again.epoch),)


def from_here(c: Context) -> Acts:
    """Compare with the epoch that is shown: whatever is scrubbed to from now on is the change since."""
    return (SetCompare(round(c.state.time.target)),) if c.state.n_epochs > 1 else ()
