"""What is translucent (strands that recede from what stands out) over the finished picture, whatever its order.

Weighted blended transparency: sums of colours and of log(1 − α), so that one blend function serves both targets.
"""

from __future__ import annotations

from typing import Final

import moderngl

from nn3d.scene.gpu import set_uniforms
from nn3d.scene.programs import shared_program
from nn3d.scene.ribbons import RibbonPass
from nn3d.stage.frame import Frame

OPACITY: Final = 0.55
BLEND: Final = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA, moderngl.ZERO, moderngl.ONE


class VeilPass:
    """Owns the float targets of the sums; their depth is that of the resolved picture."""

    def __init__(self, ctx: moderngl.Context, ribbons: RibbonPass) -> None:
        self.ctx, self.ribbons = ctx, ribbons
        self.program = shared_program(ctx, "background.vert", fragment="veil.frag")
        self._array = ctx.vertex_array(self.program, [])
        self._target: moderngl.Framebuffer | None = None
        self._depth: object = None
        self._textures: list[moderngl.Texture] = []

    def draw(
        self, frame: Frame, common: dict[str, object], flat: moderngl.Framebuffer, target: moderngl.Framebuffer
    ) -> int:
        """Lay the receding strands over `target`, behind what `flat` holds in front of them; returns draw calls."""
        share = frame.state.focus.share
        if share <= 0.0:
            return 0
        sums = self._sums(flat)
        sums.depth_mask = False
        sums.use()
        sums.clear(0.0, 0.0, 0.0, 0.0)
        self.ctx.enable_only(moderngl.DEPTH_TEST | moderngl.BLEND)
        self.ctx.blend_func = moderngl.ONE, moderngl.ONE
        calls = self.ribbons.draw_veil(frame, common, 1.0 - (1.0 - OPACITY) * share)
        target.use()
        self.ctx.enable_only(moderngl.BLEND)
        self.ctx.blend_func = BLEND  # type: ignore[assignment]
        for unit, texture in enumerate((*self._textures, *flat.color_attachments)):
            assert isinstance(texture, moderngl.Texture)
            texture.use(unit)
        set_uniforms(self.program, (), u_sum=0, u_log=1, u_colour=2)
        self._array.render(moderngl.TRIANGLES, vertices=3)
        return calls + 1

    def _sums(self, flat: moderngl.Framebuffer) -> moderngl.Framebuffer:
        depth = flat.depth_attachment
        if self._target is None or self._depth is not depth:
            self._drop()
            self._textures = textures = [
                self.ctx.texture(flat.size, components, dtype="f2") for components in (4, 1)
            ]
            for texture in textures:
                texture.filter = moderngl.NEAREST, moderngl.NEAREST
            self._target, self._depth = self.ctx.framebuffer(textures, depth), depth
        return self._target

    def _drop(self) -> None:
        if self._target is not None:
            self._target.release()
        for texture in self._textures:
            texture.release()
        self._target, self._depth, self._textures = None, None, []

    def release(self) -> None:
        """Give everything back."""
        self._drop()
        self._array.release()
