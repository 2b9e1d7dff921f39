"""Exact edges: strands add up in a float target, pass by pass, and are laid over the picture by density.

Accumulation is linear and its order fixed (batch by batch), so that the same state gives the same sums however many
pictures it took to come there.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.scene.gpu import set_uniforms
from nn3d.scene.programs import shared_program
from nn3d.scene.ribbons import RibbonPass, Sum
from nn3d.scene.tiles import TilePass
from nn3d.stage.frame import Frame, StrandLayer
from nn3d.stage.state import EXACT_PASSES

DENSITY: Final = 0.7


class SumPass:
    """Owns the float target of sums and its depth of plates."""

    def __init__(self, ctx: moderngl.Context, ribbons: RibbonPass, tiles: TilePass) -> None:
        self.ctx, self.ribbons, self.tiles = ctx, ribbons, tiles
        self.program = shared_program(ctx, "background.vert", fragment="sums.frag")
        self._array = ctx.vertex_array(self.program, [])
        self._target: moderngl.Framebuffer | None = None
        self._key: Hashable = None
        self._done = 0

    def draw(self, frame: Frame, common: dict[str, object], target: moderngl.Framebuffer) -> int:
        """Add what the state's passes call for and lay the sums over `target`; returns draw calls."""
        layers = summed(frame)
        if not layers:
            return 0
        calls = self.add(frame, common, target.size)
        target.use()
        self.ctx.enable_only(moderngl.BLEND)
        self.ctx.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        assert self._target is not None
        sums = self._target.color_attachments[0]
        assert isinstance(sums, moderngl.Texture)
        sums.use(0)
        pal = frame.palette
        set_uniforms(
            self.program, (), u_sums=0, u_density=DENSITY * EXACT_PASSES / frame.state.edges.passes,
            u_positive=pal.positive[:3], u_negative=pal.negative[:3], u_neutral=pal.side[:3],
        )  # fmt: skip
        self._array.render(moderngl.TRIANGLES, vertices=3)
        return calls + 1

    def add(self, frame: Frame, common: dict[str, object], size: tuple[int, int]) -> int:
        """Bring the sums to the passes of the frame's state; returns draw calls."""
        key, passes = _key_of(frame, size), frame.state.edges.passes
        if key != self._key or passes < self._done or self._target is None:
            self._start(frame, size)
        self._key = key
        assert self._target is not None
        self._target.use()
        self._target.depth_mask = False
        self.ctx.enable_only(moderngl.DEPTH_TEST | moderngl.BLEND)
        self.ctx.blend_func = moderngl.ONE, moderngl.ONE
        sums = [Sum(s, self._done, passes) for s in summed(frame)]
        calls = self.ribbons.draw_sums(frame, common, sums)
        self._target.depth_mask = True
        self._done = passes
        return calls

    def sums(self) -> NDArray[np.float32]:
        """(H, W, 2) Σ for and Σ against, bottom row first. Raises RuntimeError before anything was added."""
        if self._target is None:
            raise RuntimeError("no edges were added yet")
        raw = np.frombuffer(self._target.read(components=2, dtype="f4"), np.float32)
        return raw.reshape(self._target.size[1], self._target.size[0], 2).copy()

    def _start(self, frame: Frame, size: tuple[int, int]) -> None:
        if self._target is None or self._target.size != size:
            self._drop()
            self._target = self.ctx.framebuffer(
                [self.ctx.texture(size, 2, dtype="f4")], self.ctx.depth_renderbuffer(size)
            )
        self._done = 0
        self._target.use()
        self._target.viewport = (0, 0, *size)
        self._target.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        self.ctx.enable_only(moderngl.DEPTH_TEST)
        self._target.color_mask = (False, False, False, False)
        self.tiles.draw_ids(frame)
        self._target.color_mask = (True, True, True, True)

    def _drop(self) -> None:
        if self._target is not None:
            attachments = (*self._target.color_attachments, self._target.depth_attachment)
            self._target.release()
            for item in attachments:
                if item is not None:
                    item.release()
        self._target = None

    def release(self) -> None:
        """Give everything back."""
        self._drop()
        self._array.release()


def summed(frame: Frame) -> list[StrandLayer]:
    """Layers whose strands are added up."""
    return [s for s in frame.strands if s.batches and frame.state.edges.passes > 0]


def _key_of(frame: Frame, size: tuple[int, int]) -> Hashable:
    """What the sums depend on, but for the passes."""
    tiles = tuple((t.key, t.x, t.y, t.opening, t.weights) for t in frame.tiles)
    strands = tuple((s.key, s.rope_share, s.grow) for s in summed(frame))
    edges, view = frame.state.edges, frame.view
    return (
        size, view.clip_from_world.tobytes(), view.world_from_bench.tobytes(), tiles, strands, frame.epoch_mix,
        edges.strength, frame.state.side, frame.state.facing,
    )  # fmt: skip
