"""Background, floor, shadows and structure."""

from __future__ import annotations

import moderngl
import numpy as np

from nn3d.scene.gpu import Uploads, attributes, make_buffer, set_uniforms, update_buffer
from nn3d.scene.library import load_program
from nn3d.scene.meshes import CORNER, FLAT, unit_box, unit_square
from nn3d.stage.frame import BOX, SHADOW, Frame

START_ROWS = 256
POOL = 0.75
OVER = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA, moderngl.ZERO, moderngl.ONE


class GroundPass:
    """Owns the programs and instance buffers of everything that is not a tile, a strand or text."""

    def __init__(self, ctx: moderngl.Context, uploads: Uploads) -> None:
        self.ctx, self.uploads = ctx, uploads
        self.background = load_program(ctx, "ground.vert", fragment="background.frag")
        self.shadow = load_program(ctx, "shadow.vert", fragment="shadow.frag")
        self.box = load_program(ctx, "box.vert", fragment="box.frag")
        self.screen = ctx.vertex_array(self.background, [])
        self._meshes = (make_buffer(ctx, unit_square(), uploads), make_buffer(ctx, unit_box(), uploads))
        self._rows = (
            make_buffer(ctx, np.zeros(START_ROWS, SHADOW), uploads),
            make_buffer(ctx, np.zeros(START_ROWS, BOX), uploads),
        )
        kinds = ((self.shadow, FLAT, SHADOW), (self.box, CORNER, BOX))
        self._shadows, self._boxes = (
            ctx.vertex_array(p, [attributes(p, mesh, flat), attributes(p, rows, each, per_instance=True)])
            for (p, flat, each), mesh, rows in zip(kinds, self._meshes, self._rows, strict=True)
        )
        self._last: tuple[bytes, bytes] = (b"", b"")

    def prepare(self, frame: Frame) -> None:
        """Upload shadows and boxes if they changed."""
        now = (frame.shadows.tobytes(), frame.boxes.tobytes())
        for k, array in enumerate((frame.shadows, frame.boxes)):
            if now[k] != self._last[k]:
                update_buffer(self._rows[k], array, self.uploads)
        self._last = now

    def draw_ground(self, frame: Frame) -> int:
        """Fill the target: background, pool of light, contact shadows."""
        pal, view = frame.palette, frame.view
        set_uniforms(
            self.background, (), u_inner=pal.background[0][:3], u_outer=pal.background[1][:3], u_floor=pal.floor[:3],
            u_world_from_clip=np.linalg.inv(view.clip_from_world), u_eye=view.eye_world, u_floor_y=frame.floor_y,
            u_floor_rect=frame.floor_rect, u_pool=POOL * pal.floor[3],
        )  # fmt: skip
        self.ctx.disable(moderngl.DEPTH_TEST)
        self.screen.render(moderngl.TRIANGLES, vertices=3)
        self.ctx.enable(moderngl.BLEND)
        self.ctx.blend_func = OVER  # type: ignore[assignment]
        set_uniforms(
            self.shadow, (), u_clip_from_world=view.clip_from_world, u_floor_y=frame.floor_y,
            u_along=view.world_from_bench[[0, 2], 2], u_shadow=(*pal.shadow[:3], pal.shadow_strength),
        )  # fmt: skip
        self._shadows.render(moderngl.TRIANGLE_STRIP, vertices=4, instances=len(frame.shadows))
        self.ctx.disable(moderngl.BLEND)
        self.ctx.enable(moderngl.DEPTH_TEST)
        return 2

    def draw_boxes(self, frame: Frame, common: dict[str, object]) -> int:
        """Rail, posts, feet, bars, brackets."""
        px = frame.view.px_per_unit / frame.state.scale
        set_uniforms(self.box, (), **common, u_light=float(frame.palette.is_light), u_px=px)
        self._boxes.render(moderngl.TRIANGLES, instances=len(frame.boxes))
        return 1

    def release(self) -> None:
        """Give everything back."""
        arrays = (self._boxes, self._shadows, self.screen)
        for item in (*arrays, *self._rows, *self._meshes, self.box, self.shadow, self.background):
            item.release()
