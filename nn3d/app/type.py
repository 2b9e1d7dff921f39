"""Type of the panels: Inter in four cuts and the Lucide icons, with sizes in CSS px and widths that are cached.

imgui's font size is ascent + descent: CSS px × 1.21 for Inter, rounded to a whole number, since imgui rounds pushed
sizes and `add_text` does not, and measured and drawn widths would differ. Icons keep their size.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from functools import cache
from typing import Final

from imgui_bundle import imgui

from nn3d.paths import asset
from nn3d.stage.type import Face, face_of, inter

CSS_TO_IMGUI: Final = 1.21
MOST_RARE: Final = 2000
NO_HINTING: Final = 1  # ImGuiFreeTypeLoaderFlags_NoHinting
FILES: Final = {
    "regular": "fonts/Inter-Regular.otf",
    "medium": "fonts/Inter-Medium.otf",
    "semibold": "fonts/Inter-SemiBold.otf",
    "display": "fonts/InterDisplay-SemiBold.otf",
    "icon": "icons/lucide.ttf",
}


@cache
def icon(name: str) -> str:
    """The character of a Lucide icon ("play", "panel-left", …). Raises KeyError for one that is not shipped."""
    return chr(_codepoints()[name])


@cache
def _codepoints() -> dict[str, int]:
    table: dict[str, int] = json.loads(asset("icons/codepoints.json").read_text(encoding="utf-8"))
    return table


def imgui_px(size_px: float, weight: str) -> float:
    """imgui's size of a CSS size."""
    return float(round(size_px if weight == "icon" else size_px * CSS_TO_IMGUI))


def half_up(v: float) -> float:
    """`v` rounded, halves always up: Python's round() would make the gaps between rows jump."""
    return math.floor(v + 0.5)


def system_faces(words: Iterable[str]) -> tuple[Face, ...]:
    """System fonts that hold what Inter lacks of `words` (names in Chinese, say)."""
    rare = sorted({c for word in words for c in word if ord(c) > 0x7F})
    found = (face_of(c) for c in rare[:MOST_RARE])
    return tuple(dict.fromkeys(face for face in found if face is not None and face != inter("regular")))


class Type:
    """The loaded fonts of the current imgui context; system fonts fill in what `words` need and Inter lacks."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        fonts = imgui.get_io().fonts
        others = system_faces(words)
        self._fonts: dict[str, imgui.ImFont] = {}
        self._widths: dict[tuple[str, float, str], float] = {}
        for weight, file in FILES.items():
            config = imgui.ImFontConfig()
            config.font_loader_flags = NO_HINTING
            config.oversample_h = 2
            self._fonts[weight] = fonts.add_font_from_file_ttf(str(asset(file)), 16.0, config)
            for face in others if weight != "icon" else ():
                config = imgui.ImFontConfig()
                config.merge_mode = True
                config.font_no = face.index
                config.font_loader_flags = NO_HINTING
                fonts.add_font_from_file_ttf(face.path, 16.0, config)

    def font(self, weight: str) -> imgui.ImFont:
        """regular, medium, semibold, display or icon."""
        return self._fonts[weight]

    def width(self, text: str, size_px: float = 12.0, weight: str = "regular") -> float:
        """Width of `text` in logical px."""
        key = (text, size_px, weight)
        known = self._widths.get(key)
        if known is None:
            imgui.push_font(self._fonts[weight], imgui_px(size_px, weight))
            known = float(imgui.calc_text_size(text).x)
            imgui.pop_font()
            self._widths[key] = known
        return known

    def wrap(self, text: str, width: float, size_px: float = 12.0, weight: str = "regular") -> list[str]:
        """`text` as lines no wider than `width`, broken between words (a longer word gets an ellipsis)."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if not lines[-1] or self.width(longer, size_px, weight) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        return [self.fit(line, width, size_px, weight) for line in lines]

    def fit(self, text: str, width: float, size_px: float = 12.0, weight: str = "regular") -> str:
        """`text`, or as much of it as fits into `width` with an ellipsis at its end."""
        if self.width(text, size_px, weight) <= width:
            return text
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(text[:middle] + "…", size_px, weight) <= width:
                low = middle
            else:
                high = middle - 1
        return text[:low].rstrip() + "…" if low else ""
