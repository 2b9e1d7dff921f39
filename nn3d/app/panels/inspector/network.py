"""The inspector without a selection: how the picture is coloured, and what a reader should know about the run."""

from __future__ import annotations

from typing import Final

from nn3d.app import widgets
from nn3d.app.panels.inspector.page import HEAD, Page, Part, head
from nn3d.stage.commands import SetRamp, SetScope
from nn3d.stage.controls import Act
from nn3d.stage.state import RAMPS, SCOPES

STAGE: Final = 32.0
MOST_NOTES: Final = 24
NOTE_LINE: Final = 17.0
_TIPS: Final = {"scope": ("The largest of each map", "The largest of each layer", "The largest of the network")}


def colours(page: Page, y: float) -> list[Act]:
    """Whose largest values have full colour, and the colours of activations; two lines of 32 px."""
    ui, state = page.ui, page.state
    acts: list[Act] = []
    for name, words, values, on in (("scope", "Full colour", SCOPES, state.scope), ("ramp", "", RAMPS, state.ramp)):
        labels = [v.capitalize() for v in values]
        ui.text(page.x, y + 14, words, 12, token="text2")
        pad = widgets.segment_pad(ui, labels, page.w)
        x = page.x + page.w - widgets.segment_width(ui, labels, pad=pad)
        pressed = widgets.segments(ui, name, x, y, labels, values.index(on), tips=_TIPS.get(name, ()), pad=pad)
        if pressed is not None:
            acts.append(SetScope(values[pressed]) if name == "scope" else SetRamp(values[pressed]))
        y += STAGE
    return acts


def notes_part(page: Page) -> Part | None:
    """Notes of the run and what was left out of it; None for a layer, and where there are none."""
    notes = _lines(page) if page.layer is None else []
    if not notes:
        return None
    return Part(HEAD + 4 + sum(NOTE_LINE * len(lines) + 6 for lines in notes), _draw)


def _lines(page: Page) -> list[list[str]]:
    """Each note as lines; kept, as measuring words takes time."""
    ui, run = page.ui, page.facts.run
    kept: tuple[float, list[list[str]]] | None = ui.memory.get("notes")
    if kept is not None and kept[0] == page.w:
        return kept[1]
    notes = (*run.notes, *run.left_out)
    lines = [ui.type.wrap(note, page.w - 16, 11.5) for note in notes[:MOST_NOTES]]
    if len(notes) > MOST_NOTES:
        lines.append([f"and {len(notes) - MOST_NOTES} more: nn3d info"])
    ui.memory["notes"] = page.w, lines
    return lines


def _draw(page: Page, y: float) -> list[Act]:
    head(page, y, "Notes")
    y += HEAD + 8
    for lines in _lines(page):
        page.ui.line(page.x, y, page.x + 7, y, "text3")
        for line in lines:
            page.ui.text(page.x + 16, y, line, 11.5, token="text2")
            y += NOTE_LINE
        y += 6
    return []
