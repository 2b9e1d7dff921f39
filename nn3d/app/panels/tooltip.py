"""The tooltip beside the pointer: the name first, then index and value, shape, weight."""

from __future__ import annotations

from typing import Final

from imgui_bundle import imgui

from nn3d.app.cards import Box
from nn3d.app.ui import Ui

PAD: Final = 9.0
LINE: Final = 17.0
AWAY: Final = (16.0, 18.0)
MOST: Final = 420.0


def tooltip(ui: Ui, lines: tuple[str, ...], at: tuple[float, float]) -> None:
    """Draw lines near a point, inside the window, over everything; they take no clicks."""
    said = [ui.type.fit(line, MOST, 12, "medium") for line in lines]
    width = max(ui.type.width(line, 12, "medium") for line in said) + 2 * PAD
    height = LINE * len(said) + 2 * PAD - 3.0
    w, h = ui.size
    x = at[0] + AWAY[0] if at[0] + AWAY[0] + width < w - 8 else at[0] - AWAY[0] - width
    y = at[1] + AWAY[1] if at[1] + AWAY[1] + height < h - 8 else at[1] - AWAY[1] - height
    with ui.over(imgui.get_foreground_draw_list()):
        box = Box(max(8.0, x), max(8.0, y), width, height)
        ui.fill(box, "panel", 7)
        ui.outline(box, "line", 7)
        for k, line in enumerate(said):
            middle = box.y + PAD + LINE * (k + 0.5) - 2.0
            ui.text(box.x + PAD, middle, line, 12, "medium" if k == 0 else "regular", "text" if k == 0 else "text2")
