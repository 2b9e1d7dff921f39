"""The tree of layers, in step with the picture: folded, hovered and selected alike.

Modules fold with the picture's groups. A click selects, a double click flies there; a click on a layer's icon opens or
collapses it.
"""

from __future__ import annotations

from typing import Final

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.facts import Facts, TreeRow, icon_of, shape_text
from nn3d.app.ui import Ui
from nn3d.stage.apart import chosen_items
from nn3d.stage.commands import Hover, OpenGroup, Select, SetOpen, SetSearch
from nn3d.stage.controls import Act, Context, tip
from nn3d.stage.controls.going import go
from nn3d.stage.state import Search, Thing, ViewState

ROW: Final = 24.0
PAD: Final = 8.0
INDENT: Final = 16.0
MOST_UNFOLDED: Final = 40
FIND: Final = 30.0
ICON: Final = 22.0


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


def _row_of(state: ViewState, facts: Facts, item: int) -> int | None:
    """Number of the row that an item has in the whole tree; None for a group without a module."""
    n = len(state.layers)
    if item < n:
        return next((k for k, row in enumerate(facts.rows) if row.layer == item), None)
    paths = (k for k, row in enumerate(facts.rows) if row.layer < 0 and facts.group_of_path.get(row.path) == item - n)
    return next(paths, None)


def _reveal(ui: Ui, state: ViewState, facts: Facts) -> TreeRow | None:
    """The selected row, when another one was selected than in the last frame: the modules around it are unfolded."""
    item = None if state.selection is None else state.selection.layer
    if ui.memory.get("tree selection") == item:
        return None
    ui.memory["tree selection"] = item
    at = None if item is None else _row_of(state, facts, item)
    if at is None:
        return None
    depth = facts.rows[at].depth
    for row in reversed(facts.rows[:at]):
        if row.layer < 0 and row.depth < depth:
            depth = row.depth
            _folded(ui, state, facts).discard(row.path)
    return facts.rows[at]


def tree_height(ui: Ui, state: ViewState, facts: Facts) -> float:
    """Height that the field and the rows ask for."""
    return 2 * PAD + FIND + PAD + ROW * len(visible_rows(ui, state, facts))


def tree_panel(ui: Ui, state: ViewState, facts: Facts, context: Context, box: Box) -> list[Act]:
    """Draw the rows in view; more than fit scroll, and follow the selection."""
    revealed = _reveal(ui, state, facts)
    rows = visible_rows(ui, state, facts)
    acts: list[Act] = []
    is_hovered = False
    top = PAD + FIND + PAD
    inner = Box(box.x + 6, box.y + top, box.w - 12, box.h - top - PAD)
    with ui.card("tree", box):
        acts += _find_field(ui, Box(box.x + PAD, box.y + PAD, box.w - 2 * PAD, FIND))
        found, is_hovered = _rows(ui, state, facts, context, (rows, revealed), inner)
    acts += found
    if ui.memory.get("tree hovers", False) and not is_hovered and state.hover is not None:
        acts.append(Hover(None))
    ui.memory["tree hovers"] = is_hovered
    return acts


def _find_field(ui: Ui, box: Box) -> list[Act]:
    """What looks like the field of the search dialog, and opens it."""
    hit = ui.hit("find", box, tip("find a layer"))
    ui.fill(box, "well", 7)
    if hit.hovered:
        ui.fill(box, "hover", 7)
    y = box.y + box.h / 2
    ui.icon(box.x + 15, y, "search", 13, "text3")
    ui.text(box.x + 28, y, "Find a layer", 12, token="text3")
    ui.text(box.x1 - 10, y, "Ctrl F", 10.5, token="text3", align="r")
    return [SetSearch(Search("layers"))] if hit.clicked else []


def _rows(
    ui: Ui, state: ViewState, facts: Facts, context: Context, given: tuple[list[TreeRow], TreeRow | None], inner: Box
) -> tuple[list[Act], bool]:
    """Draw the rows in view; also whether one of them is hovered."""
    (rows, revealed), acts, is_hovered = given, list[Act](), False
    with ui.scroll("rows", inner, ROW * len(rows)) as offset:
        if revealed is not None:
            y = ROW * rows.index(revealed)
            if not offset <= y <= offset + inner.h - ROW:
                widgets.scroll_to(max(0.0, y - inner.h / 2))
        first = int(offset // ROW)
        last = min(len(rows), first + int(inner.h // ROW) + 2)
        bar = 10.0 if ROW * len(rows) > inner.h else 0.0
        for k in range(first, last):
            place = Box(inner.x, inner.y - offset + k * ROW, inner.w - bar, ROW)
            draw = _module_row if rows[k].layer < 0 else _layer_row
            found, hovers = draw(ui, state, facts, rows[k], place, context)
            acts += found
            is_hovered = is_hovered or hovers
    return acts, is_hovered


def _is_lit(state: ViewState, item: int | None) -> bool:
    """Whether the pointer is on an item in the picture."""
    return item is not None and state.hover is not None and state.hover.layer == item


def _module_row(
    ui: Ui, state: ViewState, facts: Facts, row: TreeRow, box: Box, context: Context
) -> tuple[list[Act], bool]:
    """A module; a click folds it here, and in the picture where it is a group, with what stands around it.

    A group that is closed so is selected, as its block stands for it.
    """
    folded, acts = _folded(ui, state, facts), list[Act]()
    is_folded = row.path in folded
    group = facts.group_of_path.get(row.path)
    item = None if group is None else len(state.layers) + group
    is_on = item is not None and (state.selection == Thing(item) or item in state.also)
    hit = widgets.row_hit(ui, f"module {row.path} {box.y}", box, is_on=is_on)
    if _is_lit(state, item) and not hit.hovered:
        ui.fill(box, "hover")
    if hit.clicked:
        folded.symmetric_difference_update({row.path})
        if group is not None and item is not None:
            around = facts.groups.around(item) if is_folded else []
            closed = [g for g in reversed(around) if g not in state.fold.after]
            acts += [OpenGroup(g, True) for g in closed]
            acts.append(OpenGroup(group, is_folded))
            acts += [] if is_folded else [Select(Thing(item))]
    if hit.hovered and item is not None and state.hover != Thing(item):
        acts.append(Hover(Thing(item)))
    x = box.x + 4 + row.depth * INDENT
    ui.icon(x + 7, box.y + ROW / 2, "chevron-right" if is_folded else "chevron-down", 12, "text3")
    token = "accent" if is_on else "text2"
    ui.text(x + 18, box.y + ROW / 2, ui.type.fit(row.name, box.x1 - x - 24, 12, "medium"), 12, "medium", token)
    return acts, hit.hovered


def _layer_row(
    ui: Ui, state: ViewState, facts: Facts, row: TreeRow, box: Box, context: Context
) -> tuple[list[Act], bool]:
    layer = facts.run.layers[row.layer]
    thing = Thing(row.layer)
    is_on = row.layer in chosen_items(state)
    x, y = box.x + 4 + row.depth * INDENT, box.y + ROW / 2
    is_open = state.layers[row.layer].is_open
    icon = ui.hit(f"icon {row.layer}", Box(x - 3, box.y, ICON, ROW), "Collapse" if is_open else "Open its maps")
    rest = Box(x - 3 + ICON, box.y, box.x1 - x + 3 - ICON, ROW)
    hit = ui.hit(f"layer {row.layer}", rest)
    is_hovered = hit.hovered or icon.hovered
    if is_on or is_hovered or _is_lit(state, row.layer):
        ui.fill(box, "sel" if is_on else "hover")
    acts: list[Act] = []
    if icon.clicked:
        acts.append(SetOpen(row.layer, not is_open))
    if hit.clicked:
        acts.append(Select(thing))
    if hit.doubled:
        acts += go(context, thing)
    if is_hovered and state.hover != thing:
        acts.append(Hover(thing))
    ui.icon(x + 8, y, icon_of(layer), 13, "accent" if is_on else "text2" if is_open else "text3")
    if not is_open:
        ui.line(x + 1, y + 7, x + 15, y + 7, "text3", 1.0)
    n_odd = facts.health.n_odd(round(state.time.epoch)).get(row.layer, 0) if state.n_epochs else 0
    shape = f"{n_odd:,}" if n_odd else shape_text(layer.shape, wide=False)
    if n_odd:
        ui.icon(box.x1 - 16, y, "triangle-alert", 13, "nonfinite")
        box = Box(box.x, box.y, box.w - 18, box.h)
    room = box.x1 - 10 - (x + 22)
    width = ui.type.width(shape, 10.5)
    name = ui.type.fit(row.name, max(60.0, room - width - 8), 12.5, "medium")
    used = ui.text(x + 22, y, name, 12.5, "medium" if is_on else "regular", "accent" if is_on else "text")
    if used + width + 8 <= room:
        token = "nonfinite" if n_odd else "text2" if is_on else "text3"
        ui.text(box.x1 - 10, y, shape, 10.5, token=token, align="r")
    return acts, is_hovered
