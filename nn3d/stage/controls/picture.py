"""Gestures that change what the picture shows: selection, layers, groups, edges."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from nn3d.stage.commands import (
    Arrange,
    Hide,
    Hover,
    OpenGroup,
    OpenLevel,
    Select,
    SelectAlso,
    SetLevel,
    SetMode,
    SetOpen,
    SetOrder,
    SetPanels,
    SetReach,
    SetSearch,
    SetSelection,
    SetStrength,
    StopSlide,
)
from nn3d.stage.controls.camera import fly_to
from nn3d.stage.controls.common import Acts, Context, Handler
from nn3d.stage.state import LEVELS, MODES, Search, Thing

CYCLE: Final = ("sampled", "top", "exact", "all", "off")


def hover(c: Context) -> Acts:
    """What is under the pointer is named."""
    return () if c.thing == c.state.hover else (Hover(c.thing),)


def select(c: Context) -> Acts:
    """What is under the pointer is selected."""
    return () if c.thing == c.state.selection else (Select(c.thing),)


def select_also(c: Context) -> Acts:
    """What is under the pointer is selected too, or no longer."""
    return () if c.thing is None else (SelectAlso(c.thing.layer),)


def open_or_fly(c: Context) -> Acts:
    """Open or collapse what is under the pointer; fly to a tile of an open layer."""
    thing = c.thing
    if thing is None:
        return ()
    closed, n_layers = closed_group(c, thing), len(c.state.layers)
    if closed is not None:
        return (OpenGroup(closed, True),)
    if thing.layer >= n_layers:
        return (OpenGroup(thing.layer - n_layers, False),)
    is_open = c.state.layers[thing.layer].is_open
    if is_open and thing.tile >= 0:
        return fly_to(c, thing)
    return (SetOpen(thing.layer, not is_open),)


def closed_group(c: Context, thing: Thing) -> int | None:
    """The closed group that stands for a thing in the picture, the outermost; None where the thing itself does."""
    groups, n_layers = c.frame.groups, len(c.state.layers)
    if groups is None:
        return None
    item = groups.shown_as(thing.layer, frozenset(c.state.fold.after))
    is_closed = item >= n_layers and item - n_layers not in c.state.fold.after
    return item - n_layers if is_closed else None


def chosen(c: Context) -> int | None:
    """The item that is selected."""
    return None if c.state.selection is None else c.state.selection.layer


def arrange(arrangement: str) -> Handler:
    """A group has no arrangement of its own."""

    def handler(c: Context) -> Acts:
        item = chosen(c)
        return () if item is not None and item >= len(c.state.layers) else (Arrange(item, arrangement),)

    return handler


def collapse(c: Context) -> Acts:
    """Collapse the selected layer or group, or all layers."""
    item = chosen(c)
    if item is not None and item >= len(c.state.layers):
        return (OpenGroup(item - len(c.state.layers), False),)
    return (SetOpen(item, False),)


def unfold(c: Context) -> Acts:
    """Open the group that stands for the selection, else all groups of the next level."""
    thing, state = c.state.selection, c.state
    if thing is not None:
        closed = closed_group(c, thing)
        return () if closed is None else (OpenGroup(closed, True),)
    left = [d for g, d in enumerate(state.group_depths) if g not in state.fold.after]
    return (OpenLevel(min(left) + 1),) if left else ()


def fold(c: Context) -> Acts:
    """Close the innermost open group around the selection and select it, else all groups of the deepest open level."""
    thing, state, groups = c.state.selection, c.state, c.frame.groups
    if thing is not None and groups is not None:
        n = groups.n_layers
        inside = [thing.layer - n] if thing.layer - n in state.fold.after else groups.around(thing.layer)
        found = next((g for g in inside if g in state.fold.after), None)
        return () if found is None else (OpenGroup(found, False), Select(Thing(n + found)))
    deep = [state.group_depths[g] for g in state.fold.after]
    return (OpenLevel(max(deep)),) if deep else ()


def level(step: int) -> Handler:
    """More or fewer edges."""

    def handler(c: Context) -> Acts:
        at = min(max(LEVELS.index(c.state.edges.level) + step, 0), len(LEVELS) - 1)
        return (SetLevel(LEVELS[at]),)

    return handler


def order(c: Context) -> Acts:
    """The other order of the tiles."""
    return (SetOrder("index" if c.state.order == "flow" else "flow"),)


def strength(step: float) -> Handler:
    """Bundle the strands more or less."""
    return lambda c: (SetStrength(round(c.state.edges.strength_target + step, 2)),)


def mode(c: Context) -> Acts:
    """What an edge shows: the next of the modes."""
    return (SetMode(MODES[(MODES.index(c.state.edges.mode) + 1) % len(MODES)]),)


def selection(c: Context) -> Acts:
    """Which edges are drawn: the next of CYCLE."""
    at = CYCLE.index(c.state.edges.selection)
    return (SetSelection(CYCLE[(at + 1) % len(CYCLE)]),)


def back(c: Context) -> Acts:
    """Close the search, the help, bring the panels back, stop the slide, let go: the first that there is."""
    panels = c.state.panels
    if c.state.search.kind:
        return (SetSearch(Search()), Hover(None))
    if panels.help:
        return (SetPanels(replace(panels, help=False)),)
    if panels.picture_only:
        return (SetPanels(replace(panels, picture_only=False)),)
    if c.state.slide is not None:
        return (StopSlide(),)
    if c.state.hidden:
        return (Hide(()),)
    if c.state.reach:
        return (SetReach(0),)
    return (Select(None),) if c.state.selection is not None else ()
