"""What the inspector says of a comparison: how far layers and their filters went, read on the loader thread.

Keys: ("change", layer, epoch, Compare) and ("changed filter", parameter, row, epoch, Compare). Epochs are indices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from nn3d.analysis.comparison.change import Change, parameter_rows
from nn3d.analysis.comparison.difference import Difference
from nn3d.run.model import FloatArray
from nn3d.stage.resident import Resident

KINDS: Final = ("change", "changed filter")
MOST_FILTERS: Final = 8
MOST_CELLS: Final = 32


@dataclass(frozen=True, slots=True)
class LayerChange:
    """Of a layer's weight. whole : None where it has no partner. filters : (row, change), the most changed first."""

    whole: Change | None
    filters: tuple[tuple[int, Change], ...] = ()


def read_change(resident: Resident, key: tuple[Any, ...]) -> LayerChange | FloatArray | None:
    """What a key names."""
    found = resident.compared(key[-1]).run
    assert isinstance(found, Difference)
    if key[0] == "change":
        return _layer(found, key[1], key[2])
    return _filter(found, key[1], key[2], key[3])


def _layer(found: Difference, layer: int, epoch: int) -> LayerChange:
    weight = found.layers[layer].weight
    rows = None if weight is None else parameter_rows(found, weight, epoch)
    if rows is None:
        return LayerChange(None)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(rows.change / rows.before, nan=0.0)
    order = np.argsort(-share, kind="stable")[:MOST_FILTERS]
    return LayerChange(rows.whole, tuple((int(k), rows.row(int(k))) for k in order))


def _filter(found: Difference, parameter: int, row: int, epoch: int) -> FloatArray | None:
    """(2, R, C) of one filter in A and in B: kernels side by side, the weights into a neuron folded to a square."""
    if not found.has_parameter(parameter, epoch):
        return None
    sides = found.before.parameter(parameter, found.epoch), found.after.parameter(parameter, epoch)
    return np.stack([_thinned(laid(np.asarray(w[row], np.float32))) for w in sides])


def laid(weights: FloatArray) -> FloatArray:
    """(R, C) of the weights of one row of a parameter; room that nothing fills is 0."""
    kernel = weights.shape[-2:] if weights.ndim >= 3 else (1, weights.shape[-1]) if weights.ndim == 2 else (1, 1)
    cells = weights.reshape(-1, *kernel)
    n = len(cells)
    across = max(1, round(float(np.sqrt(n * kernel[0] / kernel[1]))))
    across = next((k for k in range(across, max(0, across // 2 - 1), -1) if k and n % k == 0), across)
    down = -(-n // across)
    full = np.zeros((down * across, *kernel), np.float32)
    full[:n] = cells
    grid = full.reshape(down, across, *kernel).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(grid.reshape(down * kernel[0], across * kernel[1]))


def _thinned(cells: FloatArray) -> FloatArray:
    """At most 32 cells a side: means of blocks."""
    for axis in (0, 1):
        n = cells.shape[axis]
        if n > MOST_CELLS:
            starts = np.arange(MOST_CELLS) * n // MOST_CELLS
            counts = np.diff(np.append(starts, n)).astype(np.float32)
            sums = np.add.reduceat(cells, starts, axis)
            cells = np.asarray(sums / np.expand_dims(counts, 1 - axis), np.float32)
    return cells
