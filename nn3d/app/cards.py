"""Where the window's cards lie: pure arithmetic from sizes to rectangles, and what they leave for the picture.

Three bands (toolbar, picture, dock) and two columns (picture, right column), 12 px apart. Logical px, top left origin.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.state import Anchors, Panels

MARGIN: Final = 12.0
GAP: Final = 12.0
BAR: Final = 40.0
DOCK: Final = 124.0
DOCK_EMPTY: Final = 48.0
SAMPLE: Final = 38.0
RIGHT: Final = 324.0
RIGHT_NARROW: Final = 172.0
INSPECTOR: Final = (300.0, 560.0)
PICTURE_W: Final = 320.0
TREE: Final = 208.0
HIT_ONLY: Final = 40.0
BANNER: Final = 44.0
PILL: Final = (560.0, 44.0)
INSPECTOR_FROM: Final = 1280
TREE_FROM: Final = 1000
HUD_H: Final = 34.0
KEY_H: Final = 76.0
KEY_W: Final = 514.0
BARS_W: Final = 104.0
LABELS_H: Final = 80.0
LEAST_INSPECTOR: Final = 120.0
MIN_FREE: Final = (160.0, 80.0)


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: left, top, width, height."""

    x: float
    y: float
    w: float
    h: float

    @property
    def x1(self) -> float:
        """Right edge."""
        return self.x + self.w

    @property
    def y1(self) -> float:
        """Lower edge."""
        return self.y + self.h

    def contains(self, x: float, y: float) -> bool:
        """Whether (x, y) lies inside."""
        return self.x <= x < self.x1 and self.y <= y < self.y1

    def overlaps(self, other: Box) -> bool:
        """Whether the two share any area."""
        return self.x < other.x1 and other.x < self.x1 and self.y < other.y1 and other.y < self.y1


@dataclass(frozen=True, slots=True)
class Needs:
    """What the cards hold, as far as it decides their size.

    file_w : width of the file card. actions_w : of the actions card. view_w : widths of the view card, the fullest
        first, each with less in it. tree_h, inspector_h, pad_h : heights of their contents. help : width and height.
    """

    file_w: float = 200.0
    actions_w: float = 132.0
    view_w: tuple[float, ...] = (790.0, 650.0, 380.0)
    tree_h: float = 260.0
    inspector_h: float = 300.0
    help: tuple[float, float] = (1144.0, 414.0)
    has_epochs: bool = True
    n_samples: int = 16
    has_banner: bool = False
    guide_w: float = 0.0
    live_w: float = 0.0
    compare_w: float = 0.0
    pad_h: float = 440.0


@dataclass(frozen=True, slots=True)
class Layout:
    """The open cards by name, and what they leave.

    boxes : file, view, actions, tree, inspector, pad, banner, guide, live, compare, timeline, samples; or left,
    right, pill (picture only). help : the dialog over all of them, when it is open. view_step : which of
    Needs.view_w was taken.
    anchors : for the picture: the rectangle that the camera fits, key and HUD.
    """

    boxes: dict[str, Box] = field(default_factory=dict)
    help: Box | None = None
    view_step: int = 0
    anchors: Anchors = field(default_factory=Anchors)

    def at(self, x: float, y: float) -> str | None:
        """Name of the card under (x, y)."""
        if self.help is not None:
            return "help"
        return next((name for name, box in self.boxes.items() if box.contains(x, y)), None)


def fitting_panels(panels: Panels, width: int) -> Panels:
    """The panels that a window of this width opens with: no inspector under 1280 px, no tree under 1000."""
    return replace(
        panels, tree=panels.tree and width >= TREE_FROM, inspector=panels.inspector and width >= INSPECTOR_FROM
    )


def inspector_width(panels: Panels, width: float) -> float:
    """Width of the inspector in a window of `width`: as asked for, but 320 px are left for the picture."""
    left = MARGIN + (TREE + GAP if panels.tree else 0.0)
    most = max(RIGHT, width - MARGIN - GAP - PICTURE_W - left)
    return min(max(panels.inspector_w, INSPECTOR[0]), INSPECTOR[1], most)


def arrange_cards(size_px: tuple[int, int], panels: Panels, needs: Needs) -> Layout:
    """Lay the cards out in a window of `size_px`."""
    w, h = float(size_px[0]), float(size_px[1])
    help_box = _centred(w, h, *needs.help) if panels.help else None
    if panels.picture_only:
        boxes = _picture_only(w, h)
        return Layout(boxes, help_box, 0, _anchors_alone(w, h, boxes["pill"]))
    boxes, step = _toolbar(w, needs)
    boxes |= _dock(w, h, needs)
    boxes |= _columns(w, h, panels, needs, boxes)
    return Layout(boxes, help_box, step, _anchors(w, h, boxes))


def _centred(w: float, h: float, width: float, height: float) -> Box:
    width, height = min(width, w - 2 * MARGIN), min(height, h - 2 * MARGIN)
    return Box(round((w - width) / 2), round((h - height) * 0.4), width, height)


def _toolbar(w: float, needs: Needs) -> tuple[dict[str, Box], int]:
    actions = Box(w - MARGIN - needs.actions_w, MARGIN, needs.actions_w, BAR)
    file = Box(MARGIN, MARGIN, min(needs.file_w, max(HIT_ONLY, actions.x - GAP - MARGIN)), BAR)
    boxes = {"file": file, "actions": actions}
    room = actions.x - GAP - (file.x1 + GAP)
    for step, width in enumerate(needs.view_w):
        if width <= room:
            x = min(max(file.x1 + GAP, round((w - width) / 2) - 34.0), actions.x - GAP - width)
            boxes["view"] = Box(x, MARGIN, width, BAR)
            return boxes, step
    return boxes, len(needs.view_w)


def _dock(w: float, h: float, needs: Needs) -> dict[str, Box]:
    right = RIGHT if w >= TREE_FROM else RIGHT_NARROW
    rows = -(-needs.n_samples // max(1, int((right - 20.0) // SAMPLE)))
    height = DOCK if needs.has_epochs or rows > 1 else DOCK - SAMPLE if rows == 1 else DOCK_EMPTY
    y = h - MARGIN - height
    samples = Box(w - MARGIN - right, y, right, height)
    return {"timeline": Box(MARGIN, y, samples.x - GAP - MARGIN, height), "samples": samples}


def _columns(w: float, h: float, panels: Panels, needs: Needs, boxes: dict[str, Box]) -> dict[str, Box]:
    top = MARGIN + BAR + GAP
    room = boxes["timeline"].y - GAP - top
    out: dict[str, Box] = {}
    left, right = MARGIN, w - MARGIN
    if panels.tree and not (panels.pad and w - MARGIN - RIGHT < left + TREE + GAP):
        out["tree"] = Box(MARGIN, top, TREE, min(needs.tree_h, room))
        left = out["tree"].x1 + GAP
    wide = inspector_width(panels, w)
    if panels.pad:
        height = min(needs.pad_h, room)
        out["pad"] = Box(w - MARGIN - RIGHT, boxes["timeline"].y - GAP - height, RIGHT, height)
        right, room = out["pad"].x - GAP, room - height - GAP
    if panels.inspector and w - MARGIN - wide >= left and room >= LEAST_INSPECTOR:
        out["inspector"] = Box(w - MARGIN - wide, top, wide, min(needs.inspector_h, room))
        right = min(right, out["inspector"].x - GAP)
    if needs.has_banner and right - left >= MIN_FREE[0]:
        out["banner"] = Box(left, top, right - left, BANNER)
    if 0.0 < needs.guide_w <= right - left:
        y = out["banner"].y1 + GAP if "banner" in out else top
        out["guide"] = Box(round((left + right - needs.guide_w) / 2), y, needs.guide_w, BAR)
    if needs.live_w > 0.0:
        y = next((out[name].y1 + GAP for name in ("guide", "banner") if name in out), top)
        out["live"] = Box(left, y, min(needs.live_w, max(right - left, 1.0)), BAR)
    if needs.compare_w > 0.0:
        y = next((out[name].y1 + GAP for name in ("live", "guide", "banner") if name in out), top)
        out["compare"] = Box(left, y, min(needs.compare_w, max(right - left, 1.0)), BAR)
    return {name: box for name, box in out.items() if box.h > 0 and box.w > 0}


def _anchors(w: float, h: float, boxes: dict[str, Box]) -> Anchors:
    """The free rectangle right of the tree and left of the inspector, between the bands, with room for labels."""
    right = min([boxes[name].x - GAP for name in ("inspector", "pad") if name in boxes], default=w - MARGIN)
    left = MARGIN + TREE if "tree" in boxes else MARGIN
    below = boxes["timeline"].y
    top = next((boxes[name].y1 for name in ("compare", "live", "guide", "banner") if name in boxes), MARGIN + BAR)
    y0, y1 = top + 2 * GAP, below - HUD_H - LABELS_H
    x0, x1 = left + 32.0, right - BARS_W
    free = _at_least(x0, y0, x1, y1)
    key = (right - 40.0, below - KEY_H) if right - left > 380.0 and h >= 480.0 else None
    is_tall = "tree" in boxes and boxes["tree"].y1 > below - 40.0
    hud_x = boxes["tree"].x1 + GAP if is_tall else MARGIN + 12.0
    return Anchors(free=free, title=None, key=key, hud=(hud_x, right - GAP, below - 22.0),
                   room=(left + GAP, top + GAP, right - GAP, below - 28.0))  # fmt: skip


def _at_least(x0: float, y0: float, x1: float, y1: float) -> tuple[float, float, float, float]:
    if x1 - x0 < MIN_FREE[0]:
        middle = (x0 + x1) / 2
        x0, x1 = middle - MIN_FREE[0] / 2, middle + MIN_FREE[0] / 2
    if y1 - y0 < MIN_FREE[1]:
        middle = (y0 + y1) / 2
        y0, y1 = middle - MIN_FREE[1] / 2, middle + MIN_FREE[1] / 2
    return x0, y0, x1, y1


def steady(layout: Layout) -> Layout:
    """The layout with the inspector as high as it can be, so that a selection does not move the camera."""
    box, dock = layout.boxes.get("inspector"), layout.boxes.get("timeline")
    if box is None or dock is None:
        return layout
    return replace(layout, boxes=layout.boxes | {"inspector": replace(box, h=dock.y - GAP - box.y)})


def generous(layout: Layout) -> tuple[float, float, float, float]:
    """The rectangle that the picture may grow into as long as it stays clear: under the tree, down to the key."""
    x0, y0, x1, y1 = layout.anchors.free
    return min(x0, 2.0 * MARGIN + 20.0), y0 - GAP, x1 + 0.2 * BARS_W, y1 + 0.4 * LABELS_H


def is_clear(layout: Layout, boxes: NDArray[np.float64], margin: float = 12.0) -> bool:
    """Whether none of (n, 4) boxes x0, y0, x1, y1 enters a card, the key or the strands line."""
    taken = [(b.x, b.y, b.x1, b.y1) for b in layout.boxes.values()]
    if layout.anchors.key is not None:
        x, y = layout.anchors.key
        taken.append((x - KEY_W, y, x, y + 44.0))
    if layout.anchors.hud is not None:
        x0, x1, y = layout.anchors.hud
        taken.append((x0, y - 10.0, x1, y + 10.0))
    t = np.array(taken, np.float64).reshape(1, -1, 4) + np.array([-margin, -margin, margin, margin])
    b = boxes[:, None]
    over = (b[..., 0] < t[..., 2]) & (t[..., 0] < b[..., 2]) & (b[..., 1] < t[..., 3]) & (t[..., 1] < b[..., 3])
    return not bool(over.any())


def alone(size_px: tuple[int, int]) -> Layout:
    """No cards: the picture has the whole window, without title, key and strands line."""
    w, h = float(size_px[0]), float(size_px[1])
    free = _at_least(0.05 * w, 0.17 * h, 0.95 * w, 0.85 * h)
    return Layout(anchors=Anchors(free=free, title=None, key=None, hud=None))


def _picture_only(w: float, h: float) -> dict[str, Box]:
    width = min(PILL[0], w - 2 * MARGIN)
    return {
        "left": Box(MARGIN, MARGIN, BAR, BAR),
        "right": Box(w - MARGIN - BAR, MARGIN, BAR, BAR),
        "pill": Box(round((w - width) / 2), h - MARGIN - PILL[1], width, PILL[1]),
    }


def _anchors_alone(w: float, h: float, pill: Box) -> Anchors:
    free = _at_least(64.0, MARGIN + BAR + 2 * GAP, w - 40.0 - BARS_W, pill.y - GAP - LABELS_H)
    has_sides = pill.x >= 420.0
    key_y = h - KEY_H + 16.0 if w - pill.x1 >= KEY_W + 40.0 else pill.y - KEY_H
    key = (w - 24.0, key_y) if has_sides else None
    hud = (24.0, pill.x - 24.0, h - 34.0) if has_sides else (24.0, w - 24.0, pill.y - 14.0)
    return Anchors(free=free, title=(68.0, 22.0), key=key, hud=hud, room=(GAP, 52.0, w - GAP, hud[2] - 8.0))
