"""The timeline: transport, the curves of training over epochs, and a playhead that one drags."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.facts import Facts, accuracy_and_loss, metric
from nn3d.app.panels.baseline import baseline_handle
from nn3d.app.ui import Ui
from nn3d.stage.commands import Play, SetEpoch, SetLoop, SetSpeed, StepEpoch
from nn3d.stage.controls import Act, key_tip, tip
from nn3d.stage.state import ViewState

F64 = NDArray[np.float64]
SPEEDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
TRANSPORT: Final = 186.0
FIGURES: Final = 104.0
PLOT_H: Final = 52.0
TICK_PX: Final = 34.0


def timeline_panel(ui: Ui, state: ViewState, facts: Facts, box: Box) -> list[Act]:
    """Draw the timeline; one line instead when the run has a single moment."""
    with ui.card("timeline", box):
        if state.n_epochs < 2:
            _one_moment(ui, facts, box)
            return []
        acts = _transport(ui, state, facts, box)
        ui.line(box.x + TRANSPORT, box.y + 14, box.x + TRANSPORT, box.y1 - 14)
        right = FIGURES if box.w > 420 else 24.0
        plot = Box(box.x + TRANSPORT + 28, box.y + 36, box.w - TRANSPORT - 28 - right, PLOT_H)
        if plot.w > 40:
            acts += _plot(ui, state, facts, plot)
            if right == FIGURES:
                _figures(ui, state, facts, plot)
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
    if widgets.icon_button(
        ui, "loop", bx + 132, by, "repeat", tip="Start over at the end", is_on=t.is_looping, size=14
    ):
        acts.append(SetLoop(not t.is_looping))
    words = f"{t.epochs_per_sec:g} epoch{'' if t.epochs_per_sec == 1 else 's'}/s"
    place = Box(bx + 35, box.y + 97, 90, 20)
    if ui.hit("speed", place, "Faster, then slow again").clicked:
        faster = next((v for v in SPEEDS if v > t.epochs_per_sec + 1e-6), SPEEDS[0])
        acts.append(SetSpeed(faster))
    ui.text(bx + 80, box.y + 107, words, 10.5, token="text3", align="c")
    return acts if last > 0 else []


def _plot(ui: Ui, state: ViewState, facts: Facts, plot: Box) -> list[Act]:
    last = state.n_epochs - 1
    ui.line(plot.x - 10, plot.y1, plot.x1 + 10, plot.y1)
    _ticks(ui, state, facts, plot)
    names = accuracy_and_loss(facts.run)
    with ui.clip(Box(plot.x - 12, plot.y - 3, plot.w + 24, plot.h + 3)):
        if names[1] is not None:
            _curve(ui, plot, _shares(metric(facts.run, names[1]), is_log=True), "text3", 1.5)
        if names[0] is not None:
            _curve(ui, plot, _shares(metric(facts.run, names[0]), is_log=False), "accent", 1.8)
    moved = baseline_handle(
        ui, facts.run, state, plot, lambda k: plot.x + plot.w * k / last, lambda x: (x - plot.x) / plot.w * last
    )
    hit = ui.hit("plot", Box(plot.x - 12, plot.y - 6, plot.w + 24, plot.h + 30))
    _playhead(ui, state, facts, plot)
    share = widgets.pointer_share(plot.x, plot.w) * last
    if hit.held and abs(share - state.time.epoch) > 1e-4:
        return [SetEpoch(share, at_once=True)]
    return [SetEpoch(float(round(share)))] if hit.released else moved


def _ticks(ui: Ui, state: ViewState, facts: Facts, plot: Box) -> None:
    last, now = state.n_epochs - 1, round(state.time.epoch)
    every = tick_every(last, plot.w)
    for k in range(0, last + 1, every):
        x = plot.x + plot.w * k / last
        ui.line(x, plot.y1, x, plot.y1 + 4, "text3", 1.0, 0.7)
        if abs(x - (plot.x + plot.w * now / last)) > 22:
            ui.tabular(x, plot.y1 + 15, f"{facts.run.epochs[k].id}", 10.5, token="text3", align="c")


def tick_every(last: int, width: float) -> int:
    """Every how many epochs a tick with its number fits: 1, 2, 5, 10, 20, 50 and so on."""
    decade = 1
    while True:
        for step in (1, 2, 5):
            if last / (step * decade) * TICK_PX <= max(width, TICK_PX):
                return step * decade
        decade *= 10


def _shares(values: F64, *, is_log: bool) -> F64:
    """Values as 0 … 1 of the plot's height; a loss on a log scale, other figures between their middle half and top.

    Accuracies rise fast and then creep: the scale starts at the lower tenth, what lies below is clipped.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return values
    v = values.copy()
    if is_log and bool((v[finite] > 0).all()):
        v[finite] = np.log(v[finite])
        low, high = float(v[finite].min()), float(v[finite].max())
    else:
        low, high = float(np.quantile(v[finite], 0.1)), float(v[finite].max())
    span = max(high - low, 1e-12)
    return np.asarray((v - low) / span * 0.92 + 0.04)


def _curve(ui: Ui, plot: Box, shares: F64, token: str, width: float) -> None:
    n = len(shares)
    for run in _runs(shares):
        points = [(plot.x + plot.w * i / max(1, n - 1), plot.y1 - float(shares[i]) * plot.h) for i in run]
        if len(points) > 1:
            ui.curve(points, token, width)
        else:
            ui.disc(*points[0], 2.0, token)


def _runs(shares: F64) -> Iterator[list[int]]:
    """Indices of neighbours that are finite, thinned to 2,000."""
    step = max(1, len(shares) // 2000)
    run: list[int] = []
    for i in range(0, len(shares), step):
        if math.isfinite(shares[i]):
            run.append(i)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _playhead(ui: Ui, state: ViewState, facts: Facts, plot: Box) -> None:
    x = plot.x + plot.w * state.time.epoch / (state.n_epochs - 1)
    ui.line(x, plot.y - 6, x, plot.y1 + 6, "accent", 1.5)
    label = f"{facts.run.epochs[round(state.time.epoch)].id}"
    width = max(26.0, ui.type.width(label, 11, "semibold") + 14.0)
    ui.fill(Box(x - width / 2, plot.y1 + 6, width, 18), "accent", 9)
    ui.text(x, plot.y1 + 15, label, 11, "semibold", "ink", "c")


def _figures(ui: Ui, state: ViewState, facts: Facts, plot: Box) -> None:
    x, now = plot.x1 + 22, round(state.time.epoch)
    accuracy, loss = accuracy_and_loss(facts.run)
    if accuracy is not None:
        value = float(metric(facts.run, accuracy)[now])
        ui.text(x, plot.y + 1, ui.type.fit(accuracy, 78, 10.5), 10.5, token="text3")
        ui.text(x, plot.y + 15, accuracy_text(value), 12, "semibold", "accent")
    if loss is not None:
        value = float(metric(facts.run, loss)[now])
        ui.text(x, plot.y + 37, ui.type.fit(f"{loss}, log", 78, 10.5), 10.5, token="text3")
        ui.text(x, plot.y + 51, "–" if math.isnan(value) else f"{value:.3g}", 12, "semibold", "text2")


def accuracy_text(value: float) -> str:
    """An accuracy as it is said: "99.07 %" for shares, the number itself above 1."""
    if math.isnan(value):
        return "–"
    return f"{value * 100:.2f} %" if abs(value) <= 1.0 else f"{value:.4g}"
