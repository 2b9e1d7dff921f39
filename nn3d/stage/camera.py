"""Camera maths: the only module that knows pyrr. Matrices act on column vectors, row-major float64.

World units u; yaw turns the eye from −x (0) toward +z (90°); pitch lifts it. Screen px are logical, top left origin.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pyrr import matrix44

from nn3d.stage.frame import Frame, View
from nn3d.stage.state import Camera, ViewState, smooth

F64 = NDArray[np.float64]

MIN_DISTANCE = 2.0
MAX_DISTANCE = 20000.0
MAX_PITCH_RAD = math.radians(86.0)
NEAR_SHARE = 0.02
MAX_FIT_STEPS = 60


def direction(camera: Camera) -> F64:
    """Unit vector from the target to the eye."""
    y, p = camera.yaw_rad, camera.pitch_rad
    return np.array([-math.cos(y) * math.cos(p), math.sin(p), math.sin(y) * math.cos(p)])


def view_of(
    camera: Camera,
    size_px: tuple[int, int],
    depth: tuple[float, float] | None = None,
    world_from_bench: F64 | None = None,
) -> View:
    """Matrices of a camera whose target and distance are known. `depth`: nearest and farthest distance to show."""
    target = np.array(camera.target, np.float64)
    eye = target + direction(camera) * camera.distance
    world = np.asarray(matrix44.create_look_at(eye, target, np.array([0.0, 1.0, 0.0])), np.float64).T
    near, far = depth or (camera.distance * 0.1, camera.distance * 4.0)
    near = max(near, camera.distance * NEAR_SHARE, 0.05)
    far = max(far, near * 1.5)
    w, h = size_px
    clip = np.asarray(
        matrix44.create_perspective_projection(math.degrees(camera.fov_rad), w / h, near, far, np.float64), np.float64
    ).T
    px = 2.0 * math.tan(camera.fov_rad / 2.0) / h
    stance = np.eye(3) if world_from_bench is None else world_from_bench
    return View(clip @ world, eye, world[0, :3].copy(), world[1, :3].copy(), camera.distance, near, far, px, stance)


def fitted(camera: Camera, corners: F64, rect: tuple[float, float, float, float], size_px: tuple[int, int]) -> Camera:
    """The camera moved and turned back until the projected `corners` (n, 3) fill `rect` (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = rect
    middle = (corners.min(0) + corners.max(0)) / 2.0
    extent = float(np.linalg.norm(np.ptp(corners, axis=0)))
    now = replace(camera, target=_triple(middle), distance=max(MIN_DISTANCE, extent * 3.0), fit=False)
    for _ in range(MAX_FIT_STEPS):
        view = view_of(now, size_px, (now.distance * 0.01, now.distance * 10.0))
        px = view.project(corners, size_px)
        low, high = px.min(0), px.max(0)
        grow = max((high[0] - low[0]) / max(1.0, x1 - x0), (high[1] - low[1]) / max(1.0, y1 - y0))
        shift = (low + high) / 2.0 - np.array([(x0 + x1) / 2.0, (y0 + y1) / 2.0])
        unit = view.px_per_unit * now.distance
        target = np.array(now.target) + (view.right_world * shift[0] - view.up_world * shift[1]) * unit
        now = replace(now, target=_triple(target), distance=max(MIN_DISTANCE, float(now.distance * grow)))
        if abs(grow - 1.0) < 1e-4 and float(np.abs(shift).max()) < 0.05:
            break
    return now


def resolved(state: ViewState, corners: F64) -> Camera:
    """The camera as it is now: fit computed, flight on its way. `corners` (n, 3): what has to fit."""
    goal = state.camera
    if goal.fit:
        goal = fitted(goal, corners, state.anchors.free, state.size_px)
    if state.flight is None:
        return replace(goal, fit=False)
    start = state.flight.start
    if start.fit:
        start = fitted(start, corners, state.anchors.free, state.size_px)
    return _between(start, goal, smooth(state.flight.progress))


def angles(state: ViewState) -> tuple[float, float]:
    """(yaw, pitch) of the camera as it is now, on its flight: they do not depend on what has to fit."""
    goal, flight = state.camera, state.flight
    if flight is None:
        return goal.yaw_rad, goal.pitch_rad
    now = _between(flight.start, goal, smooth(flight.progress))
    return now.yaw_rad, now.pitch_rad


def _between(a: Camera, b: Camera, t: float) -> Camera:
    def mix(x: float, y: float) -> float:
        return x + (y - x) * t

    target = _triple(np.array(a.target) * (1.0 - t) + np.array(b.target) * t)
    turn = math.remainder(b.yaw_rad - a.yaw_rad, 2.0 * math.pi)
    return Camera(
        yaw_rad=a.yaw_rad + turn * t,
        pitch_rad=mix(a.pitch_rad, b.pitch_rad),
        fov_rad=mix(a.fov_rad, b.fov_rad),
        target=target,
        distance=math.exp(mix(math.log(a.distance), math.log(b.distance))),
        fit=False,
    )


def _triple(v: F64) -> tuple[float, float, float]:
    return float(v[0]), float(v[1]), float(v[2])


def depth_range(corners: F64, camera: Camera) -> tuple[float, float]:
    """Nearest and farthest distance of `corners` (n, 3) along the view direction, with a margin."""
    eye = np.array(camera.target) + direction(camera) * camera.distance
    along = (corners - eye) @ -direction(camera)
    margin = 0.02 * camera.distance + 4.0
    return float(along.min()) - margin, float(along.max()) + margin


def resolve(frame: Frame) -> Camera:
    """The camera that a frame was drawn with, free of fit: the start of every gesture."""
    c = frame.state.camera
    if frame.state.flight is not None:
        c = replace(c, yaw_rad=_yaw(frame.view), pitch_rad=_pitch(frame.view))
    back = np.cross(frame.view.right_world, frame.view.up_world)
    target = frame.view.eye_world - back * frame.view.distance
    return replace(c, target=_triple(target), distance=frame.view.distance, fit=False)


def _pitch(view: View) -> float:
    return math.asin(float(np.clip(np.cross(view.right_world, view.up_world)[1], -1.0, 1.0)))


def _yaw(view: View) -> float:
    back = np.cross(view.right_world, view.up_world)
    return math.atan2(float(back[2]), -float(back[0]))


def orbit(camera: Camera, dyaw_rad: float, dpitch_rad: float) -> Camera:
    """Turned about its target."""
    pitch = min(MAX_PITCH_RAD, max(-MAX_PITCH_RAD / 6.0, camera.pitch_rad + dpitch_rad))
    return replace(camera, yaw_rad=math.remainder(camera.yaw_rad + dyaw_rad, 2.0 * math.pi), pitch_rad=pitch, fit=False)


def pan(camera: Camera, view: View, dx_px: float, dy_px: float) -> Camera:
    """Moved so that what lies at the target's depth follows the pointer by (dx_px, dy_px)."""
    unit = view.px_per_unit * camera.distance
    target = np.array(camera.target) - (view.right_world * dx_px - view.up_world * dy_px) * unit
    return replace(camera, target=_triple(target), fit=False)


def dolly(camera: Camera, view: View, factor: float, at_px: tuple[float, float], size_px: tuple[int, int]) -> Camera:
    """Nearer (factor < 1) or farther, keeping the point under `at_px` (at the target's depth) where it is."""
    distance = min(MAX_DISTANCE, max(MIN_DISTANCE, camera.distance * factor))
    done = 1.0 - distance / camera.distance
    unit = view.px_per_unit * camera.distance
    dx, dy = at_px[0] - size_px[0] / 2.0, at_px[1] - size_px[1] / 2.0
    target = np.array(camera.target) + (view.right_world * dx - view.up_world * dy) * unit * done
    return replace(camera, target=_triple(target), distance=distance, fit=False)


def fly(camera: Camera, view: View, forward_u: float, right_u: float, up_u: float) -> Camera:
    """Eye and target moved together, in world units along the view's own axes."""
    forward = -np.cross(view.right_world, view.up_world)
    step = forward * forward_u + view.right_world * right_u + view.up_world * up_u
    return replace(camera, target=_triple(np.array(camera.target) + step), fit=False)


def fit(camera: Camera) -> Camera:
    """A camera that frames the whole network, at the angles of `camera`."""
    return replace(camera, fit=True)
