"""Owns the one table of gestures: from it come dispatch, the help card, tooltips and the guide.

A trigger is a word: "drag left", "drag middle", "drag right", "wheel", "move", "click", "double click", or a key:
"Ctrl B", "Shift F", "Space", "Left", "[", "?". Ctrl is ⌘ on macOS. Lengths are logical px, top left origin.
A gesture is a row of table.py and a handler in the file of its group.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from nn3d.stage.controls.camera import fly_to
from nn3d.stage.controls.common import Act, Acts, Context, Handler, Row
from nn3d.stage.controls.requests import SavePicture
from nn3d.stage.controls.table import GROUPS, TABLE

__all__ = [
    "GROUPS", "KEYS", "TABLE", "Act", "Acts", "Context", "Handler", "Row", "SavePicture", "answer", "fly_to",
    "key_tip", "markdown", "rows_of", "tip",
]  # fmt: skip

_DISPATCH: Final[dict[str, Handler]] = {t: handler for row in TABLE for t, handler in row.handlers.items()}
KEYS: Final[frozenset[str]] = frozenset(_DISPATCH)


def answer(trigger: str, context: Context) -> Acts:
    """What a gesture does: commands to apply in order; () when the table has no such trigger."""
    handler = _DISPATCH.get(trigger)
    return () if handler is None else handler(context)


def tip(words: str) -> str:
    """The tooltip of a control: the words of a row with its keys, "play or pause  (Space)".

    Raises KeyError when no row has these words.
    """
    row = next((r for r in TABLE if r.words == words), None)
    if row is None:
        raise KeyError(words)
    return f"{words[0].upper()}{words[1:]}  ({' '.join(row.caps)})"


def key_tip(trigger: str) -> str:
    """The tooltip of a control that does what one key does: "One epoch on  (→)". Raises KeyError for no such key."""
    found = ((words, cap) for row in TABLE for key, words, cap in row.key_words() if key == trigger)
    words, cap = next(found, ("", ""))
    if not words:
        raise KeyError(trigger)
    return f"{words}  ({cap})"


def rows_of(group: str) -> Iterator[Row]:
    """The rows of a group, in order."""
    return (row for row in TABLE if row.group == group)


def markdown() -> str:
    """The table for the guide."""
    lines = ["| | gesture | what it does |", "|---|---|---|"]
    lines += [f"| {row.group} | {' '.join(f'`{cap}`' for cap in row.caps)} | {row.words} |" for row in TABLE]
    return "\n".join(lines) + "\n"
