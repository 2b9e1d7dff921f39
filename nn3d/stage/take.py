"""What was done in a window, with the times it was done at, as a film: the same commands give the same frames.

Between two turns of the window's loop lies one `Advance`; a frame in between shows part of it. So a slow machine gives
the same even film as a quick one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nn3d.errors import Nn3dError
from nn3d.stage.commands import Advance, Command, Resize, apply
from nn3d.stage.film import MAX_FRAMES, Film, exported
from nn3d.stage.state import ViewState


@dataclass(frozen=True, slots=True)
class Moment:
    """A command, the state that it made, and when: seconds from the start."""

    at_secs: float
    command: Command
    state: ViewState


def film_of_take(first: ViewState, moments: Sequence[Moment], secs: float, fps: float) -> Film:
    """`secs` of a window that showed `first`, then what the moments made, in order of time; without its cards.

    All frames have the size of `first`. Raises Nn3dError without a frame, or with more than 100,000.
    """
    n = max(1, round(secs * fps))
    if n > MAX_FRAMES:
        raise Nn3dError(f"a film should have 1 to {MAX_FRAMES:,} frames, not {n:,}: record less")

    def sized(state: ViewState) -> ViewState:
        if (state.size_px, state.scale) != (first.size_px, first.scale):
            state = apply(state, Resize(first.size_px, first.scale))
        return exported(state)

    def states() -> Iterator[ViewState]:
        state, at, k = first, 0.0, 0
        for moment in moments:
            while k < n and k / fps < moment.at_secs:
                yield sized(_partly(state, moment, at, k / fps))
                k += 1
            state, at = moment.state, moment.at_secs
        for _ in range(k, n):
            yield sized(state)

    return Film(n, fps, states)


def _partly(state: ViewState, moment: Moment, since: float, at: float) -> ViewState:
    """The state at a time between `since` and the moment: of time that passes, its part."""
    if not isinstance(moment.command, Advance):
        return state
    return apply(state, Advance(moment.command.dt_secs * (at - since) / (moment.at_secs - since)))
