"""What the window says without being asked: the banner of an inferred graph, the toast, the pill of picture only."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.facts import Facts, accuracy_and_loss, metric
from nn3d.app.panels.timeline import accuracy_text
from nn3d.app.ui import Ui
from nn3d.stage.commands import Play, SetEpoch, SetPanels
from nn3d.stage.controls import Act, tip
from nn3d.stage.state import ViewState

TOAST_SECS: Final = 4.0
BACK: Final = "Back to the panels  (Tab)"


def has_banner(ui: Ui, facts: Facts) -> bool:
    """Whether the banner is to be shown: wires are inferred, and nobody closed it."""
    return facts.run.graph.kind == "inferred" and not ui.memory.get("banner closed", False)


def banner_panel(ui: Ui, box: Box) -> list[Act]:
    """Say that the wires are inferred, and the cure."""
    with ui.card("banner", box):
        y = box.y + box.h / 2
        ui.icon(box.x + 24, y, "unlink", 16, "accent")
        x = box.x + 44
        x += ui.text(x, y, "Wires are inferred.", 13, "semibold") + 10
        words = "The file holds weights and no graph, so every strand is dashed. --model gives the graph."
        ui.text(x, y, ui.type.fit(words, box.x1 - 44 - x, 12), 12, token="text2")
        if widgets.icon_button(ui, "close banner", box.x1 - 36, box.y + 8, "x", tip="Close"):
            ui.memory["banner closed"] = True
    return []


def toast_panel(ui: Ui, message: str, window: tuple[float, float], above: float) -> None:
    """A line whose card ends just over `above`, px from the window's top."""
    shown = ui.type.fit(message, window[0] - 80, 12, "medium")
    width = ui.type.width(shown, 12, "medium") + 54
    box = Box(round((window[0] - width) / 2), above - 48, width, 36)
    with ui.card("toast", box):
        ui.icon(box.x + 22, box.y + 18, "info", 15, "accent")
        ui.text(box.x + 38, box.y + 18, shown, 12, "medium")


def corner_panels(ui: Ui, state: ViewState, left: Box, right: Box) -> list[Act]:
    """The two corner buttons of picture only: each brings all panels back, with its own one open."""
    acts: list[Act] = []
    with ui.card("left", left):
        if widgets.icon_button(ui, "panels left", left.x + 6, left.y + 6, "panel-left", tip=BACK):
            acts.append(SetPanels(replace(state.panels, picture_only=False, tree=True)))
    with ui.card("right", right):
        if widgets.icon_button(ui, "panels right", right.x + 6, right.y + 6, "panel-right", tip=BACK):
            acts.append(SetPanels(replace(state.panels, picture_only=False, inspector=True)))
    return acts


def pill_panel(ui: Ui, state: ViewState, facts: Facts, box: Box) -> list[Act]:
    """Play and the epochs, when all other panels are away."""
    acts: list[Act] = []
    t, last, y = state.time, state.n_epochs - 1, box.y + box.h / 2
    with ui.card("pill", box, rounding=box.h / 2):
        if last < 1:
            ui.text(box.x + box.w / 2, y, "One moment, no epochs", 12, token="text2", align="c")
            return acts
        icon = "pause" if t.is_playing else "play"
        if widgets.round_button(ui, "play pill", box.x + 22, y, 14, icon, tip=tip("play or pause")):
            acts.append(Play(not t.is_playing))
        now = round(t.epoch)
        x = box.x + 46
        x += ui.text(x, y, "Epoch", 11, token="text2") + 8
        ui.text(x, y, f"{facts.run.epochs[now].id}", 13, "semibold")
        accuracy = accuracy_and_loss(facts.run)[0]
        room = 84.0 if accuracy is not None else 24.0
        if accuracy is not None:
            words = accuracy_text(float(metric(facts.run, accuracy)[now]))
            ui.text(box.x1 - 20, y, words, 12, "semibold", "accent", "r")
        acts += _rail(ui, state, Box(box.x + 124, y - 10, box.w - 124 - room - 16, 20))
    return acts


def _rail(ui: Ui, state: ViewState, box: Box) -> list[Act]:
    last, y = state.n_epochs - 1, box.y + box.h / 2
    hit = ui.hit("rail", Box(box.x - 8, box.y, box.w + 16, box.h))
    ui.line(box.x, y, box.x1, y, "act", 3.0)
    if last <= 40:
        for k in range(last + 1):
            ui.disc(box.x + box.w * k / last, y, 2.0, "text3")
    ui.disc(box.x + box.w * state.time.epoch / last, y, 6.5, "accent")
    share = widgets.pointer_share(box.x, box.w) * last
    if hit.held and abs(share - state.time.epoch) > 1e-4:
        return [SetEpoch(share, at_once=True)]
    return [SetEpoch(float(round(share)))] if hit.released else []
