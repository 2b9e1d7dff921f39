"""What lies under the pointer: two integer pictures, of tiles and of strands, and the cell by a ray on the face.

`pointed` answers with a nn3d.stage.pointed.Pointed (label, edge, trunk, cell, tile, layer, group), `pick` with the
cell, tile, layer or closed group alone, whatever strand or text lies over it.

The picture of tiles holds layer + 1 with a top bit on faces, the tile (all bits: the whole layer), and cell + 1 where
it is a cube's. The picture of strands holds index in Frame.strands + 1 and the strand's row; it shares the depth of
the tiles. Both are kept while what they show rests, which dimming does not change: then a question reads a few px.
After a change (also when hovering a cell brings its own strands) only the neighbourhood of the pointer is drawn; a
question further away draws the whole.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.scene.ribbons import RibbonPass
from nn3d.scene.tiles import TilePass
from nn3d.stage import pointed
from nn3d.stage.frame import PART, Frame, Mark, StrandLayer, TileLayer
from nn3d.stage.pointed import Pointed
from nn3d.stage.reference import cell_under
from nn3d.stage.state import Thing

FACE_BIT: Final = 1 << 31
WHOLE_LAYER: Final = (1 << 32) - 1
NEAR_PX: Final = 32  # around the pointer, of what is drawn while the picture changes
REACH_PX: Final = 2  # a strand is found this far from the pointer, where no face lies under it

Rect = tuple[int, int, int, int]  # x, y from the bottom, width, height


class PickPass:
    """Owns both integer pictures and their depth, of one px a logical px."""

    def __init__(self, ctx: moderngl.Context, tiles: TilePass, ribbons: RibbonPass) -> None:
        self.ctx, self.tiles, self.ribbons = ctx, tiles, ribbons
        self._targets: tuple[moderngl.Framebuffer, moderngl.Framebuffer] | None = None
        self._key: Hashable = None
        self._drawn: Rect = (0, 0, 0, 0)
        self._texts: tuple[tuple[Mark, ...] | None, NDArray[np.float64]] = (None, np.zeros((0, 5)))

    def pick(self, frame: Frame, common: dict[str, object], x_px: float, y_px: float) -> Thing | None:
        """The thing under logical px (x, y), or None outside of every tile."""
        w, h = frame.state.size_px
        if not (0 <= x_px < w and 0 <= y_px < h):
            return None
        self._draw_near(frame, common, int(x_px), h - 1 - int(y_px))
        return self._thing(frame, x_px, y_px)

    def pointed(self, frame: Frame, common: dict[str, object], x_px: float, y_px: float) -> Pointed | None:
        """What lies on top at logical px (x, y), or None where there is nothing."""
        w, h = frame.state.size_px
        if not (0 <= x_px < w and 0 <= y_px < h):
            return None
        if self._texts[0] is not frame.marks:
            self._texts = frame.marks, pointed.text_boxes(frame)
        label = pointed.label_at(frame, self._texts[1], x_px, y_px)
        if label is not None:
            return label
        x, y = int(x_px), h - 1 - int(y_px)
        self._draw_near(frame, common, x, y)
        thing = self._thing(frame, x_px, y_px)
        strand = self._strand(frame, x, y, 0 if thing is not None else REACH_PX)
        if strand is not None:
            return strand
        if thing is not None:
            return pointed.of_thing(frame, thing)
        return pointed.at_bracket_or_post(frame, x_px, y_px)

    def _thing(self, frame: Frame, x_px: float, y_px: float) -> Thing | None:
        assert self._targets is not None
        at = (int(x_px), frame.state.size_px[1] - 1 - int(y_px), 1, 1)
        raw = self._targets[0].read(viewport=at, components=4, alignment=1, dtype="u4")
        layer, tile, cell = (int(v) for v in np.frombuffer(raw, np.uint32)[:3])
        layer &= ~FACE_BIT
        if layer == 0:
            return None
        if layer > PART:
            return Thing(layer - 1 - PART)
        if tile == WHOLE_LAYER:
            return Thing(layer - 1)
        plate = next(t for t in frame.tiles if t.layer == layer - 1)
        if plate.cubes is not None and cell:
            return Thing(layer - 1, tile, *divmod(cell - 1, plate.cells[1]))
        row, col = cell_under(frame, layer - 1, tile, x_px + 0.5, y_px + 0.5)
        return Thing(layer - 1, tile, row, col)

    def _strand(self, frame: Frame, x: int, y: int, reach: int) -> Pointed | None:
        """The strand nearest to px (x, y from the bottom), at most `reach` px away."""
        assert self._targets is not None
        if not frame.strands:
            return None
        left, low, wide, high = _around(frame.state.size_px, x, y, reach)
        raw = self._targets[1].read(viewport=(left, low, wide, high), components=2, alignment=1, dtype="u4")
        ids = np.frombuffer(raw, np.uint32).reshape(high, wide, 2)
        rows, columns = np.nonzero(ids[..., 0])
        if not rows.size:
            return None
        nearest = int(((rows + low - y) ** 2 + (columns + left - x) ** 2).argmin())
        link, row = (int(v) for v in ids[rows[nearest], columns[nearest]])
        return pointed.of_strand(frame, link - 1, row)

    def _draw_near(self, frame: Frame, common: dict[str, object], x: int, y: int) -> None:
        """Have both pictures around (x, y from the bottom)."""
        size = frame.state.size_px
        key = _key_of(frame)
        if key != self._key or self._targets is None or self._targets[0].size != size:
            self._draw(frame, common, _around(size, x, y, NEAR_PX))
        elif not _holds(self._drawn, _around(size, x, y, REACH_PX)):
            self._draw(frame, common, (0, 0, *size))
        self._key = key

    def forget(self) -> None:
        """Draw anew at the next question."""
        self._key = None

    def whole(self, frame: Frame, common: dict[str, object]) -> moderngl.Framebuffer:
        """The picture of tiles, all of it."""
        self._key = None
        self._draw(frame, common, (0, 0, *frame.state.size_px))
        assert self._targets is not None
        return self._targets[0]

    def _draw(self, frame: Frame, common: dict[str, object], rect: Rect) -> None:
        size = frame.state.size_px
        if self._targets is None or self._targets[0].size != size:
            self.release()
            depth = self.ctx.depth_renderbuffer(size)
            tiles, strands = (self.ctx.texture(size, n, dtype="u4") for n in (4, 2))
            self._targets = self.ctx.framebuffer([tiles], depth), self.ctx.framebuffer([strands], depth)
        for target in reversed(self._targets):
            target.scissor = rect
            target.use()
            target.clear(0, 0, 0, 0, depth=1.0, viewport=rect)
        self.ctx.enable_only(moderngl.DEPTH_TEST)
        self.ctx.depth_func = "<="
        self.tiles.draw_ids(frame)
        if frame.strands:
            self._targets[1].use()
            self.ribbons.draw_ids(frame, common, rect)
        self._drawn = rect

    def hidden_share(self, frame: Frame, common: dict[str, object]) -> float:
        """Share of the px of tile faces that strands cover."""
        faces = _numbers(self.whole(frame, common), 4)[:, 0] & FACE_BIT != 0
        assert self._targets is not None
        strands = _numbers(self._targets[1], 2)[:, 0] != 0
        return float((faces & strands).sum() / max(1, faces.sum()))

    def release(self) -> None:
        """Give the targets back."""
        if self._targets is not None:
            tiles, strands = self._targets
            for item in (strands, *strands.color_attachments, tiles, *tiles.color_attachments, tiles.depth_attachment):
                if item is not None:
                    item.release()
        self._targets, self._key = None, None


def _around(size: tuple[int, int], x: int, y: int, reach: int) -> Rect:
    """The square around a px, as far as it lies on the target."""
    left, low = max(0, x - reach), max(0, y - reach)
    return left, low, min(size[0], x + reach + 1) - left, min(size[1], y + reach + 1) - low


def _holds(outer: Rect, inner: Rect) -> bool:
    return all(o <= i and i + n <= o + m for o, m, i, n in zip(outer[:2], outer[2:], inner[:2], inner[2:], strict=True))


def _numbers(target: moderngl.Framebuffer, n: int) -> NDArray[np.uint32]:
    """(px, n) numbers of a picture."""
    return np.frombuffer(target.read(components=n, alignment=1, dtype="u4"), np.uint32).reshape(-1, n)


def _key_of(frame: Frame) -> Hashable:
    """What both pictures depend on; not what is hovered, dimmed or coloured."""
    view, state = frame.view, frame.state
    return (
        state.size_px, view.clip_from_world.tobytes(), view.world_from_bench.tobytes(), frame.epoch_mix,
        state.edges.strength, state.side, state.facing, tuple(_tile_key(frame, t) for t in frame.tiles),
        tuple(_strands_key(s) for s in frame.strands),
    )  # fmt: skip


def _tile_key(frame: Frame, t: TileLayer) -> Hashable:
    values = tuple(v.key for v in t.values or ())
    cubes = None if t.cubes is None else (t.cubes.tobytes(), t.gain, values, frame.mix_of(t))
    return t.layer, t.key, t.x, t.y, t.opening, t.weights, t.scale, t.open_half, t.block_half, cubes


def _strands_key(s: StrandLayer) -> Hashable:
    return s.key, s.source, s.target, s.rope_share, s.grow, s.rope, s.apex, s.gutter, s.source_gutter, s.turn, s.leave
