"""The plot of the timeline: curves of metrics, marks above them, the loop, the playhead, and values at the pointer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from imgui_bundle import imgui

from nn3d.analysis.health.history import metric_names
from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.facts import Facts
from nn3d.app.panels.baseline import baseline_handle
from nn3d.app.panels.timeline.series import (
    F64,
    Placed,
    bad_spans,
    curve_shares,
    drawn,
    epoch_at,
    metric_text,
    place_of,
    placed,
    positions,
    shown_metrics,
    ticks,
)  # fmt: skip
from nn3d.app.ui import Ui
from nn3d.stage.commands import Select, SetEpoch, SetLoopRange
from nn3d.stage.controls import Act
from nn3d.stage.state import Thing, ViewState

# Of the metrics that are drawn, in order: colour, width, opacity.
TOKENS: Final = (("accent", 1.8, 1.0), ("text3", 1.5, 1.0), ("text2", 1.2, 0.75), ("text", 1.2, 0.45))
MOST_SAID: Final = 10
ROW: Final = 17.0


def plot_panel(ui: Ui, state: ViewState, facts: Facts, plot: Box) -> list[Act]:
    """Draw the plot; dragging in it goes through the epochs, with Shift it sets what is looped."""
    where = positions(facts.run.epochs, state.chart.axis)
    ui.line(plot.x - 10, plot.y1, plot.x1 + 10, plot.y1)
    _loop(ui, state, where, plot)
    _ticks(ui, state, facts, where, plot)
    names = shown_metrics(facts.run.epochs, state.chart)
    _bad(ui, facts, names, where, plot)
    with ui.clip(Box(plot.x - 12, plot.y - 3, plot.w + 24, plot.h + 3)):
        for k in reversed(range(len(names))):
            _curve(ui, state, facts, names[k], where, plot, TOKENS[k])
    acts = _marks(ui, facts, where, plot)
    acts += baseline_handle(
        ui, facts.run, state, plot, lambda k: plot.x + plot.w * place_of(where, k),
        lambda x: epoch_at(where, min(1.0, max(0.0, (x - plot.x) / max(1.0, plot.w)))),
    )  # fmt: skip
    hit = ui.hit("plot", Box(plot.x - 12, plot.y - 6, plot.w + 24, plot.h + 30))
    _playhead(ui, state, facts, where, plot)
    at = epoch_at(where, widgets.pointer_share(plot.x, plot.w))
    if hit.hovered and not hit.held:
        _values(ui, facts, names, round(at), where, plot)
    return acts + _dragged(ui, state, at, is_held=hit.held, is_released=hit.released)


def _dragged(ui: Ui, state: ViewState, at: float, *, is_held: bool, is_released: bool) -> list[Act]:
    """What the pointer does: an epoch, or with Shift the ends of the loop; Shift and a click ends the loop."""
    began: float | None = ui.memory.get("loop began")
    if is_held and began is None and imgui.get_io().key_shift and not ui.memory.get("scrubbing"):
        began = ui.memory["loop began"] = at
    if began is None:
        ui.memory["scrubbing"] = is_held
        if is_held and abs(at - state.time.epoch) > 1e-4:
            return [SetEpoch(at, at_once=True)]
        return [SetEpoch(float(round(at)))] if is_released else []
    span = min(round(began), round(at)), max(round(began), round(at))
    if is_released:
        ui.memory["loop began"] = None
    if span[0] == span[1]:
        return [SetLoopRange(None)] if is_released and state.time.loop is not None else []
    return [SetLoopRange(span)] if span != state.time.loop else []


def _loop(ui: Ui, state: ViewState, where: F64, plot: Box) -> None:
    if state.time.loop is None:
        return
    x0, x1 = (plot.x + plot.w * place_of(where, float(k)) for k in state.time.loop)
    ui.fill(Box(x0, plot.y - 3, x1 - x0, plot.h + 3), "sel", 0)
    for x in (x0, x1):
        ui.line(x, plot.y - 3, x, plot.y1, "accent", 1.0, 0.6)


def _ticks(ui: Ui, state: ViewState, facts: Facts, where: F64, plot: Box) -> None:
    head = plot.x + plot.w * place_of(where, float(round(state.time.epoch)))
    for k in ticks(where, plot.w):
        x = plot.x + plot.w * float(where[k])
        ui.line(x, plot.y1, x, plot.y1 + 4, "text3", 1.0, 0.7)
        if abs(x - head) > 22:
            ui.tabular(x, plot.y1 + 15, f"{facts.run.epochs[k].id}", 10.5, token="text3", align="c")


def _bad(ui: Ui, facts: Facts, names: Sequence[str], where: F64, plot: Box) -> None:
    """Where a metric that is drawn is not a number, the plot is filled and says so."""
    for name in names:
        for first, last in bad_spans(facts.run.epochs, name):
            x0, x1 = (plot.x + plot.w * float(where[k]) for k in (first, last))
            ui.fill(Box(x0, plot.y - 3, max(2.0, x1 - x0), plot.h + 3), "nonfinite", 0, 0.2)
            words = f"{name} {metric_text(facts.run.epochs, name, last)}"
            if ui.type.width(words, 11, "medium") + 8 < x1 - x0:
                ui.text((x0 + x1) / 2, plot.y + plot.h / 2, words, 11, "medium", "nonfinite", "c")


def _curve(
    ui: Ui, state: ViewState, facts: Facts, name: str, where: F64, plot: Box, style: tuple[str, float, float]
) -> None:
    token, width, alpha = style
    key = ("curve", id(facts.run), name, state.chart, len(where), round(plot.w))
    lines = ui.memory.get(("curve", name))
    if lines is None or lines[0] != key:
        shares = curve_shares(facts.run.epochs, name, state.chart)
        lines = ui.memory[("curve", name)] = key, drawn(where, shares, plot.w)
    for line in lines[1]:
        points = [(plot.x + plot.w * x, plot.y1 - y * plot.h) for x, y in line]
        if len(points) > 1:
            ui.curve(points, token, width, alpha)
        else:
            ui.disc(*points[0], 2.0, token)


def _marks(ui: Ui, facts: Facts, where: F64, plot: Box) -> list[Act]:
    """A tick for each epoch at which something happened, the gravest with words; a click goes there."""
    acts: list[Act] = []
    for k, found in enumerate(placed(facts.health.marks, where, plot.w)):
        x, y = plot.x + found.x, plot.y - 18
        token = "nonfinite" if found.marks[0].kind == "not finite" else "text2"
        ui.line(x, y - 5, x, y + 6 if not found.words else plot.y1, token, 1.0, 0.9 if not found.words else 0.35)
        box = _said(ui, found, x, y, token)
        hit = ui.hit(f"mark{k}", box, found.tip)
        if hit.hovered:
            ui.fill(box, "hover", 4)
        if hit.clicked:
            mark = found.marks[0]
            acts += [SetEpoch(float(mark.epoch))]
            acts += [Select(Thing(mark.layer))] if mark.layer >= 0 else []
    return acts


def _said(ui: Ui, found: Placed, x: float, y: float, token: str) -> Box:
    """Draw the head of a mark; where it can be pressed."""
    ui.disc(x, y, 2.5, token)
    if not found.words:
        return Box(x - 5, y - 9, 10, 18)
    words = ui.type.fit(found.words, 182, 11)
    side = 1.0 if found.align == "l" else -1.0
    width = ui.text(x + 9 * side, y, words, 11, token=token, align=found.align)
    return Box(x - 5 if side > 0 else x - width - 13, y - 9, width + 18, 18)


def _playhead(ui: Ui, state: ViewState, facts: Facts, where: F64, plot: Box) -> None:
    x = plot.x + plot.w * place_of(where, state.time.epoch)
    ui.line(x, plot.y - 6, x, plot.y1 + 6, "accent", 1.5)
    label = f"{facts.run.epochs[round(state.time.epoch)].id}"
    width = max(26.0, ui.type.width(label, 11, "semibold") + 14.0)
    ui.fill(Box(x - width / 2, plot.y1 + 6, width, 18), "accent", 9)
    ui.text(x, plot.y1 + 15, label, 11, "semibold", "ink", "c")


def _values(ui: Ui, facts: Facts, shown: Sequence[str], epoch: int, where: F64, plot: Box) -> None:
    """A line at the epoch under the pointer, and a card with all metrics there: those that are drawn, then others."""
    x = plot.x + plot.w * float(where[epoch])
    ui.line(x, plot.y - 3, x, plot.y1, "text2", 1.0, 0.6)
    moment = facts.run.epochs[epoch]
    rows = [("epoch", f"{moment.id}", "text")]
    rows += [("step", f"{moment.step:,}", "text2")] if moment.step is not None else []
    if moment.wall_time is not None:
        rows.append(("at", time.strftime("%H:%M:%S", time.gmtime(moment.wall_time)) + " UTC", "text2"))
    names = (*shown, *(n for n in metric_names(facts.run.epochs) if n not in shown))
    for name in names[:MOST_SAID]:
        value = metric_text(facts.run.epochs, name, epoch)
        rows.append((name, value, "nonfinite" if value in ("NaN", "∞", "−∞") else "text" if name in shown else "text2"))
    rows += [("", f"and {len(names) - MOST_SAID} more", "text3")] if len(names) > MOST_SAID else []
    wide = max(ui.type.width(a, 11) + ui.type.width(b, 11, "medium") for a, b, _ in rows) + 44
    box = Box(min(x + 12, ui.size[0] - wide - 8), plot.y - 40 - ROW * len(rows), wide, ROW * len(rows) + 12)
    with ui.over(imgui.get_foreground_draw_list()):
        ui.fill(box, "panel", 6)
        ui.outline(box, "line", 6)
        for k, (name, value, token) in enumerate(rows):
            y = box.y + 6 + ROW * (k + 0.5)
            ui.text(box.x + 10, y, name, 11, token="text2")
            ui.text(box.x1 - 10, y, value, 11, "medium", token, "r")
