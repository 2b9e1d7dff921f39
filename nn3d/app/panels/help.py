"""The help dialog: the table of nn3d.stage.controls, group by group."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.style import DIALOG_ROUNDING
from nn3d.app.ui import Ui
from nn3d.stage.commands import SetPanels
from nn3d.stage.controls import GROUPS, Act, Row, rows_of
from nn3d.stage.state import ViewState

COLUMN: Final = 280.0
ROW: Final = 31.0
HEAD: Final = 110.0
PAD: Final = 28.0


def help_size(window_w: float) -> tuple[float, float]:
    """Width and height that the dialog asks for: one to four columns, as the window allows."""
    columns = _columns(window_w)
    bands = [GROUPS[i : i + columns] for i in range(0, len(GROUPS), columns)]
    rows = sum(34.0 + ROW * max(len(list(rows_of(g))) for g in band) for band in bands)
    return PAD + columns * COLUMN, HEAD - 24 + rows + 22.0


def _columns(window_w: float) -> int:
    return next((n for n in (4, 2) if PAD + n * COLUMN <= window_w - 24), 1)


def help_panel(ui: Ui, state: ViewState, box: Box) -> list[Act]:
    """Draw the dialog."""
    acts: list[Act] = []
    with ui.card("help", box, rounding=DIALOG_ROUNDING):
        ui.text(box.x + PAD, box.y + 36, "Mouse and keys", 20, "display")
        ui.text(box.x + PAD, box.y + 61, "Generated from the table of gestures that the window runs on.", 12,
                token="text2")  # fmt: skip
        if widgets.icon_button(ui, "close help", box.x1 - 46, box.y + 18, "x", tip="Close  (Esc)"):
            acts.append(SetPanels(replace(state.panels, help=False)))
        columns = _columns(ui.size[0])
        body = Box(box.x, box.y + HEAD - 24, box.w, box.h - HEAD + 24 - 8)
        with ui.scroll("gestures", body, help_size(ui.size[0])[1] - HEAD + 24 - 16) as offset:
            y = body.y + 12 - offset
            for first in range(0, len(GROUPS), columns):
                band = GROUPS[first : first + columns]
                for k, group in enumerate(band):
                    _column(ui, group, list(rows_of(group)), box.x + PAD + k * COLUMN, y, COLUMN - PAD)
                y += 34.0 + ROW * max(len(list(rows_of(g))) for g in band)
    return acts


def _column(ui: Ui, group: str, rows: list[Row], x: float, y: float, width: float) -> None:
    ui.text(x, y, group, 12, "semibold", "accent")
    ui.line(x, y + 15, x + width, y + 15)
    for k, row in enumerate(rows):
        middle = y + 34 + k * ROW
        ui.text(x, middle, row.words, 12)
        right = x + width
        for cap in reversed(row.caps):
            right -= widgets.key_cap(ui, right, middle, cap, align="r") + 5
