"""A parameter of any rank as a matrix picture: rows and columns as they are, or means of blocks where it is larger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.tensors import Matrix, matrix_shape
from nn3d.app.cards import Box
from nn3d.app.facts import count_text
from nn3d.app.panels.inspector.page import Page, number_text, pointer_in, waiting
from nn3d.app.tints import signed_texels
from nn3d.run.model import FloatArray

TALLEST: Final = 420
LARGEST: Final = 12
STRIP_PX: Final = (10, 6, 4, 2)
STRIP_ROWS: Final = 24


@dataclass(frozen=True, slots=True)
class Plan:
    """How a matrix is drawn. most : (rows, columns) of cells. px : (down, across) of a cell. cells : (rows, columns).

    wrap : a vector goes on in the next line after so many cells, 0 for a matrix.
    """

    most: tuple[int, int]
    px: tuple[int, int]
    cells: tuple[int, int]
    wrap: int = 0

    @property
    def size(self) -> tuple[float, float]:
        """(width, height) of the picture."""
        return float(self.cells[1] * self.px[1]), float(self.cells[0] * self.px[0])


def plan_of(shape: tuple[int, ...], width: float) -> Plan:
    """How a tensor of this shape is drawn in a column of this width."""
    rows, cols = matrix_shape(shape)
    wide = int(width)
    if rows == 1:
        fits = (p for p in STRIP_PX if -(-cols // (wide // p)) <= STRIP_ROWS)
        px = LARGEST if cols * LARGEST <= wide else next(fits, 1)
        longest = wide // px * (STRIP_ROWS if px > 1 else TALLEST)
        cells = -(-cols // -(-cols // longest))
        wrap = min(cells, wide // px)
        return Plan((1, longest), (px, px), (-(-cells // wrap), wrap), wrap)
    most = TALLEST, wide
    shown = -(-rows // -(-rows // most[0])), -(-cols // -(-cols // most[1]))
    across = max(1, min(LARGEST, wide // shown[1]))
    return Plan(most, (max(1, min(across, TALLEST // shown[0])), across), shown)


def draw_matrix(page: Page, y: float, plan: Plan, parameter: int) -> Matrix | None:
    """The picture, or what stands for it until it is read; the value under the pointer is named."""
    found = page.facts.ask("matrix", parameter, page.epoch, plan.most)
    matrix: Matrix | None = page.kept(("matrix",), (parameter, plan.most), found)
    box = Box(page.x, y, *plan.size)
    if matrix is None:
        waiting(page, box)
        return None
    key = ("matrix", id(matrix.cells), parameter, page.ui.theme, plan)
    page.ui.thumb(key, lambda: matrix_texels(matrix.cells, matrix.full, plan, page.ui.theme), box, 0.0)
    hit = page.ui.hit("matrix", box)
    at = pointer_in(box, hit)
    if at is not None:
        row, col = int(at[1] // plan.px[0]), int(at[0] // plan.px[1])
        page.ui.tip("matrix", _words(matrix, plan, row, col, page.facts.run.classes))
    return matrix


def matrix_texels(cells: FloatArray, full: float, plan: Plan, theme: str) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 of a matrix, a texel for each px; behind the end of a wrapped vector nothing."""
    texels = signed_texels(cells, full, theme)
    if plan.wrap:
        n = plan.cells[0] * plan.wrap
        texels = np.pad(texels[0], ((0, n - texels.shape[1]), (0, 0))).reshape(plan.cells[0], plan.wrap, 4)
    return np.ascontiguousarray(texels.repeat(plan.px[0], 0).repeat(plan.px[1], 1))


def block_words(matrix: Matrix) -> str:
    """What one cell stands for: "" for one value, else "means of 9 × 84"."""
    rows, cols = matrix.block
    if (rows, cols) == (1, 1):
        return ""
    size = f"{rows} × {cols}" if matrix.shape[0] > 1 else f"{cols}"
    words = f"means of {size}"
    return words if matrix.read_share == 1.0 else f"{words}, 1 row in {round(1 / matrix.read_share)}"


def _words(matrix: Matrix, plan: Plan, row: int, col: int, classes: tuple[str, ...]) -> str:
    if plan.wrap:
        row, col = 0, row * plan.wrap + col
    if col >= matrix.cells.shape[1] or row >= matrix.cells.shape[0]:
        return ""
    value = number_text(float(matrix.cells[row, col]))
    across = _range(col, matrix.block[1], matrix.shape[1])
    if matrix.shape[0] == 1:
        return f"{across}: {value}"
    named = f" ({classes[row]})" if matrix.block[0] == 1 and len(classes) == matrix.shape[0] else ""
    return f"row {_range(row, matrix.block[0], matrix.shape[0])}{named}, column {across}: {value}"


def _range(cell: int, block: int, n: int) -> str:
    first, last = cell * block, min(n, (cell + 1) * block) - 1
    return count_text(first) if first == last else f"{count_text(first)} – {count_text(last)}"
