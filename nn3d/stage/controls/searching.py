"""What keys do while the search dialog has the keyboard: edit the text, choose a line, go there, run it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nn3d.stage.commands import Hover, SelectAlso, SetPanels, SetSearch
from nn3d.stage.controls.common import Act, Acts, Context
from nn3d.stage.controls.going import go, open_up
from nn3d.stage.controls.offers import Offer
from nn3d.stage.field import Field, field_of, pressed, typed
from nn3d.stage.finding import Entry, Listing
from nn3d.stage.state import Search, Thing, ViewState

PAGE: Final = 10
MOVES: Final = {"Up": -1, "Down": 1, "PageUp": -PAGE, "PageDown": PAGE}
CLOSE: Final = (SetSearch(Search()), Hover(None))


def chosen_row(search: Search, shown: Listing) -> int:
    """Number of the chosen line; −1 when nothing is listed."""
    return min(search.row, len(shown.found) - 1)


def field_in(search: Search) -> Field:
    """What is typed, as a field."""
    return field_of(search.text, search.caret, search.mark)


def text_typed(c: Context, chars: str) -> Acts:
    """Characters typed or pasted."""
    return _with_field(c.state.search, typed(field_in(c.state.search), chars))


def _with_field(search: Search, field: Field) -> Acts:
    row = search.row if field.text == search.text else 0
    return (SetSearch(replace(search, text=field.text, caret=field.caret, mark=field.mark, row=row)),)


def row_chosen(c: Context, shown: Listing, row: int) -> Acts:
    """Choose a line: what it names lights up in the picture."""
    row = min(max(row, 0), max(0, len(shown.found) - 1))
    return (SetSearch(replace(c.state.search, row=row)), *lit(c.state, shown, row))


def lit(state: ViewState, shown: Listing, row: int) -> tuple[Hover, ...]:
    """Light up what a line names; nothing while nothing is typed or chosen."""
    is_blank = not state.search.text and row == 0
    thing = shown.found[row].entry.thing if row < len(shown.found) and not is_blank else None
    return () if thing == state.hover else (Hover(thing),)


def key_pressed(c: Context, trigger: str, shown: Listing, given: tuple[Offer, ...]) -> Acts | str:
    """What a key does; a trigger of the table (a str) when it stands for a gesture."""
    search = c.state.search
    if trigger in ("Esc", "Ctrl F", "Ctrl P"):
        other = {"Ctrl F": "layers", "Ctrl P": "all"}.get(trigger, search.kind)
        return CLOSE if other == search.kind else (SetSearch(replace(search, kind=other, row=0)), Hover(None))
    row = chosen_row(search, shown)
    if trigger in MOVES and shown.found:
        return row_chosen(c, shown, (row + MOVES[trigger]) % len(shown.found) if abs(MOVES[trigger]) == 1
                          else row + MOVES[trigger])  # fmt: skip
    if trigger in ("Enter", "Tab", "Shift Enter"):
        return taken(c, shown.found[row].entry, given, trigger) if row >= 0 else ()
    field = pressed(field_in(search), trigger)
    return () if field is None else _with_field(search, field)


def taken(c: Context, entry: Entry, given: tuple[Offer, ...], trigger: str = "Enter") -> Acts | str:
    """What taking an entry does: Enter flies there or runs it, Tab opens it; a parameter is shown in the inspector."""
    if entry.fill:
        n = len(entry.fill)
        return (SetSearch(Search("all", entry.fill, n, n)),)
    if entry.trigger:
        return entry.trigger
    if entry.number >= 0:
        return (*CLOSE, given[entry.number].command)
    if entry.thing is None:
        return ()
    if trigger == "Shift Enter":
        return (SelectAlso(entry.thing.layer),)
    shown: Acts = ()
    if entry.parameter >= 0:
        shown = (SetPanels(replace(c.state.panels, inspector=True, tensor=entry.parameter)),)
    return (*CLOSE, *_taken_thing(c, entry.thing, trigger), *shown)


def _taken_thing(c: Context, thing: Thing, trigger: str) -> tuple[Act, ...]:
    return open_up(c, thing) if trigger == "Tab" else go(c, thing)
