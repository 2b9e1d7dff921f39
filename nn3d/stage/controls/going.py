"""Gestures that go to a thing wherever it is: the groups around it open, it is selected, the camera travels there."""

from __future__ import annotations

from dataclasses import replace

from nn3d.stage import apart
from nn3d.stage.commands import Command, FlyTo, OpenGroup, Select, SetOpen, apply
from nn3d.stage.controls.common import Acts, Context
from nn3d.stage.frame import Frame
from nn3d.stage.framing import framed
from nn3d.stage.state import Fold, Thing, ViewState


def reveal(c: Context, thing: Thing) -> tuple[Command, ...]:
    """Open what hides a thing: the groups around it, outermost first, and its layer when it is a tile of it."""
    groups, opened = c.frame.groups, c.state.fold.after
    around = [] if groups is None or not groups.parent else list(reversed(groups.around(thing.layer)))
    out: list[Command] = [OpenGroup(g, True) for g in around if g not in opened]
    if thing.tile >= 0 and thing.layer < len(c.state.layers) and not c.state.layers[thing.layer].is_open:
        out.append(SetOpen(thing.layer, True))
    return tuple(out)


def choose(c: Context, thing: Thing) -> Acts:
    """Open what hides a thing and select it; the camera stays."""
    return (*reveal(c, thing), Select(thing))


def go(c: Context, thing: Thing) -> Acts:
    """Open what hides a thing, select it and fly there."""
    acts = (*reveal(c, thing), Select(thing))
    return (*acts, FlyTo(c.camera, framed(ahead(c, acts), thing)))


def open_up(c: Context, thing: Thing) -> Acts:
    """Open a thing and what hides it, and select it: a group shows its parts, a layer its tiles."""
    n_layers = len(c.state.layers)
    own = OpenGroup(thing.layer - n_layers, True) if thing.layer >= n_layers else SetOpen(thing.layer, True)
    return (*reveal(c, thing), own, Select(thing))


def ahead(c: Context, acts: tuple[Command, ...]) -> Frame:
    """The picture as it will stand after some commands, its motions over; the one on screen where they change none."""
    state = c.state
    for act in acts:
        state = apply(state, act)
    was = c.frame.state
    is_same = (state.fold, state.layers, apart.wanted(state)) == (was.fold, was.layers, apart.wanted(was))
    return c.frame if c.compose is None or is_same else c.compose(settled(state))


def settled(state: ViewState) -> ViewState:
    """The state once opening, folding, rearranging and parting are over; the camera where it is."""
    views = tuple(replace(v, opening=1.0 if v.is_open else 0.0, blend=1.0) for v in state.layers)
    return apart.at_once(replace(state, layers=views, fold=Fold(state.fold.after, state.fold.after)))
