"""Class bars behind the output layer: one a class, or the strongest few where there are many. World units u.

`top_bars` is the one way to draw a distribution, rows of name, bar and share: for other outputs than plain classes too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.frame import BOX
from nn3d.stage.look import colour
from nn3d.stage.plan import Plan
from nn3d.stage.standing import Stage
from nn3d.stage.state import LONG_YAW_RAD, ViewState, type_scale
from nn3d.stage.type import text_width

F64 = NDArray[np.float64]

MAX_BARS = 24
N_TOP = 8
LENGTH, LENGTH_SMALL = 8.0, 13.0
GAP, GAP_SMALL = 2.7, 1.9
MOST_GAP = 16.0
NAME_PX = 13.0
BESIDE = 1.2
ROW_PX = 16.5
BESIDE_PX = 24.0
LEAST_PX = 90.0  # a bar of 100 %, where the network is so large that LENGTH would be less
ABOVE_PX = 40.0
FAR = 0.75  # the output stands farther off than the middle
HALF_HEIGHT = 0.46


@dataclass(frozen=True, slots=True)
class Bar:
    """A class bar: places in u of its name beside the tile, of the bar's own start and of its end; share 0 … 1.

    In a comparison `share` is its change, −1 … 1, and the bar as long as that.
    """

    index: int
    share: float
    name_at: tuple[float, float, float]
    start_at: tuple[float, float, float]
    end_at: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars from top to bottom, with their boxes (BOX), and the (n, 3) corners that have to fit the picture.

    total : classes there are. is_above : names stand over the bars' starts, not beside the tiles; is_before : they end
    where the bars start. half : of the bars' heights.
    """

    rows: tuple[Bar, ...]
    boxes: NDArray[np.void]
    corners: F64
    total: int
    is_above: bool = False
    half: float = HALF_HEIGHT
    is_before: bool = False


NO_BARS = Bars((), np.zeros(0, BOX), np.zeros((0, 3)), 0)


def class_bars(plan: Plan, state: ViewState, stage: Stage, shares: F64 | None, names: tuple[str, ...]) -> Bars:
    """The bars of the output layer's classes; none where tiles stand in a line or a circle."""
    out = plan.output
    tiles, view = plan.layers[out].tiles, state.layers[out]
    if shares is None or (view.weights[2] < 0.5 and view.is_open):
        return NO_BARS
    opened, x, y = float(stage.open[out]), float(stage.x[out]), float(stage.y[out])
    type_px = type_scale(state)
    half_width = float(stage.width[out]) / 2
    if tiles.n > MAX_BARS or tiles.grid[1] != 1 or tiles.n != len(shares):
        unit = px_per_unit(stage, state)
        order, pitch = strongest(shares, N_TOP), max(1.5, ROW_PX * type_px / unit)
        at = np.asarray(y + ((len(order) - 1) / 2 - np.arange(len(order))) * pitch, np.float64)
        beside = x + half_width / math.tan(LONG_YAW_RAD) + max(BESIDE, BESIDE_PX * type_px / unit)
        length = max(LENGTH, LEAST_PX * type_px / unit)
        bars = top_bars(state, shares, order, names, (beside, at, 0.0), unit=unit, length=length)
        return replace(bars, is_before=True)
    at = y + tiles.mosaic[:, 0] * (1 - opened) + tiles.at_grid[:, 0] * opened
    unit = px_per_unit(stage, state)
    if tiles.n > 1:
        pitch = float(np.abs(np.diff(at)).min())
        at = y + (at - y) * max(1.0, ROW_PX * type_px / unit / max(pitch, 1e-6))
    free = float(np.abs(np.diff(at)).min(initial=99.0)) * unit
    is_above = plan.tallest > 0 and view.is_open and free > ABOVE_PX * type_px
    length = max(LENGTH_SMALL if plan.tallest else LENGTH, LEAST_PX * type_px / unit)
    place = (x, np.asarray(at, np.float64), tiles.half[1])
    bars = top_bars(
        state, shares, np.arange(tiles.n), names, place, unit=unit, length=length, is_above=is_above
    )
    return replace(bars, is_before=not is_above)  # beside the tiles, names would stand up to a row lower


def strongest(shares: F64, k: int) -> NDArray[np.int64]:
    """Indices of the k largest shares (or changes), strongest first; not finite ones last, equal ones in order."""
    return np.argsort(-np.abs(np.nan_to_num(shares, nan=0.0)) + np.isnan(shares), kind="stable")[:k]


def top_bars(
    state: ViewState, shares: F64, order: NDArray[np.int64], names: tuple[str, ...],
    place: tuple[float, F64, float], *, unit: float, length: float = LENGTH, is_above: bool = False,
) -> Bars:  # fmt: skip
    """Bars of the classes `order` from top to bottom.

    place : x of the plate, (k,) heights of the rows, half width of the plate. unit : px a u, for the room of the names.
    length : of a bar of 100 %.
    """
    (x, y, half_width), k = place, type_scale(state)
    gap = GAP_SMALL if is_above else GAP
    yaw = max(0.35, abs(math.sin(state.camera.yaw_rad)))
    if not is_above:
        words = max((text_width(name_of(names, int(i)), NAME_PX * k, "semibold") for i in order), default=0.0)
        slant = half_width * abs(math.cos(state.camera.yaw_rad))
        gap = min(MOST_GAP, max(gap, ((words + 22.0 * k) / unit + slant) / yaw))
    pitch = float(np.abs(np.diff(y)).min()) if len(y) > 1 else 2.0
    change = np.nan_to_num(shares[order], nan=0.0)
    shown = np.clip(np.abs(change), 0.0, 1.0)
    start, ends = x + gap, x + gap + length * shown
    rows = tuple(
        Bar(int(n), float(shares[n]), (x + 0.2, v, half_width + 0.1), (start, v, 0.0), (float(e), v, 0.0))
        for n, v, e in zip(order, (float(v) for v in y), ends, strict=True)
    )
    half = min(HALF_HEIGHT, 0.36 * pitch)
    boxes = _boxes(state, y, shown, (start, length), half)
    if state.compare is not None:
        up, down = (colour(state.theme, name)[:3] for name in ("positive", "negative"))
        boxes["colour"][len(y) :] = np.where((change < 0)[:, None], down, up)
    beyond = x + gap + length + 0.5
    corners = np.array([[beyond, y.max(initial=0.0) + 0.8, 0.0], [beyond, y.min(initial=0.0) - 0.8, 0.0]])
    return Bars(rows, boxes, corners, len(shares), is_above, half)


def _boxes(state: ViewState, y: F64, shown: F64, along: tuple[float, float], half: float) -> NDArray[np.void]:
    """Rails over the whole length, bars on them; the longest bar in the accent colour."""
    start, length = along
    n = len(y)
    boxes = np.zeros(2 * n, BOX)
    rails, bars = boxes[:n], boxes[n:]
    rails["centre"] = np.stack([0 * y + start + length / 2, y, 0 * y], 1)
    rails["half"] = (length / 2, 0.03, 0.05)
    rail, fog = np.array(colour(state.theme, "rail")[:3]), np.array(colour(state.theme, "fog")[:3])
    rails["colour"] = fog + (rail - fog) * 0.5
    bars["centre"] = np.stack([start + length * shown / 2, y, 0 * y], 1)
    bars["half"] = np.stack([length * shown / 2, np.where(shown > 0.002, half, 0.0), 0 * y + 0.12], 1)
    bars["colour"] = colour(state.theme, "bar")[:3]
    if n:
        bars["colour"][int(shown.argmax())] = colour(state.theme, "accent")[:3]
    boxes["fog"] = 0.5
    return boxes


def name_of(names: tuple[str, ...], index: int) -> str:
    """The name of a class, or its number."""
    return names[index] if index < len(names) else f"{index:,}"


def px_per_unit(stage: Stage, state: ViewState) -> float:
    """About how many px one u takes at the output when the whole network fits: it does not follow the zoom."""
    x0, y0, x1, y1 = state.anchors.free
    width = float(np.ptp(stage.x)) + 14.0 if stage.x.size else 14.0
    across = width * abs(math.sin(state.camera.yaw_rad)) + float(stage.width.max(initial=1.0)) * 0.6
    tall = float((stage.y + stage.height / 2).max(initial=1.0) - (stage.y - stage.height / 2).min(initial=0.0)) + 4.0
    return max(1.0, FAR * min((x1 - x0) / max(across, 1.0), (y1 - y0) / max(tall, 1.0)))
