"""What a group of layers is made of: its parts with their kinds and shapes, repeats counted; a click selects one."""

from __future__ import annotations

from typing import Final

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.facts import count_text, shape_text
from nn3d.app.panels.inspector.page import HEAD, Page, Part, head
from nn3d.stage.commands import Select
from nn3d.stage.controls import Act
from nn3d.stage.state import Thing

LINE: Final = 24.0


def group_part(page: Page) -> Part | None:
    """The parts of the selected group, None for a layer."""
    group = page.facts.groups.of_item(page.item) if page.item >= 0 else None
    if group is None:
        return None
    return Part(HEAD + LINE * len(page.facts.groups.parts(group.index)) + 10, _draw)


def _draw(page: Page, y: float) -> list[Act]:
    groups = page.facts.groups
    group = groups.of_item(page.item)
    assert group is not None
    n_equal = len(group.equal)
    equal = "" if n_equal < 2 else ", all equal" if n_equal == group.count else f", {n_equal} of them equal"
    parts = groups.parts(group.index)
    head(page, y, "Inside", f"{group.count} × {group.kind}{equal}" if group.count > 1 else f"{len(parts)} parts")
    y += HEAD
    first = max(0, int((page.box.y - y) // LINE))
    last = min(len(parts), int((page.box.y1 - y) // LINE) + 1)
    acts: list[Act] = []
    for k in range(first, last):
        item = parts[k]
        box = Box(page.x - 6, y + k * LINE, page.w + 12, LINE - 2)
        if widgets.row_hit(page.ui, f"part{item}", box, is_on=False).clicked:
            acts.append(Select(Thing(item)))
        _line(page, item, box)
    return acts


def _line(page: Page, item: int, box: Box) -> None:
    """Name, then what it is; parameters, else the shape, at the right."""
    ui, layer, y = page.ui, page.facts.layer(item), box.y + box.h / 2
    name = page.facts.groups.short[item] if page.facts.groups.short else layer.name
    right = f"{count_text(layer.n_params)} params" if layer.n_params else shape_text(layer.shape)
    width = ui.text(page.x + page.w, y, right, 11, "regular", "text3", "r")
    room = page.w - width - 12
    used = ui.text(page.x, y, ui.type.fit(name, room, 12), 12)
    if room - used > 40:
        ui.text(page.x + used + 10, y, ui.type.fit(layer.kind, room - used - 10, 11), 11, token="text2")
