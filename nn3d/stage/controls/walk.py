"""Gestures that walk through the network by keys; the camera comes along to what would be out of sight."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from nn3d.stage import camera as cameras
from nn3d.stage import walking
from nn3d.stage.commands import Command, FlyTo, OpenGroup, Select, SetOpen
from nn3d.stage.controls.common import Acts, Context, Handler
from nn3d.stage.controls.going import ahead
from nn3d.stage.controls.parting import fly_to_near
from nn3d.stage.controls.requests import Tell
from nn3d.stage.frame import Frame, TileLayer
from nn3d.stage.framing import corners_of, framed
from nn3d.stage.spots import screen_box
from nn3d.stage.state import Thing, ViewState

WALK_SECS: Final = 0.35
LEAST_TILE_PX: Final = 36.0
EDGE_PX: Final = 24.0
Step = Callable[[ViewState, Frame], walking.Way]


def inward(c: Context) -> Acts:
    """Into the selected group, layer, tile."""
    return _walked(c, walking.inward(c.state, c.frame))


def outward(c: Context) -> Acts:
    """Out of the cell, tile, layer, group."""
    return _walked(c, walking.outward(c.state, c.frame))


def along(step: int) -> Handler:
    """On, or back: along the graph, the tiles, the cells."""
    return lambda c: _walked(c, walking.along(c.state, c.frame, step))


def across(step: int) -> Handler:
    """Beside: the next branch, the next row of tiles or cells."""
    return lambda c: _walked(c, walking.across(c.state, c.frame, step))


def _walked(c: Context, way: walking.Way) -> Acts:
    if way.thing is None:
        return ()
    acts: list[Command] = []
    if way.open_group >= 0:
        acts.append(OpenGroup(way.open_group, True))
    if way.close_group >= 0:
        acts.append(OpenGroup(way.close_group, False))
    if way.open_layer >= 0:
        acts.append(SetOpen(way.open_layer, True))
    acts.append(Select(way.thing))
    after = ahead(c, tuple(acts))
    return (*acts, *_followed(c, after, way.thing), Tell(words_of(after, way.thing)))


def _followed(c: Context, after: Frame, thing: Thing) -> tuple[Command, ...]:
    """The camera travels to what is out of sight, and to a tile that is too small to be told from its neighbours."""
    if thing.tile < 0 and c.state.reach:
        if c.state.camera.fit:
            return ()
        return fly_to_near(replace(c, frame=after), (thing.layer,), c.state.reach)
    if thing.tile >= 0:
        plate = walking.plate_of(after, thing.layer)
        if plate is None or thing.tile >= plate.table.size:
            return ()
        px = after.view.project(corners_of(plate, thing.tile), after.state.size_px)
        x0, y0, x1, y1 = (float(v) for v in (*px.min(0), *px.max(0)))
        is_small = max(x1 - x0, y1 - y0) < LEAST_TILE_PX
    else:
        box = screen_box(after, thing.layer)
        if box is None:
            return (FlyTo(c.camera, framed(after, thing), WALK_SECS),)
        (x0, y0, x1, y1), is_small = box, False
    if is_small:
        return (FlyTo(c.camera, framed(after, thing), WALK_SECS),)
    if c.state.camera.fit:
        return ()
    left, top, right, bottom = c.state.anchors.free
    x, y = (x0 + x1) / 2.0, (y0 + y1) / 2.0
    if left - EDGE_PX <= x <= right + EDGE_PX and top - EDGE_PX <= y <= bottom + EDGE_PX:
        return ()
    goal = cameras.pan(cameras.resolve(after), after.view, (left + right) / 2.0 - x, (top + bottom) / 2.0 - y)
    return (FlyTo(c.camera, goal, WALK_SECS),)


def words_of(frame: Frame, thing: Thing) -> str:
    """What is selected, for who does not see it: "conv2, map 3 of 16, row 4, column 5: 0.731"."""
    groups, plate = frame.groups, walking.plate_of(frame, thing.layer)
    name = frame.names[thing.layer] if thing.layer < len(frame.names) else f"{thing.layer}"
    group = None if groups is None else groups.of_item(thing.layer)
    if group is not None:
        return f"{name}, group of {len(group.layers)} layers"
    if plate is None or thing.tile < 0:
        return name
    said = f"{name}, {'map' if plate.cells != (1, 1) else 'unit'} {thing.tile} of {plate.table.size}"
    if thing.row < 0:
        return said
    if plate.cells != (1, 1):
        said += f", row {thing.row}, column {thing.col}"
    return f"{said}: {value_at(plate, frame.epoch_mix, thing)}"


def value_at(plate: TileLayer, mix: float, thing: Thing) -> str:
    """The number that a cell shows, or the three of a colour picture."""
    if plate.values is None:
        return "not read yet"
    where = (slice(None) if plate.lut == "rgb" else thing.tile, thing.row, thing.col)
    first, then = (np.atleast_1d(v.cells[where]) for v in plate.values)
    mixed = first if mix == 0.0 else first * (1.0 - mix) + then * mix
    return " ".join(f"{float(v):.6g}".replace("-", "−") for v in mixed)
