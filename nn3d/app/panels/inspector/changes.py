"""What changed: metrics, layers and filters of a comparison, most changed first; a click selects and flies there."""

from __future__ import annotations

from typing import Final

import numpy as np

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.changes import LayerChange
from nn3d.app.panels.inspector.page import CAPTION, HEAD, ROW, Page, Part, caption, head, waiting
from nn3d.app.tints import signed_texels
from nn3d.run.model import FloatArray, Layer
from nn3d.run.run import Run
from nn3d.stage.commands import Select
from nn3d.stage.comparing import name_of, partner_of
from nn3d.stage.controls import Act, fly_to
from nn3d.stage.state import Thing

LINE: Final = 22.0
FILTER: Final = 40.0
THUMB: Final = 34.0
GAP: Final = 6.0
MOST_LAYERS: Final = 12
MOST_FILTERS: Final = 8
MOST_METRICS: Final = 3
NAMES: Final = 0.34

Line = tuple[Layer, LayerChange]


def changes_part(page: Page) -> Part | None:
    """The comparison that the picture shows; None where there is none."""
    if page.state.compare is None or partner_of(page.facts.run, page.state) is None or page.is_group:
        return None
    found = _found(page)
    if page.layer is not None and page.layer.weight is None:
        return None
    rows, filters = _metrics(page), _filters(found)
    n_layers = min(MOST_LAYERS, len(found)) if page.layer is None else 0
    more = CAPTION if page.layer is None and len(found) > MOST_LAYERS else 0.0
    tall = HEAD + 20.0 + ROW * len(rows) + LINE * n_layers + more + 8.0
    if filters:
        tall += HEAD + FILTER * len(filters) + CAPTION
    return Part(tall, _draw)


def _found(page: Page) -> list[Line]:
    """Layers with weights whose change is known, the most changed first; of a layer's page itself."""
    layers = page.facts.run.layers if page.layer is None else (page.layer,)
    out = []
    for layer in layers:
        if layer.weight is not None:
            change: LayerChange | None = page.facts.ask("change", layer.index, page.epoch, page.state.compare)
            change = page.kept(("change", layer.index), page.state.compare, change)
            if change is not None and change.whole is not None:
                out.append((layer, change))
    return sorted(out, key=lambda line: -_share(line[1]))


def _share(change: LayerChange) -> float:
    relative = None if change.whole is None else change.whole.relative
    return float("inf") if relative is None else relative


def _metrics(page: Page) -> list[tuple[str, str]]:
    """Metrics that both moments have: "97.11 → 99.07"."""
    if page.layer is not None or page.state.compare is None:
        return []
    other = partner_of(page.facts.run, page.state)
    if other is None:
        return []
    before = other.epochs[min(page.state.compare.epoch, len(other.epochs) - 1)].metrics
    after = page.facts.run.epochs[page.epoch].metrics
    names = [name for name in after if name in before][:MOST_METRICS]
    return [(name.replace("_", " ").capitalize(), f"{before[name]:.4g} → {after[name]:.4g}") for name in names]


def _filters(found: list[Line]) -> list[tuple[Layer, int, float]]:
    """The most changed filters of all: (layer, row, share)."""
    each = [
        (layer, row, float("inf") if c.relative is None else c.relative)
        for layer, change in found for row, c in change.filters if c.length > 0.0
    ]  # fmt: skip
    return sorted(each, key=lambda f: -f[2])[:MOST_FILTERS]


def _words(page: Page, run: Run, other: Run) -> str:
    assert page.state.compare is not None
    before = other.epochs[min(page.state.compare.epoch, len(other.epochs) - 1)].id
    name = f"{name_of(other)} " if other is not run else ""
    return f"{name}epoch {before} to epoch {run.epochs[page.epoch].id}"


def _draw(page: Page, y: float) -> list[Act]:
    ui, run = page.ui, page.facts.run
    other = partner_of(run, page.state)
    if other is None:
        return []
    found = _found(page)
    head(page, y, "What changed", "‖ΔW‖ / ‖W_A‖" if page.layer is None else "")
    y += HEAD
    said = _words(page, run, other)
    if page.layer is not None and found:
        said += f": {_percent(_share(found[0][1]))} of ‖W_A‖"
    caption(page, y - 4, said, token="text2")
    y += 16
    for label, value in _metrics(page):
        ui.text(page.x, y + ROW / 2, label, 12, token="text2")
        ui.text(page.x + page.w, y + ROW / 2, value, 12, "medium", "text", "r")
        y += ROW
    acts: list[Act] = []
    if page.layer is None:
        acts, y = _layers(page, y + 4, found)
    filters = _filters(found)
    if filters:
        acts += _filter_rows(page, y + 4, filters)
    return acts


def _layers(page: Page, y: float, found: list[Line]) -> tuple[list[Act], float]:
    """A line a layer: name, bar, share of its length."""
    ui, acts = page.ui, list[Act]()
    finite = [_share(c) for _, c in found if np.isfinite(_share(c))]
    most = max(finite, default=0.0) or 1.0
    name_w, value_w = page.w * NAMES, 56.0
    for layer, change in found[:MOST_LAYERS]:
        box = Box(page.x - 6, y, page.w + 12, LINE - 2)
        if widgets.row_hit(ui, f"change{layer.index}", box, is_on=False).clicked:
            acts += [Select(Thing(layer.index)), *fly_to(page.context, Thing(layer.index))]
        middle, share = y + box.h / 2, _share(change)
        ui.text(page.x, middle, ui.type.fit(layer.name, name_w - 8, 12), 12)
        well = Box(page.x + name_w, middle - 3, page.w - name_w - value_w, 6)
        ui.fill(well, "well", 3)
        ui.fill(Box(well.x, well.y, well.w * min(1.0, share / most), well.h), "text2", 3)
        ui.text(page.x + page.w, middle, _percent(share), 12, "medium", "text", "r")
        y += LINE
    if len(found) > MOST_LAYERS:
        caption(page, y, f"and {len(found) - MOST_LAYERS} more: nn3d diff")
        y += CAPTION
    return acts, y


def _filter_rows(page: Page, y: float, filters: list[tuple[Layer, int, float]]) -> list[Act]:
    """A line a filter: its share, and A, B, B − A on one scale."""
    ui, acts = page.ui, list[Act]()
    head(page, y, "Most changed")
    left = [page.x + page.w - THUMB - k * (THUMB + GAP) for k in (2, 1, 0)]
    for x, word in zip(left, ("A", "B", "B − A"), strict=True):
        ui.text(x + THUMB / 2, y + 17, word, 11, "regular", "text3", "c")
    y += HEAD
    for k, (layer, row, share) in enumerate(filters):
        box = Box(page.x - 6, y, page.w + 12, FILTER - 2)
        if widgets.row_hit(ui, f"filter{layer.index}.{row}", box, is_on=False).clicked:
            thing = Thing(layer.index, row)
            acts += [Select(thing), *fly_to(page.context, thing)]
        middle = y + box.h / 2
        ui.text(page.x, middle, f"{k + 1}", 11, token="text3")
        room = left[0] - page.x - 18 - 58
        ui.text(page.x + 18, middle - 8, ui.type.fit(layer.name, room, 12), 12)
        word = "map" if len(page.facts.run.parameter_info(layer.weight or 0).shape) > 2 else "neuron"
        ui.text(page.x + 18, middle + 8, f"{word} {row}", 11, token="text2")
        ui.text(left[0] - 10, middle, _percent(share), 12, "medium", "text", "r")
        _thumbs(page, layer, row, [Box(x, y + (box.h - THUMB) / 2, THUMB, THUMB) for x in left])
        y += FILTER
    caption(page, y, "A, B and B − A on one scale a line")
    return acts


def _thumbs(page: Page, layer: Layer, row: int, boxes: list[Box]) -> None:
    against = page.state.compare
    found: FloatArray | None = page.facts.ask("changed filter", layer.weight, row, page.epoch, against)
    if found is None:
        for box in boxes:
            waiting(page, box)
        return
    full = float(np.abs(np.nan_to_num(found)).max(initial=0.0)) or 1.0
    cells = (found[0], found[1], found[1] - found[0])
    height, width = cells[0].shape
    for k, (box, values) in enumerate(zip(boxes, cells, strict=True)):
        scale = THUMB / max(height, width)
        w, h = width * scale, height * scale
        inner = Box(box.x + (box.w - w) / 2, box.y + (box.h - h) / 2, w, h)
        key = ("changed", layer.weight, row, page.epoch, against, k, page.ui.theme)
        page.ui.thumb(key, lambda v=values: signed_texels(v, full, page.ui.theme), inner)  # type: ignore[misc]


def _percent(share: float) -> str:
    if not np.isfinite(share):
        return "from 0"
    return f"{100.0 * share:.3g} %" if share < 9.995 else f"×{share:.3g}"
