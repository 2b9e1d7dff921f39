"""Gestures of the window: panels, theme, saving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nn3d.stage.commands import Hover, SetPanels, SetSearch, SetTheme
from nn3d.stage.controls.common import Acts, Context, Handler
from nn3d.stage.controls.requests import Request, SavePicture
from nn3d.stage.state import Panels, Search


def panel(edit: Callable[[Panels], Panels]) -> Handler:
    """Open or close a card."""
    return lambda c: (SetPanels(edit(c.state.panels)),)


def pad_turned(panels: Panels) -> Panels:
    """The pad opened or closed; from the picture alone, the panels come back with it."""
    return replace(panels, pad=panels.picture_only or not panels.pad, picture_only=False)


def theme(c: Context) -> Acts:
    """The other theme."""
    return (SetTheme("light" if c.state.theme == "dark" else "dark"),)


def ask(request: Request) -> Handler:
    """Ask something of the window."""
    return lambda _: (request,)


def save(_: Context) -> Acts:
    """Write a PNG of the picture."""
    return (SavePicture(),)


def search(kind: str) -> Handler:
    """Open the search dialog."""
    return lambda _: (SetSearch(Search(kind)), Hover(None))
