"""Gestures that move the camera."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np

from nn3d.stage import camera as cameras
from nn3d.stage.apart import chosen_items
from nn3d.stage.commands import FlyTo, SetCamera
from nn3d.stage.controls.common import Acts, Context, Handler
from nn3d.stage.framing import corners_of, framed
from nn3d.stage.spots import plates_of
from nn3d.stage.state import Thing

RAD_PER_PX: Final = math.radians(0.28)
WHEEL_FACTOR: Final = 0.88
FLY_SHARE: Final = 0.12
FLY_SECS: Final = 0.25


def turn(c: Context) -> Acts:
    """Turn round the target."""
    dx, dy = c.delta_px
    return (SetCamera(cameras.orbit(c.camera, -dx * RAD_PER_PX, dy * RAD_PER_PX)),)


def move(c: Context) -> Acts:
    """Move along the screen."""
    return (SetCamera(cameras.pan(c.camera, c.frame.view, *c.delta_px)),)


def nearer(c: Context) -> Acts:
    """Come nearer to what is under the pointer, or go away from it."""
    factor = WHEEL_FACTOR**c.wheel
    return (SetCamera(cameras.dolly(c.camera, c.frame.view, factor, c.at_px, c.state.size_px)),)


def fly(forward: float, right: float) -> Handler:
    """A step forward and to the right, as shares of FLY_SHARE of the distance."""

    def handler(c: Context) -> Acts:
        start = c.camera
        goal = start if c.state.camera.fit else c.state.camera
        step = FLY_SHARE * goal.distance
        return (FlyTo(start, cameras.fly(goal, c.frame.view, forward * step, right * step, 0.0), FLY_SECS),)

    return handler


def fit(c: Context) -> Acts:
    """Show the whole network."""
    return (FlyTo(c.camera, cameras.fit(c.state.camera)),)


def fit_selection(c: Context) -> Acts:
    """Show the selection as large as it fits."""
    thing = c.state.selection
    if thing is not None and c.state.also:
        plates = [t for item in chosen_items(c.state) for t in plates_of(c.frame, item)]
        corners = np.concatenate([corners_of(t) for t in plates]) @ c.frame.view.world_from_bench.T
        now = replace(cameras.resolve(c.frame), fit=False)
        return (FlyTo(c.camera, cameras.fitted(now, corners, c.state.anchors.free, c.state.size_px)),)
    return fit(c) if thing is None else fly_to(c, thing)


def fly_to(c: Context, thing: Thing) -> Acts:
    """Let the camera travel to a layer, or to one of its tiles."""
    return (FlyTo(c.camera, framed(c.frame, thing)),)
