"""The three cards of the toolbar: file (left), view (centred), actions (right)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nn3d.app import widgets
from nn3d.app.cards import Layout
from nn3d.app.ui import Ui
from nn3d.stage.commands import (
    Arrange,
    OpenGroup,
    SetLevel,
    SetMode,
    SetOpen,
    SetOrder,
    SetPanels,
    SetStrength,
    SetTheme,
)
from nn3d.stage.controls import Act, SavePicture, key_tip, tip
from nn3d.stage.state import ARRANGEMENTS, LEVELS, MODES, ViewState

_ARRANGE_ICONS: Final = ("square", "ellipsis", "circle", "grid-3x3")
_ARRANGE_TIPS: Final = tuple(key_tip(key) for key in "CLOG")
_LEVEL_TIPS: Final = (
    "One rope a pair of layers",
    "One strand a pair of maps",
    "The kernel over the input map",
    "Every cell to its own patch",
)
ACTIONS_W: Final = 12.0 + 5 * 28.0 + 4 * 2.0
_SLIDER_W: Final = 80.0


def file_width(ui: Ui, title: str, subtitle: str) -> float:
    """Width of the file card, at most 360 px."""
    width = ui.type.width(title, 13, "semibold") + ui.type.width(subtitle, 11)
    return min(360.0, 44.0 + round(width) + (9 if subtitle else 0) + 16.0)


def view_widths(ui: Ui) -> tuple[float, ...]:
    """Widths of the view card: with all, without labels, without the slider, without "by"."""
    arrange = widgets.segment_width(ui, _ARRANGE_ICONS, are_icons=True)
    level = widgets.segment_width(ui, [v.capitalize() for v in LEVELS])
    mode = widgets.segment_width(ui, [v.capitalize() for v in MODES])
    labels = 42.0 + 20.0 + 58.0
    bare = 12.0 + arrange + 14.0 + level
    slider = 24.0 + _SLIDER_W + 40.0
    return bare + 14.0 + mode + slider + labels, bare + 14.0 + mode + slider, bare + 14.0 + mode, bare


def toolbar_panel(ui: Ui, state: ViewState, layout: Layout, title: str, subtitle: str) -> list[Act]:
    """Draw the open cards of the toolbar."""
    acts = _file_card(ui, state, layout, title, subtitle)
    if "view" in layout.boxes:
        acts += _view_card(ui, state, layout)
    return acts + _actions_card(ui, state, layout)


def _file_card(ui: Ui, state: ViewState, layout: Layout, title: str, subtitle: str) -> list[Act]:
    box = layout.boxes["file"]
    acts: list[Act] = []
    with ui.card("file", box):
        panels = state.panels
        if widgets.icon_button(ui, "tree", box.x + 6, box.y + 6, "panel-left", tip=tip("tree of layers"),
                               is_on=panels.tree):  # fmt: skip
            acts.append(SetPanels(replace(panels, tree=not panels.tree)))
        room = box.w - 42.0 - 12.0
        shown = ui.type.fit(title, room, 13, "semibold")
        width = ui.text(box.x + 42, box.y + 20, shown, 13, "semibold")
        rest = ui.type.fit(subtitle, room - width - 9, 11) if room - width > 40 else ""
        ui.text(box.x + 42 + width + 9, box.y + 20, rest, 11, token="text2")
    return acts


def _view_card(ui: Ui, state: ViewState, layout: Layout) -> list[Act]:
    box, step = layout.boxes["view"], layout.view_step
    acts: list[Act] = []
    with ui.card("view", box):
        x, y = box.x + 6, box.y + 6
        layer = state.selection.layer if state.selection is not None else None
        pressed = widgets.segments(
            ui, "arrange", x, y, _ARRANGE_ICONS, _arrangement(state, layer), are_icons=True, tips=_ARRANGE_TIPS
        )
        is_group = layer is not None and layer >= len(state.layers)
        if pressed == 0 and layer is not None and is_group:
            acts.append(OpenGroup(layer - len(state.layers), False))
        elif pressed is not None and not is_group:
            acts.append(SetOpen(layer, False) if pressed == 0 else Arrange(layer, ARRANGEMENTS[pressed - 1]))
        x += widgets.segment_width(ui, _ARRANGE_ICONS, are_icons=True) + 14
        x = _label(ui, x, y, "Edges", 42.0, step)
        labels = [v.capitalize() for v in LEVELS]
        pressed = widgets.segments(ui, "level", x, y, labels, LEVELS.index(state.edges.level), tips=_LEVEL_TIPS)
        if pressed is not None:
            acts.append(SetLevel(LEVELS[pressed]))
        x += widgets.segment_width(ui, labels) + 14
        if step <= 2:
            acts += _by_and_strength(ui, state, x, y, step)
    return acts


def _by_and_strength(ui: Ui, state: ViewState, x: float, y: float, step: int) -> list[Act]:
    acts: list[Act] = []
    x = _label(ui, x, y, "by", 20.0, step)
    labels = [v.capitalize() for v in MODES]
    pressed = widgets.segments(ui, "mode", x, y, labels, MODES.index(state.edges.mode))
    if pressed is not None:
        acts.append(SetMode(MODES[pressed]))
    if step <= 1:
        x = _label(ui, x + widgets.segment_width(ui, labels) + 20, y, "Strength", 58.0, step)
        value = state.edges.strength_target
        moved = widgets.slider(ui, "strength", x, y + 14, _SLIDER_W, value, tip=tip("strength of the strands"))
        ui.text(x + _SLIDER_W + 38, y + 14, f"{value:.2f}", 12, "medium", align="r")
        if moved is not None and abs(moved - value) > 1e-3:
            acts.append(SetStrength(round(moved, 2), at_once=True))
    return acts


def _label(ui: Ui, x: float, y: float, text: str, width: float, step: int) -> float:
    if step > 0:
        return x
    ui.text(x, y + 14, text, 11, token="text3")
    return x + width


def _arrangement(state: ViewState, layer: int | None) -> int:
    """The arrangement that the layer, or all layers, stand in; −1 when they differ."""
    views = state.layers if layer is None else state.layers[layer : layer + 1]
    stands = {ARRANGEMENTS.index(v.arrangement) + 1 if v.is_open else 0 for v in views}
    return stands.pop() if len(stands) == 1 else -1


def _actions_card(ui: Ui, state: ViewState, layout: Layout) -> list[Act]:
    box, panels, is_dark = layout.boxes["actions"], state.panels, state.theme == "dark"
    acts: list[Act] = []
    with ui.card("actions", box):
        x, y = box.x + 6, box.y + 6
        by_flow = state.order == "flow"
        if widgets.icon_button(ui, "order", x, y, "shuffle", tip=tip("tiles by index or by flow"), is_on=by_flow):
            acts.append(SetOrder("index" if by_flow else "flow"))
        if widgets.icon_button(ui, "theme", x + 30, y, "sun" if is_dark else "moon", tip=tip("dark or light")):
            acts.append(SetTheme("light" if is_dark else "dark"))
        if widgets.icon_button(ui, "png", x + 60, y, "camera", tip=tip("save a PNG")):
            acts.append(SavePicture())
        if widgets.icon_button(ui, "help", x + 90, y, "circle-question-mark", tip=tip("mouse and keys")):
            acts.append(SetPanels(replace(panels, help=not panels.help)))
        if widgets.icon_button(ui, "inspector", x + 120, y, "panel-right", tip=tip("inspector"),
                               is_on=panels.inspector):  # fmt: skip
            acts.append(SetPanels(replace(panels, inspector=not panels.inspector)))
    return acts
