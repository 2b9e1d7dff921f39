"""The tree of layers: modules fold with the picture's groups, a click selects, a double click flies there."""

from __future__ import annotations

from typing import Final

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.facts import Facts, TreeRow, icon_of, shape_text
from nn3d.app.ui import Ui
from nn3d.stage.commands import Hover, OpenGroup, Select
from nn3d.stage.controls import Act, Context, fly_to
from nn3d.stage.state import Thing, ViewState

ROW: Final = 24.0
PAD: Final = 8.0
INDENT: Final = 16.0
MOST_UNFOLDED: Final = 40


def visible_rows(ui: Ui, state: ViewState, facts: Facts) -> list[TreeRow]:
    """The rows that no folded module hides."""
    folded = _folded(ui, state, facts)
    if not folded:
        return list(facts.rows)
    rows: list[TreeRow] = []
    shown_depth: int | None = None
    for row in facts.rows:
        if shown_depth is not None and row.depth > shown_depth:
            continue
        shown_depth = row.depth if row.layer < 0 and row.path in folded else None
        rows.append(row)
    return rows


def _folded(ui: Ui, state: ViewState, facts: Facts) -> set[str]:
    """Paths of the folded modules. Groups fold as they do in the picture; other modules of a large network at first."""
    folded: set[str] | None = ui.memory.get("folded")
    if folded is None:
        is_large = len(facts.rows) > MOST_UNFOLDED
        folded = {row.path for row in facts.rows if is_large and row.layer < 0 and row.depth > 0}
        ui.memory["folded"] = folded
    if ui.memory.get("tree fold") != state.fold.after:
        ui.memory["tree fold"] = state.fold.after
        closed = {path for path, group in facts.group_of_path.items() if group not in state.fold.after}
        folded.difference_update(facts.group_of_path)
        folded.update(closed)
    return folded


def _reveal(ui: Ui, state: ViewState, facts: Facts) -> int | None:
    """The selected layer, when another one was selected than in the last frame: its modules are unfolded."""
    layer = None if state.selection is None else state.selection.layer
    if layer is not None and layer >= len(state.layers):
        return None
    if ui.memory.get("tree selection") == layer:
        return None
    ui.memory["tree selection"] = layer
    if layer is None:
        return None
    at = next(k for k, row in enumerate(facts.rows) if row.layer == layer)
    depth = facts.rows[at].depth
    for row in reversed(facts.rows[:at]):
        if row.layer < 0 and row.depth < depth:
            depth = row.depth
            _folded(ui, state, facts).discard(row.path)
    return layer


def tree_height(ui: Ui, state: ViewState, facts: Facts) -> float:
    """Height that the rows ask for."""
    return 2 * PAD + ROW * len(visible_rows(ui, state, facts))


def tree_panel(ui: Ui, state: ViewState, facts: Facts, context: Context, box: Box) -> list[Act]:
    """Draw the rows in view; more than fit scroll, and follow the selection."""
    revealed = _reveal(ui, state, facts)
    rows = visible_rows(ui, state, facts)
    acts: list[Act] = []
    is_hovered = False
    inner = Box(box.x + 6, box.y + PAD, box.w - 12, box.h - 2 * PAD)
    with ui.card("tree", box), ui.scroll("rows", inner, ROW * len(rows)) as offset:
        if revealed is not None:
            y = ROW * next(k for k, row in enumerate(rows) if row.layer == revealed)
            if not offset <= y <= offset + inner.h - ROW:
                widgets.scroll_to(max(0.0, y - inner.h / 2))
        first = int(offset // ROW)
        last = min(len(rows), first + int(inner.h // ROW) + 2)
        bar = 10.0 if ROW * len(rows) > inner.h else 0.0
        for k in range(first, last):
            place = Box(inner.x, inner.y - offset + k * ROW, inner.w - bar, ROW)
            if rows[k].layer < 0:
                acts += _module_row(ui, state, facts, rows[k], place)
            else:
                found, hovers = _layer_row(ui, state, facts, rows[k], place, context)
                acts += found
                is_hovered = is_hovered or hovers
    if ui.memory.get("tree hovers", False) and not is_hovered and state.hover is not None:
        acts.append(Hover(None))
    ui.memory["tree hovers"] = is_hovered
    return acts


def _module_row(ui: Ui, state: ViewState, facts: Facts, row: TreeRow, box: Box) -> list[Act]:
    """A module; a click folds it here, and in the picture where it is a group, with what stands around it."""
    folded, acts = _folded(ui, state, facts), list[Act]()
    is_folded = row.path in folded
    group = facts.group_of_path.get(row.path)
    is_on = group is not None and state.selection == Thing(len(state.layers) + group)
    if widgets.row_hit(ui, f"module {row.path} {box.y}", box, is_on=is_on).clicked:
        folded.symmetric_difference_update({row.path})
        if group is not None:
            around = facts.groups.around(len(state.layers) + group) if is_folded else []
            closed = [g for g in reversed(around) if g not in state.fold.after]
            acts += [OpenGroup(g, True) for g in closed]
            acts.append(OpenGroup(group, is_folded))
    x = box.x + 4 + row.depth * INDENT
    ui.icon(x + 7, box.y + ROW / 2, "chevron-right" if is_folded else "chevron-down", 12, "text3")
    ui.text(x + 18, box.y + ROW / 2, ui.type.fit(row.name, box.x1 - x - 24, 12, "medium"), 12, "medium", "text2")
    return acts


def _layer_row(
    ui: Ui, state: ViewState, facts: Facts, row: TreeRow, box: Box, context: Context
) -> tuple[list[Act], bool]:
    layer = facts.run.layers[row.layer]
    thing = Thing(row.layer)
    is_on = state.selection is not None and state.selection.layer == row.layer
    hit = widgets.row_hit(ui, f"layer {row.layer}", box, is_on=is_on)
    acts: list[Act] = []
    if hit.clicked:
        acts.append(Select(thing))
    if hit.doubled:
        acts += fly_to(context, thing)
    if hit.hovered and state.hover != thing:
        acts.append(Hover(thing))
    x, y = box.x + 4 + row.depth * INDENT, box.y + ROW / 2
    ui.icon(x + 8, y, icon_of(layer), 13, "accent" if is_on else "text3")
    shape = shape_text(layer.shape, wide=False)
    room = box.x1 - 10 - (x + 22)
    width = ui.type.width(shape, 10.5)
    name = ui.type.fit(row.name, max(60.0, room - width - 8), 12.5, "medium")
    used = ui.text(x + 22, y, name, 12.5, "medium" if is_on else "regular", "accent" if is_on else "text")
    if used + width + 8 <= room:
        ui.text(box.x1 - 10, y, shape, 10.5, token="text2" if is_on else "text3", align="r")
    return acts, hit.hovered
