"""Gestures that keep a view and bring one back: bookmarks, undo, redo."""

from __future__ import annotations

from nn3d.errors import Nn3dError
from nn3d.stage.bookmarks import bookmark_at, marked, view_of
from nn3d.stage.commands import Restore, SetBookmark
from nn3d.stage.controls.common import Acts, Context, Handler
from nn3d.stage.controls.requests import Redo, Tell, Undo
from nn3d.stage.parts import KEPT, changed, words


def set_bookmark(digit: int) -> Handler:
    """Keep the view under a digit."""

    def handler(c: Context) -> Acts:
        mark = marked(c.state, digit)
        said = f"Bookmark {digit} keeps camera, open groups and layers, edges, colours, epoch, sample, selection"
        return (SetBookmark(digit, mark.view), Tell(said))

    return handler


def go_to_bookmark(digit: int) -> Handler:
    """Go to the view under a digit."""

    def handler(c: Context) -> Acts:
        mark = bookmark_at(c.state, digit)
        if mark is None:
            return (Tell(f"No bookmark {digit} yet: Ctrl {digit} sets it"),)
        try:
            view = view_of(mark)
        except Nn3dError as error:
            return (Tell(f"Bookmark {digit}: {error}"),)
        if len(view.layers) != len(c.state.layers):
            return (Tell(f"Bookmark {digit} is of another network"),)
        parts = tuple(p for p in changed(c.state, view) if p in KEPT)
        said = f"Bookmark {digit}" + (f": {words(parts)}" if parts else ", where the view is")
        return (Restore(view, parts, c.camera), Tell(said)) if parts else (Tell(said),)

    return handler


def undo(_: Context) -> Acts:
    """Take the latest change back."""
    return (Undo(),)


def redo(_: Context) -> Acts:
    """Do it again."""
    return (Redo(),)
