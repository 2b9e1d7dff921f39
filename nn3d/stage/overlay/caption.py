"""The caption of a tour's step: a few lines on a ground, in the middle of the picture's upper edge. Logical px."""

from __future__ import annotations

from nn3d.stage.frame import Mark, Rect, Text
from nn3d.stage.overlay.facts import Facts
from nn3d.stage.type import shorten, text_width

SIZE, LEAD, PAD_X, PAD_Y, CORNER, ALPHA = 15.0, 22.0, 18.0, 12.0, 10.0, 0.94
WIDEST, NARROWEST, MAX_LINES = 760.0, 240.0, 5


def caption_marks(f: Facts) -> list[Mark]:
    """What is said about the picture, if anything."""
    if not f.state.caption:
        return []
    x0, y0, x1, _ = f.state.anchors.free
    size, room = SIZE * f.k, max(NARROWEST, min(WIDEST * f.k, x1 - x0 - 2 * PAD_X))
    lines = balanced(f.state.caption, size, room)
    width = max(text_width(line, size, "medium") for line in lines)
    middle, lead = (x0 + x1) / 2.0, LEAD * f.k
    height = lead * len(lines) + 2 * PAD_Y * f.k
    ground = Rect(
        middle - width / 2 - PAD_X, y0, middle + width / 2 + PAD_X, y0 + height, f.ink("halo", ALPHA), CORNER
    )
    top = y0 + PAD_Y * f.k + lead / 2
    return [ground, *(Text(middle, top + k * lead, line, size, "medium", f.ink("text"), "mm")
                      for k, line in enumerate(lines))]  # fmt: skip


def balanced(text: str, size: float, room: float) -> list[str]:
    """The text in as few lines as `room` allows, about equally long."""
    lines = wrapped(text, size, room)
    low, high = room / 2.0, room
    while len(lines) > 1 and high - low > 4.0:
        middle = (low + high) / 2.0
        low, high = (low, middle) if len(wrapped(text, size, middle)) == len(lines) else (middle, high)
    return wrapped(text, size, high)


def wrapped(text: str, size: float, room: float) -> list[str]:
    """The text in lines no wider than `room`, five at most; a longer text ends in an ellipsis."""
    lines = [""]
    for part in text.split("\n"):
        for word in part.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and text_width(longer, size, "medium") > room:
                lines.append(word)
            else:
                lines[-1] = longer
        lines.append("")
    lines = [line for line in lines if line] or [""]
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], " ".join(lines[MAX_LINES - 1 :])]
    return [shorten(line, size, room, "medium") for line in lines]
