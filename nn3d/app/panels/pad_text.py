"""The pad of a network that reads text: a field of several lines; Enter sends what is written through the layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from imgui_bundle import imgui

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.ui import Ui
from nn3d.run.own import OwnInput
from nn3d.run.own_text import Vocabulary, written
from nn3d.run.run import Run
from nn3d.stage.commands import AddOwn, EditOwn, RemoveOwn, SetWriting
from nn3d.stage.controls import Act
from nn3d.stage.controls.writing import field_in, with_field
from nn3d.stage.field import field_of
from nn3d.stage.state import ViewState, Writing

PAD: Final = 12.0
LINE: Final = 20.0
ROWS: Final = 5
SIZE: Final = 13.0
HEIGHT: Final = ROWS * LINE + 16.0 + 78.0


def wrapped(ui: Ui, text: str, width: float) -> list[tuple[int, int]]:
    """(first, end) characters of each line of a text that is `width` px wide; broken after spaces where it can be."""
    lines, start, last = [], 0, 0
    for k in range(1, len(text) + 1):
        if ui.type.width(text[start:k].rstrip(), SIZE) > width and k - 1 > start:
            cut = last if last > start else k - 1
            lines.append((start, cut))
            start = cut
        if text[k - 1] == " ":
            last = k
    return [*lines, (start, len(text))]


def text_pad(
    ui: Ui, state: ViewState, vocabulary: Vocabulary, run: Run, here: tuple[int, OwnInput] | None, name: str, box: Box
) -> list[Act]:
    """Draw the field, what the text lacks, and the buttons. here : the text that is shown; name : of a new one."""
    acts: list[Act] = []
    writing = state.writing or _begun(state, vocabulary, run, here)
    field = Box(box.x + PAD, box.y, box.w - 2 * PAD, ROWS * LINE + 16.0)
    placed = _field(ui, writing, field, is_on=state.writing is not None)
    if placed is not None:
        acts.append(SetWriting(placed))
    found = written(vocabulary, writing.text, here[1].name if here is not None else name)
    y = field.y1 + 10.0
    lacks = found if isinstance(found, str) else ""
    pressed = not lacks and widgets.text_button(ui, "send text", Box(box.x + PAD, y, 116, 28), "play", "Send through")
    if not lacks:
        ui.text(box.x + PAD + 128, y + 14, "Enter", 11, token="text3")
    else:
        ui.text(box.x + PAD, y + 14, ui.type.fit(lacks, box.w - 24 - 40, 12), 12, token="text2")
    right = box.x1 - PAD - 28
    if here is not None and widgets.icon_button(ui, "text remove", right, y, "trash-2", tip="Remove this text"):
        return [SetWriting(None), RemoveOwn(here[0])]
    if writing.is_sent or pressed:
        acts.append(SetWriting(replace(writing, is_sent=False)))
        if isinstance(found, OwnInput):
            acts.append(AddOwn(found, "soon") if here is None else EditOwn(here[0], found, "soon"))
    note = found.note if isinstance(found, OwnInput) else f"It reads {vocabulary.length} {vocabulary.kind} at a time"
    ui.text(box.x + PAD, y + 46, ui.type.fit(note, box.w - 24, 11), 11, token="text2")
    return acts


def _begun(state: ViewState, vocabulary: Vocabulary, run: Run, here: tuple[int, OwnInput] | None) -> Writing:
    """The text of the sample that is shown, the caret at its end."""
    recorded = run.samples[state.sample].tokens if state.sample < len(run.samples) else ()
    text = vocabulary.joined(recorded if here is None else here[1].tokens)
    return Writing(text, len(text), len(text))


def _field(ui: Ui, writing: Writing, box: Box, *, is_on: bool) -> Writing | None:
    """The lines, what is selected, the caret; the writing with the caret where one pressed, else None."""
    ui.fill(box, "well", 6)
    ui.outline(box, "accent" if is_on else "line", 6)
    inner = Box(box.x + 10, box.y + 8, box.w - 20, box.h - 16)
    lines = wrapped(ui, writing.text, inner.w)
    row = next((k for k, (_, end) in enumerate(lines) if writing.caret < end), len(lines) - 1)
    top = max(0, row - ROWS + 1)
    hit = ui.hit("text field", box)
    low, high = field_in(writing).selected
    with ui.clip(inner):
        for k, (first, end) in enumerate(lines[top : top + ROWS]):
            y = inner.y + (k + 0.5) * LINE
            left, right = (ui.type.width(writing.text[first : min(max(at, first), end)], SIZE) for at in (low, high))
            if is_on and right > left:
                ui.fill(Box(inner.x + left, y - 9, right - left, 18), "sel", 3)
            ui.text(inner.x, y, writing.text[first:end], SIZE, token="text" if is_on else "text2")
            if is_on and k + top == row:
                x = inner.x + ui.type.width(writing.text[first : writing.caret], SIZE)
                ui.line(x + 0.5, y - 9, x + 0.5, y + 9, "accent", 1.5)
    if not (hit.held or hit.clicked):
        return None
    pointer = imgui.get_mouse_pos()
    first, end = lines[min(max(0, int((pointer.y - inner.y) // LINE) + top), len(lines) - 1)]
    at = min(range(first, end + 1), key=lambda k: abs(inner.x + ui.type.width(writing.text[first:k], SIZE) - pointer.x))
    placed = with_field(writing, field_of(writing.text, at, at))
    return None if is_on and placed == writing else placed
