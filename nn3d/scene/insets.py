"""Small pictures inside a picture: each drawn by a renderer of its own, then laid on the target at its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import moderngl

from nn3d.scene.gpu import set_uniforms
from nn3d.scene.programs import shared_program
from nn3d.stage.frame import Inset

if TYPE_CHECKING:
    from nn3d.scene.renderer import Renderer


class Insets:
    """Owns a renderer and a texture for each inset, made when the first one is drawn. make : a renderer."""

    def __init__(self, ctx: moderngl.Context, make: Callable[[], Renderer]) -> None:
        self.ctx, self._make = ctx, make
        self._renderers: list[Renderer] = []
        self._targets: list[moderngl.Framebuffer] = []
        self._program: moderngl.Program | None = None
        self._array: moderngl.VertexArray | None = None

    def draw(self, insets: Sequence[Inset], target: moderngl.Framebuffer, scale: float) -> int:
        """Draw them over `target`, whose px are logical px times `scale`; returns draw calls."""
        calls = 0
        for k, inset in enumerate(insets):
            picture = self._picture(k, inset)
            calls += self._renderers[k].figures.draw_calls + 1
            self._lay(picture, target, round(inset.x * scale), round(inset.y * scale))
        return calls

    def _picture(self, k: int, inset: Inset) -> moderngl.Framebuffer:
        state = inset.frame.state
        size = tuple(max(1, round(v * state.scale)) for v in state.size_px)
        if k == len(self._renderers):
            self._renderers.append(self._make())
            self._targets.append(self._framebuffer(size))
        if self._targets[k].size != size:
            _release(self._targets[k])
            self._targets[k] = self._framebuffer(size)
        self._renderers[k].draw(inset.frame, self._targets[k])
        return self._targets[k]

    def _framebuffer(self, size: tuple[int, ...]) -> moderngl.Framebuffer:
        return self.ctx.framebuffer([self.ctx.texture((size[0], size[1]), 4)])

    def _lay(self, picture: moderngl.Framebuffer, target: moderngl.Framebuffer, x: int, y: int) -> None:
        """Copy a picture to the target, its left upper corner at device px (x, y) from the target's."""
        if self._program is None or self._array is None:
            self._program = shared_program(self.ctx, "background.vert", fragment="inset.frag")
            self._array = self.ctx.vertex_array(self._program, [])
        corner = x, target.size[1] - y - picture.size[1]
        texture = picture.color_attachments[0]
        assert isinstance(texture, moderngl.Texture)
        target.use()
        target.viewport = (*corner, *picture.size)
        self.ctx.enable_only(moderngl.NOTHING)
        texture.use(0)
        set_uniforms(self._program, (), u_picture=0, u_corner=corner)
        self._array.render(moderngl.TRIANGLES, vertices=3)

    def release(self) -> None:
        """Give everything back."""
        for target in self._targets:
            _release(target)
        for renderer in self._renderers:
            renderer.release()
        if self._array is not None:
            self._array.release()
        self._targets, self._renderers, self._array, self._program = [], [], None, None


def _release(target: moderngl.Framebuffer) -> None:
    attachments = target.color_attachments
    target.release()
    for item in attachments:
        item.release()
