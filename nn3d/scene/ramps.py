"""Textures of colour ramps, finer than the tables they come from, kept by content."""

from __future__ import annotations

from collections.abc import Hashable

import moderngl
import numpy as np

from nn3d.scene.gpu import Uploads, make_texture
from nn3d.stage.frame import Frame

STEPS = 1024
MOST = 16


class Ramps:
    """Owns the textures: (1, 1024) of the themes and ramps that were drawn lately."""

    def __init__(self, ctx: moderngl.Context, uploads: Uploads) -> None:
        self.ctx, self.uploads = ctx, uploads
        self._known: dict[Hashable, moderngl.Texture] = {}

    def use(self, frame: Frame, name: str, unit: int) -> None:
        """Bind the ramp `name` of a frame's palette to a texture unit."""
        ramp = frame.palette.ramps[name]
        key = ramp.tobytes()
        if key not in self._known:
            if len(self._known) >= MOST:
                self.release()
            at = np.linspace(0.0, len(ramp) - 1.0, STEPS)
            fine = np.stack([np.interp(at, np.arange(len(ramp)), ramp[:, c]) for c in range(3)], 1)
            texture = make_texture(self.ctx, np.clip(fine * 255.0 + 0.5, 0, 255).astype(np.uint8)[None], self.uploads)
            assert isinstance(texture, moderngl.Texture)
            self._known[key] = texture
        self._known[key].use(unit)

    def release(self) -> None:
        """Give everything back."""
        for texture in self._known.values():
            texture.release()
        self._known.clear()
