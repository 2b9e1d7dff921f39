"""A line of text that is being typed, as a plain value: what keys do to it. Places count characters from 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Field:
    """A text with a caret. mark : the other end of the selected part; where the caret is when nothing is selected."""

    text: str = ""
    caret: int = 0
    mark: int = 0

    @property
    def selected(self) -> tuple[int, int]:
        """First character of the selected part, and the first one after it."""
        return min(self.caret, self.mark), max(self.caret, self.mark)


def field_of(text: str, caret: int, mark: int) -> Field:
    """A field whose caret and mark lie inside the text."""
    n = len(text)
    return Field(text, min(max(caret, 0), n), min(max(mark, 0), n))


def typed(field: Field, chars: str) -> Field:
    """The field with printable `chars` in place of what is selected; at most LONGEST characters."""
    low, high = field.selected
    room = LONGEST - (len(field.text) - (high - low))
    new = "".join(c for c in chars if c.isprintable())[: max(0, room)]
    at = low + len(new)
    return Field(field.text[:low] + new + field.text[high:], at, at)


def pressed(field: Field, key: str) -> Field | None:
    """The field after a key ("Left", "Shift End", "Ctrl Backspace", …); None where the key does not edit."""
    words = key.split(" ")
    name, has_shift, has_ctrl = words[-1], "Shift" in words, "Ctrl" in words
    if "Alt" in words:
        return None
    if name == "A" and has_ctrl:
        return Field(field.text, len(field.text), 0)
    if name in ("Backspace", "Delete"):
        return _cut(field, name, by_word=has_ctrl)
    low, high = field.selected
    if name in ("Left", "Right") and low != high and not has_shift and not has_ctrl:
        at = low if name == "Left" else high
    else:
        place = _place(field, name, by_word=has_ctrl)
        if place is None:
            return None
        at = place
    return Field(field.text, at, field.mark if has_shift else at)


def _place(field: Field, name: str, *, by_word: bool) -> int | None:
    """Where a key moves the caret; None for other keys."""
    at, n = field.caret, len(field.text)
    match name:
        case "Home":
            return 0
        case "End":
            return n
        case "Left":
            return _word_start(field.text, at) if by_word else max(0, at - 1)
        case "Right":
            return _word_end(field.text, at) if by_word else min(n, at + 1)
    return None


def _cut(field: Field, name: str, *, by_word: bool) -> Field:
    low, high = field.selected
    if low == high:
        other = _place(field, "Left" if name == "Backspace" else "Right", by_word=by_word)
        assert other is not None
        low, high = min(field.caret, other), max(field.caret, other)
    return Field(field.text[:low] + field.text[high:], low, low)


def _word_start(text: str, at: int) -> int:
    while at > 0 and text[at - 1] == " ":
        at -= 1
    while at > 0 and text[at - 1] != " ":
        at -= 1
    return at


def _word_end(text: str, at: int) -> int:
    n = len(text)
    while at < n and text[at] == " ":
        at += 1
    while at < n and text[at] != " ":
        at += 1
    return at
