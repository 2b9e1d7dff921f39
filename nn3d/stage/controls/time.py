"""Gestures of time and samples."""

from __future__ import annotations

from nn3d.stage.commands import Play, SetEpoch, SetSample, StepEpoch
from nn3d.stage.controls.common import Acts, Context, Handler


def play(c: Context) -> Acts:
    """Play or pause."""
    return (Play(not c.state.time.is_playing),)


def epoch(step: int) -> Handler:
    """So many recorded epochs on."""
    return lambda c: (StepEpoch(step),)


def mark(step: int) -> Handler:
    """To the next epoch before or after this one at which something happened."""

    def handler(c: Context) -> Acts:
        here = round(c.state.time.target)
        found = [m for m in c.marks if (m - here) * step > 0]
        return (SetEpoch(float(min(found) if step > 0 else max(found))),) if found else ()

    return handler


def last_epoch(c: Context) -> Acts:
    """To the last epoch."""
    return (SetEpoch(float(max(0, c.state.n_epochs - 1))),)


def sample(step: int) -> Handler:
    """So many samples on."""
    return lambda c: (SetSample(c.state.sample + step),)


def next_wrong(c: Context) -> Acts:
    """To the next sample that is predicted wrong, round the end."""
    if not c.wrong:
        return ()
    return (SetSample(next((s for s in c.wrong if s > c.state.sample), c.wrong[0])),)
