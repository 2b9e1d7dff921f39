"""Frame to pixels: the passes in their order, multisampled, then text at final resolution."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.scene.canvas import Canvas
from nn3d.scene.gpu import Uploads, require_gl41
from nn3d.scene.ground import GroundPass
from nn3d.scene.insets import Insets
from nn3d.scene.labels import Labels
from nn3d.scene.pick import PickPass
from nn3d.scene.region import everywhere, strips_of
from nn3d.scene.ribbons import RibbonPass
from nn3d.scene.shade import ShadePass
from nn3d.scene.sums import SumPass
from nn3d.scene.tiles import TilePass
from nn3d.scene.uploading import within
from nn3d.scene.veil import VeilPass
from nn3d.stage.frame import Frame
from nn3d.stage.pointed import Pointed
from nn3d.stage.stance import plate_axes
from nn3d.stage.state import Thing

FOG_NEAR, FOG_FAR, FOG_SHARE = 45.0, 75.0, 0.22


@dataclass(slots=True)
class Figures:
    """Of the last frame drawn."""

    draw_calls: int = 0
    segments: int = 0
    upload_bytes: int = 0


class Renderer:
    """Draws frames with the context it is given. Who made the context releases the renderer before it."""

    def __init__(self, ctx: moderngl.Context) -> None:
        require_gl41(ctx)
        self.ctx = ctx
        self.uploads = Uploads()
        self.figures = Figures()
        self.n_waiting = 0
        self.ground = GroundPass(ctx, self.uploads)
        self.tiles = TilePass(ctx, self.uploads)
        self.ribbons = RibbonPass(ctx, self.uploads)
        self.sums = SumPass(ctx, self.ribbons, self.tiles)
        self.shade = ShadePass(ctx)
        self.veil = VeilPass(ctx, self.ribbons)
        self.labels = Labels(ctx, self.uploads)
        self.picking = PickPass(ctx, self.tiles, self.ribbons)
        self.canvas = Canvas(ctx)
        self.insets = Insets(ctx, lambda: Renderer(ctx))

    def draw(self, frame: Frame, target: moderngl.Framebuffer, *, upload_bytes: int | None = None) -> Frame:
        """Draw the complete picture into `target`, whose size is the state's size_px times its scale.

        upload_bytes : about how much may be uploaded for it; what is beyond waits, and `n_waiting` says how much that
        is. Returns the frame as it was drawn.
        """
        self.uploads.reset()
        self.n_waiting = 0
        if upload_bytes is not None:
            frame, self.n_waiting = within(frame, upload_bytes, self.tiles.maps.cost, self.ribbons.cost)
        self.prepare(frame)
        size = device_size(frame)
        is_whole = frame.state.budget.shade or frame.state.focus.share > 0.0  # shade and veil look at all of it
        ground, calls = self.ground.draw_ground(frame, size)
        strips = everywhere(size) if is_whole else strips_of(frame, size)
        if not is_whole:
            self.ctx.copy_framebuffer(target, ground)
        canvas = self.canvas.start(ground, strips)
        common = common_uniforms(frame)
        calls += self.tiles.draw(frame, common)
        calls += self.ground.draw_boxes(frame, common)
        more, segments = self.ribbons.draw(frame, common)
        more += self._finish(frame, common, canvas, target, strips)
        more += self.sums.draw(frame, common, target)
        more += self.insets.draw(frame.insets, target, frame.state.scale)
        target.use()
        target.viewport = (0, 0, *size)
        self.ctx.enable_only(moderngl.NOTHING)
        self.labels.draw(frame.marks, frame.state.size_px, frame.state.scale)
        self.figures = Figures(calls + more + 2, segments, self.uploads.reset())
        return frame

    def prepare(self, frame: Frame) -> None:
        """Upload what the frame needs and is not there."""
        self.ground.prepare(frame)
        self.tiles.prepare(frame)
        self.ribbons.prepare(frame)

    def _finish(
        self, frame: Frame, common: dict[str, object], canvas: moderngl.Framebuffer, target: moderngl.Framebuffer,
        strips: NDArray[np.int32],
    ) -> int:  # fmt: skip
        """Bring the canvas, whose alpha says what takes shade, to the target, and the veil over it; returns calls."""
        is_veiled, is_shaded = frame.state.focus.share > 0.0, frame.state.budget.shade
        flat = self.shade.resolve(canvas) if is_veiled or is_shaded else None
        calls = self.shade.draw(frame, target) if is_shaded else self.canvas.resolve(target, strips)
        return calls if flat is None else calls + self.veil.draw(frame, common, flat, target)

    def pick(self, frame: Frame, x_px: float, y_px: float) -> Thing | None:
        """The cell, tile, layer or closed group under a logical px, whatever strand or text lies over it, or None."""
        self.prepare(frame)
        return self.picking.pick(frame, common_uniforms(frame), x_px, y_px)

    def pointed(self, frame: Frame, x_px: float, y_px: float) -> Pointed | None:
        """What lies on top at a logical px, labels and strands too, or None."""
        self.prepare(frame)
        return self.picking.pointed(frame, common_uniforms(frame), x_px, y_px)

    def face_hidden_share(self, frame: Frame) -> float:
        """Share of tile-face px that strands cover, from the id picture."""
        self.prepare(frame)
        return self.picking.hidden_share(frame, common_uniforms(frame))

    def release(self) -> None:
        """Give everything back, in reverse order."""
        over = (self.insets, self.picking, self.labels, self.veil, self.shade, self.sums)
        for item in (*over, self.ribbons, self.tiles, self.ground, self.canvas):
            item.release()


def device_size(frame: Frame) -> tuple[int, int]:
    """Framebuffer px of a frame's picture."""
    w, h = frame.state.size_px
    return max(1, round(w * frame.state.scale)), max(1, round(h * frame.state.scale))


def common_uniforms(frame: Frame) -> dict[str, object]:
    """Camera and fog, for every pass that has depth."""
    view = frame.view
    reach = max(1.0, (view.far - view.near) / 120.0)
    fog: NDArray[np.float64] = np.array(
        [view.distance - FOG_NEAR * reach, view.distance + FOG_FAR * reach, FOG_SHARE], np.float64
    )
    return {
        "u_clip_from_world": view.clip_from_world,
        "u_stance": plate_axes(view.world_from_bench),
        "u_eye": view.eye_world,
        "u_fog": frame.palette.fog[:3],
        "u_fog_range": fog,
    }
