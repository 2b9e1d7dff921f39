"""The picture's text, key, bars and cards: marks in logical px to one instanced draw call in device px.

Glyphs come from the atlas pixel by pixel; rectangles and lines are antialiased by the share of a pixel they cover.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.errors import GraphicsError
from nn3d.scene.glyphs import QUARTERS, GlyphAtlas
from nn3d.scene.gpu import Uploads, attributes, set_uniforms, update_buffer
from nn3d.scene.programs import shared_program
from nn3d.stage.frame import Cells, Line, Mark, Rect, Text
from nn3d.stage.type import ascent, descent, shape

# quad: x0, y0, x1, y1 to rasterise. shape: glyph: its corner and its texel in the atlas; rectangle: its edges; line:
# its ends. kind: 0 text, 1 rectangle, 2 line; then the radius or the half width. All in device px.
MARK = np.dtype([("quad", "f4", 4), ("shape", "f4", 4), ("kind", "f4", 2), ("colour", "f4", 4), ("right", "f4", 4)])

_TEXT, _RECT, _LINE = 0.0, 1.0, 2.0
_MAX_CACHED_TEXTS = 4096
_MAX_DEVICE_PX = 2000.0

# Instances as plain rows, in the order of MARK.
Rows = NDArray[np.float32]
_N_FLOATS = MARK.itemsize // 4


@dataclass(frozen=True, slots=True)
class _TextKey:
    text: str
    weight: str
    size_px: float
    quarter: int


class Labels:
    """Draws marks with one context. `uploads` counts the bytes that went to the GPU."""

    def __init__(self, ctx: moderngl.Context, uploads: Uploads | None = None) -> None:
        self.ctx = ctx
        self.uploads = uploads if uploads is not None else Uploads()
        self.draw_calls = 0
        self._program = shared_program(ctx, "mark.vert", fragment="mark.frag")
        self._buffer = ctx.buffer(reserve=MARK.itemsize * 256)
        self._array = ctx.vertex_array(
            self._program, [attributes(self._program, self._buffer, MARK, per_instance=True)]
        )
        self._atlas = GlyphAtlas(ctx, self.uploads)
        self._texts: dict[_TextKey, Rows] = {}
        self._generation = 0
        self._drawn: tuple[tuple[Mark, ...], float] | None = None
        self._n_instances = 0

    def draw(self, marks: tuple[Mark, ...], size_px: tuple[int, int], scale: float = 1.0) -> None:
        """Blend the marks, in order, over the bound framebuffer of round(size_px · scale) pixels.

        Nothing is built or uploaded when marks and scale are those of the last call.
        Raises GraphicsError for text too large, or of too many sizes at once, for the glyph atlas.
        """
        if self._drawn is None or self._drawn[1] != scale or self._drawn[0] != marks:
            self._prepare(marks, scale)
            self._drawn = (marks, scale)
        self.draw_calls = 0
        if self._n_instances == 0:
            return
        _blend_over(self.ctx)
        self._atlas.upload().use(0)
        set_uniforms(self._program, u_size=(round(size_px[0] * scale), round(size_px[1] * scale)), u_glyphs=0)
        self._array.render(moderngl.TRIANGLE_STRIP, vertices=4, instances=self._n_instances)
        self.draw_calls = 1

    def release(self) -> None:
        """Give all GPU objects back."""
        self._atlas.release()
        self._array.release()
        self._buffer.release()

    def _prepare(self, marks: tuple[Mark, ...], scale: float) -> None:
        instances = self._instances(marks, scale)
        if self._atlas.generation != self._generation:
            self._forget()
            instances = self._instances(marks, scale)
            if self._atlas.generation != self._generation:
                raise GraphicsError(f"the glyphs of {len(marks)} marks do not fit the atlas. Draw fewer sizes of text.")
        self._n_instances = len(instances)
        update_buffer(self._buffer, instances, self.uploads)

    def _forget(self) -> None:
        self._texts.clear()
        self._generation = self._atlas.generation

    def _instances(self, marks: tuple[Mark, ...], scale: float) -> Rows:
        """All rows in order; neighbouring rectangles and lines are gathered into one array."""
        parts: list[Rows] = []
        shapes: list[tuple[float, ...]] = []
        for mark in marks:
            if isinstance(mark, Cells):
                if shapes:
                    parts.append(np.array(shapes, np.float32))
                    shapes = []
                parts.append(_cell_rows(mark, scale))
            elif not isinstance(mark, Text):
                shapes.append(_rect_row(mark, scale) if isinstance(mark, Rect) else _line_row(mark, scale))
            elif math.isfinite(mark.x) and math.isfinite(mark.y):
                if shapes:
                    parts.append(np.array(shapes, np.float32))
                    shapes = []
                parts.append(self._of_text(mark, scale))
        if shapes:
            parts.append(np.array(shapes, np.float32))
        return np.concatenate(parts) if parts else np.zeros((0, _N_FLOATS), np.float32)

    def _of_text(self, mark: Text, scale: float) -> Rows:
        """Glyphs of one line: the pen starts at a quarter of a device pixel, the baseline lies on a whole one."""
        size = min(mark.size_px * scale, _MAX_DEVICE_PX)
        pen_x, baseline = _pen(mark, scale)
        quarters = math.floor(pen_x * QUARTERS + 0.5)
        glyphs = self._line(_TextKey(mark.text, mark.weight, size, quarters % QUARTERS)).copy()
        glyphs[:, :6] += np.array((quarters // QUARTERS, baseline) * 3, np.float32)
        glyphs[:, 10:14] = mark.colour
        return glyphs

    def _line(self, key: _TextKey) -> Rows:
        known = self._texts.get(key)
        if known is not None and self._generation == self._atlas.generation:
            return known
        if len(self._texts) >= _MAX_CACHED_TEXTS:
            self._texts.clear()
        line = self._texts[key] = self._build_line(key)
        return line

    def _build_line(self, key: _TextKey) -> Rows:
        shaped = shape(key.text, key.weight)
        pens = np.floor((shaped.lefts_em * key.size_px) * QUARTERS + key.quarter + 0.5).astype(np.int64)
        rows = []
        for face, character, pen in zip(shaped.faces, shaped.characters, pens.tolist(), strict=True):
            glyph = self._atlas.glyph(face, character, key.size_px, pen % QUARTERS)
            if glyph.width:
                x, y = pen // QUARTERS + glyph.left, glyph.top
                rows.append((x, y, x + glyph.width, y + glyph.height, glyph.u, glyph.v))
        table = np.array(rows, np.float32).reshape(-1, 6)
        line = np.zeros((len(table), _N_FLOATS), np.float32)
        line[:, :8] = table[:, (0, 1, 2, 3, 0, 1, 4, 5)]
        return line


def _blend_over(ctx: Any) -> None:
    """Plain alpha over what is there; an opaque target stays opaque, a transparent one gathers alpha."""
    ctx.enable_only(moderngl.BLEND)
    ctx.blend_equation = moderngl.FUNC_ADD
    colour, alpha = (moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA), (moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA)
    ctx.blend_func = (*colour, *alpha)


def _pen(mark: Text, scale: float) -> tuple[float, float]:
    """Where a line of text starts and its baseline lies, device px; the anchors are those of stage.frame.Text."""
    width = shape(mark.text, mark.weight).width_em * mark.size_px
    across = {"l": 0.0, "m": 0.5, "r": 1.0}[mark.anchor[0]]
    up, down = ascent(mark.size_px, mark.weight), descent(mark.size_px, mark.weight)
    drop = {"a": up, "m": (up - down) / 2.0, "s": 0.0, "d": -down, "b": -down}[mark.anchor[1]]
    return (mark.x - across * width) * scale, float(math.floor((mark.y + drop) * scale + 0.5))


def _rect_row(mark: Rect, scale: float) -> tuple[float, ...]:
    x0, x1 = sorted((mark.x0 * scale, mark.x1 * scale))
    y0, y1 = sorted((mark.y0 * scale, mark.y1 * scale))
    right = mark.right if mark.right is not None else mark.colour
    return (*_quad(x0, y0, x1, y1, 1.0), x0, y0, x1, y1, _RECT, mark.radius * scale, *mark.colour, *right)


def _cell_rows(mark: Cells, scale: float) -> Rows:
    """A rectangle a cell, its edges on whole device px."""
    rows, cols = mark.colours.shape[:2]
    y, x = np.mgrid[:rows, :cols].reshape(2, -1)
    left, top = mark.x + x * mark.width, mark.y + y * mark.height
    edges = np.column_stack([left, top, left + mark.width - mark.gap, top + mark.height - mark.gap]) * scale
    edges = np.round(edges)
    out = np.zeros((len(edges), _N_FLOATS), np.float32)
    out[:, :4] = edges + np.array([-1.0, -1.0, 1.0, 1.0])
    out[:, 4:8] = edges
    out[:, 8] = _RECT
    out[:, 10:14] = out[:, 14:18] = mark.colours.reshape(-1, 4)
    return out


def _line_row(mark: Line, scale: float) -> tuple[float, ...]:
    x0, y0, x1, y1 = (v * scale for v in (mark.x0, mark.y0, mark.x1, mark.y1))
    half = mark.width * scale / 2.0
    quad = _quad(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1), half + 1.0)
    return (*quad, x0, y0, x1, y1, _LINE, half, *mark.colour, *mark.colour)


def _quad(x0: float, y0: float, x1: float, y1: float, margin: float) -> tuple[float, float, float, float]:
    """The pixels to visit, nothing at all where a place is not finite."""
    if not all(math.isfinite(v) for v in (x0, y0, x1, y1)):
        return 0.0, 0.0, 0.0, 0.0
    return x0 - margin, y0 - margin, x1 + margin, y1 + margin
