"""Figures of a layer over all samples, a small curve each by epoch, with the value at the epoch that is shown."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from nn3d.analysis.activity import Moments
from nn3d.app.cards import Box
from nn3d.app.facts import count_text, percent_text
from nn3d.app.panels.inspector.page import HEAD, Page, Part, head, number_text
from nn3d.run.ops import op_of
from nn3d.stage.controls import Act

PLOT: Final = 30.0
MOST_POINTS: Final = 200
GAP: Final = 14.0


def curves_part(page: Page) -> Part | None:
    """Mean, standard deviation, and where values are not signed the shares of zero cells and of dead channels."""
    layer = page.layer
    if layer is None or page.node is None or page.state.n_epochs < 2:
        return None
    if op_of(layer.op).family in ("input", "parameter"):
        return None
    return Part(HEAD + 34 + PLOT + 12, _draw)


def points(n_epochs: int, epoch: int) -> tuple[int, ...]:
    """Epochs that the curves go through: all of up to 200, else 200 of them and the shown one."""
    if n_epochs <= MOST_POINTS:
        return tuple(range(n_epochs))
    return tuple(sorted({*(round(v) for v in np.linspace(0, n_epochs - 1, MOST_POINTS)), epoch}))


def _draw(page: Page, y: float) -> list[Act]:
    node, run = page.node, page.facts.run
    assert node is not None
    known: dict[int, Moments] = {}
    epochs = [e for e in points(page.state.n_epochs, page.epoch) if run.has_values(*node, e)]
    for epoch in epochs:
        found: Moments | None = page.facts.ask("moments", *node, epoch)
        if found is not None:
            known[epoch] = found
    now: Moments | None = page.kept("moments", node, known.get(page.epoch))
    n = len(run.samples)
    head(page, y, "By epoch", f"all {count_text(n)} samples" if n > 1 else "the one sample")
    y += HEAD
    if now is None:
        words = "not stored, and too much to read" if page.facts.knows("moments", *node, page.epoch) else "…"
        page.ui.text(page.x, y + 10, words, 11, token="text3")
        return []
    columns = [("mean", number_text(now.mean), [m.mean for m in known.values()]),
               ("std", number_text(now.std), [m.std for m in known.values()])]  # fmt: skip
    if now.dead >= 0:
        columns.append(("zero cells", percent_text(now.zero_share), [m.zero_share for m in known.values()]))
        if now.n_channels > 1:
            shares = [max(0, m.dead) / m.n_channels for m in known.values()]
            columns.append(("dead maps", percent_text(max(0, now.dead) / now.n_channels), shares))
    width = (page.w - GAP * (len(columns) - 1)) / len(columns)
    for k, (name, value, values) in enumerate(columns):
        _curve(page, Box(page.x + k * (width + GAP), y, width, PLOT), name, value, list(known), values)
    return []


def _curve(page: Page, box: Box, name: str, value: str, epochs: list[int], values: list[float]) -> None:
    """One figure: name, value, and its curve from its least to its largest value."""
    ui = page.ui
    ui.text(box.x, box.y + 8, name, 11, token="text2")
    ui.text(box.x, box.y + 24, value, 12.5, "medium")
    finite = [v for v in values if math.isfinite(v)]
    if len(finite) < 2:
        return
    low, high = min(finite), max(finite)
    last = max(1, page.state.n_epochs - 1)
    top, height = box.y + 38, box.h

    def place(epoch: int, v: float) -> tuple[float, float]:
        share = (v - low) / (high - low) if high > low else 0.5
        return box.x + 3 + (box.w - 6) * epoch / last, top + height - 3 - (height - 6) * share

    line = [place(e, v) for e, v in zip(epochs, values, strict=True) if math.isfinite(v)]
    ui.curve(line, "text3", 1.3)
    if page.epoch in epochs and math.isfinite(values[epochs.index(page.epoch)]):
        ui.disc(*place(page.epoch, values[epochs.index(page.epoch)]), 3.0, "accent")
