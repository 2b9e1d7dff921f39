"""A on the timeline: the epoch of the same run that is subtracted, as a second handle that one drags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from imgui_bundle import imgui

from nn3d.app.cards import Box
from nn3d.app.ui import Ui
from nn3d.run.run import Run
from nn3d.stage.commands import SetCompare
from nn3d.stage.controls import Act
from nn3d.stage.state import ViewState

NEAR: Final = 14.0


def baseline_handle(
    ui: Ui, run: Run, state: ViewState, plot: Box, x_of: Callable[[float], float], index_of: Callable[[float], float]
) -> list[Act]:
    """Draw the handle, and B's letter over the playhead; nothing without a comparison within the run.

    x_of, index_of : px of an epoch index, and the epoch index at a px. Before the plot's own hit, so that it wins.
    """
    against = state.compare
    if against is None or against.is_other or state.n_epochs < 2:
        return []
    at = min(against.epoch, state.n_epochs - 1)
    x, here = x_of(float(at)), x_of(state.time.epoch)
    pill = Box(x - NEAR, plot.y1 + 4, 2 * NEAR, 22)
    hit = ui.hit("baseline", pill, "A: what is subtracted")
    left, right = min(x, here), max(x, here)
    ui.fill(Box(left, plot.y, right - left, plot.h), "hover", 0)
    ui.line(x, plot.y - 6, x, plot.y1 + 6, "text2", 1.5)
    side = 1.0 if here >= x else -1.0
    ui.text(x - 8 * side, plot.y - 8, "A", 11, "semibold", "text", "c")
    ui.text(here + 8 * side, plot.y - 8, "B", 11, "semibold", "accent", "c")
    if abs(x - here) > 2 * NEAR:
        label = f"{run.epochs[at].id}"
        width = max(26.0, ui.type.width(label, 11, "semibold") + 14.0)
        ui.fill(Box(x - width / 2, plot.y1 + 6, width, 18), "text2", 9)
        ui.text(x, plot.y1 + 15, label, 11, "semibold", "ink", "c")
    goal = min(max(round(index_of(imgui.get_mouse_pos().x)), 0), state.n_epochs - 1)
    return [SetCompare(goal)] if (hit.held or hit.released) and goal != at else []
