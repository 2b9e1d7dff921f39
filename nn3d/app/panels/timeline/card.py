"""The card of the timeline: transport on the left, the plot, and figures of the epoch that is shown on the right."""

from __future__ import annotations

from typing import Final

from nn3d.analysis.health.history import is_loss
from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.facts import Facts
from nn3d.app.panels.timeline.menu import menu_button, menu_card
from nn3d.app.panels.timeline.plot import plot_panel
from nn3d.app.panels.timeline.series import metric_text, shown_metrics
from nn3d.app.ui import Ui
from nn3d.stage.commands import Play, SetEpoch, SetLoop, SetSpeed, StepEpoch
from nn3d.stage.controls import Act, key_tip, tip
from nn3d.stage.controls.offers import SPEEDS
from nn3d.stage.state import ViewState

TRANSPORT: Final = 186.0
FIGURES: Final = 104.0
PLOT_H: Final = 52.0


def timeline_panel(ui: Ui, state: ViewState, facts: Facts, box: Box, shown: int | None = None) -> list[Act]:
    """Draw the timeline; one line instead when the run has a single moment.

    shown : index of the epoch that the picture still shows instead, None where it is that of the playhead.
    """
    with ui.card("timeline", box):
        if state.n_epochs < 2:
            _one_moment(ui, facts, box)
            return []
        acts = _transport(ui, state, facts, box)
        if shown is not None and shown < state.n_epochs:
            words = f"reading; picture of epoch {facts.run.epochs[shown].id}"
            ui.text(box.x + 16, box.y + 41, ui.type.fit(words, TRANSPORT - 28, 10.5), 10.5, token="accent")
        ui.line(box.x + TRANSPORT, box.y + 14, box.x + TRANSPORT, box.y1 - 14)
        right = FIGURES if box.w > 420 else 24.0
        plot = Box(box.x + TRANSPORT + 28, box.y + 36, box.w - TRANSPORT - 28 - right, PLOT_H)
        if plot.w > 40:
            acts += plot_panel(ui, state, facts, plot)
            if right == FIGURES:
                _figures(ui, state, facts, plot)
                acts += menu_button(ui, box)
    acts += menu_card(ui, state, facts, box) if right == FIGURES else []
    return acts


def _one_moment(ui: Ui, facts: Facts, box: Box) -> None:
    head = "One moment, no epochs" + ("" if facts.run.samples else " and no samples")
    y = box.y + box.h / 2
    width = ui.text(box.x + 16, y, ui.type.fit(head, box.w - 32, 12, "semibold"), 12, "semibold")
    hint = "A folder of checkpoints gives a timeline"
    ui.text(box.x + 26 + width, y, ui.type.fit(hint, box.w - width - 42, 12), 12, token="text2")


def _transport(ui: Ui, state: ViewState, facts: Facts, box: Box) -> list[Act]:
    t, last = state.time, state.n_epochs - 1
    epochs = facts.run.epochs
    now = epochs[round(t.epoch)].id
    x = box.x + 16 + ui.text(box.x + 16, box.y + 25, "Epoch", 12, token="text2") + 10
    x += ui.text(x, box.y + 24, f"{now}", 19, "semibold") + 8
    ui.text(x, box.y + 25, f"of {epochs[-1].id}", 12, token="text2")
    acts: list[Act] = []
    bx, by = box.x + 12, box.y + 56
    if widgets.icon_button(ui, "first", bx, by, "skip-back", tip=key_tip("Home"), size=15):
        acts.append(SetEpoch(0.0))
    if widgets.icon_button(ui, "back", bx + 30, by, "step-back", tip=key_tip("Left"), size=15):
        acts.append(StepEpoch(-1))
    icon = "pause" if t.is_playing else "play"
    if widgets.round_button(ui, "play", bx + 80, by + 14, 18, icon, tip=tip("play or pause")):
        acts.append(Play(not t.is_playing))
    if widgets.icon_button(ui, "on", bx + 102, by, "step-forward", tip=key_tip("Right"), size=15):
        acts.append(StepEpoch(1))
    words = "Start over at the end; drag over the curves with Shift: loop there"
    if widgets.icon_button(ui, "loop", bx + 132, by, "repeat", tip=words, is_on=t.is_looping, size=14):
        acts.append(SetLoop(not t.is_looping))
    words = f"{t.epochs_per_sec:g} epoch{'' if t.epochs_per_sec == 1 else 's'}/s"
    place = Box(bx + 35, box.y + 97, 90, 20)
    if ui.hit("speed", place, "Faster, then slow again").clicked:
        faster = next((v for v in SPEEDS if v > t.epochs_per_sec + 1e-6), SPEEDS[0])
        acts.append(SetSpeed(faster))
    ui.text(bx + 80, box.y + 107, words, 10.5, token="text3", align="c")
    return acts if last > 0 else []


def _figures(ui: Ui, state: ViewState, facts: Facts, plot: Box) -> None:
    """The first two metrics that are drawn, at the epoch that is shown."""
    x, now, epochs = plot.x1 + 22, round(state.time.epoch), facts.run.epochs
    for k, name in enumerate(shown_metrics(epochs, state.chart)[:2]):
        y = plot.y + 1 + 36 * k
        is_log = is_loss(name) and not state.chart.is_linear
        value = metric_text(epochs, name, now)
        is_odd = value in ("NaN", "∞", "−∞")
        ui.text(x, y, ui.type.fit(f"{name}, log" if is_log else name, 78, 10.5), 10.5, token="text3")
        ui.text(x, y + 14, value, 12, "semibold", "nonfinite" if is_odd else "accent" if k == 0 else "text2")
