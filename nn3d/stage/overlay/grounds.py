"""Grounds under title, key and foot line, where the network may lie behind them. Logical px."""

from __future__ import annotations

from nn3d.stage.frame import Mark, Rect
from nn3d.stage.overlay.facts import Facts, text_boxes

PAD_X, PAD_Y, CORNER, ALPHA = 10.0, 6.0, 6.0, 0.9


def grounded(f: Facts, *parts: list[Mark]) -> list[Mark]:
    """The parts in order, each on a ground of the background's colour when the camera is not the one that fits all.

    A camera that fits keeps the network between title and foot line: there, grounds would be seen for nothing.
    """
    out: list[Mark] = []
    for part in parts:
        boxes = [*text_boxes(part), *((m.x0, m.y0, m.x1, m.y1) for m in part if isinstance(m, Rect))]
        if boxes and not f.state.camera.fit:
            x0, y0 = (min(box[k] for box in boxes) for k in (0, 1))
            x1, y1 = (max(box[k] for box in boxes) for k in (2, 3))
            dx, dy = PAD_X * f.k, PAD_Y * f.k
            out.append(Rect(x0 - dx, y0 - dy, x1 + dx, y1 + dy, f.ink("halo", ALPHA), CORNER * f.k))
        out += part
    return out
