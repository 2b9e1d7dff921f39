"""What holds the picture: rail, posts, feet, shadows and class bars, and the corners that the camera fits. World u."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.heads import NAMES as ATTENTION_PARTS
from nn3d.stage import copies, recurrence
from nn3d.stage.apart import chosen_items
from nn3d.stage.apart_rows import gathered
from nn3d.stage.bars import Bars, class_bars, px_per_unit
from nn3d.stage.frame import BOX, SHADOW, View
from nn3d.stage.look import colour
from nn3d.stage.overlay.cards import Foot
from nn3d.stage.plan import Plan
from nn3d.stage.proportion import card_corners, room_above
from nn3d.stage.stance import rail_place, world_from_bench
from nn3d.stage.standing import Stage
from nn3d.stage.state import ViewState, type_scale

F64 = NDArray[np.float64]

SHELF_REACH = 1.4
FLOOR_SHARE = 0.17  # depth of the pool of light, as a share of the network's length
OUTWARD_PX = 20.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Probabilities (n classes,) of the sample on screen; ours: softmax of the stored logits; names of the classes.

    before : those of A in a comparison: the bars then show how far each class went.
    """

    shares: F64
    is_ours: bool
    classes: tuple[str, ...] = ()
    before: F64 | None = None

    @property
    def bars(self) -> F64:
        """What the bars are as long as: shares, or their change."""
        return self.shares if self.before is None else self.shares - self.before


@dataclass(frozen=True, slots=True)
class Structure:
    """Boxes, shadows, floor and bars of a picture, and (n, 3) corners that have to fit."""

    boxes: NDArray[np.void]
    shadows: NDArray[np.void]
    floor_y: float
    floor_rect: tuple[float, float, float, float]
    corners: F64
    bars: Bars
    probabilities: F64 | None
    is_softmax_ours: bool
    before: F64 | None = None


def build(plan: Plan, state: ViewState, stage: Stage, outcome: Outcome | None) -> Structure:
    """All structure of a picture."""
    bench = world_from_bench(state)
    floor = float(stage.rail.min()) * float(bench[1, 1])
    known = None if outcome is None else outcome.bars
    bars = class_bars(plan, state, stage, known, () if outcome is None else outcome.classes)
    has_bars = bool(bars.rows)
    x1 = max(float(stage.x.max()) + 3.0, float(bars.boxes["centre"][:, 0].max()) + 4.0 if has_bars else 0.0)
    x0 = float(stage.x.min()) - 3.0
    near = gathered(stage)
    corners = _corners(state, near, float(near.x.min()) - 3.0, np.concatenate(
        [bars.corners, recurrence.corners(plan, near), card_corners(plan, state, near)]
    ))
    half = float(stage.width.max()) / 2
    rect = ((x0 + x1) / 2, (x1 - x0) / 2 + 4.0, 0.0, max(half + 9.0, FLOOR_SHARE * (x1 - x0)))
    return Structure(
        np.concatenate(
            [_posts(state, stage), _rail(state, stage, x0, x1), bars.boxes, _brackets(state, stage),
             copies.part_bars(plan, state, stage), copies.row_frames(plan, state, stage)]
        ),
        _shadows(stage, floor, bench), floor, rect, corners, bars, None if outcome is None else outcome.shares,
        outcome is not None and outcome.is_ours, None if outcome is None else outcome.before,
    )  # fmt: skip


def _corners(state: ViewState, stage: Stage, rail_from: float, more: F64) -> F64:
    """(n, 3) in the world."""
    bench, on_rail = world_from_bench(state), feet_on_rail(state, stage)
    signs = np.array([(a, b) for a in (-0.5, 0.5) for b in (-0.5, 0.5)])
    y = stage.y[:, None] + signs[None, :, 0] * stage.height[:, None]
    z = signs[None, :, 1] * stage.width[:, None]
    x = np.broadcast_to(stage.x[:, None], y.shape)
    points = [
        np.stack([x, y, z], -1).reshape(-1, 3) @ bench.T,
        on_rail,
        np.array([[rail_from, *on_rail[0, 1:]]]) if len(on_rail) else np.zeros((1, 3)),
        more @ bench.T,
    ]
    return np.concatenate(points)


def _boxes(n: int) -> NDArray[np.void]:
    return np.zeros(n, BOX)


def _lower_edges(stage: Stage, bench: F64) -> F64:
    """(n, 3) middles of the plates' lower edges in the world: where their posts stand."""
    return np.asarray(np.stack([stage.x, stage.y - stage.height / 2, 0 * stage.x], 1) @ bench.T)


def feet_on_rail(state: ViewState, stage: Stage) -> F64:
    """(n, 3) feet on the rail in the world: under the posts, and seen from above in front of them."""
    bench = world_from_bench(state)
    x = _lower_edges(stage, bench)[:, 0]
    return np.stack([x, stage.rail * bench[1, 1], 0 * x + rail_place(state)], 1)


def _posts(state: ViewState, stage: Stage) -> NDArray[np.void]:
    """Posts and feet of the plates on the line that the rail carries; plates in lanes hang on their strands."""
    on_line = ~stage.is_aloft if stage.seen is None else ~stage.is_aloft & (stage.seen > 0.0)
    n = int(on_line.sum())
    out = _boxes(2 * n)
    x, low, z = _lower_edges(stage, world_from_bench(state))[on_line].T
    _, floor, rail = feet_on_rail(state, stage)[on_line].T
    posts, feet = out[:n], out[n:]
    posts["centre"] = np.stack([x, (low + floor) / 2, z], 1)
    posts["half"] = np.stack([0 * low + 0.05, np.maximum(low - floor, 0.0) / 2, 0 * low + 0.05], 1)
    posts["colour"] = colour(state.theme, "post")[:3]
    feet["centre"] = np.stack([x, floor + 0.06, (z + rail) / 2], 1)
    feet["half"] = np.stack([0 * x + 0.12, 0 * x + 0.06, np.abs(z - rail) / 2 + 0.5], 1)
    if stage.seen is not None:
        out["half"][:, ::2] *= np.tile(stage.seen[on_line], 2)[:, None]
    out["ground"] = 1.0
    feet["colour"] = colour(state.theme, "rail")[:3]
    out["fog"] = 1.0
    return out


def _rail(state: ViewState, stage: Stage, x0: float, x1: float) -> NDArray[np.void]:
    """The rail, or the shelves of a U: each reaches a little beyond its first and last plate."""
    n = int(stage.shelf.max()) + 1 if len(stage.shelf) else 1
    left, right, floor = np.full(n, np.inf), np.full(n, -np.inf), np.zeros(n)
    feet_x = feet_on_rail(state, stage)[:, 0]
    np.minimum.at(left, stage.shelf, feet_x - SHELF_REACH)
    np.maximum.at(right, stage.shelf, feet_x + SHELF_REACH)
    floor[stage.shelf] = stage.rail * world_from_bench(state)[1, 1]
    left[0], right[-1] = min(x0, left[0]) if n == 1 else left[0], max(x1, right[-1]) if n == 1 else right[-1]
    out = _boxes(n)
    out["centre"], out["ground"] = np.stack([(left + right) / 2, floor + 0.04, 0 * floor + rail_place(state)], 1), 1.0
    out["half"] = np.stack([(right - left) / 2, 0 * floor + 0.04, 0 * floor + 0.05], 1)
    rail, fog = np.array(colour(state.theme, "rail")[:3]), np.array(colour(state.theme, "fog")[:3])
    out["colour"], out["fog"] = fog + (rail - fog) * 0.62, 1.0
    return out


def _shadows(stage: Stage, floor: float, bench: F64) -> NDArray[np.void]:
    out = np.zeros(len(stage.x), SHADOW)
    height = np.maximum(0.2, _lower_edges(stage, bench)[:, 1] - floor)
    lean = float(np.hypot(bench[0, 1], bench[2, 1]))
    out["centre"] = (np.stack([stage.x, stage.y, 0 * stage.x], 1) @ bench.T)[:, [0, 2]]
    out["half"] = np.stack([0.12 + lean * stage.height / 2, stage.width / 2], 1)
    out["soft"] = 0.25 + 0.16 * height
    out["strength"] = 0.95 / (1 + 0.10 * height) * (1.0 if stage.seen is None else stage.seen)
    return out


def _brackets(state: ViewState, stage: Stage) -> NDArray[np.void]:
    """Corner brackets of the accent colour around what is selected."""
    chosen = chosen_items(state)
    around = [_bracket(stage, row) for row in dict.fromkeys(chosen) if 0 <= row < len(stage.x)]
    out = np.concatenate([_boxes(0), *around])
    out["colour"] = colour(state.theme, "accent")[:3]
    return out


def _bracket(stage: Stage, i: int) -> NDArray[np.void]:
    h, w = stage.height[i] / 2 + 0.45, stage.width[i] / 2 + 0.45
    arm = min(1.6, 0.35 * min(h, w) + 0.4)
    out = _boxes(8)
    k = 0
    for sy in (-1.0, 1.0):
        for sz in (-1.0, 1.0):
            y, z = stage.y[i] + sy * h, sz * w
            out["centre"][k], out["half"][k] = (stage.x[i], y, z - sz * arm / 2), (0.05, 0.05, arm / 2)
            out["centre"][k + 1], out["half"][k + 1] = (stage.x[i], y - sy * arm / 2, z), (0.05, arm / 2, 0.05)
            k += 2
    return out


def feet(plan: Plan, state: ViewState, stage: Stage, floor: float, view: View) -> list[Foot]:
    """Where layer cards hang: under the foot of layers on the main line, above the plate of the others."""
    n = len(stage.x)
    above = stage.is_aloft
    tops = np.stack([stage.x, stage.y + stage.height / 2, np.zeros(n)], 1) @ view.world_from_bench.T
    px = view.project_world(np.where(above[:, None], tops, feet_on_rail(state, stage)), state.size_px)
    out = []
    room, aside = room_above(plan, stage, px_per_unit(stage, state)), _outward(plan, state)
    for i in range(n):
        if plan.layers[i].title in ATTENTION_PARTS.values() and not _is_chosen(state, i):
            continue  # its letter stands on it
        same = np.flatnonzero((above == above[i]) & (stage.shelf == stage.shelf[i]) & (np.arange(n) != i))
        alone = float(np.abs(px[same, 0] - px[i, 0]).min()) if same.size else 1e9
        out.append(Foot(i, float(px[i, 0]) - aside[i], float(px[i, 1]), bool(above[i]), alone, float(room[i])))
    return out


def _outward(plan: Plan, state: ViewState) -> F64:
    """(n,) px to the left: cards of the side of a U that goes down stand clear of the ropes to the next shelf."""
    levels, column = plan.topology.levels, plan.topology.column
    if levels is None:
        return np.zeros(len(column))
    deepest = int(column[int(levels.level.argmax())])
    return np.where((column < deepest) & (levels.level < levels.level.max()), OUTWARD_PX * type_scale(state), 0.0)


def _is_chosen(state: ViewState, row: int) -> bool:
    return row in {t.layer for t in (state.selection, state.hover) if t is not None}


def rope_places(plan: Plan, state: ViewState, stage: Stage, view: View) -> dict[int, tuple[float, float, float]]:
    """(x, y, room) in px above the middle of each rope: where its shares are written, and how wide the gap is."""
    is_trunk = state.edges.level == "trunk"
    routes = (link for link in plan.links if link.path == "route")
    links = [link for link in routes if is_trunk or min(stage.open[link.source], stage.open[link.target]) < 0.2]
    if not links:
        return {}
    ends = np.array([(link.source, link.target) for link in links])
    depth = 0.8 * stage.width / 2
    a = np.stack([stage.x[ends[:, 0]], stage.y[ends[:, 0]], stage.open[ends[:, 0]] * depth[ends[:, 0]]], 1)
    b = np.stack([stage.x[ends[:, 1]], stage.y[ends[:, 1]], -stage.width[ends[:, 1]] / 2 * state.side], 1)
    left, right = view.project(a, state.size_px), view.project(b, state.size_px)
    top = view.project((a + b) / 2 + np.array([0.0, 2.1, 0.0]), state.size_px)
    out = np.array([[0.0, 0.0, state.side]]) * (stage.width[ends[:, 0]] / 2)[:, None]
    edge = view.project(a + out, state.size_px)
    return {
        link.index: (float(top[k, 0]), float(min(top[k, 1], left[k, 1])), float(abs(right[k, 0] - edge[k, 0])))
        for k, link in enumerate(links)
    }
