"""The filter of the selected map: its kernels one by one, enlarged, each named after the map that it reads."""

from __future__ import annotations

from functools import partial

from nn3d.analysis.tensors import KernelShape, Scale, kernel_shape
from nn3d.app.cards import Box
from nn3d.app.facts import count_text
from nn3d.app.panels.inspector.kernels import Sheet, piece_texels, pointed, sheet_of
from nn3d.app.panels.inspector.page import HEAD, Page, Part, head, number_text, waiting
from nn3d.app.panels.inspector.parameters import chosen, shows_colour, shows_kernels
from nn3d.run.model import FloatArray, Parameter
from nn3d.stage.commands import Select
from nn3d.stage.controls import Act
from nn3d.stage.state import Thing


def filter_part(page: Page) -> Part | None:
    """Where a map of a convolution is selected that reads several maps."""
    found = _own_sheet(page)
    return None if found is None else Part(HEAD + found[1].height + 10, _draw)


def _own_sheet(page: Page) -> tuple[Parameter, Sheet] | None:
    parameter, layer = chosen(page), page.layer
    if parameter is None or layer is None or not shows_kernels(layer, parameter.id, parameter.shape):
        return None
    shape = kernel_shape(parameter.shape)
    if shape is None or shape.n_in < 2 or not 0 <= page.tile < shape.n_out or shows_colour(page.facts, layer, shape):
        return None
    return parameter, sheet_of(KernelShape(shape.n_in, 1, shape.rows, shape.cols, shape.depth), page.w, is_colour=False)


def _first_input(page: Page, n_out: int, n_in: int) -> int:
    """The map of the source that the filter's first kernel reads; with groups the filters share them out."""
    assert page.layer is not None
    groups = int(page.facts.run.node(page.layer.nodes[0]).attributes.get("groups", 1) or 1)
    return page.tile // max(1, n_out // groups) * n_in if groups > 1 else 0


def _draw(page: Page, y: float) -> list[Act]:
    found = _own_sheet(page)
    assert found is not None
    parameter, sheet = found
    first = _first_input(page, parameter.shape[0], parameter.shape[1])
    maps = f"{first} to {first + sheet.n_out - 1}" if first else count_text(sheet.n_out)
    head(page, y, f"Filter {page.tile}", f"reads maps {maps}" if first else f"reads {maps} maps")
    y += HEAD
    key = parameter.id, page.epoch, (page.tile, page.tile + 1), (0, parameter.shape[1])
    now = page.facts.ask("kernels", *key)
    known: tuple[int, FloatArray] | None = page.kept(
        "filter", (parameter.id, page.tile), None if now is None else (page.epoch, now)
    )
    scale: Scale | None = page.kept("filter scale", parameter.id, page.facts.ask("scale", parameter.id, page.epoch))
    if known is None or scale is None:
        waiting(page, Box(page.x, y, page.w, min(sheet.height, 34.0)))
        return []
    epoch, cells = known
    kernels, full, theme = cells[0][:, None], scale.full, page.ui.theme
    down, across = sheet.pitch
    for outs, _ in sheet.pieces(page.box.y - y, page.box.y1 - y):
        left, top = sheet.place(outs[0], 0)
        place = Box(page.x + left, y + top, float((outs[1] - outs[0]) * across - sheet.gap), float(down - sheet.gap))
        texels = partial(piece_texels, kernels[slice(*outs)], sheet, full, theme, is_colour=False)
        page.ui.thumb(("filter", parameter.id, epoch, page.tile, outs, full, theme, sheet.px), texels, place, 0.0)
    return _point(page, y, sheet, cells[0], first)


def _point(page: Page, y: float, sheet: Sheet, kernels: FloatArray, first: int) -> list[Act]:
    """Name the weight under the pointer; a click selects the map that the kernel reads."""
    found, is_clicked = pointed(page, y, sheet, "filter")
    if found is None:
        return []
    in_, _, row, col = found
    page.ui.tip("filter", f"input {first + in_}, ({row}, {col}): {number_text(float(kernels[in_, row, col]))}")
    assert page.layer is not None
    sources = {link.source for link in page.layer.links if link.kind == "weight"}
    return [Select(Thing(sources.pop(), first + in_))] if is_clicked and len(sources) == 1 else []
