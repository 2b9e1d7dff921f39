"""The inspector's card: name and kind at the top, the parts below in a column that scrolls, and a left edge to drag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from imgui_bundle import imgui

from nn3d.app import widgets
from nn3d.app.cards import INSPECTOR, MARGIN, RIGHT, Box, inspector_width
from nn3d.app.facts import Facts
from nn3d.app.panels.inspector.changes import changes_part
from nn3d.app.panels.inspector.curves import curves_part
from nn3d.app.panels.inspector.filter import filter_part
from nn3d.app.panels.inspector.group import group_part
from nn3d.app.panels.inspector.joints import joints_part
from nn3d.app.panels.inspector.maps import maps_part
from nn3d.app.panels.inspector.network import STAGE, colours, notes_part
from nn3d.app.panels.inspector.page import PAD, Page, Part
from nn3d.app.panels.inspector.parameters import parameters_part
from nn3d.app.panels.inspector.ridges import values_ridge_part, weights_ridge_part
from nn3d.app.panels.inspector.rows import attributes_part, rows_part
from nn3d.app.panels.microscope import slide_part, why_part
from nn3d.app.ui import Ui
from nn3d.stage.commands import SetPanels, SetStage
from nn3d.stage.controls import Act, Context, fly_to, tip
from nn3d.stage.frame import Frame, TileLayer
from nn3d.stage.stages import LAST
from nn3d.stage.state import Thing, ViewState

HEAD: Final = 70.0
COLOURS: Final = 2 * STAGE + 4.0
DEEP: Final = 460.0
EDGE: Final = 6.0

# In the order in which they stand; each says None where it has nothing to say.
PARTS: Final[tuple[Callable[[Page], Part | None], ...]] = (
    changes_part, why_part, slide_part, rows_part, joints_part, maps_part, group_part, filter_part, parameters_part,
    values_ridge_part, curves_part, weights_ridge_part, attributes_part, notes_part,
)  # fmt: skip


def inspector_height(ui: Ui, state: ViewState, facts: Facts, frame: Frame) -> float:
    """Height that the content asks for."""
    width = inspector_width(state.panels, float(state.size_px[0]))
    page = _page(ui, state, facts, frame, Context(state, frame), Box(0.0, 0.0, width, 0.0))
    return _head_height(page) + sum(part.height for part in _parts(page)) + PAD


def inspector_panel(ui: Ui, state: ViewState, facts: Facts, frame: Frame, context: Context, box: Box) -> list[Act]:
    """Draw what is selected, or the whole network."""
    page = _page(ui, state, facts, frame, context, box)
    with ui.card("inspector", box):
        acts = _head(page)
        top = _head_height(page)
        body = Box(box.x, box.y + top - 6, box.w, box.h - top + 6 - 1)
        page = replace(page, box=body)
        parts = _parts(page)
        content = 6 + sum(part.height for part in parts) + PAD - 2
        if ui.memory.get("inspected") != page.item:
            ui.memory["inspected"] = page.item
            imgui.set_next_window_scroll(imgui.ImVec2(0.0, 0.0))
        with ui.scroll("body", Box(body.x + EDGE, body.y, body.w - EDGE, body.h), content) as offset:
            if offset > 0:
                ui.line(box.x + 1, body.y, box.x1 - 1, body.y)
            y = body.y + 6 - offset
            for part in parts:
                if page.sees(y, part.height):
                    acts += part.draw(page, y)
                y += part.height
    return acts + _edge(page, box)


def _page(ui: Ui, state: ViewState, facts: Facts, frame: Frame, context: Context, box: Box) -> Page:
    item = -1 if state.selection is None else state.selection.layer
    layer = None if item < 0 else facts.layer(item)
    return Page(ui, state, facts, frame, context, item, layer, None if item < 0 else _tiles(ui, frame, item), box)


def _tiles(ui: Ui, frame: Frame, item: int) -> TileLayer | None:
    """The item's plate with its values, or while these are being read its last ones; None where it is not visible."""
    found = next((t for t in frame.tiles if t.layer == item), None)
    if found is None or found.values is not None:
        ui.memory["inspected plate"] = found
        return found
    last: TileLayer | None = ui.memory.get("inspected plate")
    return last if last is not None and last.layer == item else None


def _parts(page: Page) -> list[Part]:
    return [part for make in PARTS if (part := make(page)) is not None]


def _head_height(page: Page) -> float:
    if page.layer is None:
        return HEAD + COLOURS
    return HEAD + (STAGE if not page.is_group and len(page.facts.stages(page.layer.index)) > 1 else 0.0)


def _head(page: Page) -> list[Act]:
    """Name, kind, buttons; below them colours of the network, or the stages of a layer."""
    ui, box, layer = page.ui, page.box, page.layer
    acts: list[Act] = []
    x = box.x1 - 38
    is_deep = box.w > RIGHT
    words = "Narrower" if is_deep else "Wider"
    if widgets.icon_button(ui, "deep", x, box.y + 10, "minimize-2" if is_deep else "maximize-2", tip=words):
        acts.append(SetPanels(replace(page.state.panels, inspector_w=RIGHT if is_deep else DEEP)))
    if layer is not None:
        x -= 30
        if widgets.icon_button(ui, "focus", x, box.y + 10, "focus", tip=tip("fit the selection")):
            acts += fly_to(page.context, Thing(page.item))
    title = "Network" if layer is None else layer.name
    kind = f"{len(page.facts.run.layers)} layers" if layer is None else layer.kind
    ui.text(page.x, box.y + 24, ui.type.fit(title, x - page.x - 8, 16, "semibold"), 16, "semibold")
    ui.text(page.x, box.y + 45, ui.type.fit(kind, page.w, 11.5), 11.5, token="text2")
    return acts + (colours(page, box.y + HEAD - 7) if layer is None else _stages(page))


def _stages(page: Page) -> list[Act]:
    """After which of its recorded stages the layer is shown."""
    layer, ui = page.layer, page.ui
    labels = () if layer is None or page.is_group else page.facts.stages(layer.index)
    if layer is None or len(labels) < 2:
        return []
    y = page.box.y + HEAD - 7
    ui.text(page.x, y + 14, "Shown after", 12, token="text2")
    pad = widgets.segment_pad(ui, labels, page.w - 84.0)
    x = page.x + page.w - widgets.segment_width(ui, labels, pad=pad)
    on = page.stage if page.stage >= 0 else len(labels) - 1
    pressed = widgets.segments(ui, "stage", x, y, labels, on, pad=pad)
    return [] if pressed is None else [SetStage(layer.index, pressed if pressed < len(labels) - 1 else LAST)]


def _edge(page: Page, box: Box) -> list[Act]:
    """The left edge, which can be dragged; the card follows at once, the picture when it is let go."""
    ui = page.ui
    imgui.begin("inspector")
    imgui.push_clip_rect(imgui.ImVec2(box.x, box.y), imgui.ImVec2(box.x1, box.y1), False)  # the padding counts too
    hit = ui.hit("edge", Box(box.x, box.y, EDGE, box.h))
    imgui.pop_clip_rect()
    imgui.end()
    x = imgui.get_mouse_pos().x
    start: float = ui.memory["resizing from"] if hit.released or (hit.held and ui.memory.get("resizing")) else x
    ui.memory["resizing"], ui.memory["resizing from"] = hit.held, start
    if hit.hovered or hit.held:
        imgui.set_mouse_cursor(imgui.MouseCursor_.resize_ew)
        ui.line(box.x + 1, box.y + 10, box.x + 1, box.y1 - 10, "accent", 2.0)
    if not (hit.held or hit.released) or start == x:
        return []
    width = float(round(min(max(page.state.size_px[0] - MARGIN - x, INSPECTOR[0]), INSPECTOR[1])))
    panels = page.state.panels
    return [] if width == panels.inspector_w else [SetPanels(replace(panels, inspector_w=width))]
