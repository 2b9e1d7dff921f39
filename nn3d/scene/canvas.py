"""The multisampled canvas that the passes draw on, and its way to a target of one sample a pixel.

Only strips of it are used (nn3d.scene.region): those are filled with the ground at the start, and resolved at the end.
"""

from __future__ import annotations

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.scene.gpu import set_uniforms
from nn3d.scene.programs import shared_program
from nn3d.scene.region import strip_px

MSAA = 4


class Canvas:
    """Owns colour and depth of the size that was asked for last."""

    def __init__(self, ctx: moderngl.Context) -> None:
        self.ctx = ctx
        self.samples = max(1, min(MSAA, ctx.max_samples, int(ctx.info["GL_MAX_COLOR_TEXTURE_SAMPLES"])))
        self._programs = tuple(
            shared_program(ctx, "strips.vert", fragment=f"{name}.frag", defines={"SAMPLES": self.samples})
            for name in ("lay", "resolve")
        )
        self._arrays = tuple(ctx.vertex_array(p, []) for p in self._programs)
        self._held: tuple[moderngl.Texture, moderngl.Renderbuffer, moderngl.Framebuffer] | None = None

    def start(self, ground: moderngl.Framebuffer, strips: NDArray[np.int32]) -> moderngl.Framebuffer:
        """The canvas, of the size of the ground, bound: its strips hold the ground and the largest depth."""
        canvas = self._of(ground.size)
        canvas.use()
        canvas.viewport = (0, 0, *canvas.size)
        texture = ground.color_attachments[0]
        assert isinstance(texture, moderngl.Texture)
        texture.use(0)
        self.ctx.enable_only(moderngl.DEPTH_TEST)
        self.ctx.depth_func = "1"  # always
        set_uniforms(self._programs[0], (), u_ground=0)
        self._draw(0, strips)
        self.ctx.depth_func = "<="
        return canvas

    def resolve(self, target: moderngl.Framebuffer, strips: NDArray[np.int32]) -> int:
        """Write the mean of each pixel's samples to the strips of `target`, opaque; returns draw calls."""
        assert self._held is not None
        self.ctx.enable_only(moderngl.NOTHING)
        target.use()
        target.viewport = (0, 0, *target.size)
        self._held[0].use(0)
        set_uniforms(self._programs[1], (), u_canvas=0)
        self._draw(1, strips)
        return 1

    def _draw(self, which: int, strips: NDArray[np.int32]) -> None:
        assert self._held is not None
        size = self._held[2].size
        set_uniforms(self._programs[which], (), u_lot=(strip_px(size[0]), *size), u_strips=strips)
        self._arrays[which].render(moderngl.TRIANGLE_STRIP, vertices=4, instances=len(strips))

    def _of(self, size: tuple[int, int]) -> moderngl.Framebuffer:
        if self._held is None or self._held[2].size != size:
            self._drop()
            colour = self.ctx.texture(size, 4, samples=self.samples)
            depth = self.ctx.depth_renderbuffer(size, samples=self.samples)
            self._held = (colour, depth, self.ctx.framebuffer([colour], depth))
        return self._held[2]

    def _drop(self) -> None:
        for item in reversed(self._held or ()):
            item.release()
        self._held = None

    def release(self) -> None:
        """Give everything back."""
        self._drop()
        for array in self._arrays:
            array.release()
