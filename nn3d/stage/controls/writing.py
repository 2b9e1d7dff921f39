"""What keys do while a text of one's own is being written: edit it, send it through with Enter, leave with Esc."""

from __future__ import annotations

from dataclasses import replace

from nn3d.stage.commands import SetWriting
from nn3d.stage.controls.common import Acts, Context
from nn3d.stage.field import Field, field_of, pressed, typed
from nn3d.stage.state import Writing


def field_in(writing: Writing) -> Field:
    """What is written, as a field."""
    return field_of(writing.text, writing.caret, writing.mark)


def with_field(writing: Writing, field: Field) -> Writing:
    """The writing with another text or caret."""
    return replace(writing, text=field.text, caret=field.caret, mark=field.mark)


def text_typed(c: Context, chars: str) -> Acts:
    """Characters typed or pasted."""
    writing = c.state.writing
    return () if writing is None else (SetWriting(with_field(writing, typed(field_in(writing), chars))),)


def key_pressed(c: Context, trigger: str) -> Acts:
    """What a key does."""
    writing = c.state.writing
    if writing is None:
        return ()
    if trigger == "Esc":
        return (SetWriting(None),)
    if trigger == "Enter":
        return (SetWriting(replace(writing, is_sent=True)),)
    field = pressed(field_in(writing), trigger)
    return () if field is None else (SetWriting(with_field(writing, field)),)
