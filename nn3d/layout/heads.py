"""Attention as a grid of heads (tiles of query rows and key columns), and its Q, K and V, a little lower (u)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn3d.layout.arrange import TOKEN_HEIGHT, TOKEN_ROW, Tiles, arrange, grid_shape
from nn3d.run.model import Layer

HEAD_GAP = 0.42
PART_SHARE = 0.44
NAMES = {"query": "Q, query", "key": "K, key", "value": "V, value"}


def is_heads(layer: Layer) -> bool:
    """Whether a layer shows who looks at whom: (heads, query, key)."""
    return layer.axes == ("heads", "query", "key")


def head_tiles(layer: Layer) -> Tiles:
    """One tile a head, as high together as the rows of tokens beside them; collapsed they stay apart."""
    n, rows, cols = layer.shape
    grid_rows, grid_cols = grid_shape(n, False, False)
    height = min(TOKEN_HEIGHT, max(1.0, TOKEN_ROW * rows))
    side = (height - (grid_rows - 1) * HEAD_GAP) / grid_rows
    width = side * min(2.0, max(0.5, cols / rows))
    k = np.arange(n)
    r, c = k // grid_cols, k % grid_cols
    wide = grid_cols * width + (grid_cols - 1) * HEAD_GAP
    y = height / 2.0 - side / 2.0 - r * (side + HEAD_GAP)
    z = -wide / 2.0 + width / 2.0 + c * (width + HEAD_GAP)
    at = np.stack([y, z], 1).astype(np.float32)
    half = (side / 2.0, width / 2.0)
    usual = arrange(n, (rows, cols))
    extents = usual.extents.copy()
    extents[2:] = (height, wide)
    scale = side / (2.0 * usual.half[0])
    extents[:2] *= scale
    return replace(
        usual, grid=(grid_rows, grid_cols), at_grid=at, mosaic=at, half=half, mosaic_half=half,
        line=(usual.line * np.float32(scale)), circle=(usual.circle * np.float32(scale)), gutter=HEAD_GAP,
        extents=extents, block_thickness=0.10,
    )  # fmt: skip


def lower(tiles: Tiles, share: float = PART_SHARE) -> Tiles:
    """One tile of rows, drawn at a share of its height: Q, K and V are three beside one attention."""
    height, width = tiles.half[0] * share, tiles.half[1]
    extents = tiles.extents.copy()
    extents[:, 0] *= share
    return replace(tiles, half=(height, width), mosaic_half=(height, width), extents=extents)


def parts_of_attention(layers: tuple[Layer, ...]) -> dict[int, str]:
    """Names of the layers that are an attention's query, key or value and nothing else: by layer index."""
    found: dict[int, set[str]] = {}
    for layer in layers:
        if is_heads(layer):
            for link in layer.links:
                found.setdefault(link.source, set()).add(link.argument)
    return {i: NAMES[min(args)] for i, args in found.items() if len(args) == 1 and args <= set(NAMES)}
