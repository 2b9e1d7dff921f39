"""The pill of a film: a red dot and the time while one is recorded, how many frames stand while it is written."""

from __future__ import annotations

from typing import Final

from nn3d.app.cards import Box, Layout
from nn3d.app.filming import Filming
from nn3d.app.ui import Ui
from nn3d.stage.controls import TABLE
from nn3d.stage.state import ViewState

HEIGHT: Final = 36.0
WAKE_SECS: Final = 0.25
_TOAST: Final = 44.0
_KEY: Final = next(row.caps[0] for row in TABLE if row.words == "record a film, stop; of the epochs")


def film_panel(ui: Ui, state: ViewState, filming: Filming, layout: Layout, now: float, *, has_toast: bool) -> None:
    """Draw it where a toast would be, or above one."""
    words = filming.words(now)
    if not words:
        return
    title = "Recording" if filming.is_recording else "Writing"
    hint = f"{_KEY} stops" if filming.is_recording else ""
    title_w, words_w = ui.type.width(title, 12, "semibold"), ui.type.width(words, 12)
    width = 36 + title_w + 10 + words_w + (14 + ui.type.width(hint, 11) if hint else 0) + 16
    lowest = layout.boxes["pill" if state.panels.picture_only else "timeline"].y
    key = layout.anchors.key
    y = min(lowest, lowest if key is None else key[1]) - 48 - (_TOAST if has_toast else 0.0)
    box = Box(round((ui.size[0] - width) / 2), y, width, HEIGHT)
    middle = y + HEIGHT / 2
    with ui.card("film", box, rounding=HEIGHT / 2):
        ui.disc(box.x + 20, middle, 5.0, "record" if filming.is_recording else "text3")
        ui.text(box.x + 36, middle, title, 12, "semibold")
        ui.text(box.x + 36 + title_w + 10, middle, words, 12, token="text2")
        if hint:
            ui.text(box.x1 - 16, middle, hint, 11, token="text3", align="r")
    ui.wake_secs = WAKE_SECS if ui.wake_secs is None else min(WAKE_SECS, ui.wake_secs)
