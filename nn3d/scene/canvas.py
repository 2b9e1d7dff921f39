"""The multisampled canvas that the passes draw on, and its way to a target of one sample a pixel."""

from __future__ import annotations

import moderngl

from nn3d.scene.gpu import set_uniforms
from nn3d.scene.library import load_program

MSAA = 4


class Canvas:
    """Owns colour and depth of the size that was asked for last."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self.ctx = ctx
        self.samples = max(1, min(MSAA, ctx.max_samples, int(ctx.info["GL_MAX_COLOR_TEXTURE_SAMPLES"])))
        self.program = load_program(ctx, "background.vert", fragment="resolve.frag")
        self._screen = ctx.vertex_array(self.program, [])
        self._held: tuple[moderngl.Texture, moderngl.Renderbuffer, moderngl.Framebuffer] | None = None

    def of(self, size: tuple[int, int]) -> moderngl.Framebuffer:
        """The canvas, `size` in framebuffer px; what was on it may be gone."""
        if self._held is None or self._held[2].size != size:
            self._drop()
            colour = self.ctx.texture(size, 4, samples=self.samples)
            depth = self.ctx.depth_renderbuffer(size, samples=self.samples)
            self._held = (colour, depth, self.ctx.framebuffer([colour], depth))
        return self._held[2]

    def resolve(self, target: moderngl.Framebuffer) -> int:
        """Write the mean of each pixel's samples to `target`, opaque; returns draw calls."""
        assert self._held is not None
        self.ctx.enable_only(moderngl.NOTHING)
        target.use()
        target.viewport = (0, 0, *target.size)
        self._held[0].use(0)
        set_uniforms(self.program, (), u_canvas=0, u_samples=self.samples)
        self._screen.render(moderngl.TRIANGLES, vertices=3)
        return 1

    def _drop(self) -> None:
        for item in reversed(self._held or ()):
            item.release()
        self._held = None

    def release(self) -> None:
        """Give everything back."""
        self._drop()
        self._screen.release()
        self.program.release()
