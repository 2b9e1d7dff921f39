"""Which tile and cell each edge joins: from the flat number of an edge, at a level, to its two ends and its weight.

Levels: "maps" one edge per (output tile, input tile); "kernels" one per weight; "all" one per product of a convolution.
Cells are flat C-order numbers in their tile, −1 for the whole tile. Flat weight numbers are C order in the parameter.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.contribution import TRANSPOSED_DIMS, WeightedLink
from nn3d.analysis.windows import window
from nn3d.run.model import FloatArray

I64 = NDArray[np.int64]
MAX_PRODUCTS = 4_000_000


@dataclass(frozen=True, slots=True)
class Ends:
    """(m,) arrays: tiles, cells (−1 the whole tile), flat weight number (−1 none), and (m, 2) uv in each tile."""

    source_tile: I64
    target_tile: I64
    source_cell: I64
    target_cell: I64
    weight: I64
    source_uv: FloatArray
    target_uv: FloatArray


@dataclass(frozen=True, slots=True)
class Wiring:
    """How a weighted link's edges join two layers' tiles.

    source, target : (K, R, C) of the layers' tiles. space : output space of a convolution.
    """

    link: WeightedLink
    source: tuple[int, int, int]
    target: tuple[int, int, int]
    is_token: bool

    @property
    def kernel(self) -> tuple[int, ...]:
        """Kernel extent, () for linear."""
        return self.link.shape[2:]

    def level_for(self, level: str) -> str:
        """The level that can be drawn: `all` of a convolution with too many products falls back to `kernels`."""
        if not self.kernel:
            return "kernels" if level == "all" or self.source[1:] == (1, 1) or self.is_token else level
        return "kernels" if level == "all" and self.n_edges("all") > MAX_PRODUCTS else level

    def n_edges(self, level: str) -> int:
        """How many edges there are at a level."""
        o, i = self.link.shape[:2]
        if level == "maps":
            return o * i if self.kernel else o * self.source[0]
        cells = self.target[1] * self.target[2] if level == "all" and self.kernel else 1
        return o * i * prod(self.kernel) * cells

    def amounts(self, c: FloatArray, level: str) -> FloatArray:
        """(n_edges,) amounts of a level from per-weight amounts `c`, except `all`, see `products`."""
        if level != "maps":
            return c.ravel()
        if self.kernel:
            return np.asarray(c.reshape(*c.shape[:2], -1).sum(-1).ravel())
        return np.asarray(c.reshape(c.shape[0], self.source[0], -1).sum(-1).ravel())

    def ends(self, index: I64, level: str) -> Ends:
        """Both ends of the edges `index` (m,)."""
        if level == "all" and self.kernel:
            return self._product_ends(index)
        return self._conv_ends(index, level) if self.kernel else self._linear_ends(index, level)

    def _channel(self, o: I64, i: I64) -> I64:
        per_group = self.link.shape[0] // self.link.groups
        return np.asarray((o // per_group) * self.link.shape[1] + i)

    def _tiles(self, channel: I64, tiles: tuple[int, int, int], n_channels: int) -> I64:
        depth = tiles[0] // n_channels
        return np.asarray(channel * depth + depth // 2)

    def _conv_ends(self, index: I64, level: str) -> Ends:
        n_out, n_in = self.link.shape[:2]
        size = prod(self.kernel) if level == "kernels" else 1
        pair, at = index // size, index % size
        o, i = pair // n_in, pair % n_in
        uv = self._kernel_uv(at) if level == "kernels" else _middle(index.size)
        none = np.full(index.size, -1, np.int64)
        return Ends(
            self._tiles(self._channel(o, i), self.source, n_in * self.link.groups),
            self._tiles(o, self.target, n_out),
            none, none, index if level == "kernels" else none, uv, _middle(index.size),
        )  # fmt: skip

    def _kernel_uv(self, at: I64) -> FloatArray:
        rows, cols = (1, *self.kernel)[-2:]
        return _uv(at % (rows * cols), rows, cols)

    def _linear_ends(self, index: I64, level: str) -> Ends:
        n_in = self.link.shape[1]
        none = np.full(index.size, -1, np.int64)
        n_each = n_in if level == "kernels" else self.source[0]
        o, i = index // n_each, index % n_each
        weight = index if level == "kernels" else none
        tile, cell, uv = _units(i, self.source, self.is_token) if level == "kernels" else (i, none, _middle(i.size))
        target_tile, target_cell, target_uv = _units(o, self.target, self.is_token)
        return Ends(tile, target_tile, cell, target_cell, weight, uv, target_uv)

    def _product_ends(self, index: I64) -> Ends:
        n_in = self.link.shape[1]
        size, cells = prod(self.kernel), self.target[1] * self.target[2]
        at, i = index % size, index // size % n_in
        cell, o = index // (size * n_in) % cells, index // (size * n_in * cells)
        row, col = self._source_place(cell, at)
        inside = (row >= 0) & (row < self.source[1]) & (col >= 0) & (col < self.source[2])
        source_cell = np.where(inside, row * self.source[2] + col, -1)
        uv = np.stack([(col + 0.5) / self.source[2], (row + 0.5) / self.source[1]], 1).astype(np.float32)
        return Ends(
            self._channel(o, i), o, source_cell, cell, (o * n_in + i) * size + at, uv,
            _uv(cell, self.target[1], self.target[2]),
        )  # fmt: skip

    def _source_place(self, cell: I64, at: I64) -> tuple[I64, I64]:
        space, out = self.kernel[-2:], self.target[-2:]
        places = [cell % out[1]] if len(space) == 1 else [cell // out[1], cell % out[1]]
        cells = [at % space[-1]] if len(space) == 1 else [at // space[-1], at % space[-1]]
        found = self.link.node.attributes.items()
        attributes = {name: v[-len(space) :] if isinstance(v, list | tuple) else v for name, v in found}
        row_col = window(attributes, space, places, cells)
        return (np.zeros_like(row_col[0]), row_col[0]) if len(space) == 1 else (row_col[0], row_col[1])

    def products(self, w: FloatArray, a: FloatArray | None) -> FloatArray:
        """(n_edges("all"),) products a·w of every output cell, or the weights themselves when `a` is None.

        a : (C, H, W) or (C, L). A product with the padding is 0.
        """
        index = np.arange(self.n_edges("all"))
        ends = self._product_ends(index)
        value = w.ravel()[ends.weight]
        if a is None:
            return np.where(ends.source_cell >= 0, value, 0.0).astype(np.float32)
        flat = a.reshape(self.source[0], -1)
        met = flat[ends.source_tile, np.maximum(ends.source_cell, 0)]
        return np.where(ends.source_cell >= 0, met * value, 0.0).astype(np.float32)


def wiring(
    link: WeightedLink, source: tuple[int, int, int], target: tuple[int, int, int], is_token: bool
) -> Wiring | None:
    """The wiring of a link between layers of these tiles (K, R, C), or None when the shapes do not tell the ends.

    Transposed convolutions are ropes: they have none.
    """
    if link.node.op in TRANSPOSED_DIMS:
        return None
    n_out, n_in = link.shape[0], link.shape[1] * link.groups
    if len(link.shape) > 2:
        fits = source[0] % n_in == 0 and target[0] % n_out == 0 and (len(link.shape) == 5 or source[0] == n_in)
    elif is_token:
        fits = source[2] == n_in and target[2] == n_out and source[0] == target[0] == 1
    else:
        fits = prod(source) == n_in and prod(target) == n_out
    return Wiring(link, source, target, is_token) if fits else None


def _units(number: I64, tiles: tuple[int, int, int], is_token: bool) -> tuple[I64, I64, FloatArray]:
    """Tile, cell and uv of unit `number`: a column of a token tile, else a cell of the flattened tiles."""
    none = np.full(number.size, -1, np.int64)
    if is_token:
        uv = np.stack([(number + 0.5) / tiles[2], np.full(number.size, 0.5)], 1).astype(np.float32)
        return np.zeros_like(number), none, uv
    size = tiles[1] * tiles[2]
    cell = number % size
    return number // size, cell, _uv(cell, tiles[1], tiles[2])


def _uv(cell: I64, rows: int, cols: int) -> FloatArray:
    return np.stack([(cell % cols + 0.5) / cols, (cell // cols + 0.5) / rows], 1).astype(np.float32)


def _middle(n: int) -> FloatArray:
    return np.full((n, 2), 0.5, np.float32)
