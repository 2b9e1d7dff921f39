"""The card of a tour: its name and how to begin, or the step that stands, with the ways back and on."""

from __future__ import annotations

from typing import Final

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.guide import Guide
from nn3d.app.ui import Ui
from nn3d.stage.controls import Act, tip
from nn3d.stage.controls.requests import EndGuide, GuideTo, PlayGuide

HEIGHT: Final = 40.0
DOTS: Final = 12


def guide_width(ui: Ui, guide: Guide) -> float:
    """Width of the card."""
    if guide.step < 0:
        return 40.0 + ui.type.width(_title(guide), 12.5, "medium") + 16 + 96 + 40
    return 4 * 32.0 + 24.0 + _dots(guide) * 12.0 + 64.0


def guide_panel(ui: Ui, guide: Guide, box: Box) -> list[Act]:
    """Draw the card."""
    acts: list[Act] = []
    y = box.y + box.h / 2
    with ui.card("guide", box, rounding=box.h / 2):
        if guide.step < 0:
            ui.icon(box.x + 22, y, "flag", 15, "accent")
            ui.text(box.x + 40, y, ui.type.fit(_title(guide), box.w - 190, 12.5, "medium"), 12.5, "medium")
            button = Box(box.x1 - 136, box.y + 6, 92, box.h - 12)
            hit = ui.hit("begin tour", button)
            ui.fill(button, "accent", 14, 0.88 if hit.hovered else 1.0)
            ui.text(button.x + button.w / 2, y, "Take the tour", 12, "medium", "ink", "c")
            if hit.clicked:
                acts.append(GuideTo(0))
        else:
            acts += _steps(ui, guide, box, y)
        if widgets.icon_button(ui, "end tour", box.x1 - 36, box.y + 6, "x", tip="Leave the tour"):
            acts.append(EndGuide())
    return acts


def _steps(ui: Ui, guide: Guide, box: Box, y: float) -> list[Act]:
    acts: list[Act] = []
    step, last = guide.step, len(guide.tour.steps) - 1
    x = box.x + 8
    if widgets.icon_button(ui, "tour back", x, box.y + 6, "chevron-left", tip=tip("tour: a step back, on")):
        acts.append(GuideTo(max(0, step - 1)))
    x += 34
    n = _dots(guide)
    if n:
        for k in range(last + 1):
            middle = x + 6 + 12 * k
            if ui.hit(f"tour step {k}", Box(middle - 6, y - 10, 12, 20), f"Step {k + 1}").clicked:
                acts.append(GuideTo(k))
            ui.disc(middle, y, 4.0 if k == step else 2.5, "accent" if k <= step else "text3")
        x += 12 * n + 8
    ui.tabular(x + 44, y, f"{step + 1} / {last + 1}", 12, "medium", "text2")
    x += 54
    if widgets.icon_button(ui, "tour on", x, box.y + 6, "chevron-right", tip=tip("tour: a step back, on")):
        acts.append(GuideTo(step + 1) if step < last else EndGuide())
    x += 32
    icon, words = ("pause", "Stay at this step") if guide.is_playing else ("play", "Let the steps follow each other")
    if widgets.icon_button(ui, "tour play", x, box.y + 6, icon, tip=words):
        acts.append(PlayGuide(not guide.is_playing))
    return acts


def _dots(guide: Guide) -> int:
    n = len(guide.tour.steps)
    return n if n <= DOTS else 0


def _title(guide: Guide) -> str:
    return guide.tour.title or "A tour of this network"
