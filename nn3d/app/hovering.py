"""What the pointer rests on in the picture, in words: asked again whenever the picture under it changed."""

from __future__ import annotations

from nn3d.app.picture import Picture
from nn3d.run.run import Run
from nn3d.stage.frame import Frame
from nn3d.stage.pointed import Pointed
from nn3d.stage.tips import Lines, Met, tip_lines

At = tuple[float, float]


class Hovering:
    """Where the pointer is in the picture, logical px, and what the tooltip there says."""

    def __init__(self, run: Run, picture: Picture) -> None:
        self._run, self._picture = run, picture
        self._at: At | None = None
        self._met: Met = {}
        self._asked: tuple[Frame, At] | None = None
        self._lines: Lines = ()

    def follow(self, trigger: str, at_px: At) -> None:
        """Take note of a gesture: only a pointer that moves over the picture, or clicks there, points at something."""
        if trigger in ("move", "click", "double click"):
            self._at = at_px
        elif trigger.startswith(("away", "drag", "wheel")):
            self._at = None

    def tooltip(self, frame: Frame) -> tuple[Lines, At] | None:
        """Lines for a tooltip and where the pointer is; None when it points at nothing, or a dialog is over it."""
        if self._at is None or frame.state.search.kind or frame.state.panels.help:
            return None
        if self._asked is None or self._asked[0] is not frame or self._asked[1] != self._at:
            self._asked = frame, self._at
            found = self._picture.pointed(*self._at)
            shown = self._picture.frame
            self._lines = ()
            if found is not None and shown is not None and not _is_pinned(frame, found):
                self._lines = tip_lines(self._run, shown, found, self._met)
        return (self._lines, self._at) if self._lines else None


def _is_pinned(frame: Frame, found: Pointed) -> bool:
    """Whether the card says all of it already."""
    return found.kind == "cell" and found.thing == frame.state.selection
