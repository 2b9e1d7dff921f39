"""What lies under the pointer: an integer picture of layer and tile numbers, and the cell by a ray on the face."""

from __future__ import annotations

from collections.abc import Hashable

import moderngl
import numpy as np

from nn3d.scene.ribbons import RibbonPass
from nn3d.scene.tiles import TilePass
from nn3d.stage.frame import PART, Frame, TileLayer
from nn3d.stage.reference import cell_under
from nn3d.stage.state import Thing

FACE_BIT = 1 << 31
WHOLE_LAYER = (1 << 32) - 1


class PickPass:
    """Owns the id target. One px is read a question; the picture is drawn again only when the geometry moved."""

    def __init__(self, ctx: moderngl.Context, tiles: TilePass) -> None:
        self.ctx, self.tiles = ctx, tiles
        self._target: moderngl.Framebuffer | None = None
        self._key: Hashable = None

    def pick(self, frame: Frame, x_px: float, y_px: float) -> Thing | None:
        """The thing under logical px (x, y), or None outside of every tile."""
        w, h = frame.state.size_px
        if not (0 <= x_px < w and 0 <= y_px < h):
            return None
        self._draw(frame)
        assert self._target is not None
        raw = self._target.read(
            viewport=(int(x_px), h - 1 - int(y_px), 1, 1), components=4, alignment=1, dtype="u4"
        )
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

    def _draw(self, frame: Frame) -> None:
        key = (
            frame.state.size_px, frame.view.clip_from_world.tobytes(), frame.view.world_from_bench.tobytes(),
            tuple((t.key, t.x, t.y, t.opening, t.weights) for t in frame.tiles),
            frame.epoch_mix, tuple(_cubes_key(t) for t in frame.tiles if t.cubes is not None),
        )  # fmt: skip
        if key == self._key and self._target is not None:
            return
        size = frame.state.size_px
        if self._target is None or self._target.size != size:
            self.release()
            self._target = self.ctx.framebuffer(
                [self.ctx.texture(size, 4, dtype="u4")], self.ctx.depth_renderbuffer(size)
            )
        self._target.use()
        self._target.clear(0, 0, 0, 0, depth=1.0)
        self.ctx.enable_only(moderngl.DEPTH_TEST)
        self.tiles.draw_ids(frame)
        self._key = key

    def hidden_share(self, frame: Frame, ribbons: RibbonPass, common: dict[str, object]) -> float:
        """Share of the px of tile faces that strands cover."""
        self._key = None
        self._draw(frame)
        before = self._count_faces()
        self.ctx.enable_only(moderngl.DEPTH_TEST)
        ribbons.draw_ids(frame, common)
        after = self._count_faces()
        self._key = None
        return (before - after) / before if before else 0.0

    def _count_faces(self) -> int:
        assert self._target is not None
        raw = np.frombuffer(self._target.read(components=4, alignment=1, dtype="u4"), np.uint32).reshape(-1, 4)
        return int(((raw[:, 0] & FACE_BIT) != 0).sum())

    def release(self) -> None:
        """Give the target back."""
        if self._target is not None:
            attachments = (*self._target.color_attachments, self._target.depth_attachment)
            self._target.release()
            for item in attachments:
                if item is not None:
                    item.release()
        self._target, self._key = None, None


def _cubes_key(tile: TileLayer) -> Hashable:
    """What the cubes of a layer depend on, beside its place."""
    return None if tile.cubes is None else (tile.cubes.tobytes(), tile.gain, tuple(v.key for v in tile.values or ()))
