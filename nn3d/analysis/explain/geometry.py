"""Owns flat cell numbers, int64 in C order: coordinates to numbers and back, broadcasting, grids of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from nn3d.analysis.explain.terms import I64, Unknown

Shape = tuple[int, ...]
_MOST = 1 << 24


def strides(shape: Shape) -> I64:
    """How many flat numbers one step along each axis is."""
    return np.array([prod(shape[k + 1 :]) for k in range(len(shape))], np.int64)


def flat_of(coords: Sequence[I64], shape: Shape) -> I64:
    """Flat numbers of coordinates, one array an axis, broadcast together; −1 where one lies outside."""
    number: Any = np.int64(0)
    inside: Any = np.True_
    for coord, size, stride in zip(coords, shape, strides(shape), strict=True):
        number = number + coord * stride
        inside = inside & (coord >= 0) & (coord < size)
    return np.asarray(np.where(inside, number, -1), np.int64)


def coords_of(flat: I64, shape: Shape) -> list[I64]:
    """One coordinate array an axis; −1 stays −1 on every axis."""
    sizes = strides(shape)
    return [
        np.where(flat >= 0, flat // step % size, -1).astype(np.int64) for step, size in zip(sizes, shape, strict=True)
    ]


def number(cells: I64, shape: Shape) -> I64:
    """(n,) flat numbers of cells (n, axes); of a single number always 0."""
    if not shape:
        return np.zeros(len(cells), np.int64)
    return flat_of([cells[:, k] for k in range(len(shape))], shape)


def columns(cells: I64) -> list[I64]:
    """Coordinates (n, 1) of cells (n, axes), to be broadcast against terms."""
    return [cells[:, k : k + 1] for k in range(cells.shape[1])]


def broadcast(cells: I64, out: Shape, source: Shape) -> I64:
    """(n,) flat cells of a source that is broadcast (or repeated) to `out`, aligned at the last axis.

    A source of one more axis, which has no samples, gives up an axis of 1 where the samples stand.
    """
    while len(source) > len(out):
        axis = next((k for k in range(len(source)) if source[k] == 1 and _fits(_less(source, k), out)), None)
        source = _less(source, source.index(1) if axis is None and 1 in source else axis or 0)
    coords = [cells[:, len(out) - len(source) + k] % size for k, size in enumerate(source)]
    return flat_of(coords, source) if source else np.zeros(len(cells), np.int64)


def _less(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def _fits(source: Shape, out: Shape) -> bool:
    if len(source) > len(out):
        return True
    return all(a in (1, b) for a, b in zip(source[::-1], out[::-1], strict=False))


def all_cells(shape: Shape) -> I64:
    """The flat numbers of all cells, in the shape of their array. Raises Unknown above 2²⁷."""
    if prod(shape) > 8 * _MOST:
        raise Unknown(f"its array has {prod(shape):,} cells")
    return np.arange(prod(shape), dtype=np.int64).reshape(shape)


def grid(kernel: Shape) -> list[I64]:
    """Coordinates of a kernel's cells in C order: one (prod(kernel),) array an axis. Raises Unknown above 2²⁴."""
    if prod(kernel) > _MOST:
        raise Unknown(f"it adds up {prod(kernel):,} products")
    return [axis.reshape(-1).astype(np.int64) for axis in np.indices(kernel)] if kernel else []
