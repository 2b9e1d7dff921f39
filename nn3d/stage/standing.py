"""Where every layer stands at this moment: the axis, the lanes, and the room that open layers take. World units u."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.fans import Picked, fanned
from nn3d.layout.graph import apexes, gaps, positions, turns
from nn3d.layout.levels import rails
from nn3d.layout.proportion import lifted, stretched
from nn3d.layout.splits import leaves
from nn3d.stage import small
from nn3d.stage.plan import Plan
from nn3d.stage.stance import spread
from nn3d.stage.state import LONG_FOV_RAD, LONG_YAW_RAD, PITCH_RAD, YAW_RAD, ViewState, smooth

F64 = NDArray[np.float64]

LONG_NETWORK = 14
# Half of the angle over which a long network is seen: tan(fov / 2)·16/9 of a picture, of which .87 are free.
LONG_HALF_FIELD_RAD = math.atan(math.tan(LONG_FOV_RAD / 2.0) * 16.0 / 9.0 * 0.87)


@dataclass(frozen=True, slots=True)
class Stage:
    """Places and sizes of all layers.

    x, y : (n,) centres. height, width : (n,) full extents. open : (n,) how open, eased, 0 … 1.
    apex : (m,) height of arcs by link. turn : (m, 2) share of its way over which a link changes lane.
    rail : (n,) height of the rail under each layer. shelf : (n,) which piece of it: one, or a shelf a level of a U.
    is_aloft : (n,) whether a layer stands in a lane above or below the line that the rail carries.
    scale : (n,) size of a plate as a share of its full size, below 1 while it grows out of a closed group.
    share : (n,) factor of LayerView.opening. thick : (n,) half thickness of the collapsed block.
    seen : (n,) how much of each is there while something stands apart, None all (nn3d.stage.apart_rows).
    grow : (m,) share of their width that links have. leave : (m,) how far above its source's middle a rope starts.
    """

    x: F64
    y: F64
    height: F64
    width: F64
    open: F64
    apex: F64
    turn: F64
    rail: F64
    shelf: NDArray[np.int32]
    is_aloft: NDArray[np.bool_]
    scale: F64
    share: F64
    thick: F64
    grow: F64
    leave: F64
    seen: F64 | None = None


def stage_of(plan: Plan, state: ViewState) -> Stage:
    """Where every layer stands, from how open it is and how its tiles are arranged."""
    extents = np.stack([p.tiles.extents for p in plan.layers])
    opened = np.array([smooth(v.opening) for v in state.layers])
    weights = np.array([v.weights for v in state.layers])
    size = (extents[:, :3] * weights[:, :, None]).sum(1)
    size = extents[:, 3] * (1 - opened[:, None]) + size * opened[:, None]
    is_long = plan.groups.n_layers > LONG_NETWORK
    yaw, field = (LONG_YAW_RAD, LONG_HALF_FIELD_RAD) if is_long else (YAW_RAD, 0.0)
    before = small.gaps(plan, opened, gaps(plan.topology, opened))
    depths = [p.depth for p in plan.layers]
    arching = np.array([p.recurrent.arching if p.recurrent is not None else 0.0 for p in plan.layers])
    x, y = positions(plan.topology, size[:, 1], size[:, 0] + 2.0 * arching, before, yaw, depths, field)
    y = fanned(y, size[:, 0], plan.topology.column, _picked(plan))
    left, top, right, bottom = state.anchors.free
    aspect = (right - left) / max(1.0, bottom - top)
    x = stretched(plan.topology, x, y, size, aspect, (yaw, PITCH_RAD))
    y = lifted(plan.topology, x, y, size, aspect, (yaw, PITCH_RAD))
    x = spread(state, x)
    apex = apexes(plan.topology, y, size[:, 0])
    hanging = [p.recurrent.hanging if p.recurrent is not None else 0.0 for p in plan.layers]
    rail, shelf = rails(plan.topology.levels, plan.topology.column, y, size[:, 0] + 2.0 * np.array(hanging))
    aloft = plan.topology.lane != 0
    one, thick = np.ones(len(x)), np.array([p.tiles.block_thickness for p in plan.layers])
    return Stage(
        x, y, size[:, 0], size[:, 1], opened, apex, turns(plan.topology, x), rail, shelf, aloft, one, one, thick,
        np.ones(len(plan.links)), leaves(plan.topology, y, size[:, 0]),
    )  # fmt: skip


def _picked(plan: Plan) -> list[Picked]:
    """Links that take single rows of a plate, with the middle of those rows."""
    rows = ((link, np.array(link.picked)) for link in plan.links if link.picked and link.path == "stave")
    return [Picked(link.source, link.target, float(spans.mean())) for link, spans in rows]
