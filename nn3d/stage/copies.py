"""Marks of copied values: an ivory bar at every glued part that a skip brought, a frame around rows that go on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.parts import part_spans
from nn3d.stage.frame import BOX
from nn3d.stage.look import colour
from nn3d.stage.plan import Plan
from nn3d.stage.standing import Stage
from nn3d.stage.state import YAW_RAD, ViewState

BAR_HALF = 0.28
BAR_OFF = 0.40
IDENTITY_SHARE = 0.90
FRAME = 0.05


def part_bars(plan: Plan, state: ViewState, stage: Stage) -> NDArray[np.void]:
    """(b,) BOX: one bar a part of a concatenation whose source is not its neighbour along the network."""
    column = plan.topology.column
    rows: list[tuple[float, float, float, float]] = []
    for link in plan.links:
        target = plan.layers[link.target]
        if not target.parts or column[link.target] - column[link.source] < 2 or stage.grow[link.index] == 0.0:
            continue
        arguments = [k.argument for k in target.layer.links]
        if link.link.argument not in arguments:  # a closed group that ends in a concatenation
            continue
        number = arguments.index(link.link.argument)
        low, high = part_spans(target.tiles, target.parts)[number] * stage.height[link.target]
        edge = -state.side * (stage.width[link.target] / 2.0 + BAR_OFF)
        x, y = stage.x[link.target], stage.y[link.target]
        rows.append((x, y + (low + high) / 2.0, edge, (high - low) / 2.0))
    out = np.zeros(len(rows), BOX)
    if rows:
        at = np.array(rows)
        out["centre"] = at[:, :3]
        out["half"] = np.stack([0 * at[:, 3] + BAR_HALF, at[:, 3], 0 * at[:, 3] + BAR_HALF], 1)
        ink, fog = (np.array(colour(state.theme, name)[:3]) for name in ("identity", "fog"))
        out["colour"] = fog + (ink - fog) * IDENTITY_SHARE
    return out


def row_frames(plan: Plan, state: ViewState, stage: Stage) -> NDArray[np.void]:
    """(b,) BOX: thin frames in the accent colour around the rows that a slice takes."""
    boxes = [
        _frame(plan, stage, link.source, low, high)
        for link in plan.links if link.stave is not None and stage.grow[link.index] > 0.0
        for low, high in link.stave.picked
    ]
    if not boxes:
        return np.zeros(0, BOX)
    out = np.concatenate(boxes)
    out["colour"] = colour(state.theme, "accent")[:3]
    return out


def _frame(plan: Plan, stage: Stage, row: int, low: float, high: float) -> NDArray[np.void]:
    shown = plan.layers[row]
    found, thick = shown.recurrent, shown.tiles.block_thickness
    x = float(stage.x[row]) if found is None else float(stage.x[row] + found.places(YAW_RAD)[-1])
    x += shown.depth - thick if shown.group >= 0 else 0.0  # the last slab of a deck
    deep = max(0.14, thick + FRAME) if shown.group >= 0 else 0.14
    width = float(stage.width[row] if found is None else found.plates[-1, 1]) / 2.0 + FRAME
    height = float(stage.height[row])
    top, bottom = stage.y[row] + high * height + FRAME, stage.y[row] + low * height - FRAME
    middle = (top + bottom) / 2.0
    out = np.zeros(4, BOX)
    out["centre"] = [(x, top, 0), (x, bottom, 0), (x, middle, -width), (x, middle, width)]
    out["half"] = [(deep, FRAME, width)] * 2 + [(deep, (top - bottom) / 2.0, FRAME)] * 2
    return out
