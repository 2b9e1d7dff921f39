"""The maps of a layer for the sample that is shown, as the picture colours them; a click selects one."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.app.cards import Box
from nn3d.app.facts import count_text
from nn3d.app.panels.inspector.page import BUTTONS, HEAD, Page, Part, buttons, head, number_text
from nn3d.app.tints import tile_texels
from nn3d.app.ui import Hit
from nn3d.stage.commands import Select
from nn3d.stage.controls import Act
from nn3d.stage.controls.requests import CopyValues, SaveTensor
from nn3d.stage.frame import TileLayer
from nn3d.stage.state import Thing

THUMB: Final = 34.0
GAP: Final = 4.0
UNIT: Final = 12.0
UNIT_GAP: Final = 3.0
MOST_THUMBS: Final = 32
MOST_UNITS: Final = 240
MOST_ALL: Final = 2048
LARGEST: Final = 300.0
MORE: Final = 24.0


def maps_part(page: Page) -> Part | None:
    """The tiles in a grid; None where there are no values."""
    if page.layer is None or page.tiles is None:
        return None
    columns, _, height, gap = _grid(page, page.tiles)
    n, total = _shown(page, page.tiles), _n_thumbs(page.tiles)
    more = MORE if total > _fewest(page, page.tiles) else 0.0
    return Part(HEAD + -(-n // columns) * (height + gap) + more + BUTTONS + 4, _draw)


def _grid(page: Page, tiles: TileLayer) -> tuple[int, float, float, float]:
    """Columns, width and height of a thumb, gap: small for single cells, whole width for one tile."""
    rows, cols = tiles.cells
    if tiles.lut == "rgb" or _n_thumbs(tiles) == 1:
        width = LARGEST if cols >= rows else LARGEST * cols / rows
        return 1, width, min(LARGEST, max(6.0, width * rows / cols)), GAP
    if (rows, cols) == (1, 1):
        return int((page.w + UNIT_GAP) // (UNIT + UNIT_GAP)), UNIT, UNIT, UNIT_GAP
    return int((page.w + GAP) // (THUMB + GAP)), THUMB, min(THUMB * 2, max(6.0, THUMB * rows / cols)), GAP


def _n_thumbs(tiles: TileLayer) -> int:
    assert tiles.values is not None
    return 1 if tiles.lut == "rgb" else len(tiles.values[1].cells)


def _fewest(page: Page, tiles: TileLayer) -> int:
    columns = _grid(page, tiles)[0]
    most = MOST_UNITS if tiles.cells == (1, 1) else MOST_THUMBS
    return min(_n_thumbs(tiles), -(-most // columns) * columns)


def _shown(page: Page, tiles: TileLayer) -> int:
    few, total = _fewest(page, tiles), _n_thumbs(tiles)
    is_open = page.ui.memory.get("all maps") == page.item or page.tile >= few
    return min(total, MOST_ALL) if is_open else few


def _draw(page: Page, y: float) -> list[Act]:
    tiles, layer, ui = page.tiles, page.layer, page.ui
    assert tiles is not None
    assert layer is not None
    assert tiles.values is not None
    columns, _, height, gap = _grid(page, tiles)
    n, total = _shown(page, tiles), _n_thumbs(tiles)
    title = "Values" if columns == 1 else "Units" if tiles.cells == (1, 1) else "Maps"
    sample = page.facts.sample_name(page.state) if page.facts.run.samples else ""
    head(page, y, title, sample if n == total else f"first {n} of {count_text(total)}, {sample}")
    y += HEAD
    acts = _thumbs(page, tiles, y, n)
    y += -(-n // columns) * (height + gap)
    few = _fewest(page, tiles)
    if total > few:
        words = f"Show all {count_text(total)}" if n < total else f"Show the first {few}"
        words = f"{words} of {count_text(total)}" if total > MOST_ALL and n == few else words
        hit = ui.hit("all maps", Box(page.x, y, page.w, MORE - 4))
        ui.text(page.x, y + 9, words, 11, "medium", "text" if hit.hovered else "text2")
        if hit.clicked:
            ui.memory["all maps"] = page.item if n == few else None
        y += MORE
    what = page.item if page.item >= 0 else layer.index
    pressed = buttons(page, y, "values", (
        ("download", ".npy", "Save the values of this sample as numbers"),
        ("image", ".png", "Save a picture of them, a px a cell"),
        ("copy", "Copy", "Copy the values of what is selected  (Ctrl C)"),
    ))  # fmt: skip
    if pressed == "Copy":
        acts.append(CopyValues())
    elif pressed is not None:
        acts.append(SaveTensor(what, -1, pressed))
    return acts


def _thumbs(page: Page, tiles: TileLayer, y: float, n: int) -> list[Act]:
    """Pictures first, then outlines: they come from two textures, and each change between them costs a draw."""
    ui, layer = page.ui, page.layer
    assert layer is not None
    assert tiles.values is not None
    columns, width, height, gap = _grid(page, tiles)
    down = height + gap
    first = max(0, int((page.box.y - y) // down)) * columns
    last = min(n, (int((page.box.y1 - y) // down) + 1) * columns)
    places = [
        Box(page.x + (k % columns) * (width + gap), y + (k // columns) * down, width, height)
        for k in range(first, last)
    ]
    rounding = 2.0 if tiles.cells == (1, 1) else 3.0
    texels: NDArray[np.uint8] | None = None
    shade = (page.state.theme, page.state.ramp, page.state.scope, tiles.gain[1])
    for k, place in enumerate(places, first):
        key = ("tile", tiles.values[1].key, *shade, k)
        if ui.atlas.get(key) is None and texels is None:
            texels = tile_texels(tiles, page.state.theme, first, last - first, page.state.ramp)
        ui.thumb(key, partial(_pick, texels, k - first), place, rounding)
    acts: list[Act] = []
    for k, place in enumerate(places, first):
        ui.outline(place, "line", rounding)
        hit = ui.hit(f"tile{k}", place) if columns > 1 else Hit()
        if hit.hovered:
            ui.tip(f"tile{k}", _words(page, tiles, k))
        if hit.clicked:
            acts.append(Select(Thing(layer.index, k)))
        if k == page.tile:
            ui.outline(Box(place.x - 2, place.y - 2, place.w + 4, place.h + 4), "accent", 5.0, 2.0)
    return acts


def _words(page: Page, tiles: TileLayer, k: int) -> str:
    """Name, class where the layer gives one, and value of a unit, or lowest and highest of a map."""
    assert page.layer is not None
    assert tiles.values is not None
    cells, classes = tiles.values[1].cells[k], page.facts.run.classes
    name = f"{page.layer.name} {k}"
    if len(classes) == len(tiles.values[1].cells) and page.layer.index == len(page.facts.run.layers) - 1:
        name += f" ({classes[k]})"
    if cells.size == 1:
        return f"{name}: {number_text(float(cells.flat[0]))}"
    finite = cells[np.isfinite(cells)]
    if not finite.size:
        return f"{name}: not finite"
    return f"{name}: {number_text(float(finite.min()))} … {number_text(float(finite.max()))}"


def _pick(texels: NDArray[np.uint8] | None, k: int) -> NDArray[np.uint8]:
    assert texels is not None
    return np.asarray(texels[k])
