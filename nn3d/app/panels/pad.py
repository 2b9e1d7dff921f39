"""The drawing pad: a sheet in the input's size, brush and eraser; each stroke is a new input of one's own."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
from imgui_bundle import imgui

from nn3d.app import own_input, widgets
from nn3d.app.cards import Box
from nn3d.app.facts import Facts
from nn3d.app.own_input import Taken
from nn3d.app.panels import pad_text
from nn3d.app.panels.pad_features import features_height, features_pad
from nn3d.app.tints import canvas_texels
from nn3d.app.ui import Ui
from nn3d.run.model import Array
from nn3d.run.own import OwnInput
from nn3d.stage.commands import AddOwn, EditOwn, RemoveOwn, SetPanels, SetWriting
from nn3d.stage.controls import Act, tip
from nn3d.stage.state import ViewState

PAD: Final = 12.0
HEAD: Final = 40.0
FOOT: Final = 92.0
INKS_H: Final = 30.0
SAID: Final = 96.0
TOOLS: Final = ("brush", "eraser")
BRUSH: Final = (0.02, 0.16)
INKS: Final = (
    (255, 255, 255), (0, 0, 0), (128, 128, 128), (204, 48, 40), (236, 140, 40), (240, 214, 70), (70, 150, 60),
    (60, 120, 210), (130, 190, 240), (130, 84, 50),
)  # fmt: skip


def pad_height(ui: Ui, facts: Facts, width: float) -> float:
    """Height of the card in a column of `width`."""
    found = facts.taken
    if found is None or not found.kind:
        return HEAD + SAID
    if found.kind == "tokens":
        return HEAD + pad_text.HEIGHT
    if found.kind == "features":
        return HEAD + features_height(found)
    return HEAD + _sheet(found, Box(0.0, 0.0, width, 0.0)).h + FOOT + (INKS_H if found.shape[0] > 1 else 0.0)


def pad_panel(ui: Ui, state: ViewState, facts: Facts, box: Box) -> list[Act]:
    """Draw the pad, or say why there is none."""
    found = facts.taken
    with ui.card("pad", box):
        ui.text(box.x + PAD, box.y + 20, "Own input", 13, "semibold")
        acts: list[Act] = []
        if widgets.icon_button(ui, "close pad", box.x1 - 36, box.y + 6, "x", tip=tip("own picture, drawing or text")):
            acts += [SetPanels(replace(state.panels, pad=False)), SetWriting(None)]
        if found is None:
            ui.text(box.x + PAD, box.y + HEAD + 16, "Computing recorded samples to compare", 12, token="text2")
            return acts
        if not found.kind:
            _reason(ui, found, box)
            return acts
        if found.vocabulary is not None:
            body = Box(box.x, box.y + HEAD, box.w, box.h - HEAD)
            here = current(state, "tokens")
            return acts + pad_text.text_pad(ui, state, found.vocabulary, facts.run, here, new_name(state), body)
        if found.kind == "features":
            body = Box(box.x, box.y + HEAD, box.w, box.h - HEAD)
            return acts + features_pad(ui, state, found, current(state, "array"), new_name(state), body)
        _, height, width = found.shape
        ui.text(box.x1 - 44, box.y + 20, f"{width} × {height}, {'grey' if found.shape[0] == 1 else 'colour'}", 11,
                token="text3", align="r")  # fmt: skip
        return acts + _drawing(ui, state, found, "" if facts.run.own is None else facts.run.own.error, box)


def _reason(ui: Ui, found: Taken, box: Box) -> None:
    ui.text(box.x + PAD, box.y + HEAD + 12, "This network takes none here:", 12, token="text2")
    words, line, y = found.reason.split(), "", box.y + HEAD + 32
    for word in [*words, ""]:
        longer = f"{line} {word}".strip()
        if word and ui.type.width(longer, 12) <= box.w - 2 * PAD:
            line = longer
            continue
        ui.text(box.x + PAD, y, line, 12)
        line, y = word, y + 18


def _sheet(found: Taken, box: Box) -> Box:
    """The sheet on the card, in the input's proportions; smaller where the card is low."""
    n, height, width = found.shape
    w = box.w - 2 * PAD
    room = box.h - HEAD - FOOT - (INKS_H if n > 1 else 0.0) if box.h > 0.0 else w
    h = max(16.0, min(w, w * height / width, room))
    w = h * width / height
    return Box(box.x + (box.w - w) / 2, box.y + HEAD, w, h)


def current(state: ViewState, kind: str = "picture") -> tuple[int, OwnInput] | None:
    """The drawing or text that is shown, with its number among one's own; None where another sample is."""
    which = state.sample - state.n_recorded
    if not 0 <= which < len(state.own) or state.own[which].arrays[0].kind != kind:
        return None
    return which, state.own[which]


def new_name(state: ViewState) -> str:
    """A name that no input of one's own has yet."""
    names = {own.name for own in state.own}
    return next(f"own {k}" for k in range(1, len(names) + 2) if f"own {k}" not in names)


def _drawing(ui: Ui, state: ViewState, found: Taken, error: str, box: Box) -> list[Act]:
    here = current(state)
    own = here[1] if here is not None else own_input.blank(found, new_name(state))
    sheet, canvas = _sheet(found, box), own_input.canvas_of(own)
    hit = ui.hit("sheet", sheet)
    ui.thumb(("sheet", own.arrays[0], state.theme), lambda: canvas_texels(canvas, state.theme), sheet, 4.0)
    ui.outline(sheet, "line", 4)
    acts: list[Act] = []
    if hit.held or hit.released:
        drawn = _stroke(ui, found, canvas, sheet)
        way = _way(ui, is_over=not hit.held)
        is_new = here is None and not np.array_equal(drawn, canvas)
        is_stroke = not np.array_equal(drawn, canvas) or (hit.released and ui.memory.get("pad stroke", False))
        ui.memory["pad stroke"] = hit.held and (is_stroke or ui.memory.get("pad stroke", False))
        if is_new or (is_stroke and here is not None):
            note = own.note if "drawn" in own.note else f"{own.note}, drawn on"
            acts.append(_changed(here, replace(own_input.with_canvas(own, drawn), note=note), way))
    elif "pad at" in ui.memory:
        del ui.memory["pad at"]
    if hit.hovered or hit.held:
        _ring(ui, found, sheet)
    y = sheet.y1 + 10
    if found.shape[0] > 1:
        _inks(ui, found, box, y)
        y += INKS_H
    _said(ui, found, own.note if here is not None else "Draw here, or drop a picture on the window", error, box, y + 44)
    return acts + _tools(ui, found, (here, own, canvas), box, y)


def _way(ui: Ui, *, is_over: bool) -> str:
    """How a change goes through: while one draws it waits at the input, unless it is to go on at once."""
    if ui.memory.get("pad live", False):
        return "at once"
    return "soon" if is_over else "hold"


def _changed(here: tuple[int, OwnInput] | None, own: OwnInput, way: str) -> Act:
    return AddOwn(own, way) if here is None else EditOwn(here[0], own, way)


def _stroke(ui: Ui, found: Taken, canvas: Array, sheet: Box) -> Array:
    """The canvas after the pointer went along its trail, from where it was in the last frame."""
    _, height, width = found.shape
    before = ui.memory.get("pad at")
    pointer = imgui.get_mouse_pos()
    places = [*([] if before is None else [before]), *(ui.trail or (() if before else ((pointer.x, pointer.y),)))]
    ui.memory["pad at"] = places[-1]
    path = [((x - sheet.x) / sheet.w * width, (y - sheet.y) / sheet.h * height) for x, y in places]
    for ends in pairwise(path if len(path) > 1 else [*path, *path]):
        canvas = own_input.stroked(canvas, ends, _radius(ui, found), _ink(ui, found))
    return canvas


def _radius(ui: Ui, found: Taken) -> float:
    share = float(ui.memory.get("pad brush", 0.2))
    return max(0.85, (BRUSH[0] + (BRUSH[1] - BRUSH[0]) * share) * min(found.shape[1:]))


def _ink(ui: Ui, found: Taken) -> tuple[int, ...]:
    """What the brush leaves: the other end of the greys than the ground, or the chosen colour; the eraser, ground."""
    n, is_dark, is_eraser = found.shape[0], found.ground < 128, ui.memory.get("pad tool", 0) == 1
    if n == 1:
        return (255 * int(is_dark != is_eraser),)
    ink = (found.ground,) * 3 if is_eraser else INKS[_chosen_ink(ui, found)]
    return (*ink, 255)[:n]


def _chosen_ink(ui: Ui, found: Taken) -> int:
    return int(ui.memory.get("pad ink", 0 if found.ground < 128 else 1))


def _inks(ui: Ui, found: Taken, box: Box, y: float) -> None:
    """A row of colours; the chosen one wears a ring."""
    pitch = (box.w - 2 * PAD) / len(INKS)
    for k, ink in enumerate(INKS):
        x = box.x + PAD + (k + 0.5) * pitch
        if ui.hit(f"ink{k}", Box(x - pitch / 2, y, pitch, 24)).clicked:
            ui.memory["pad ink"], ui.memory["pad tool"] = k, 0
        if k == _chosen_ink(ui, found):
            ui.disc(x, y + 12, 11.5, "accent")
            ui.disc(x, y + 12, 9.5, "panel")
        colour = imgui.color_convert_float4_to_u32(imgui.ImVec4(ink[0] / 255, ink[1] / 255, ink[2] / 255, 1.0))
        ui.list.add_circle_filled(imgui.ImVec2(x, y + 12), 8.0, colour, 32)
        ui.list.add_circle(imgui.ImVec2(x, y + 12), 8.0, ui.colour("line"), 32, 1.0)


def _ring(ui: Ui, found: Taken, sheet: Box) -> None:
    """The brush's outline at the pointer."""
    pointer = imgui.get_mouse_pos()
    radius = _radius(ui, found) * sheet.w / found.shape[2]
    ui.list.add_circle(pointer, radius, ui.colour("text3"), 40, 1.0)


def _tools(
    ui: Ui, found: Taken, sheet: tuple[tuple[int, OwnInput] | None, OwnInput, Array], box: Box, y: float
) -> list[Act]:
    here, own, canvas = sheet
    x = box.x + PAD
    chosen = widgets.segments(ui, "pad tool", x, y, TOOLS, int(ui.memory.get("pad tool", 0)), are_icons=True,
                              tips=("Brush", "Eraser"))  # fmt: skip
    if chosen is not None:
        ui.memory["pad tool"] = chosen
    size = widgets.slider(ui, "pad size", x + 82, y + 14, 46, float(ui.memory.get("pad brush", 0.2)), tip="Brush size")
    if size is not None:
        ui.memory["pad brush"] = size
    acts: list[Act] = []
    x = box.x1 - PAD - 5 * 32 + 4
    is_live = bool(ui.memory.get("pad live", False))
    words = "All layers follow while you draw; else a wave runs after each stroke"
    if widgets.icon_button(ui, "pad live", x, y, "activity", is_on=is_live, tip=words):
        ui.memory["pad live"] = not is_live
    if widgets.icon_button(ui, "pad invert", x + 32, y, "contrast", tip="Invert bright and dark"):
        acts.append(_changed(here, own_input.with_canvas(own, 255 - canvas), _way(ui, is_over=True)))
    if widgets.icon_button(ui, "pad centre", x + 64, y, "crosshair", tip="Centre as the recorded pictures are"):
        there = own_input.centred(canvas, found)
        acts.append(_changed(here, own_input.with_canvas(own, there), _way(ui, is_over=True)))
    if widgets.icon_button(ui, "pad clear", x + 96, y, "file-plus", tip="Empty sheet"):
        empty = np.full(found.shape, found.ground, np.uint8)
        acts.append(_changed(here, own_input.with_canvas(replace(own, note="drawn"), empty), _way(ui, is_over=True)))
    if here is not None and widgets.icon_button(ui, "pad remove", x + 128, y, "trash-2", tip="Remove this sample"):
        acts.append(RemoveOwn(here[0]))
    return acts


def _said(ui: Ui, found: Taken, note: str, error: str, box: Box, y: float) -> None:
    """Where the sheet is from, and what computes; or what went wrong while it did."""
    ui.text(box.x + PAD, y, ui.type.fit(note, box.w - 24, 11), 11, token="text2")
    near = f"to {100 * found.error:.1f} %" if found.error >= 0.0005 else "to under 0.1 %"
    words = error or f"Computed in {found.engine}, recorded samples {near}"
    ui.text(box.x + PAD, y + 18, ui.type.fit(words, box.w - 24, 11), 11, token="text2" if error else "text3")
