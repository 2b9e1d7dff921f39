"""How plates turn and lean toward the reader: one linear map from the bench, where networks lie, to the world.

Bench space is where layers, tiles and strands have their places: x along the network, y up, z across. The world is what
the camera sees. From the front and level the two are the same; from above the plates turn and lean like heliostats,
seen nearly edge-on they turn, and seen from behind they have turned right round, so that columns still read from left
to right. Angles are radians. The same map stands in shaders/include/stance.glsl.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.camera import angles
from nn3d.stage.state import Camera, ViewState, smooth

F64 = NDArray[np.float64]

LOW_PITCH_RAD: Final = math.radians(25.0)
HIGH_PITCH_RAD: Final = math.radians(60.0)
TURN_RAD: Final = math.radians(43.0)
LEAN_RAD: Final = math.radians(42.0)
LEVEL_YAW_RAD: Final = math.radians(35.0)  # seen from above, plates are turned until the reader is this far off
STEEP_YAW_RAD: Final = math.radians(68.0)  # plates are not seen at a steeper angle than this
SWING_RAD: Final = math.radians(25.0)
GAP_ABOVE: Final = 0.32
GAP_BEHIND: Final = 0.5
RAIL_ABOVE: Final = 11.0


def height_share(state: ViewState) -> float:
    """0 up to a pitch of 25°, 1 from 60°, linear between."""
    pitch = angles(state)[1]
    return min(1.0, max(0.0, (pitch - LOW_PITCH_RAD) / (HIGH_PITCH_RAD - LOW_PITCH_RAD)))


def behind_share(state: ViewState) -> float:
    """0 from the front, 1 from behind, eased between: how far the ends of strands have swapped."""
    return smooth((1.0 - state.facing) / 2.0)


def turn_and_lean(state: ViewState) -> tuple[float, float]:
    """(turn about the post, lean backward) of every plate."""
    yaw, _ = angles(state)
    share = height_share(state)
    aside = abs(math.remainder(yaw, 2.0 * math.pi))
    aside = aside if state.facing > 0.0 else math.pi - aside
    above = share * min(TURN_RAD, max(0.0, aside - LEVEL_YAW_RAD))
    turn = max(above, aside - STEEP_YAW_RAD, 0.0)
    behind = behind_share(state)
    return behind * math.pi + (1.0 - 2.0 * behind) * state.side * turn, share * LEAN_RAD


def world_from_bench(state: ViewState) -> F64:
    """(3, 3) matrix on column vectors: x stays, y leans, z turns. Exactly the identity from the front and level."""
    turn, lean = turn_and_lean(state)
    out = np.eye(3)
    if turn or lean:
        out[:, 1] = math.sin(lean) * math.cos(turn), math.cos(lean), -math.sin(lean) * math.sin(turn)
        out[:, 2] = math.sin(turn), 0.0, math.cos(turn)
    return out


def swung(camera: Camera) -> Camera:
    """The camera with the bench swung toward the side, as a view from above wants it: up to 25° at a pitch of 60°."""
    share = min(1.0, max(0.0, (camera.pitch_rad - LOW_PITCH_RAD) / (HIGH_PITCH_RAD - LOW_PITCH_RAD)))
    return replace(camera, yaw_rad=camera.yaw_rad + share * SWING_RAD)


def words(state: ViewState) -> list[str]:
    """What the line under the picture says of plates that do not stand as they lie on the bench."""
    turn, lean = turn_and_lean(state)
    behind = state.facing < 0.0
    off = round(math.degrees(abs(turn - math.pi if behind else turn)))
    tilt = round(math.degrees(lean))
    how = [f"turn {off}°"] * (off > 0) + [f"lean {tilt}°"] * (tilt > 0)
    said = f"plates {' and '.join(how)} to the reader" if how else ""
    if not behind:
        return [said] if said else []
    return [f"seen from behind, plates turned round{': ' + said if said else ''}"]


def spread(state: ViewState, x: F64) -> F64:
    """Places along the axis (n,), wider apart where a view needs it: all from above, the far first ones from behind.

    From behind the first plates are the far ones, which the perspective shows at a flatter angle than the near ones.
    """
    above, behind = GAP_ABOVE * height_share(state), GAP_BEHIND * behind_share(state)
    if (not above and not behind) or len(x) < 2:
        return x
    first, length = float(x.min()), float(np.ptp(x)) or 1.0
    u = (x - first) / length
    return np.asarray(first + length * (u * (1.0 + above) + behind * (u - u * u / 2.0)))


def rail_place(state: ViewState) -> float:
    """z of the rail in the world: under the plates; seen from above in front of them, where its labels are free."""
    return RAIL_ABOVE * height_share(state) * state.side


def plate_axes(matrix: F64) -> F64:
    """(3, 3) unit columns: a plate's own normal (along +x when level), up and right, of a world_from_bench matrix."""
    out = matrix.copy()
    out[:, 0] = np.cross(matrix[:, 1], matrix[:, 2])
    return out
