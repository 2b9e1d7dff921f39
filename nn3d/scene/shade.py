"""Ambient shade of structure and strands, in screen space: the resolved picture and its depth, shaded into a target."""

from __future__ import annotations

from typing import Final

import moderngl

from nn3d.scene.gpu import set_uniforms
from nn3d.scene.programs import shared_program
from nn3d.stage.frame import Frame

RADIUS: Final = 1.1
STRENGTH: Final = {"dark": 0.75, "light": 0.25}


class ShadePass:
    """Owns the resolved picture (colour, depth) and the target of the shade, of the size that was asked for last."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self.ctx = ctx
        self.ambient = shared_program(ctx, "background.vert", fragment="ambient.frag")
        self.shaded = shared_program(ctx, "background.vert", fragment="shaded.frag")
        self._arrays = tuple(ctx.vertex_array(p, []) for p in (self.ambient, self.shaded))
        self.flat: moderngl.Framebuffer | None = None
        self._shade: moderngl.Framebuffer | None = None
        self._textures: dict[str, moderngl.Texture] = {}

    def resolve(self, canvas: moderngl.Framebuffer) -> moderngl.Framebuffer:
        """The multisampled canvas as one sample a pixel, with its depth; valid until the next call."""
        if self.flat is None or self.flat.size != canvas.size:
            self._drop()
            depth = self.ctx.depth_texture(canvas.size)
            depth.compare_func = ""
            colour, shade = self.ctx.texture(canvas.size, 4), self.ctx.texture(canvas.size, 1)
            for texture in (depth, colour, shade):
                texture.filter = moderngl.NEAREST, moderngl.NEAREST
            self._textures = {"colour": colour, "depth": depth, "shade": shade}
            self.flat, self._shade = self.ctx.framebuffer([colour], depth), self.ctx.framebuffer([shade])
        self.ctx.copy_framebuffer(self.flat, canvas)
        return self.flat

    def draw(self, frame: Frame, target: moderngl.Framebuffer) -> int:
        """Shade what was resolved last into `target`; returns draw calls."""
        assert self.flat is not None
        assert self._shade is not None
        view = frame.view
        lens = (view.near, view.far, view.px_per_unit / frame.state.scale, RADIUS)
        self.ctx.enable_only(moderngl.NOTHING)
        colour, depth, shade = (self._textures[name] for name in ("colour", "depth", "shade"))
        colour.use(0)
        depth.use(1)
        self._shade.use()
        set_uniforms(self.ambient, (), u_colour=0, u_depth=1, u_lens=lens)
        self._arrays[0].render(moderngl.TRIANGLES, vertices=3)
        shade.use(2)
        target.use()
        target.viewport = (0, 0, *target.size)
        set_uniforms(
            self.shaded, (), u_colour=0, u_depth=1, u_ambient=2, u_lens=lens, u_strength=STRENGTH[frame.state.theme]
        )
        self._arrays[1].render(moderngl.TRIANGLES, vertices=3)
        return 2

    def _drop(self) -> None:
        for target in (self.flat, self._shade):
            if target is not None:
                target.release()
        for texture in self._textures.values():
            texture.release()
        self.flat, self._shade, self._textures = None, None, {}

    def release(self) -> None:
        """Give everything back."""
        self._drop()
        for array in self._arrays:
            array.release()
