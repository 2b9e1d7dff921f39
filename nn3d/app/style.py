"""Colours and measures of the window's panels; the picture's own colours live in nn3d.stage.look.

Lengths are logical px. One accent (ivory on dark, ink on light) and no second UI colour: hue belongs to the picture.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from imgui_bundle import imgui

from nn3d.stage.look import colour, rgb

HIT: Final = 28.0
ROUNDING: Final = 10.0
DIALOG_ROUNDING: Final = 14.0
SHADOW_STEPS: Final = 9
SIGNS: Final = ("positive", "negative")  # the picture's own hues, for numbers that have a sign

# token: (colour, opacity)
_TOKENS: Final[dict[str, dict[str, tuple[str, float]]]] = {
    "dark": {
        "panel": ("#12171D", 0.97), "line": ("#FFFFFF", 0.075), "well": ("#0B0F13", 0.75), "hover": ("#FFFFFF", 0.065),
        "act": ("#FFFFFF", 0.11), "sel": ("#FFF3D6", 0.115), "accent": ("#FFF3D6", 1.0), "text": ("#E9EDF0", 1.0),
        "text2": ("#93A0AC", 1.0), "text3": ("#84919D", 1.0), "ink": ("#12171D", 1.0), "nonfinite": ("#C76BD0", 1.0),
        "record": ("#E0605A", 1.0),
        "scrim": ("#0B0E12", 0.58), "shadow": ("#000000", 0.34), "ground": ("#0B0E12", 1.0), "none": ("#000000", 0.0),
    },
    "light": {
        "panel": ("#FFFFFF", 0.97), "line": ("#1B2126", 0.11), "well": ("#EFEDE7", 0.9), "hover": ("#1B2126", 0.05),
        "act": ("#1B2126", 0.09), "sel": ("#1B2126", 0.085), "accent": ("#11161A", 1.0), "text": ("#1B2126", 1.0),
        "text2": ("#5D666E", 1.0), "text3": ("#6C747A", 1.0), "ink": ("#FFFFFF", 1.0), "nonfinite": ("#9A3CA6", 1.0),
        "record": ("#B8332D", 1.0),
        "scrim": ("#ECEAE4", 0.52), "shadow": ("#000000", 0.10), "ground": ("#ECEAE4", 1.0), "none": ("#000000", 0.0),
    },
}  # fmt: skip


def rgba(theme: str, token: str, alpha: float = 1.0) -> tuple[float, float, float, float]:
    """The token's colour, 0 … 1; `alpha` multiplies its own opacity."""
    if token in SIGNS:
        return colour(theme, token, alpha)
    code, opacity = _TOKENS[theme][token]
    return (*rgb(code), opacity * alpha)


@cache
def u32(theme: str, token: str, alpha: float = 1.0) -> int:
    """The token's colour as imgui packs it (ABGR)."""
    return pack(*rgba(theme, token, alpha))


def pack(r: float, g: float, b: float, a: float = 1.0) -> int:
    """A colour 0 … 1 as imgui packs it (ABGR)."""
    parts = (int(min(1.0, max(0.0, v)) * 255.0 + 0.5) for v in (r, g, b, a))
    return sum(v << (8 * i) for i, v in enumerate(parts))


def set_style(theme: str) -> None:
    """Put the measures and colours into the current imgui context."""
    style = imgui.get_style()
    for name, value in {
        "window_rounding": ROUNDING, "popup_rounding": ROUNDING, "child_rounding": 6.0, "frame_rounding": 6.0,
        "grab_rounding": 6.0, "scrollbar_rounding": 6.0, "scrollbar_size": 8.0, "window_border_size": 1.0,
        "frame_border_size": 0.0, "child_border_size": 0.0,
    }.items():  # fmt: skip
        setattr(style, name, value)
    style.window_padding = imgui.ImVec2(12, 12)
    style.frame_padding = imgui.ImVec2(8, 5)
    style.item_spacing = imgui.ImVec2(8, 4)
    style.item_inner_spacing = imgui.ImVec2(6, 4)
    style.window_min_size = imgui.ImVec2(8, 8)
    col = imgui.Col_
    roles = {
        col.window_bg: ("panel", 1.0), col.popup_bg: ("panel", 1.0), col.child_bg: ("none", 1.0),
        col.border: ("line", 1.0), col.separator: ("line", 1.0), col.border_shadow: ("none", 1.0),
        col.text: ("text", 1.0), col.text_disabled: ("text3", 1.0), col.scrollbar_bg: ("none", 1.0),
        col.scrollbar_grab: ("act", 1.0), col.scrollbar_grab_hovered: ("act", 1.0),
        col.scrollbar_grab_active: ("sel", 1.0), col.nav_cursor: ("accent", 0.8),
    }  # fmt: skip
    for role, (token, alpha) in roles.items():
        style.set_color_(int(role), imgui.ImVec4(*rgba(theme, token, alpha)))
