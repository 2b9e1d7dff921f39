"""All cells of a layer as pages of texels with their own smaller levels: what a tile shows when its cells are small.

A texel is the *shown* value, sgn(v)·|v/unit|^power, so that an average of texels is the average of what is seen,
whatever the gain (a power mean: Hardy, Littlewood, Pólya 1934). Level l of a tile averages blocks of 2^l × 2^l of its
own cells and nothing else. A page holds its tiles in rows of `across`; level 0 lies left, the others beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.run.halves import float16

F16 = NDArray[np.float16]
F32 = NDArray[np.float32]
Flags = NDArray[np.bool_]

MAX_PAGE = 8192
MAX_LEVELS = 16
KIND = 2.0**-10
SIGN = np.uint32(1 << 31)


@dataclass(frozen=True, slots=True)
class Level:
    """Where a level lies on each page: texel of its first tile, and rows and columns of texels of each tile."""

    x: int
    y: int
    rows: int
    cols: int


@dataclass(frozen=True, slots=True)
class Atlas:
    """Texels of K tiles.

    pages : each (H, W) float16, or (H, W, 2) when there are cells that are not finite: value, and 1 where they are;
    on the first level the value of these says which, +KIND for +Inf, −KIND for −Inf, 0 for NaN.
    levels : from all cells to one texel a tile. across, down : tiles in a row, and rows of tiles, of a page.
    unit, power : a texel is sgn(v)·|v/unit|^power.
    """

    pages: tuple[F16, ...]
    levels: tuple[Level, ...]
    across: int
    down: int
    unit: float
    power: float

    @property
    def nbytes(self) -> int:
        """Memory of all pages."""
        return sum(page.nbytes for page in self.pages)

    @property
    def is_masked(self) -> bool:
        """Whether there are cells that are not finite."""
        return self.pages[0].ndim == 3


def build_atlas(
    cells: F32, power: float, *, columns: int | None = None, span: tuple[float, float] | None = None
) -> Atlas:
    """The atlas of (K, R, C) cells.

    columns : tiles in a row of a page where they fit (those of the drawn grid). span : lowest and highest cell, where
    it is known that all are finite.
    """
    n, rows, cols = cells.shape
    finite: Flags = np.isfinite(cells) if span is None else np.ones((), np.bool_)
    is_masked = not finite.all()
    plain = np.where(finite, cells, 0) if is_masked else cells
    unit, shown = _shown(plain, power, span or (float(plain.min(initial=0.0)), float(plain.max(initial=0.0))))
    levels = _places(n, rows, cols, columns)
    across, down, places, (height, width) = levels
    n_pages = -(-n // (across * down))
    pages = np.zeros((n_pages, height, width, 2) if is_masked else (n_pages, height, width), np.float16)
    lower = _masked_levels(shown, finite, _kinds(cells)) if is_masked else _levels(shown)
    for place, level in zip(places, lower, strict=True):
        _lay(pages, place, float16(level), across, down)
    pages.setflags(write=False)
    return Atlas(tuple(pages), places, across, down, unit, power)


def _shown(cells: F32, power: float, span: tuple[float, float]) -> tuple[float, F32]:
    """(unit, texels): the unit is a power of two near the largest magnitude, so that float16 holds every layer."""
    top = max(0.0, span[1], -span[0])
    unit = float(2.0 ** np.ceil(np.log2(top))) if top > 0.0 and np.isfinite(top) else 1.0
    unit = min(max(unit, 2.0**-120), 2.0**120)
    scaled = cells * np.float32(1.0 / unit)
    if power == 1.0:
        return unit, scaled
    is_signed = span[0] < 0.0
    out = np.abs(scaled, out=scaled) if is_signed else scaled
    with np.errstate(divide="ignore"):
        np.log(out, out=out)  # exp(p·log) takes a tenth of the time of a power
    out *= np.float32(power)
    np.exp(out, out=out)
    if is_signed:
        out.view(np.uint32)[...] |= np.ascontiguousarray(cells).view(np.uint32) & SIGN
    return unit, out


def n_levels(rows: int, cols: int) -> int:
    """How many levels lead from (rows, cols) cells to one."""
    return 1 + int(np.ceil(np.log2(max(rows, cols, 1))))


def _places(
    n: int, rows: int, cols: int, columns: int | None
) -> tuple[int, int, tuple[Level, ...], tuple[int, int]]:
    """(tiles across, tiles down, places of the levels, (height, width) of a page)."""
    sizes = [(-(-rows // (1 << k)), -(-cols // (1 << k))) for k in range(n_levels(rows, cols))]
    beside = max((c for _, c in sizes[1:]), default=0)
    below = sum(r for r, _ in sizes[1:])
    most_across = max(1, MAX_PAGE // max(1, cols + beside))
    most_down = max(1, MAX_PAGE // max(rows, below))
    across = columns if columns and columns <= most_across else round(np.sqrt(n * max(rows, below) / (cols + beside)))
    across = int(min(max(1, across), most_across, n))
    down = min(-(-n // across), most_down)
    places, y = [Level(0, 0, rows, cols)], 0
    for r, c in sizes[1:]:
        places.append(Level(across * cols, y, r, c))
        y += down * r
    return across, down, tuple(places), (max(down * rows, y, 1), max(1, across * (cols + beside)))


def _lay(pages: F16, place: Level, level: F16, across: int, down: int) -> None:
    """Put a level (K, r, c[, 2]) in its place on the pages."""
    r, c, tail = place.rows, place.cols, level.shape[3:]
    for p, page in enumerate(pages):
        part = level[p * across * down : (p + 1) * across * down]
        full = len(part) // across
        if full:
            block = part[: full * across].reshape(full, across, r, c, *tail)
            goal = page[place.y : place.y + full * r, place.x : place.x + across * c]
            goal.reshape(full, r, across, c, *tail)[...] = block.swapaxes(1, 2)
        rest = part[full * across :]
        if len(rest):
            top = place.y + full * r
            goal = page[top : top + r, place.x : place.x + len(rest) * c]
            goal[...] = np.moveaxis(rest, 0, 1).reshape(r, len(rest) * c, *tail)


def _counts(n: int) -> list[F32]:
    """Real cells under each texel of a side, level by level."""
    out = [np.ones(n, np.float32)]
    while len(out[-1]) > 1:
        out.append(np.asarray(np.add.reduceat(out[-1], np.arange(0, len(out[-1]), 2)), np.float32))
    return out


def _pairs(a: F32, axis: int) -> F32:
    """Sums of neighbours along an axis; the last one alone where the number is odd."""
    n = a.shape[axis]
    if n == 1:
        return a
    first = tuple(slice(0, None, 2) if k == axis else slice(None) for k in range(a.ndim))
    second = tuple(slice(1, None, 2) if k == axis else slice(None) for k in range(a.ndim))
    out = np.ascontiguousarray(a[first])
    out[tuple(slice(0, n // 2) if k == axis else slice(None) for k in range(a.ndim))] += a[second]
    return out


def _halved(a: F32) -> F32:
    return _pairs(_pairs(a, 2), 1)


def _levels(shown: F32) -> list[F32]:
    """All levels (K, r, c) of cells that are all finite: means over the real cells of each block."""
    rows, cols = shown.shape[1:]
    by_row, by_col = _counts(rows), _counts(cols)
    out, sums = [shown], shown
    for k in range(1, n_levels(rows, cols)):
        sums = _halved(sums)
        counts = np.outer(by_row[min(k, len(by_row) - 1)], by_col[min(k, len(by_col) - 1)])
        out.append(np.asarray(sums / counts, np.float32))
    return out


def _kinds(cells: F32) -> F32:
    """KIND where a cell is +Inf, −KIND where −Inf, else 0: too little to be seen where a seam mixes it with a value."""
    return np.asarray(np.where(np.isinf(cells), np.copysign(np.float32(KIND), cells), 0.0), np.float32)


def _masked_levels(shown: F32, finite: Flags, kinds: F32) -> list[F32]:
    """All levels (K, r, c, 2): means over the finite cells of each block, and 1 where any cell is not finite."""
    sums, counts, bad = shown, finite.astype(np.float32), (~finite).astype(np.float32)
    out = [np.stack([shown + kinds, bad], -1)]
    for _ in range(1, n_levels(*shown.shape[1:])):
        sums, counts, bad = _halved(sums), _halved(counts), np.minimum(_halved(bad), 1.0)
        out.append(np.stack([sums / np.maximum(counts, 1.0), bad], -1))
    return out
