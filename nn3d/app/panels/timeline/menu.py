"""What the timeline draws, chosen in a card above it: metrics, scale of losses, smoothing, what its width counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nn3d.analysis.health.history import metric_names
from nn3d.app import widgets
from nn3d.app.cards import GAP, Box
from nn3d.app.facts import Facts
from nn3d.app.panels.timeline.series import MOST_CURVES, axes_of, shown_metrics
from nn3d.app.ui import Ui
from nn3d.stage.commands import SetChart, SetLoopRange
from nn3d.stage.controls import Act
from nn3d.stage.state import ViewState

WIDTH: Final = 268.0
ROW: Final = 24.0
HEAD: Final = 30.0
MOST_ROWS: Final = 12
SMOOTHEST: Final = 0.95
_AXIS_WORDS: Final = {"epoch": "Epochs", "step": "Steps", "time": "Time"}


def menu_button(ui: Ui, box: Box) -> list[Act]:
    """The button at the right end of the timeline that opens the card."""
    is_open = bool(ui.memory.get("timeline menu"))
    x = box.x1 - 36
    words = "Curves, scale, smoothing"
    if widgets.icon_button(ui, "curves", x, box.y + 5, "sliders-horizontal", tip=words, is_on=is_open, size=14):
        ui.memory["timeline menu"] = not is_open
    return []


def menu_card(ui: Ui, state: ViewState, facts: Facts, timeline: Box) -> list[Act]:
    """The card, where it is open."""
    if not ui.memory.get("timeline menu"):
        return []
    names = metric_names(facts.run.epochs)[:MOST_ROWS]
    axes = axes_of(facts.run.epochs)
    height = HEAD + ROW * len(names) + 44 + 36 * (len(axes) > 1) + 44 + 30 * (state.time.loop is not None)
    box = Box(timeline.x1 - WIDTH, timeline.y - GAP - height, WIDTH, height)
    with ui.card("timeline menu", box):
        widgets.section(ui, box.x + 12, box.y + 17, box.w - 24, "Curves", f"at most {MOST_CURVES}")
        acts = _names(ui, state, facts, names, box)
        y = box.y + HEAD + ROW * len(names) + 10
        ui.text(box.x + 12, y + 14, "Losses", 12, token="text2")
        scale = widgets.segments(ui, "scale", box.x + 96, y, ("Log", "Linear"), int(state.chart.is_linear))
        if scale is not None:
            acts.append(SetChart(replace(state.chart, is_linear=bool(scale))))
        if len(axes) > 1:
            y += 36
            ui.text(box.x + 12, y + 14, "Along", 12, token="text2")
            on = axes.index(state.chart.axis) if state.chart.axis in axes else 0
            chosen = widgets.segments(ui, "axis", box.x + 96, y, [_AXIS_WORDS[a] for a in axes], on)
            acts += [SetChart(replace(state.chart, axis=axes[chosen]))] if chosen is not None else []
        acts += _smoothing(ui, state, box, y + 36)
        if state.time.loop is not None:
            first, last = (facts.run.epochs[min(k, state.n_epochs - 1)].id for k in state.time.loop)
            y = box.y1 - 34
            if widgets.text_button(ui, "no loop", Box(box.x + 12, y, box.w - 24, 26), "repeat",
                                   f"Loop from {first} to {last}: end it"):  # fmt: skip
                acts.append(SetLoopRange(None))
    return acts


def _names(ui: Ui, state: ViewState, facts: Facts, names: tuple[str, ...], box: Box) -> list[Act]:
    """A row a metric; a click shows or hides it."""
    shown = shown_metrics(facts.run.epochs, state.chart)
    acts: list[Act] = []
    for k, name in enumerate(names):
        row = Box(box.x + 6, box.y + HEAD + ROW * k, box.w - 12, ROW)
        is_on = name in shown
        if widgets.row_hit(ui, f"metric{k}", row, is_on=False).clicked:
            kept = tuple(n for n in shown if n != name) if is_on else (*shown, name)[-MOST_CURVES:]
            acts.append(SetChart(replace(state.chart, metrics=kept)))
        if is_on:
            ui.icon(row.x + 14, row.y + ROW / 2, "check", 13, "accent")
        ui.text(row.x + 28, row.y + ROW / 2, ui.type.fit(name, row.w - 40, 12), 12, token="text" if is_on else "text2")
    return acts


def _smoothing(ui: Ui, state: ViewState, box: Box, y: float) -> list[Act]:
    ui.text(box.x + 12, y + 14, "Smoothing", 12, token="text2")
    value = widgets.slider(ui, "smoothing", box.x + 100, y + 14, 104, min(1.0, state.chart.smoothing / SMOOTHEST))
    ui.text(box.x1 - 12, y + 14, f"{state.chart.smoothing:.2f}", 12, "medium", align="r")
    if value is None or abs(value * SMOOTHEST - state.chart.smoothing) < 1e-6:
        return []
    return [SetChart(replace(state.chart, smoothing=value * SMOOTHEST))]
