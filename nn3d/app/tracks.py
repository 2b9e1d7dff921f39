"""The tracks that the user leaves in a window: view changes that can be undone, and bookmarks, kept with the run."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from nn3d.stage.commands import Restore
from nn3d.stage.controls import Context
from nn3d.stage.controls.requests import Redo, Undo
from nn3d.stage.history import History, recorded, redone, undone
from nn3d.stage.parts import words
from nn3d.stage.state import Bookmark, ViewState


class Shelf(Protocol):
    """Where the bookmarks of one run are kept from one time to the next."""

    def bookmarks(self) -> tuple[Bookmark, ...]:
        """Those that are kept, by digit."""

    def keep(self, marks: tuple[Bookmark, ...]) -> None:
        """Keep these in place of the others."""


class Tracks:
    """Of one window on one run."""

    def __init__(self, shelf: Shelf) -> None:
        self._history = History()
        self._shelf = shelf

    def first(self, state: ViewState) -> ViewState:
        """The first state with the bookmarks that are kept; a state that brings its own keeps those."""
        return state if state.bookmarks else replace(state, bookmarks=self._shelf.bookmarks())

    def note(self, before: ViewState, after: ViewState, stroke: int) -> None:
        """The user changed the view; what one stroke changes is one step."""
        self._history = recorded(self._history, before, after, stroke)
        if after.bookmarks != before.bookmarks:
            self._shelf.keep(after.bookmarks)

    def turned(self, request: Undo | Redo, context: Context) -> tuple[Restore | None, str]:
        """What undoes a step or does it again, None where there is none, and what to say."""
        is_undo = isinstance(request, Undo)
        self._history, turn = undone(self._history) if is_undo else redone(self._history)
        if turn is None:
            return None, "Nothing to undo" if is_undo else "Nothing to do again"
        back = Restore(turn.view, turn.parts, context.camera)
        return back, f"{'Undone' if is_undo else 'Done again'}: {words(turn.parts)}"
