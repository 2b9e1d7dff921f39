"""Textures of cell values, one a page of each layer's atlas and epoch, and of the gains of single tiles."""

from __future__ import annotations

from collections.abc import Hashable

import moderngl
import numpy as np
from numpy.typing import NDArray

from nn3d.scene.gpu import Uploads, make_texture
from nn3d.stage.atlas import Atlas, build_atlas
from nn3d.stage.frame import TileLayer, Values

GAINS_ROW = 1024


class Maps:
    """Owns the textures; `prepare` keeps exactly those that a frame shows."""

    def __init__(self, ctx: moderngl.Context, uploads: Uploads) -> None:
        self.ctx, self.uploads = ctx, uploads
        self._pages: dict[Hashable, tuple[Atlas, tuple[moderngl.Texture, ...]]] = {}
        self._gains: dict[Hashable, moderngl.Texture] = {}
        self._empty = self._texture(np.zeros((1, 1), np.float16))

    def prepare(self, tiles: tuple[TileLayer, ...]) -> None:
        """Upload what is shown and was not here; forget what is shown no longer."""
        wanted = {v.key: (v, t) for t in tiles if t.values is not None for v in t.values}
        for key in [k for k in self._pages if k not in wanted]:
            _release(self._pages.pop(key)[1])
        for key, (values, tile) in wanted.items():
            if key not in self._pages:
                atlas = values.atlas if values.atlas is not None else _built(values, tile)
                self._pages[key] = atlas, tuple(self._texture(page) for page in atlas.pages)
        gains = {t.gains.key: t.gains for t in tiles if t.gains is not None}
        for key in [k for k in self._gains if k not in gains]:
            self._gains.pop(key).release()
        for key, table in gains.items():
            if key not in self._gains:
                self._gains[key] = self._gain_texture(table.values)

    def _texture(self, page: NDArray[np.float16]) -> moderngl.Texture:
        texture = make_texture(self.ctx, page, self.uploads, nearest=False)
        assert isinstance(texture, moderngl.Texture)
        return texture

    def _gain_texture(self, gains: NDArray[np.float32]) -> moderngl.Texture:
        rows = -(-len(gains) // GAINS_ROW)
        padded = np.zeros((rows * GAINS_ROW, 2), np.float32)
        padded[: len(gains)] = gains
        texture = make_texture(self.ctx, padded.reshape(rows, GAINS_ROW, 2), self.uploads)
        assert isinstance(texture, moderngl.Texture)
        return texture

    def atlases(self, tile: TileLayer) -> tuple[Atlas, Atlas] | None:
        """The atlases of a layer's two epochs; None while its values are missing."""
        if tile.values is None:
            return None
        a, b = (self._pages[v.key][0] for v in tile.values)
        return a, b

    def use(self, tile: TileLayer, page: int) -> None:
        """Bind a layer's pages to units 0 and 1, and the gains of its tiles to 3."""
        for unit in (0, 1):
            here = None if tile.values is None else self._pages[tile.values[unit].key][1][page]
            (self._empty if here is None else here).use(unit)
        (self._empty if tile.gains is None else self._gains[tile.gains.key]).use(3)

    def release(self) -> None:
        """Give everything back."""
        for _, pages in self._pages.values():
            _release(pages)
        _release((*self._gains.values(), self._empty))
        self._pages.clear()
        self._gains.clear()


def _built(values: Values, tile: TileLayer) -> Atlas:
    return build_atlas(values.cells, 1.0 if tile.lut == "rgb" else tile.power)


def _release(textures: tuple[moderngl.Texture, ...]) -> None:
    for texture in textures:
        texture.release()
