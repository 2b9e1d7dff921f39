"""Type metrics without graphics: which font holds a character, how wide a line of text is, where its lines lie.

Lengths are em (one em = the text's size) or px of the given size. Glyphs stand side by side at their unhinted
advances, without kerning, so that a width is the same at every size and on every machine. A character that Inter lacks
is taken from a system font; where no font has it, its number stands for it: [U+4E2D].
"""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFont

from nn3d.paths import asset

FILES = {
    "regular": "Inter-Regular.otf",
    "medium": "Inter-Medium.otf",
    "semibold": "Inter-SemiBold.otf",
    "display": "InterDisplay-SemiBold.otf",
}

ELLIPSIS = "…"
_EM_PX = 1000
_PROBE_PX = 32
_NO_CHARACTER = "\uffff"
_FC_MATCH_SECS = 5.0
_SYSTEM_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
    "/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
    "/Library/Fonts/Arial Unicode.ttf",
    "C:/Windows/Fonts/segoeui.ttf",
    "C:/Windows/Fonts/seguisym.ttf",
    "C:/Windows/Fonts/msyh.ttc",
    "C:/Windows/Fonts/malgun.ttf",
    "C:/Windows/Fonts/msgothic.ttc",
)


@dataclass(frozen=True, slots=True)
class Face:
    """One face of a font file; `index` counts the faces of a collection (.ttc)."""

    path: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class Shaped:
    """A line of text as glyphs: faces and characters, left edges (n,) float64 in em, and the whole width in em."""

    faces: tuple[Face, ...]
    characters: tuple[str, ...]
    lefts_em: NDArray[np.float64]
    width_em: float


def text_width(text: str, size_px: float, weight: str = "regular") -> float:
    """Width in px of one line of text at an em size of `size_px`; `weight` as in stage.frame.Text."""
    return shape(text, weight).width_em * size_px


def ascent(size_px: float, weight: str = "regular") -> float:
    """Height in px of the font's ascender line over the baseline (positive)."""
    return _vertical_em(weight)[0] * size_px


def descent(size_px: float, weight: str = "regular") -> float:
    """Depth in px of the font's descender line under the baseline (positive)."""
    return _vertical_em(weight)[1] * size_px


def shorten(text: str, size_px: float, width_px: float, weight: str = "regular") -> str:
    """`text`, or as much of its start as fits `width_px` with "…" behind it (never less than the "…")."""
    if text_width(text, size_px, weight) <= width_px:
        return text
    room_em = width_px / size_px - shape(ELLIPSIS, weight).width_em
    clean = readable(text, weight)
    shaped = shape(clean, weight)
    n_kept = max(0, int(np.searchsorted(shaped.lefts_em, room_em, side="right")) - 1)
    return clean[:n_kept].rstrip() + ELLIPSIS


@lru_cache(maxsize=2048)
def shape(text: str, weight: str = "regular") -> Shaped:
    """The glyphs of one line of text (tabs and line ends count as spaces, invisible characters as nothing)."""
    faces: list[Face] = []
    characters: list[str] = []
    for character in readable(text, weight):
        faces.append(face_of(character, weight) or inter(weight))
        characters.append(character)
    widths = np.array([advance_em(f, c) for f, c in zip(faces, characters, strict=True)], np.float64)
    lefts = np.cumsum(widths) - widths
    lefts.setflags(write=False)
    return Shaped(tuple(faces), tuple(characters), lefts, float(widths.sum()))


def readable(text: str, weight: str = "regular") -> str:
    """One line of text as it is drawn: what no font on this machine has is spelled out as its number, [U+4E2D]."""
    clean = _clean(text)
    if clean.isascii():
        return clean
    return "".join(c if face_of(c, weight) is not None else f"[U+{ord(c):04X}]" for c in clean)


def unknown(text: str) -> tuple[str, ...]:
    """The characters of a text that no font on this machine has, each once, in order."""
    clean = _clean(text)
    return () if clean.isascii() else tuple(c for c in dict.fromkeys(clean) if face_of(c) is None)


@lru_cache(maxsize=16)
def inter(weight: str) -> Face:
    """The bundled face of a weight. Raises Nn3dError when the installation lacks it, KeyError for another weight."""
    return Face(str(asset("fonts", FILES[weight])))


@lru_cache(maxsize=65536)
def face_of(character: str, weight: str = "regular") -> Face | None:
    """The face that draws `character`: the bundled one, else a system font that has it, else None."""
    own = inter(weight)
    if has_glyph(own, character):
        return own
    return next((f for f in _system_faces() if has_glyph(f, character)), None) or _ask_fontconfig(character)


@lru_cache(maxsize=65536)
def has_glyph(face: Face, character: str) -> bool:
    """Whether the face draws something of its own for `character`, not its "no such character" glyph."""
    font = open_font(face, _PROBE_PX)
    if font is None:
        return False
    mask = font.getmask(character, "L")
    absent = font.getmask(_NO_CHARACTER, "L")
    return mask.size != absent.size or bytes(mask) != bytes(absent)


@lru_cache(maxsize=65536)
def advance_em(face: Face, character: str) -> float:
    """How far a character moves the pen, in em, unhinted."""
    font = open_font(face, _EM_PX)
    return font.getlength(character) / _EM_PX if font is not None else 0.0


@lru_cache(maxsize=48)  # some 80 kB each: a window that is resized asks for ever new sizes
def open_font(face: Face, size_px: float) -> ImageFont.FreeTypeFont | None:
    """A face at an em size in px (FreeType's plain layout); None when the file cannot be used at that size."""
    try:
        return ImageFont.truetype(face.path, size_px, index=face.index, layout_engine=ImageFont.Layout.BASIC)
    except OSError:
        return None


@lru_cache(maxsize=16)
def _vertical_em(weight: str) -> tuple[float, float]:
    font = open_font(inter(weight), _EM_PX)
    if font is None:
        return 0.97, 0.24
    up, down = font.getmetrics()
    return up / _EM_PX, down / _EM_PX


def _clean(text: str) -> str:
    """Composed characters, white space as spaces, and without control and formatting characters."""
    composed = unicodedata.normalize("NFC", text)
    spaced = "".join(" " if c.isspace() else c for c in composed)
    return "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


@lru_cache(maxsize=1)
def _system_faces() -> tuple[Face, ...]:
    return tuple(Face(path) for path in _SYSTEM_FONTS if Path(path).is_file())


def _ask_fontconfig(character: str) -> Face | None:
    """The font that fontconfig names for the character's block of 256, if it does have this one."""
    face = _fontconfig_face(ord(character) >> 8)
    return face if face is not None and has_glyph(face, character) else None


@lru_cache(maxsize=4352)
def _fontconfig_face(block: int) -> Face | None:
    """What fontconfig names for 256 code points at once, so that odd text starts few processes."""
    program = shutil.which("fc-match")
    if program is None:
        return None
    command = [program, "--format", "%{file}|%{index}", f":charset={block << 8:x}-{(block << 8) + 255:x}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_FC_MATCH_SECS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    path, _, index = answer.partition("|")
    return Face(path, int(index) & 0xFFFF if index.isdigit() else 0) if Path(path).is_file() else None
