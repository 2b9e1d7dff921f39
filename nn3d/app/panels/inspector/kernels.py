"""The gallery of filters: every kernel of a layer on one scale, outputs side by side, the inputs that each reads below.

Kernels that read a colour picture are shown in colour, one an output. Only what is in sight is read and drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.tensors import KernelShape
from nn3d.app.cards import Box
from nn3d.app.panels.inspector.page import Page, number_text, pointer_in, waiting
from nn3d.app.tints import colour_texels, signed_texels
from nn3d.run.model import FloatArray
from nn3d.stage.commands import Select
from nn3d.stage.controls import Act
from nn3d.stage.state import Thing

LABELS: Final = 20.0
HEADER: Final = 16.0
BAND_GAP: Final = 10.0
ALONE: Final = 34
LARGEST: Final = 8
READABLE: Final = 15
PIECE: Final = 32
LABEL_PITCH: Final = 20.0


@dataclass(frozen=True, slots=True)
class Sheet:
    """Where the kernels lie, px from the sheet's corner: bands of `columns` outputs, in each a row an input.

    px : of one weight. pitch : (down, across) from kernel to kernel. left, top : room for the numbers, 0 without.
    """

    n_out: int
    n_in: int
    rows: int
    cols: int
    px: int
    gap: int
    columns: int
    left: float
    top: float

    @property
    def pitch(self) -> tuple[int, int]:
        """From kernel to kernel, (down, across)."""
        return self.rows * self.px + self.gap, self.cols * self.px + self.gap

    @property
    def band(self) -> float:
        """From band to band."""
        return self.top + self.n_in * self.pitch[0] + (BAND_GAP if self.top else 0.0)

    @property
    def n_bands(self) -> int:
        """How many bands there are."""
        return -(-self.n_out // self.columns)

    @property
    def height(self) -> float:
        """Of the whole sheet."""
        return self.n_bands * self.band

    def place(self, out: int, in_: int) -> tuple[float, float]:
        """(x, y) of a kernel's corner."""
        band, column = divmod(out, self.columns)
        return self.left + column * self.pitch[1], band * self.band + self.top + in_ * self.pitch[0]

    def at(self, x: float, y: float) -> tuple[int, int, int, int] | None:
        """(out, in, row, column) of the weight at a place."""
        band, y = divmod(y, self.band)
        column, x = divmod(x - self.left, self.pitch[1])
        in_, y = divmod(y - self.top, self.pitch[0])
        out = int(band) * self.columns + int(column)
        row, col = int(y // self.px), int(x // self.px)
        is_kernel = 0 <= column < self.columns and 0 <= out < self.n_out and 0 <= in_ < self.n_in
        return (out, int(in_), row, col) if is_kernel and row < self.rows and col < self.cols else None

    def pieces(self, y0: float, y1: float) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Blocks of (outs, ins), [from, to) each, of which any part lies between two heights."""
        for band in range(max(0, int(y0 // self.band)), min(self.n_bands, int(y1 // self.band) + 1)):
            outs = band * self.columns, min(self.n_out, (band + 1) * self.columns)
            for first in range(0, self.n_in, PIECE):
                top = self.place(outs[0], first)[1]
                last = min(self.n_in, first + PIECE)
                if top < y1 and top + (last - first) * self.pitch[0] > y0:
                    yield outs, (first, last)


def sheet_of(shape: KernelShape, width: float, *, is_colour: bool) -> Sheet:
    """The sheet of a weight in a column of this width: as large as all outputs fit side by side, else in bands."""
    n_in = 1 if is_colour else shape.n_in
    if n_in == 1:
        px = max(_least(shape), min(LARGEST, ALONE // max(shape.rows, shape.cols)))
        most = max(1, int((width + 4) // (shape.cols * px + 4)))
        return Sheet(shape.n_out, 1, shape.rows, shape.cols, px, 4, _columns(shape.n_out, most), 0.0, 0.0)
    room = width - LABELS
    fits = (p for p in range(LARGEST, 0, -1) if shape.n_out * (shape.cols * p + _gap(p)) <= room + _gap(p))
    px = max(next(fits, 0), _least(shape))
    gap = _gap(px)
    most = max(1, int((room + gap) // (shape.cols * px + gap)))
    return Sheet(shape.n_out, n_in, shape.rows, shape.cols, px, gap, _columns(shape.n_out, most), LABELS, HEADER)


def _columns(n: int, most: int) -> int:
    """Kernels in a band: at most `most`, and bands of one length as far as that goes."""
    return -(-n // -(-n // most))


def _gap(px: int) -> int:
    return 3 if px > 3 else 2


def _least(shape: KernelShape) -> int:
    return max(1, min(3, READABLE // max(shape.rows, shape.cols)))


def draw_sheet(
    page: Page, y: float, sheet: Sheet, parameter: int, full: float, groups: int, *, is_colour: bool
) -> list[Act]:
    """The kernels in sight with their numbers; a click selects the map that a filter makes."""
    ui, box = page.ui, page.box
    for outs, ins in sheet.pieces(box.y - y, box.y1 - y):
        _draw_piece(page, y, sheet, parameter, full, outs, ins, is_colour=is_colour)
    if sheet.left:
        _numbers(page, y, sheet)
    if 0 <= page.tile < sheet.n_out:
        left, top = sheet.place(page.tile, 0)
        high = sheet.n_in * sheet.pitch[0] - sheet.gap
        frame = Box(page.x + left - 2, y + top - 2, sheet.cols * sheet.px + 4, high + 4)
        ui.outline(frame, "accent", 3.0, 1.5)
    return _point(page, y, sheet, parameter, groups, is_colour=is_colour)


def _cells(
    page: Page, parameter: int, outs: tuple[int, int], ins: tuple[int, int], *, is_colour: bool
) -> tuple[int, FloatArray] | None:
    """(epoch, kernels) of a piece: of the shown epoch, or while that is read of the one before."""
    found = page.facts.ask("kernels", parameter, page.epoch, outs, (0, 3) if is_colour else ins)
    kept: tuple[int, FloatArray] | None = page.kept(
        ("kernels", outs, ins), parameter, None if found is None else (page.epoch, found)
    )
    return kept


def _draw_piece(
    page: Page, y: float, sheet: Sheet, parameter: int, full: float, outs: tuple[int, int], ins: tuple[int, int],
    *, is_colour: bool,
) -> None:  # fmt: skip
    found = _cells(page, parameter, outs, ins, is_colour=is_colour)
    left, top = sheet.place(outs[0], ins[0])
    down, across = sheet.pitch
    size = (outs[1] - outs[0]) * across - sheet.gap, (ins[1] - ins[0]) * down - sheet.gap
    place = Box(page.x + left, y + top, float(size[0]), float(size[1]))
    if found is None:
        waiting(page, place)
        return
    epoch, cells = found
    key = ("kernels", parameter, epoch, outs, ins, page.ui.theme, sheet.px, full)
    page.ui.thumb(key, lambda: piece_texels(cells, sheet, full, page.ui.theme, is_colour=is_colour), place, 0.0)


def piece_texels(
    cells: FloatArray, sheet: Sheet, full: float, theme: str, *, is_colour: bool
) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 of kernels (o, i, rows, cols): inputs below each other, outputs side by side, clear gaps."""
    colours = colour_texels(cells, full)[:, None] if is_colour else signed_texels(cells, full, theme)
    large = colours.repeat(sheet.px, 2).repeat(sheet.px, 3)
    large = np.pad(large, ((0, 0), (0, 0), (0, sheet.gap), (0, sheet.gap), (0, 0)))
    whole = large.transpose(1, 2, 0, 3, 4)
    whole = whole.reshape(whole.shape[0] * whole.shape[1], -1, 4)
    return np.ascontiguousarray(whole[: -sheet.gap, : -sheet.gap])


def _numbers(page: Page, y: float, sheet: Sheet) -> None:
    """The numbers of outputs above each band, and of inputs beside it, as many as there is room for."""
    ui, (down, across) = page.ui, sheet.pitch
    every_out, every_in = max(1, int(-(-LABEL_PITCH // across))), max(1, -(-12 // down))
    for band in range(max(0, int((page.box.y - y) // sheet.band)), sheet.n_bands):
        top = y + band * sheet.band
        if top > page.box.y1:
            break
        for out in range(band * sheet.columns, min(sheet.n_out, (band + 1) * sheet.columns), every_out):
            x = page.x + sheet.place(out, 0)[0] + sheet.cols * sheet.px / 2
            is_chosen = out == page.tile
            ui.text(x, top + 7, f"{out}", 10, "medium" if is_chosen else "regular", _token(is_chosen), "c")
        first = max(0, int((page.box.y - top - sheet.top) // down))
        for in_ in range(first - first % every_in, sheet.n_in, every_in):
            line = top + sheet.top + in_ * down + sheet.rows * sheet.px / 2
            if line > page.box.y1:
                break
            ui.text(page.x + LABELS - 7, line, f"{in_}", 10, "regular", "text3", "r")


def _token(is_chosen: bool) -> str:
    return "accent" if is_chosen else "text3"


def _point(page: Page, y: float, sheet: Sheet, parameter: int, groups: int, *, is_colour: bool) -> list[Act]:
    """Name the weight under the pointer; a click on a kernel selects the map it belongs to."""
    assert page.layer is not None
    found, is_clicked = pointed(page, y, sheet, "kernels")
    if found is None:
        return []
    out, in_, row, col = found
    band = out // sheet.columns
    outs = band * sheet.columns, min(sheet.n_out, (band + 1) * sheet.columns)
    ins = in_ - in_ % PIECE, min(sheet.n_in, in_ - in_ % PIECE + PIECE)
    kernels = _cells(page, parameter, outs, ins, is_colour=is_colour)
    if kernels is not None:
        cells = kernels[1]
        each = cells[out - outs[0], :, row, col] if is_colour else cells[out - outs[0], in_ - ins[0], row, col]
        what = ", ".join(f"{c} {number_text(v)}" for c, v in zip("RGB", each, strict=False)) if is_colour else ""
        source = out // max(1, sheet.n_out // groups) * sheet.n_in + in_ if groups > 1 else in_
        named = f"filter {out}" if is_colour else f"filter {out}, input {source}"
        page.ui.tip("kernels", f"{named}, ({row}, {col}): {what or number_text(float(each))}")
    return [Select(Thing(page.layer.index, out))] if is_clicked else []


def pointed(page: Page, y: float, sheet: Sheet, name: str) -> tuple[tuple[int, int, int, int] | None, bool]:
    """The weight of a sheet under the pointer, as (out, in, row, column), and whether it was clicked on."""
    top, end = max(y, page.box.y), min(y + sheet.height, page.box.y1)
    if end - top < 2:
        return None, False
    area = Box(page.x, top, page.w, end - top)
    hit = page.ui.hit(name, area)
    at = pointer_in(area, hit)
    return (None if at is None else sheet.at(at[0], at[1] + top - y)), hit.clicked
