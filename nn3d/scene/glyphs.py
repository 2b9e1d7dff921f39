"""The glyph atlas: one R8 texture of coverage, filled on demand at the exact device size, never scaled on screen.

A glyph is rasterised at several times its size and area-averaged. Across, it stands at a quarter of a pixel; up and
down its edges, the x-height and the baseline are moved to whole pixels first, which keeps small type crisp.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.errors import GraphicsError
from nn3d.scene.gpu import Uploads, make_texture, write_texture
from nn3d.stage.type import Face, open_font

QUARTERS = 4
_WIDTH = 1024
_FIRST_HEIGHT = 256
_MAX_HEIGHT = 8192
_OVERSAMPLING = 8
_HI_PX = 512
_NEAR_ZONE_EM = 0.025
_NEAR_ZONE_PX = 0.6


@dataclass(frozen=True, slots=True)
class Glyph:
    """A glyph in the atlas: its corner (u, v) in texels, its size, and its corner from the pen, px right and down."""

    u: int
    v: int
    width: int
    height: int
    left: int
    top: int


@dataclass(slots=True)
class GlyphAtlas:
    """Coverage of all glyphs asked for so far. `generation` grows when it was emptied, and every Glyph is void."""

    ctx: moderngl.Context
    uploads: Uploads = field(default_factory=Uploads)
    generation: int = 0
    texture: moderngl.Texture | None = None
    _texels: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((_FIRST_HEIGHT, _WIDTH), np.uint8))
    _glyphs: dict[tuple[Face, str, float, int], Glyph] = field(default_factory=dict)
    _pen: tuple[int, int, int] = (0, 0, 0)
    _dirty: tuple[int, int] = (0, 0)

    def glyph(self, face: Face, character: str, size_px: float, quarter: int) -> Glyph:
        """The glyph at an em size in device px, `quarter` quarters of a pixel right of a whole one.

        Raises GraphicsError when a single glyph is larger than the atlas may become.
        """
        key = (face, character, size_px, quarter)
        known = self._glyphs.get(key)
        if known is None:
            known = self._glyphs[key] = self._add(*rasterise(face, character, size_px, quarter))
        return known

    def upload(self) -> moderngl.Texture:
        """The texture with everything asked for so far; uploads the rows that are new."""
        first, last = self._dirty
        if self.texture is None or self.texture.size != (_WIDTH, len(self._texels)):
            if self.texture is not None:
                self.texture.release()
            self.texture = make_texture(self.ctx, self._texels, self.uploads)  # type: ignore[assignment]
        elif last > first:
            write_texture(self.texture, self._texels[first:last], self.uploads, (0, first, _WIDTH, last - first))
        self._dirty = (0, 0)
        assert self.texture is not None
        return self.texture

    def release(self) -> None:
        """Give the texture back."""
        if self.texture is not None:
            self.texture.release()
            self.texture = None

    def _add(self, coverage: NDArray[np.uint8], left: int, top: int) -> Glyph:
        height, width = coverage.shape
        if coverage.size == 0:
            return Glyph(0, 0, 0, 0, 0, 0)
        u, v = self._place(width, height)
        self._texels[v : v + height, u : u + width] = coverage
        first, last = self._dirty
        self._dirty = (min(first, v) if last else v, max(last, v + height))
        return Glyph(u, v, width, height, left, top)

    def _place(self, width: int, height: int) -> tuple[int, int]:
        """Room on the current shelf, or on a new one below; grows, or empties the atlas when it is full."""
        if width > _WIDTH or height > _MAX_HEIGHT:
            raise GraphicsError(f"a glyph of {width} × {height} px is too large to draw. Use a smaller text size.")
        x, y, tallest = self._pen
        if x + width > _WIDTH:
            x, y, tallest = 0, y + tallest, 0
        if y + height > _MAX_HEIGHT:
            self._empty()
            x, y, tallest = 0, 0, 0
        while y + height > len(self._texels):
            self._texels = np.concatenate([self._texels, np.zeros_like(self._texels)])
        self._pen = (x + width, y, max(tallest, height))
        return x, y

    def _empty(self) -> None:
        self.generation += 1
        self._glyphs.clear()
        self._texels[:] = 0
        self._dirty = (0, len(self._texels))


def rasterise(face: Face, character: str, size_px: float, quarter: int) -> tuple[NDArray[np.uint8], int, int]:
    """Coverage (h, w) of a glyph, and its corner's place from the pen on the baseline, px right and px down.

    size_px : em size in device px. quarter : how many quarters of a pixel it stands right of a whole pixel.
    """
    factor = max(1, min(_OVERSAMPLING, int(_HI_PX / size_px)))
    font = open_font(face, size_px * factor)
    if font is None:
        return np.zeros((0, 0), np.uint8), 0, 0
    mask, offset = font.getmask2(character, "L", anchor="ls")
    if min(mask.size) == 0:
        return np.zeros((0, 0), np.uint8), 0, 0
    high = np.frombuffer(bytes(mask), np.uint8).reshape(mask.size[1], mask.size[0])
    rows = np.flatnonzero(high.any(axis=1))
    if len(rows) == 0:
        return np.zeros((0, 0), np.uint8), 0, 0
    high = high[rows[0] : rows[-1] + 1]
    top = -(offset[1] + int(rows[0])) / factor
    left = offset[0] / factor + quarter / QUARTERS
    columns = np.arange(np.floor(left), np.ceil(left + high.shape[1] / factor) + 1)
    knots, places = _snap(face, character, top, top - high.shape[0] / factor, size_px)
    lines = np.arange(np.ceil(places[-1]), np.floor(places[0]) - 1, -1)
    across = (columns - left) * factor
    down = (top - _interpolate(lines, places, knots)) * factor
    return _average(high, down, across), int(columns[0]), int(-lines[0])


def _interpolate(
    at: NDArray[np.float64], places: NDArray[np.float64], knots: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The unhinted height of hinted heights: linear between the knots, parallel outside."""
    height: NDArray[np.float64] = np.interp(at, places, knots)
    height += np.minimum(at - places[0], 0.0) + np.maximum(at - places[-1], 0.0)
    return height


def _snap(
    face: Face, character: str, top: float, bottom: float, size_px: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Heights over the baseline (px, rising) that go to whole pixels, and which: bottom, baseline, x-height, top."""
    zones = _zones_em(face)
    goals = {edge: _goal(edge, zones, size_px) for edge in (bottom, top)}
    if goals[top] - goals[bottom] < 1.0:
        goals[top] = goals[bottom] + 1.0
    for zone in (0.0, zones[1]) if character.isalpha() and character.islower() else ():
        height = zone * size_px
        goal = float(np.floor(height + 0.5))
        if bottom + 0.12 * size_px < height < top - 0.08 * size_px and goals[bottom] + 1 < goal < goals[top]:
            goals[height] = goal
    knots = np.array(sorted(goals), np.float64)
    return knots, np.array([goals[k] for k in knots], np.float64)


def _goal(edge_px: float, zones: tuple[float, ...], size_px: float) -> float:
    """The whole pixel of an edge: that of its zone, so that small round letters end where flat ones do."""
    near = min(zones, key=lambda zone: abs(zone * size_px - edge_px))
    is_near = abs(near * size_px - edge_px) <= min(_NEAR_ZONE_EM * size_px, _NEAR_ZONE_PX)
    return float(np.floor((near * size_px if is_near else edge_px) + 0.5))


@lru_cache(maxsize=64)
def _zones_em(face: Face) -> tuple[float, ...]:
    """Baseline, x-height and height of capitals in em."""
    font = open_font(face, 1000)
    if font is None:
        return (0.0, 0.5, 0.7)
    return (0.0, *(-font.getbbox(letter, anchor="ls")[1] / 1000 for letter in "xH"))


def _average(high: NDArray[np.uint8], down: NDArray[np.float64], across: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Mean of `high` in the boxes between the fractional rows `down` and columns `across` (zero outside)."""
    total = np.zeros((high.shape[0] + 1, high.shape[1] + 1), np.float64)
    total[1:, 1:] = high.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    part = np.diff(_at(_at(total, down).T, across), axis=0).T
    boxes = np.diff(part, axis=0)
    area = np.diff(down)[:, None] * np.diff(across)[None, :]
    return np.clip(np.rint(boxes / area), 0, 255).astype(np.uint8)


def _at(table: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of a table at fractional places, linear between rows, held at both ends."""
    place = np.clip(rows, 0.0, len(table) - 1.0)
    low = np.minimum(place.astype(np.int64), max(len(table) - 2, 0))
    mixed: NDArray[np.float64] = table[low] + (place - low)[:, None] * (
        table[np.minimum(low + 1, len(table) - 1)] - table[low]
    )
    return mixed
