"""The help dialog: the table of nn3d.stage.controls, group by group."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import combinations, pairwise
from typing import Final

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.style import DIALOG_ROUNDING
from nn3d.app.ui import Ui
from nn3d.stage.commands import SetPanels
from nn3d.stage.controls import GROUPS, Act, Row, rows_of
from nn3d.stage.state import ViewState

COLUMN: Final = 280.0
ROW: Final = 26.0
GROUP: Final = 34.0
HEAD: Final = 96.0
PAD: Final = 28.0
FOOT: Final = 16.0
BETWEEN: Final = 12.0


def help_size(window_w: float) -> tuple[float, float]:
    """Width and height that the dialog asks for: one to four columns, as the window allows."""
    columns = columns_of(_count(window_w))
    return PAD + len(columns) * COLUMN, HEAD + max(_height(c) for c in columns) + FOOT


def _count(window_w: float) -> int:
    return next((n for n in (4, 3, 2) if PAD + n * COLUMN <= window_w - 24), 1)


@cache
def columns_of(n: int) -> tuple[tuple[str, ...], ...]:
    """The groups in n columns, in order, the highest column as low as can be."""
    cuts = combinations(range(1, len(GROUPS)), n - 1)
    ways = [tuple(GROUPS[a:b] for a, b in pairwise((0, *cut, len(GROUPS)))) for cut in cuts]
    return min(ways, key=lambda way: max(_height(c) for c in way))


def _height(groups: tuple[str, ...]) -> float:
    return sum(GROUP + ROW * len(list(rows_of(g))) + BETWEEN for g in groups) - BETWEEN


def help_panel(ui: Ui, state: ViewState, box: Box) -> list[Act]:
    """Draw the dialog."""
    acts: list[Act] = []
    with ui.card("help", box, rounding=DIALOG_ROUNDING):
        ui.text(box.x + PAD, box.y + 34, "Mouse and keys", 20, "display")
        ui.text(box.x + PAD, box.y + 58, "Everything here can also be found by name with Ctrl P.", 12, token="text2")
        if widgets.icon_button(ui, "close help", box.x1 - 46, box.y + 18, "x", tip="Close  (Esc)"):
            acts.append(SetPanels(replace(state.panels, help=False)))
        columns = columns_of(_count(ui.size[0]))
        body = Box(box.x, box.y + HEAD - 22, box.w, box.h - HEAD + 22 - 8)
        with ui.scroll("gestures", body, help_size(ui.size[0])[1] - HEAD + 22 - 10) as offset:
            for k, groups in enumerate(columns):
                y = body.y + 12 - offset
                for group in groups:
                    rows = list(rows_of(group))
                    _group(ui, group, rows, box.x + PAD + k * COLUMN, y, COLUMN - PAD)
                    y += GROUP + ROW * len(rows) + BETWEEN
    return acts


def _group(ui: Ui, group: str, rows: list[Row], x: float, y: float, width: float) -> None:
    ui.text(x, y, group, 12, "semibold", "accent")
    ui.line(x, y + 14, x + width, y + 14)
    for k, row in enumerate(rows):
        middle = y + GROUP - 2 + k * ROW
        right = x + width
        for cap in reversed(row.caps):
            right -= widgets.key_cap(ui, right, middle, cap, align="r") + 5
        ui.text(x, middle, ui.type.fit(row.words, right - x - 4, 12), 12)
