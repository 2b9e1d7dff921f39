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
NUMBER: Final = (22, 38)  # of a cell, px down and across, that a number fits into
WIDEST: Final = 60
STRIP_PX: Final = (10, 6, 4, 2)
STRIP_ROWS: Final = 24
MIDDLE: Final = 110.0


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
    if shown == (rows, cols) and cols * NUMBER[1] <= wide and rows * NUMBER[0] <= TALLEST:
        return Plan(most, (NUMBER[0], min(WIDEST, wide // cols)), shown)
    across = max(1, min(LARGEST, wide // shown[1]))
    return Plan(most, (max(1, min(across, TALLEST // shown[0])), across), shown)


def draw_matrix(page: Page, y: float, plan: Plan, parameter: int) -> Matrix | None:
    """The picture, or what stands for it until it is read; the value under the pointer is named."""
    found = page.facts.ask("matrix", parameter, page.epoch, plan.most)
    kept: tuple[int, Matrix] | None = page.kept(
        "matrix", (parameter, plan.most), None if found is None else (page.epoch, found)
    )
    box = Box(page.x, y, *plan.size)
    if kept is None:
        waiting(page, box)
        return None
    epoch, matrix = kept
    key = ("matrix", parameter, epoch, page.ui.theme, plan)
    page.ui.thumb(key, lambda: matrix_texels(matrix.cells, matrix.full, plan, page.ui.theme), box, 0.0)
    if plan.px[1] >= NUMBER[1]:
        _numbers(page, box, plan, matrix)
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


def _numbers(page: Page, box: Box, plan: Plan, matrix: Matrix) -> None:
    """The values of a small matrix in its cells, dark on light colours and light on dark ones."""
    down, across = plan.px
    inks = ("text", "ink") if page.ui.theme == "dark" else ("ink", "text")
    light = signed_texels(matrix.cells, matrix.full, page.ui.theme)[..., :3].mean(-1) > MIDDLE
    for row, line in enumerate(matrix.cells.tolist()):
        for col, value in enumerate(line):
            x, y = box.x + (col + 0.5) * across, box.y + (row + 0.5) * down
            if page.sees(y - down, 2.0 * down):
                words = number_text(float(f"{value:.2g}"))
                page.ui.text(x, y, words, 10.5, "medium", inks[int(light[row, col])], "c")


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
