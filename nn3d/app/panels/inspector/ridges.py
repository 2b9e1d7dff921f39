"""Histograms by epoch, the oldest behind: sizes of a layer's active values on a log scale, weights on a linear one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from nn3d.analysis.activity import Spread, decade_of, ridge_of, window_of
from nn3d.analysis.tensors import Histogram, common_ridges
from nn3d.app.facts import count_text
from nn3d.app.panels.inspector.page import HEAD, WIDE, Page, Part, caption, head, number_text
from nn3d.app.panels.inspector.parameters import chosen
from nn3d.run.model import FloatArray
from nn3d.run.ops import op_of
from nn3d.stage.controls import Act

MOST_EPOCHS: Final = 11
LABELS: Final = 26.0
AXIS: Final = 18.0
PEAK: Final = 28.0
PITCH: Final = 8.0


def shown_epochs(n_epochs: int, epoch: int) -> tuple[int, ...]:
    """At most eleven epochs, evenly spread from the first to the last, with the shown one in place of its neighbour."""
    if n_epochs <= 0:
        return ()
    spread = [round(v) for v in np.linspace(0, n_epochs - 1, min(MOST_EPOCHS, n_epochs))]
    if epoch not in spread:
        nearest = min(range(len(spread)), key=lambda k: abs(spread[k] - epoch))
        spread[nearest] = epoch
    return tuple(sorted(set(spread)))


def _height(page: Page, n: int) -> float:
    pitch = PITCH + (3.0 if page.box.w >= WIDE else 0.0)
    return PEAK + pitch * max(0, n - 1) + AXIS + 8


def values_ridge_part(page: Page) -> Part | None:
    """Active values of all samples by epoch."""
    layer, node = page.layer, page.node
    if layer is None or node is None or op_of(layer.op).family in ("input", "parameter"):
        return None
    return Part(HEAD + _height(page, len(shown_epochs(page.state.n_epochs, page.epoch))) + 28, _draw_values)


def _draw_values(page: Page, y: float) -> list[Act]:
    node, run = page.node, page.facts.run
    assert node is not None
    epochs = [e for e in shown_epochs(page.state.n_epochs, page.epoch) if run.has_values(*node, e)]
    known: list[tuple[int, Spread]] = []
    for epoch in epochs:
        spread: Spread | None = page.facts.ask("spread", *node, epoch)
        if spread is not None:
            known.append((epoch, spread))
    is_one = len(epochs) == 1
    is_signed = any(s.is_signed for _, s in known)
    title = ("Size of the values" if is_signed else "Active values") + ("" if is_one else " by epoch")
    head(page, y, title, "log scale")
    height = _height(page, len(epochs))
    if not known:
        caption(page, y + HEAD, "…")
        return []
    window = window_of([s for _, s in known])
    ridges = [(epoch, ridge_of(spread, window)) for epoch, spread in known]
    ticks = _decades(window)
    _ridges(page, y + HEAD, height, epochs, ridges, ticks)
    last = known[-1][1]
    n = last.n_samples
    words = f"{count_text(n)} sample{'s' * (n != 1)} × {count_text(last.n_all // max(1, n))} cells"
    words += "" if is_one else ", each to its own peak"
    words += "" if last.n_values == last.n_all else f", {count_text(last.n_values)} read"
    caption(page, y + HEAD + height, words)
    return []


def _decades(window: tuple[int, int]) -> list[tuple[float, str]]:
    """(share of the width, words) of the powers of ten in a window of bins."""
    low, high = decade_of(window[0]), decade_of(window[1])
    powers = range(int(np.ceil(low)), int(np.floor(high)) + 1)
    return [((p - low) / (high - low), _power(p)) for p in powers]


def _power(p: int) -> str:
    return f"{10.0**p:,.0f}" if 0 <= p <= 4 else f"{10.0**p:g}" if -4 <= p < 0 else f"1e{p}".replace("-", "−")


def weights_ridge_part(page: Page) -> Part | None:
    """The chosen parameter by epoch."""
    parameter = chosen(page)
    if parameter is None or page.state.n_epochs == 0 or not page.facts.run.has_parameter(parameter.id, page.epoch):
        return None
    return Part(HEAD + _height(page, len(shown_epochs(page.state.n_epochs, page.epoch))) + 4, _draw_weights)


def _draw_weights(page: Page, y: float) -> list[Act]:
    parameter, run = chosen(page), page.facts.run
    assert parameter is not None
    epochs = [e for e in shown_epochs(page.state.n_epochs, page.epoch) if run.has_parameter(parameter.id, e)]
    known: list[tuple[int, Histogram]] = []
    for epoch in epochs:
        found: Histogram | None = page.facts.ask("histogram", parameter.id, epoch)
        if found is not None:
            known.append((epoch, found))
    short = parameter.name.rpartition(".")[2]
    head(page, y, f"{short.capitalize()} by epoch" if len(epochs) > 1 else f"{short.capitalize()}, how often",
         "each to its own peak" if len(epochs) > 1 else "")  # fmt: skip
    if not known:
        caption(page, y + HEAD, "…")
        return []
    most, rows = common_ridges([s for _, s in known])
    ticks = [(0.0, number_text(-most)), (0.5, "0"), (1.0, number_text(most))]
    ridges = list(zip([e for e, _ in known], rows, strict=True))
    _ridges(page, y + HEAD, _height(page, len(epochs)), epochs, ridges, ticks)
    return []


def _ridges(
    page: Page, y: float, height: float, epochs: Sequence[int], ridges: Sequence[tuple[int, FloatArray]],
    ticks: list[tuple[float, str]],
) -> None:  # fmt: skip
    """Lines filled with the panel's colour, so that each stands before the one behind it; the shown epoch in accent.

    epochs : all that have a place; ridges : those that are known, with their heights.
    """
    ui, n = page.ui, len(epochs)
    left, width = page.x + LABELS, page.w - LABELS
    pitch = (height - PEAK - AXIS - 8) / max(1, n - 1)
    ids = page.facts.run.epochs
    step = 1 if pitch >= 12 else 5 if n > 5 else max(1, n - 1)
    for epoch, heights in ridges:
        k = epochs.index(epoch)
        base = y + PEAK + k * pitch
        is_on = epoch == page.epoch
        xs = left + np.linspace(0.0, width, len(heights))
        ys = base - heights * PEAK
        points = list(zip(xs.tolist(), ys.tolist(), strict=True))
        ui.area([*points, (left + width, base + 1), (left, base + 1)], "panel")
        share = 0.35 + 0.45 * k / max(1, n - 1)
        ui.curve(points, "accent" if is_on else "text3", 1.8 if is_on else 1.0, 1.0 if is_on else share)
        is_free = page.epoch not in epochs or abs(epochs.index(page.epoch) - k) * pitch >= 11
        if is_on or (k % step == 0 and is_free):
            ui.text(page.x + LABELS - 8, base, f"{ids[epoch].id}", 10, "medium" if is_on else "regular",
                    "accent" if is_on else "text3", "r")  # fmt: skip
    base = y + height - 8 - AXIS
    for share, words in ticks:
        x = left + share * width
        ui.line(x, base + 2, x, base + 5, "text3", alpha=0.7)
        half = ui.type.width(words, 10) / 2
        ui.text(min(max(x, left + half), left + width - half), base + 12, words, 10, "regular", "text3", "c")
