"""Views under the digits 1 to 9: what a bookmark keeps, and what is said of it. They are part of the state."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

from nn3d.errors import Nn3dError
from nn3d.run.run import Run
from nn3d.stage import viewstring
from nn3d.stage.state import Bookmark, Search, ViewState

DIGITS: Final = tuple(range(1, 10))


def marked(state: ViewState, digit: int) -> Bookmark:
    """The view under a digit, without what a bookmark does not keep: dialogs, other bookmarks, inputs of one's own."""
    n = state.n_recorded
    plain = replace(
        state, bookmarks=(), search=Search(), hover=None, flight=None, slide=None, caption="", own=(), wave=None,
        n_samples=n, sample=min(state.sample, max(0, n - 1)),
    )  # fmt: skip
    return Bookmark(digit, viewstring.to_text(plain))


def bookmark_at(state: ViewState, digit: int) -> Bookmark | None:
    """The bookmark of a digit."""
    return next((b for b in state.bookmarks if b.digit == digit), None)


def view_of(bookmark: Bookmark) -> ViewState:
    """The view that a bookmark keeps. Raises Nn3dError when its string is damaged."""
    return viewstring.from_text(bookmark.view)


def bookmark_words(run: Run, bookmark: Bookmark) -> str:
    """Where a bookmark leads, in a few words: "conv2 · epoch 10 · sample 3"."""
    view = _known(bookmark)
    if view is None:
        return "damaged"
    said = []
    if view.selection is not None and view.selection.layer < len(run.layers):
        said.append(run.layers[view.selection.layer].name)
    if len(run.epochs) > 1 and round(view.time.target) < len(run.epochs):
        said.append(f"epoch {run.epochs[round(view.time.target)].id}")
    if len(run.samples) > 1:
        said.append(f"sample {view.sample}")
    return " · ".join(said) or "a view"


@lru_cache(maxsize=32)
def _known(bookmark: Bookmark) -> ViewState | None:
    try:
        return view_of(bookmark)
    except Nn3dError:
        return None
