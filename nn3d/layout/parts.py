"""A concatenation as one plate of glued parts: how many channels each part holds and where its tiles stand. World u."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.arrange import POWER, Tiles, arrange
from nn3d.run.model import Layer, Node

F64 = NDArray[np.float64]

PART_GAP = 0.42
GOAL = 1.25


def concat_parts(layer: Layer, nodes: Mapping[int, Node]) -> tuple[int, ...]:
    """Channels of each part of a concatenation along channels, in order; () for anything else."""
    node = nodes[layer.nodes[0]]
    if layer.op != "concat" or node.attributes.get("dim", 1) != 1 or layer.axes[:1] != ("C",) or len(layer.shape) < 2:
        return ()
    shapes = [nodes[link.node].outputs[link.output].shape for link in layer.links]
    parts = tuple(shape[0] for shape in shapes if shape)
    return parts if len(parts) > 1 and sum(parts) == layer.shape[0] else ()


def glued(cells: tuple[int, int], parts: tuple[int, ...], *, power: float = POWER) -> Tiles:
    """The tiles of a plate whose parts stand one under the other, .42 u apart, each as high as it has channels.

    Its columns divide every part, so that no part ends in a ragged row.
    """
    n = sum(parts)
    common = math.gcd(*parts)
    columns = min(
        (c for c in range(1, common + 1) if common % c == 0), key=lambda c: abs(math.log(n / c / c / GOAL))
    )
    tiles = arrange(n, cells, power=power, columns=columns)
    part = np.repeat(np.arange(len(parts)), parts)
    drop = (((len(parts) - 1) / 2.0 - part) * PART_GAP).astype(np.float32)
    grid, mosaic = tiles.at_grid.copy(), tiles.mosaic.copy()
    grid[:, 0] += drop
    mosaic[:, 0] += drop
    extents = tiles.extents.copy()
    extents[2:, 0] += (len(parts) - 1) * PART_GAP
    return replace(tiles, at_grid=grid, mosaic=mosaic, extents=extents)


def part_spans(tiles: Tiles, parts: tuple[int, ...]) -> F64:
    """(p, 2) bottom and top of each part of the collapsed plate, as shares of its height, −½ … ½."""
    start = np.concatenate([[0], np.cumsum(parts)[:-1]])
    high = np.maximum.reduceat(tiles.mosaic[:, 0], start) + tiles.mosaic_half[0]
    low = np.minimum.reduceat(tiles.mosaic[:, 0], start) - tiles.mosaic_half[0]
    return np.asarray(np.stack([low, high], 1) / tiles.extents[3, 0], np.float64)
