"""Owns where the picture stands between the cards: when they or the layers' goals change, the camera refits."""

from __future__ import annotations

from collections.abc import Hashable

from nn3d.app.cards import Layout, steady
from nn3d.app.fitting import grown
from nn3d.run.run import Run
from nn3d.stage.commands import Command, FlyTo, Resize
from nn3d.stage.controls import Context
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState


class Placing:
    """Remembers what the camera was last fitted to.

    It refits once more when the first picture is complete: names and bars then take the room that they take.
    """

    def __init__(self, run: Run, resident: Resident) -> None:
        self._run, self._resident = run, resident
        self._placed: Hashable = None
        self._is_known = False

    def commands(self, state: ViewState, frame: Frame, layout: Layout, duration_secs: float) -> list[Command]:
        """What brings the picture into the room that the cards leave, in `duration_secs`; [] while it stands there."""
        camera = state.camera
        goals = (state.fold.after, *((v.is_open, v.arrangement) for v in state.layers))
        angles = (camera.yaw_rad, camera.pitch_rad, camera.fov_rad) if camera.fit else None
        if not self._is_known and not frame.missing:
            self._is_known, duration_secs = True, 0.0
        boxes = tuple(steady(layout).boxes.values())
        key = (state.size_px, layout.anchors, boxes, goals, angles, self._is_known)
        if key == self._placed:
            return []
        self._placed = key
        anchors = grown(self._run, state, self._resident, steady(layout)) if camera.fit else layout.anchors
        if anchors == state.anchors:
            return []
        resize = Resize(state.size_px, state.scale, anchors)
        if not camera.fit or duration_secs <= 0.0:
            return [resize]
        return [resize, FlyTo(Context(state, frame).camera, camera, duration_secs)]
