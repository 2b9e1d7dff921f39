"""From where a plate is seen: how much of its face other plates hide, and the angles at which least is hidden.

Bench space, u, for views from the front and level, where it is the world (nn3d.stage.stance).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.stage import camera as cameras
from nn3d.stage.frame import TileLayer
from nn3d.stage.reference import ease, half_thickness, tile_places
from nn3d.stage.state import Camera

F64 = NDArray[np.float64]

SAMPLES: Final = 9
FREE: Final = 0.985
# Angles that are tried, from the wanted ones: yaw and pitch in degrees, nearest first.
TURNS: Final = (0.0, -10.0, 10.0, -20.0, 20.0, -30.0)
LIFTS: Final = (0.0, 8.0, -8.0)
YAW_RANGE_RAD: Final = (math.radians(8.0), math.radians(66.0))
PITCH_RANGE_RAD: Final = (math.radians(1.0), math.radians(24.0))


def clear(camera: Camera, place: Callable[[Camera], Camera], face: F64, others: list[TileLayer]) -> Camera:
    """`place(camera)`, turned as little as needed so that nothing stands in front of a face; else what hides least.

    place : moves a camera of given angles to where it frames the face. face : (4, 3) corners. others : may hide it.
    Turned are only cameras that look from the front.
    """
    first = place(camera)
    if abs(camera.yaw_rad) > math.pi / 2.0 or not others:
        return first
    best, least = first, hidden(first, face, others)
    for turn, lift in ((t, p) for p in LIFTS for t in TURNS):
        if least <= 1.0 - FREE:
            return best
        yaw = math.copysign(_within(abs(camera.yaw_rad) + math.radians(turn), YAW_RANGE_RAD), camera.yaw_rad)
        pitch = _within(camera.pitch_rad + math.radians(lift), PITCH_RANGE_RAD)
        tried = place(replace(camera, yaw_rad=yaw, pitch_rad=pitch))
        share = hidden(tried, face, others)
        if share < least - 1e-9:
            best, least = tried, share
    return best


def _within(value: float, span: tuple[float, float]) -> float:
    return min(span[1], max(span[0], value))


def hidden(camera: Camera, face: F64, others: list[TileLayer]) -> float:
    """Share of a face (corners (4, 3): a, b, c, d around it) that plates hide from a camera with a known place."""
    u, v = (a.ravel() for a in np.meshgrid(*[(np.arange(SAMPLES) + 0.5) / SAMPLES] * 2))
    points = face[0] + u[:, None] * (face[1] - face[0]) + v[:, None] * (face[3] - face[0])
    eye = np.array(camera.target) + cameras.direction(camera) * camera.distance
    covered = np.zeros(len(points), np.bool_)
    for layer in others:
        covered |= _covers(layer, eye, points)
    return float(covered.mean())


def _covers(layer: TileLayer, eye: F64, points: F64) -> NDArray[np.bool_]:
    """(n,) whether a plate stands between the eye and each point."""
    deep = float(half_thickness(layer, ease(layer.opening)))
    covered = np.zeros(len(points), np.bool_)
    for x in (layer.x - deep, layer.x + deep):
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (x - eye[0]) / (points[:, 0] - eye[0])
            at = eye[1:] + share[:, None] * (points[:, 1:] - eye[1:])
        half = np.array(layer.block_half)
        meets = (share > 0.0) & (share < 1.0 - 1e-6) & (np.abs(at - (layer.y, 0.0)) < half).all(1)
        found = np.flatnonzero(meets & ~covered)
        if found.size and layer.opening > 0.0:
            centres, halves = tile_places(layer)
            apart = np.abs(at[found, None, :] - centres[None, :, 1:])
            found = found[(apart < halves[None]).all(2).any(1)]
        covered[found] = True
    return covered
