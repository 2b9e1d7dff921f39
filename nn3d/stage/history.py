"""Undo and redo, as a plain value: what was changed, step by step. A drag is one step, time that passes is none.

A step names the parts of the view that it changed, so that undoing it leaves alone what changed by itself since.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from nn3d.stage.parts import changed
from nn3d.stage.state import ViewState

MOST_STEPS: Final = 200


@dataclass(frozen=True, slots=True)
class Step:
    """A change of a view. parts : of nn3d.stage.parts. stroke : number of the drag or key press that it belongs to."""

    parts: tuple[str, ...]
    before: ViewState
    after: ViewState
    stroke: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """Steps that can be undone, the latest last, and steps that can be done again, the next one last."""

    past: tuple[Step, ...] = ()
    future: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """What to bring back: these parts of this view."""

    parts: tuple[str, ...]
    view: ViewState


def recorded(history: History, before: ViewState, after: ViewState, stroke: int) -> History:
    """The history after a change; changes of one stroke to the same parts are one step."""
    parts = changed(before, after)
    if not parts:
        return history
    last = history.past[-1] if history.past else None
    if last is None or last.stroke != stroke or last.parts != parts:
        return History((*history.past, Step(parts, before, after, stroke))[-MOST_STEPS:])
    rest = history.past[:-1]
    return History((*rest, replace(last, after=after)) if changed(last.before, after) else rest)


def undone(history: History) -> tuple[History, Turn | None]:
    """The history with its latest step taken back, and what to bring back; None where there is no step."""
    if not history.past:
        return history, None
    *past, step = history.past
    return History(tuple(past), (*history.future, step)), Turn(step.parts, step.before)


def redone(history: History) -> tuple[History, Turn | None]:
    """The history with the step that was taken back last done again."""
    if not history.future:
        return history, None
    *future, step = history.future
    return History((*history.past, step), tuple(future)), Turn(step.parts, step.after)
