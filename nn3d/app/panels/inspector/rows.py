"""Words and numbers of a layer, a group or the network: label on the left, value on the right."""

from __future__ import annotations

from typing import Any, Final

from nn3d.analysis.activity import Moments
from nn3d.app.facts import count_text, percent_text, shape_text
from nn3d.app.panels.inspector.page import HEAD, ROW, WIDE, Page, Part, head
from nn3d.run.inferred import CERTAINTY, WHY
from nn3d.run.model import JSON
from nn3d.run.ops import op_of
from nn3d.stage.controls import Act
from nn3d.stage.resident import LayerValues

Rows = list[tuple[str, str]]
COLUMN_GAP: Final = 28.0
MOST_ENTRIES: Final = 4
LONGEST: Final = 60


def rows_part(page: Page) -> Part:
    """What there is to say in one line each; under a head of its own where parts about a tile stand above."""
    if page.layer is None:
        return listed(network_rows(page), page)
    inner = listed(layer_rows(page), page)
    return inner if page.tile < 0 else _headed("Layer", inner)


def attributes_part(page: Page) -> Part | None:
    """How the operations of the layer were set."""
    rows = [] if page.layer is None or page.is_group else attribute_rows(page)
    return _headed("Attributes", listed(rows, page)) if rows else None


def _headed(title: str, inner: Part) -> Part:
    def draw(page: Page, y: float) -> list[Act]:
        head(page, y, title)
        return inner.draw(page, y + HEAD)

    return Part(inner.height + HEAD, draw)


def listed(rows: Rows, page: Page) -> Part:
    """Rows in one column, or in two where the page is wide."""
    columns = 2 if page.w >= WIDE - 24 and len(rows) > 2 else 1
    per = -(-len(rows) // columns)

    def draw(page: Page, y: float) -> list[Act]:
        ui, width = page.ui, (page.w - COLUMN_GAP * (columns - 1)) / columns
        for k, (label, value) in enumerate(rows):
            x, line = page.x + (k // per) * (width + COLUMN_GAP), y + (k % per) * ROW + ROW / 2
            is_odd = label == "Not finite" and value != "0"
            used = ui.text(x, line, label, 12, token="nonfinite" if is_odd else "text2")
            text = ui.type.fit(value, width - used - 10, 12, "medium")
            ui.text(x + width, line, text, 12, "medium", "nonfinite" if is_odd else "text", "r")
        return []

    return Part(per * ROW + 8, draw)


def network_rows(page: Page) -> Rows:
    """Of the whole network."""
    run = page.facts.run
    rows = [("Parameters", count_text(page.facts.n_parameters))]
    macs = sum(layer.macs for layer in run.layers)
    if macs and run.graph.kind != "inferred":
        rows.append(("Multiply-adds", count_text(macs)))
    rows += [("Epochs", count_text(len(run.epochs))), ("Samples", count_text(len(run.samples)))]
    if run.classes:
        rows.append(("Classes", count_text(len(run.classes))))
    rows.append(("Wires", run.graph.kind))
    return rows


def layer_rows(page: Page) -> Rows:
    """Of a layer, or of a group as one layer."""
    layer, run = page.layer, page.facts.run
    assert layer is not None
    rows = [("Output", shape_text(layer.shape))]
    group = page.facts.groups.of_item(page.item)
    if group is not None:
        rows.append(("Layers inside", count_text(len(group.layers))))
    if layer.weight is not None:
        info = run.parameter_info(layer.weight)
        rows.append(("Weights", f"{shape_text(info.shape)}{f' · {info.dtype}' if info.dtype else ''}"))
    if layer.n_params:
        rows.append(("Parameters", count_text(layer.n_params)))
    if layer.macs:
        rows.append(("Multiply-adds", count_text(layer.macs)))
    if layer.module:
        rows.append(("Module", layer.module))
    return rows + _value_rows(page)


def _value_rows(page: Page) -> Rows:
    """How many cells are active; what is silent on this sample, and what is dead on all of them."""
    node, tiles, layer = page.node, page.tiles, page.layer
    if node is None or tiles is None or layer is None or op_of(layer.op).family == "input":
        return []
    sample = page.facts.number(page.state)
    now = page.facts.values(layer.index, page.epoch, sample, page.stage)
    found: LayerValues | None = page.kept("figures", (page.item, page.stage), now)
    if found is None:
        return []
    what = "maps" if tiles.cells != (1, 1) else "units"
    n = len(found.values.cells)
    rows = [("Active cells", percent_text(1.0 - found.zero_share))]
    if not found.is_signed and n > 1:
        rows.append((f"Silent {what}, this sample", f"{count_text(found.silent)} of {count_text(n)}"))
        moments: Moments | None = page.facts.ask("moments", *node, page.epoch)
        moments = page.kept("dead", node, moments)
        if moments is not None and moments.dead >= 0 and moments.n_channels == n and len(page.facts.run.samples) > 1:
            rows.append((f"Dead {what}, all samples", f"{count_text(moments.dead)} of {count_text(n)}"))
    n_odd = found.n_nonfinite
    rows.append(("Not finite", f"{count_text(n_odd)} of {count_text(found.values.cells.size)}" if n_odd else "0"))
    rows.append(("Stored as", _stored(page, node)))
    return rows


def _stored(page: Page, node: tuple[int, int]) -> str:
    encoded = page.facts.run.stored(*node, page.epoch)
    return f"{encoded.data.dtype}" + (", scaled" if encoded.lo is not None else "")


def attribute_rows(page: Page) -> Rows:
    """Settings of the layer's operations, each named after its stage where there are several."""
    layer, run = page.layer, page.facts.run
    assert layer is not None
    nodes = [run.node(n) for n in layer.nodes]
    has = [n for n in nodes if n.attributes]
    rows = []
    for node in has:
        before = f"{op_of(node.op).label}: " if len(has) > 1 else ""
        for name, value in node.attributes.items():
            text = value_text(value)
            if text and name not in (WHY, CERTAINTY):
                rows.append((f"{before}{name.replace('_', ' ')}".capitalize() if not before else
                             f"{before}{name.replace('_', ' ')}", text))  # fmt: skip
    return rows


def value_text(value: JSON) -> str:
    """A setting in words: "2 × 2", "yes", "0.1"; "" for what is not set or too much for a line."""
    text = _text(value)
    return text if len(text) <= LONGEST else ""


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        if len(value) > MOST_ENTRIES or any(isinstance(v, list | tuple | dict) for v in value):
            return ""
        is_count = all(isinstance(v, int) and not isinstance(v, bool) for v in value)
        return (" × " if is_count else ", ").join(_text(v) for v in value)
    return "" if isinstance(value, dict) else f"{value}"
