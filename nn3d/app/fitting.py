"""How far the picture grows: from the rectangle between the open cards to all it can take without touching one."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.app.cards import Layout, generous, is_clear
from nn3d.run.run import Run
from nn3d.stage.commands import Resize, SetSelection, apply
from nn3d.stage.compose import compose_frame
from nn3d.stage.framing import screen_boxes
from nn3d.stage.resident import Resident
from nn3d.stage.state import Anchors, Focus, Fold, Lens, ViewState

F64 = NDArray[np.float64]
Rect = tuple[float, float, float, float]
STEPS: Final = 9
TRIALS: Final = 4
LOWEST_SHARE: Final = 0.5
MIN_GAIN: Final = 1.02


def grown(run: Run, state: ViewState, resident: Resident, layout: Layout) -> Anchors:
    """The layout's anchors with the free rectangle in which the picture is largest and clear of all cards.

    Looks at the network as it will stand once its motions are over, with the camera fitted. Rectangles are first
    judged by moving and scaling what the base rectangle shows, then the best few by composing them.
    """
    base, goal = layout.anchors.free, _settled(state)
    boxes, n_plates = _boxes(run, goal, resident, base)
    for rect in _promising(layout, boxes, n_plates)[:TRIALS]:
        if is_clear(layout, _boxes(run, goal, resident, rect)[0]):
            return replace(layout.anchors, free=rect)
    return layout.anchors


def _boxes(run: Run, goal: ViewState, resident: Resident, free: Rect) -> tuple[F64, int]:
    anchors = Anchors(free=free, title=None, key=None, hud=None)
    frame = compose_frame(run, apply(goal, Resize(goal.size_px, goal.scale, anchors)), resident)
    return screen_boxes(frame), len(frame.tiles)


def _promising(layout: Layout, boxes: F64, n_plates: int) -> list[Rect]:
    """Rectangles in which the picture would be larger and clear, the largest picture first."""
    base, limit = layout.anchors.free, generous(layout)
    lowest = base[1] + LOWEST_SHARE * (base[3] - base[1])
    found: list[tuple[float, Rect]] = []
    for x0, y0, y1 in product(
        np.linspace(limit[0], base[0], STEPS), np.linspace(limit[1], lowest, STEPS), (limit[3], base[3])
    ):
        rect = float(x0), float(y0), limit[2], float(y1)
        scale, moved = _moved(boxes, n_plates, base, rect)
        if scale > MIN_GAIN and is_clear(layout, moved):
            found.append((scale, rect))
    found.sort(key=lambda item: -item[0])
    return [rect for _, rect in found]


def _moved(boxes: F64, n_plates: int, base: Rect, rect: Rect) -> tuple[float, F64]:
    """Scale, and boxes, after a fit into `rect` instead of `base`: plates scale, texts keep their size."""
    middle = np.array([base[0] + base[2], base[1] + base[3]]) / 2.0
    plates = boxes[:n_plates]
    reach = np.maximum(middle - plates[:, :2].min(0), plates[:, 2:].max(0) - middle)
    reach *= min((base[2] - base[0]) / (2.0 * reach[0]), (base[3] - base[1]) / (2.0 * reach[1]))
    scale = float(min((rect[2] - rect[0]) / (2.0 * reach[0]), (rect[3] - rect[1]) / (2.0 * reach[1])))
    goal = np.array([rect[0] + rect[2], rect[1] + rect[3]]) / 2.0
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2.0
    half = (boxes[:, 2:] - boxes[:, :2]) / 2.0
    half[:n_plates] *= scale
    centre = goal + (centre - middle) * scale
    return scale, np.concatenate([centre - half, centre + half], 1)


def _settled(state: ViewState) -> ViewState:
    """The bare network at rest: what is selected, traced or said does not move the camera, and costs nothing here."""
    views = tuple(replace(v, opening=1.0 if v.is_open else 0.0, blend=1.0) for v in state.layers)
    state = apply(state, SetSelection("off"))
    fold = Fold(state.fold.after, state.fold.after)
    return replace(
        state, layers=views, fold=fold, flight=None, camera=replace(state.camera, fit=True), selection=None, hover=None,
        slide=None, lens=Lens(path=0), focus=Focus(), wave=None, caption="",
        compare_sides=False,
    )  # fmt: skip
