"""The search dialog: one field, and under it the layers, parameters and commands that answer what is typed in it.

Keys reach it through nn3d.stage.controls.searching; here it is drawn, and the pointer is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from imgui_bundle import imgui

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.facts import Facts, icon_of
from nn3d.app.style import DIALOG_ROUNDING
from nn3d.app.ui import Ui
from nn3d.stage.commands import SetSearch
from nn3d.stage.controls import Act, Context, answer
from nn3d.stage.controls.offers import Offer
from nn3d.stage.controls.searching import CLOSE, chosen_row, field_in, row_chosen, taken
from nn3d.stage.finding import HEADS, Entry, Found, Listing, Span
from nn3d.stage.spots import screen_box
from nn3d.stage.state import Search, ViewState

WIDTH: Final = 600.0
TOP: Final = 132.0
FIELD: Final = 54.0
ROW: Final = 34.0
HEAD: Final = 28.0
FOOT: Final = 38.0
MARGIN: Final = 12.0
PAD: Final = 18.0
LIT_PX: Final = 10.0
MOST_ROWS: Final = 11
HINTS: Final = {
    "layers": "A name, a type or a shape: conv 3×3, relu, 64×28×28",
    "all": "Layers, parameters and commands",
}


def search_dialog(ui: Ui, state: ViewState, facts: Facts, context: Context) -> list[Act]:
    """Draw the dialog on its scrim, which leaves the layer of the chosen line bright; a click beside it closes it."""
    shown, given = facts.catalogue.of(state)
    is_new = ui.memory.get("search is up") != state.search.kind
    ui.memory["search is up"] = state.search.kind
    beside = ui.scrim(is_new=is_new, hole=_lit_box(state, context))
    box = _box(ui, shown)
    if is_new:
        imgui.set_next_window_focus()
    acts: list[Act] = []
    with ui.card("search", box, rounding=DIALOG_ROUNDING):
        acts += _field(ui, state.search, shown, Box(box.x, box.y, box.w, FIELD))
        ui.line(box.x, box.y + FIELD, box.x1, box.y + FIELD)
        body = Box(box.x, box.y + FIELD, box.w, box.h - FIELD - FOOT)
        acts += _lines(ui, state, facts, (shown, given), context, body)
        ui.line(box.x, box.y1 - FOOT, box.x1, box.y1 - FOOT)
        _foot(ui, state.search, shown, Box(box.x, box.y1 - FOOT, box.w, FOOT))
    return list(CLOSE) if beside and not acts else acts


def _lit_box(state: ViewState, context: Context) -> Box | None:
    """The part of the picture that the scrim leaves out: what the chosen line names."""
    found = None if state.hover is None else screen_box(context.frame, state.hover.layer)
    if found is None:
        return None
    x0, y0, x1, y1 = found
    return Box(x0 - LIT_PX, y0 - LIT_PX, x1 - x0 + 2 * LIT_PX, y1 - y0 + 2 * LIT_PX)


def _box(ui: Ui, shown: Listing) -> Box:
    w, h = ui.size
    width, y = min(WIDTH, w - 2 * MARGIN), min(TOP, round(h * 0.146))
    rows = min(max(1, len(shown.found)), MOST_ROWS)
    height = FIELD + FOOT + 12 + min(_height(shown), ROW * rows + HEAD * len(shown.totals))
    return Box(round((w - width) / 2) - (40 if w >= 1280 else 0), y, width, min(height, h - y - MARGIN))


def _height(shown: Listing) -> float:
    return max(ROW, ROW * len(shown.found) + HEAD * len(shown.totals))


def _field(ui: Ui, search: Search, shown: Listing, box: Box) -> list[Act]:
    """What is typed, the caret, and how many lines answer. A press puts the caret there."""
    y = box.y + box.h / 2
    ui.icon(box.x + 26, y, "search", 17)
    n = shown.n_found
    said = f"{n:,} found" if search.text or n else ""
    width = ui.text(box.x1 - PAD, y, said, 11.5, token="text2", align="r")
    inner = Box(box.x + 48, box.y + 8, box.w - 48 - PAD - width - 14, box.h - 16)
    acts: list[Act] = []
    field = field_in(search)
    before = ui.type.width(field.text[: field.caret], 16)
    start = inner.x - max(0.0, before - inner.w + 4)
    if ui.hit("field", inner).held:
        at = _caret_at(ui, field.text, imgui.get_mouse_pos().x - start)
        if at != search.caret:
            acts.append(SetSearch(replace(search, caret=at, mark=at)))
    with ui.clip(inner):
        low, high = field.selected
        if low != high:
            left, right = (ui.type.width(field.text[:k], 16) for k in (low, high))
            ui.fill(Box(start + left, y - 11, right - left, 22), "sel", 3)
        ui.text(start, y, field.text or HINTS[search.kind], 16, token="text" if field.text else "text3")
        x = start + before + (0.0 if field.text else -1.0)
        ui.line(x + 1, y - 11, x + 1, y + 11, "accent", 1.5)
    return acts


def _caret_at(ui: Ui, text: str, x: float) -> int:
    """The place in the text nearest to x px from its start."""
    return min(range(len(text) + 1), key=lambda k: abs(ui.type.width(text[:k], 16) - x))


def _lines(
    ui: Ui, state: ViewState, facts: Facts, listed: tuple[Listing, tuple[Offer, ...]], context: Context, body: Box
) -> list[Act]:
    """The lines in view under the heads of their kinds; the list follows the chosen line."""
    shown, given = listed
    if not shown.found:
        ui.text(body.x + PAD, body.y + 6 + ROW / 2, "Nothing answers to this", 12.5, token="text2")
        return []
    row, acts = chosen_row(state.search, shown), list[Act]()
    heads = {k: kind for kind, k in _firsts(shown)}
    inner = Box(body.x, body.y + 4, body.w, body.h - 8)
    with ui.scroll("found", inner, _height(shown)) as offset:
        _follow(ui, state.search, _top(shown, row), offset, inner.h)
        y = inner.y - offset
        for k, found in enumerate(shown.found):
            if k in heads:
                if -HEAD < y - inner.y < inner.h:
                    _head(ui, shown, heads[k], Box(body.x, y, body.w, HEAD))
                y += HEAD
            if -ROW < y - inner.y < inner.h:
                place = Box(body.x + 8, y, body.w - 18, ROW)
                acts += _line(ui, facts, found, place, context, (k == row, shown, given, k))
            y += ROW
    return acts


def _firsts(shown: Listing) -> list[tuple[str, int]]:
    """Kinds with the number of their first line."""
    kinds = [f.entry.kind for f in shown.found]
    return [(kind, kinds.index(kind)) for kind, _ in shown.totals if kind in kinds]


def _top(shown: Listing, row: int) -> float:
    """y of a line from the top of the list, px; the first line of a kind takes its head along."""
    heads = sum(HEAD for _, k in _firsts(shown) if k < row)
    return ROW * row + heads


def _follow(ui: Ui, search: Search, top: float, offset: float, height: float) -> None:
    """Scroll to the chosen line when another one was chosen or something else was typed."""
    key = (search.kind, search.text, search.row)
    if ui.memory.get("search row") == key:
        return
    ui.memory["search row"] = key
    if top < offset:
        widgets.scroll_to(top)
    elif top + ROW + HEAD > offset + height:
        widgets.scroll_to(top + ROW + HEAD - height)


def _head(ui: Ui, shown: Listing, kind: str, box: Box) -> None:
    n_lines = sum(f.entry.kind == kind for f in shown.found)
    total = dict(shown.totals)[kind]
    hint = f"{n_lines} of {total}" if n_lines < total else ""
    widgets.section(ui, box.x + PAD, box.y + box.h / 2 + 2, box.w - 2 * PAD - 6, HEADS[kind], hint)


def _line(
    ui: Ui, facts: Facts, found: Found, box: Box, context: Context, at: tuple[bool, Listing, tuple[Offer, ...], int]
) -> list[Act]:
    is_on, shown, given, k = at
    entry = found.entry
    hit = widgets.row_hit(ui, f"found{k}", box, is_on=is_on)
    y, right = box.y + box.h / 2, box.x1 - 12
    if is_on:
        ui.icon(right - 7, y, "corner-down-left", 14, "text2")
        right -= 26
    right = _figure(ui, found, right, y, is_on=is_on)
    icon = entry.icon or (icon_of(facts.layer(entry.thing.layer)) if entry.thing is not None else "square")
    ui.icon(box.x + 20, y, icon, 14, "accent" if is_on else "text2")
    middle = box.x + 40 + 0.40 * box.w if entry.detail else right - 10
    _spans(ui, box.x + 40, y, (entry.name, found.names), 13, middle - box.x - 52, is_on=True)
    if entry.detail:
        _spans(ui, middle, y, (entry.detail, found.details), 12, right - middle - 12, is_on=False)
    if hit.clicked:
        return _taken(context, entry, given)
    if hit.hovered and ui.moved and not is_on:
        return list(row_chosen(context, shown, k))
    return []


def _taken(context: Context, entry: Entry, given: tuple[Offer, ...]) -> list[Act]:
    acts = taken(context, entry, given)
    if isinstance(acts, str):
        return [*CLOSE, *answer(acts, replace(context, state=replace(context.state, search=Search())))]
    return list(acts)


def _figure(ui: Ui, found: Found, right: float, y: float, *, is_on: bool) -> float:
    """Key caps, or the shape, right-aligned; returns where they begin."""
    for cap in reversed(found.entry.caps):
        right -= widgets.key_cap(ui, right, y, cap, align="r") + 5
    figure = found.entry.figure
    if figure:
        weight = "semibold" if found.by_figure else "medium" if is_on else "regular"
        token = "accent" if found.by_figure else "text" if is_on else "text2"
        right -= ui.text(right, y, figure, 12, weight, token, "r") + 6
    return right


def _spans(
    ui: Ui, x: float, y: float, said: tuple[str, Sequence[Span]], size: float, room: float, *, is_on: bool
) -> None:
    """A line of text whose matched letters are in the accent's SemiBold."""
    text = ui.type.fit(said[0], room, size, "medium")
    plain = "text" if is_on else "text2"
    at = 0
    for low, high in (*said[1], (len(text), len(text))):
        low, high = min(low, len(text)), min(high, len(text))
        x += ui.text(x, y, text[at:low], size, "regular", plain) if low > at else 0.0
        x += ui.text(x, y, text[low:high], size, "semibold", "accent") if high > low else 0.0
        at = max(at, high)


def _foot(ui: Ui, search: Search, shown: Listing, box: Box) -> None:
    """What the keys do with the chosen line."""
    row = chosen_row(search, shown)
    entry = shown.found[row].entry if row >= 0 else None
    hints: list[tuple[str, str]] = []
    if entry is not None and entry.thing is not None:
        what = "open it" if entry.icon == "layers" else "open its maps"
        hints = [("Enter", "fly there"), ("Tab", what), ("Shift Enter", "add to selection")]
    elif entry is not None:
        hints = [("Enter", "choose a value" if entry.fill else "run")]
    x, y = box.x + PAD, box.y + box.h / 2
    for cap, words in (*hints, ("↑ ↓", "choose"), ("Esc", "close")):
        x += widgets.key_cap(ui, x, y, cap) + 8
        x += ui.text(x, y, words, 11, token="text2") + 18
