"""Background, floor, shadows and structure.

The ground (background, pool of light, contact shadows) has nothing before or behind it: it is drawn in one sample a
pixel into a texture of its own, and kept while it stays the same.
"""

from __future__ import annotations

from collections.abc import Hashable

import moderngl
import numpy as np

from nn3d.scene.gpu import Uploads, attributes, make_buffer, set_uniforms, update_buffer
from nn3d.scene.meshes import CORNER, FLAT, unit_box, unit_square
from nn3d.scene.programs import shared_program
from nn3d.stage.frame import BOX, SHADOW, Frame

START_ROWS = 256
POOL = 0.75
OVER = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA, moderngl.ZERO, moderngl.ONE


class GroundPass:
    """Owns the instance buffers of everything that is not a tile, a strand or text, and the ground."""

    def __init__(self, ctx: moderngl.Context, uploads: Uploads) -> None:
        self.ctx, self.uploads = ctx, uploads
        self.background = shared_program(ctx, "background.vert", fragment="background.frag")
        self.pool = shared_program(ctx, "pool.vert", fragment="pool.frag")
        self.shadow = shared_program(ctx, "shadow.vert", fragment="shadow.frag")
        self.box = shared_program(ctx, "box.vert", fragment="box.frag")
        self._screen, self._floor = (ctx.vertex_array(p, []) for p in (self.background, self.pool))
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
        self._held: tuple[moderngl.Framebuffer, moderngl.Framebuffer] | None = None
        self._keys: tuple[Hashable, Hashable] = (None, None)

    def prepare(self, frame: Frame) -> None:
        """Upload shadows and boxes if they changed."""
        now = (frame.shadows.tobytes(), frame.boxes.tobytes())
        for k, array in enumerate((frame.shadows, frame.boxes)):
            if now[k] != self._last[k]:
                update_buffer(self._rows[k], array, self.uploads)
        self._last = now

    def draw_ground(self, frame: Frame, size: tuple[int, int]) -> tuple[moderngl.Framebuffer, int]:
        """The ground, `size` in framebuffer px, opaque, and how many draw calls it took; valid until the next call."""
        plain, ground = self._targets(size)
        keys = _plain_key(frame), _ground_key(frame)
        calls = 0
        self.ctx.enable_only(moderngl.NOTHING)
        if keys[0] != self._keys[0]:
            calls += self._draw_plain(frame, plain)
        if keys != self._keys:
            plain.use()  # copied while the window is bound, Mesa's floor differs by a pixel from one without a window
            self.ctx.copy_framebuffer(ground, plain)
            ground.use()
            calls += self._draw_floor(frame, size)
        self._keys = keys
        return ground, calls

    def _draw_plain(self, frame: Frame, plain: moderngl.Framebuffer) -> int:
        plain.use()
        self._set_gradient(self.background, frame, plain.size)
        self._screen.render(moderngl.TRIANGLES, vertices=3)
        return 1

    def _draw_floor(self, frame: Frame, size: tuple[int, int]) -> int:
        pal, view = frame.palette, frame.view
        is_lit = pal.floor[3] > 0.0 and view.eye_world[1] > frame.floor_y
        if is_lit:
            self._set_gradient(self.pool, frame, size)
            set_uniforms(
                self.pool, (), u_clip_from_world=view.clip_from_world, u_floor_y=frame.floor_y,
                u_floor_rect=frame.floor_rect, u_floor=pal.floor[:3], u_pool=POOL * pal.floor[3],
            )  # fmt: skip
            self._floor.render(moderngl.TRIANGLE_STRIP, vertices=4)
        if not len(frame.shadows):
            return int(is_lit)
        self.ctx.enable(moderngl.BLEND)
        self.ctx.blend_func = OVER  # type: ignore[assignment]
        set_uniforms(
            self.shadow, (), u_clip_from_world=view.clip_from_world, u_floor_y=frame.floor_y,
            u_along=view.world_from_bench[[0, 2], 2], u_shadow=(*pal.shadow[:3], pal.shadow_strength),
        )  # fmt: skip
        self._shadows.render(moderngl.TRIANGLE_STRIP, vertices=4, instances=len(frame.shadows))
        self.ctx.disable(moderngl.BLEND)
        return int(is_lit) + 1

    def _set_gradient(self, program: moderngl.Program, frame: Frame, size: tuple[int, int]) -> None:
        pal = frame.palette
        set_uniforms(
            program, (), u_inner=pal.background[0][:3], u_outer=pal.background[1][:3], u_size=size,
            u_dither=float(pal.floor[3] > 0.0),
        )  # fmt: skip

    def draw_boxes(self, frame: Frame, common: dict[str, object]) -> int:
        """Rail, posts, feet, bars, brackets."""
        px = frame.view.px_per_unit / frame.state.scale
        set_uniforms(self.box, (), **common, u_light=float(frame.palette.is_light), u_px=px)
        self._boxes.render(moderngl.TRIANGLES, instances=len(frame.boxes))
        return 1

    def _targets(self, size: tuple[int, int]) -> tuple[moderngl.Framebuffer, moderngl.Framebuffer]:
        if self._held is None or self._held[0].size != size:
            self._drop()
            plain, ground = (self.ctx.framebuffer([self.ctx.texture(size, 4)]) for _ in range(2))
            self._held = plain, ground
        return self._held

    def _drop(self) -> None:
        for target in self._held or ():
            attachments = target.color_attachments
            target.release()
            for texture in attachments:
                texture.release()
        self._held, self._keys = None, (None, None)

    def release(self) -> None:
        """Give everything back."""
        self._drop()
        arrays = (self._boxes, self._shadows, self._floor, self._screen)
        for item in (*arrays, *self._rows, *self._meshes):
            item.release()


def _plain_key(frame: Frame) -> Hashable:
    """What the ground without light and shadows depends on, but for its size."""
    return frame.palette.background, frame.palette.floor[3] > 0.0


def _ground_key(frame: Frame) -> Hashable:
    """What light and shadows on the floor depend on."""
    pal, view = frame.palette, frame.view
    return (
        view.clip_from_world.tobytes(), view.eye_world.tobytes(), view.world_from_bench.tobytes(), frame.floor_y,
        frame.floor_rect, frame.shadows.tobytes(), pal.floor, pal.shadow, pal.shadow_strength,
    )  # fmt: skip
