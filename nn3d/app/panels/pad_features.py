"""The pad of a network that reads a few numbers: a slider each, over a little more than the recorded range."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from imgui_bundle import imgui

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.own_input import Taken
from nn3d.app.ui import Ui
from nn3d.run.model import FloatArray
from nn3d.run.own import OwnInput, packed, unpacked
from nn3d.stage.commands import AddOwn, EditOwn, RemoveOwn
from nn3d.stage.controls import Act
from nn3d.stage.state import ViewState

PAD: Final = 12.0
ROW: Final = 34.0
FOOT: Final = 46.0


def features_height(found: Taken) -> float:
    """Height of the sliders and the line below them."""
    return ROW * len(found.features) + FOOT


def features_pad(
    ui: Ui, state: ViewState, found: Taken, here: tuple[int, OwnInput] | None, name: str, box: Box
) -> list[Act]:
    """Draw the sliders; moving one makes the numbers on screen an input of one's own. here : the one that is shown."""
    values = _values(state, found, here)
    acts: list[Act] = []
    with ui.scroll("features", Box(box.x, box.y, box.w, box.h - FOOT), ROW * len(values)) as offset:
        for k, feature in enumerate(found.features):
            y = box.y - offset + k * ROW
            ui.text(box.x + PAD, y + 9, ui.type.fit(feature.name, box.w - 110, 12), 12, token="text2")
            ui.text(box.x + box.w - PAD, y + 9, f"{values[k]:.4g}", 12, "medium", align="r")
            span = max(feature.high - feature.low, 1e-12)
            share = min(1.0, max(0.0, (float(values[k]) - feature.low) / span))
            to = widgets.slider(ui, f"feature{k}", box.x + PAD + 8, y + 23, box.w - 2 * PAD - 16, share)
            if to is not None:
                changed = values.copy()
                changed[k] = feature.low + to * span
                is_over = not imgui.is_mouse_down(0)
                if is_over or not np.array_equal(changed, values):
                    acts.append(_changed(found, here, name, changed, "soon" if is_over else "hold"))
    note = here[1].note if here is not None else "The recorded sample: move a slider to try other numbers"
    y = box.y1 - FOOT / 2
    ui.text(box.x + PAD, y, ui.type.fit(note, box.w - 64, 11), 11, token="text2")
    at = box.x1 - PAD - 28, y - 14
    if here is not None and widgets.icon_button(ui, "features remove", *at, "trash-2", tip="Remove this sample"):
        return [RemoveOwn(here[0])]
    return acts


def _values(state: ViewState, found: Taken, here: tuple[int, OwnInput] | None) -> FloatArray:
    if here is not None:
        return np.array(unpacked(here[1].arrays[0]), np.float32).ravel()
    rows = found.recorded
    return np.array(rows[min(state.sample, len(rows) - 1)], np.float32)


def _changed(
    found: Taken, here: tuple[int, OwnInput] | None, name: str, values: FloatArray, way: str
) -> Act:
    array = packed("array", values.reshape(found.shape))
    if here is None:
        return AddOwn(OwnInput(name, (array,), "numbers of your own"), way)
    return EditOwn(here[0], replace(here[1], arrays=(array,)), way)
