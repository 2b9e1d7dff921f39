"""What panels are made of: buttons, segments, sliders, key caps. Each draws itself and says what happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from imgui_bundle import imgui

from nn3d.app.cards import Box
from nn3d.app.style import HIT
from nn3d.app.ui import Hit, Ui

SEGMENT_PAD: Final = 20.0


def icon_button(
    ui: Ui, name: str, x: float, y: float, icon: str, *, tip: str, is_on: bool = False, side: float = HIT,
    size: float = 16.0,
) -> bool:  # fmt: skip
    """An icon that one can press; True when it was."""
    box = Box(x, y, side, side)
    hit = ui.hit(name, box, tip)
    if is_on or hit.held:
        ui.fill(box, "sel")
    elif hit.hovered:
        ui.fill(box, "hover")
    ui.icon(box.x + side / 2, box.y + side / 2, icon, size, "accent" if is_on else "text2")
    return hit.clicked


def segment_width(ui: Ui, labels: Sequence[str], *, are_icons: bool = False, pad: float = SEGMENT_PAD) -> float:
    """Width of a segmented control. pad : both sides of a word together."""
    return sum(_segment(ui, label, are_icons, pad) for label in labels) + 4.0


def segment_pad(ui: Ui, labels: Sequence[str], room: float) -> float:
    """The usual pad, or as much less as it takes for a segmented control to be no wider than `room`."""
    return min(SEGMENT_PAD, (room - segment_width(ui, labels, pad=0.0)) // max(1, len(labels)))


def _segment(ui: Ui, label: str, is_icon: bool, pad: float) -> float:
    return 30.0 if is_icon else round(ui.type.width(label, 12, "medium")) + pad


def segments(
    ui: Ui, name: str, x: float, y: float, labels: Sequence[str], on: int, *, are_icons: bool = False,
    tips: Sequence[str] = (), pad: float = SEGMENT_PAD,
) -> int | None:  # fmt: skip
    """One of several; the index that was pressed, else None. `on` is the chosen one, −1 for none."""
    ui.fill(Box(x, y, segment_width(ui, labels, are_icons=are_icons, pad=pad), HIT), "well", 7)
    pressed, x = None, x + 2
    for k, label in enumerate(labels):
        width = _segment(ui, label, are_icons, pad)
        hit = ui.hit(f"{name}{k}", Box(x, y, width, HIT), tips[k] if tips else "")
        if hit.clicked:
            pressed = k
        if k == on or hit.hovered:
            ui.fill(Box(x, y + 2, width, HIT - 4), "act" if k == on else "hover", 5)
        if are_icons:
            ui.icon(x + width / 2, y + HIT / 2, label, 15, "accent" if k == on else "text2")
        else:
            ui.text(x + width / 2, y + HIT / 2, label, 12, "medium", "text" if k == on else "text2", "c")
        x += width
    return pressed


def slider(ui: Ui, name: str, x: float, y: float, width: float, value: float, *, tip: str = "") -> float | None:
    """A value 0 … 1 along `width`, its line at height y; the new value while it is dragged, else None."""
    hit = ui.hit(name, Box(x - 7, y - 10, width + 14, 20), tip)
    ui.fill(Box(x, y - 1.5, width, 3), "act", 1.5)
    ui.fill(Box(x, y - 1.5, width * value, 3), "text2", 1.5)
    ui.disc(x + width * value, y, 7.5 if hit.held else 6.5, "text")
    return pointer_share(x, width) if hit.held or hit.released else None


def pointer_share(x: float, width: float) -> float:
    """Where the pointer is between x (0) and x + width (1), clamped."""
    return min(1.0, max(0.0, (imgui.get_mouse_pos().x - x) / max(1.0, width)))


def round_button(ui: Ui, name: str, x: float, y: float, radius: float, icon: str, *, tip: str) -> bool:
    """The one filled control on screen: a disc centred on (x, y)."""
    hit = ui.hit(name, Box(x - radius, y - radius, 2 * radius, 2 * radius), tip)
    ui.disc(x, y, radius, "accent")
    ui.icon(x + (1.0 if icon == "play" else 0.0), y, icon, radius * 0.89, "ink")
    return hit.clicked


def key_cap(ui: Ui, x: float, y: float, text: str, *, align: str = "l") -> float:
    """A key as it looks on a keyboard, its middle at y. Returns its width."""
    width = max(18.0, round(ui.type.width(text, 10.5, "medium")) + 10.0)
    box = Box(x - (width if align == "r" else 0.0), y - 9, width, 18)
    ui.fill(box, "hover", 4)
    ui.outline(box, "line", 4)
    ui.text(box.x + width / 2, y, text, 10.5, "medium", "text2", "c")
    return width


def section(ui: Ui, x: float, y: float, width: float, title: str, hint: str = "") -> None:
    """The head of a section, with a hint at its right end."""
    ui.text(x, y, title, 11, "medium", "text2")
    if hint:
        ui.text(x + width, y, hint, 11, "regular", "text3", "r")


def row_hit(ui: Ui, name: str, box: Box, *, is_on: bool) -> Hit:
    """A row of a list: lit when it is the chosen one, or under the pointer."""
    hit = ui.hit(name, box)
    if is_on:
        ui.fill(box, "sel")
    elif hit.hovered:
        ui.fill(box, "hover")
    return hit


def scroll_to(y: float) -> None:
    """Scroll the part of a card that is open so that `y` px are above it."""
    imgui.set_scroll_y(y)


def text_button(ui: Ui, name: str, box: Box, icon: str, label: str, *, tip: str = "") -> bool:
    """A quiet button with an icon and a word, centred; True when it was pressed."""
    hit = ui.hit(name, box, tip)
    ui.fill(box, "sel" if hit.held else "act" if hit.hovered else "hover")
    width = ui.type.width(label, 12, "medium")
    x = box.x + (box.w - width - 20.0) / 2
    ui.icon(x + 6, box.y + box.h / 2, icon, 13, "text2")
    ui.text(x + 20, box.y + box.h / 2, label, 12, "medium", "text")
    return hit.clicked
