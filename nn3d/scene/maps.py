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
    """Owns the textures; `prepare` keeps exactly those that a frame shows, and writes into what it needs no more."""

    def __init__(self, ctx: moderngl.Context, uploads: Uploads) -> None:
        self.ctx, self.uploads = ctx, uploads
        self._pages: dict[Hashable, tuple[Atlas, tuple[moderngl.Texture, ...]]] = {}
        self._gains: dict[Hashable, moderngl.Texture] = {}
        self._empty = self._texture(np.zeros((1, 1), np.float16))

    def prepare(self, tiles: tuple[TileLayer, ...]) -> None:
        """Upload what is shown and was not here; forget what is shown no longer."""
        wanted = {_name(v, t): (v, t) for t in tiles if t.values is not None for v in t.values}
        spare: dict[tuple[int, ...], list[moderngl.Texture]] = {}
        for key in [k for k in self._pages if k not in wanted]:
            atlas, textures = self._pages.pop(key)
            for page, texture in zip(atlas.pages, textures, strict=True):
                spare.setdefault(page.shape, []).append(texture)
        for key, (values, tile) in wanted.items():
            if key not in self._pages:
                atlas = _atlas(values, tile)
                self._pages[key] = atlas, tuple(self._filled(page, spare.get(page.shape, [])) for page in atlas.pages)
        _release(tuple(texture for left in spare.values() for texture in left))
        gains = {t.gains.key: (t.gains, t.power) for t in tiles if t.gains is not None}
        for key in [k for k in self._gains if k not in gains]:
            self._gains.pop(key).release()
        for key, (table, power) in gains.items():
            if key not in self._gains:
                self._gains[key] = self._gain_texture(table.values**power)

    def cost(self, tile: TileLayer) -> int:
        """About how many bytes `prepare` would upload for a layer's values."""
        lacking = {_name(v, tile): v for v in tile.values or () if _name(v, tile) not in self._pages}
        return sum(v.cells.size * 3 if v.atlas is None else v.atlas.nbytes for v in lacking.values())

    def _filled(self, page: NDArray[np.float16], spare: list[moderngl.Texture]) -> moderngl.Texture:
        """A texture of a page: one of the same layout that another epoch needs no more, or a new one."""
        if not spare:
            return self._texture(page)
        texture = spare.pop()
        texture.write(np.ascontiguousarray(page).view(np.uint8).data, alignment=1)
        self.uploads.add(page.nbytes)
        return texture

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
        a, b = (self._pages[_name(v, tile)][0] for v in tile.values)
        return a, b

    def use(self, tile: TileLayer, page: int) -> None:
        """Bind a layer's pages to units 0 and 1, and the gains of its tiles to 3."""
        for unit in (0, 1):
            here = None if tile.values is None else self._pages[_name(tile.values[unit], tile)][1][page]
            (self._empty if here is None else here).use(unit)
        (self._empty if tile.gains is None else self._gains[tile.gains.key]).use(3)

    def release(self) -> None:
        """Give everything back."""
        for _, pages in self._pages.values():
            _release(pages)
        _release((*self._gains.values(), self._empty))
        self._pages.clear()
        self._gains.clear()


def _name(values: Values, tile: TileLayer) -> Hashable:
    return values.key, _power(tile)


def _power(tile: TileLayer) -> float:
    return 1.0 if tile.lut == "rgb" else tile.power


def _atlas(values: Values, tile: TileLayer) -> Atlas:
    """The atlas that came with the values, or one made now when there is none or it is of another power."""
    if values.atlas is not None and values.atlas.power == _power(tile):
        return values.atlas
    return build_atlas(values.cells, _power(tile))


def _release(textures: tuple[moderngl.Texture, ...]) -> None:
    for texture in textures:
        texture.release()
