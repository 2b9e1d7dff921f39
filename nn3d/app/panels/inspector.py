"""The inspector: what the selected layer is and what it holds at this epoch and sample; the network when none is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.app import widgets
from nn3d.app.cards import RIGHT, Box
from nn3d.app.facts import Facts, count_text, percent_text, shape_text, tile_texels
from nn3d.app.ui import Ui
from nn3d.run.model import Layer
from nn3d.stage.commands import Select, SetRamp, SetScope, SetStage
from nn3d.stage.controls import Act, Context, fly_to, tip
from nn3d.stage.frame import Frame, TileLayer
from nn3d.stage.stages import LAST
from nn3d.stage.state import RAMPS, SCOPES, Thing, ViewState

HEAD: Final = 70.0
ROW: Final = 21.0
THUMB: Final = 34.0
THUMB_GAP: Final = 4.0
COLUMNS: Final = 8
MOST_THUMBS: Final = 64
MOST_NOTES: Final = 24
NOTE_LINE: Final = 17.0
PAD: Final = 12.0
SECTION: Final = 34.0
STAGE: Final = 32.0
COLOURS: Final = 2 * STAGE + 4.0
_TIPS: Final = {"scope": ("The largest of each map", "The largest of each layer", "The largest of the network")}
Rows = list[tuple[str, str]]


def inspector_height(ui: Ui, state: ViewState, facts: Facts, frame: Frame) -> float:
    """Height that the content asks for."""
    layer = _selected(state, facts)
    if layer is None:
        return HEAD + COLOURS + ROW * len(_network_rows(facts)) + _notes_height(ui, facts) + PAD
    rows = _layer_rows(ui, state, facts, layer, _tiles(frame, layer))
    return HEAD + _stage_height(facts, layer) + ROW * len(rows) + _thumbs_height(_tiles(frame, layer)) + PAD


def inspector_panel(ui: Ui, state: ViewState, facts: Facts, frame: Frame, context: Context, box: Box) -> list[Act]:
    """Draw what is selected, or the whole network."""
    layer = _selected(state, facts)
    acts: list[Act] = []
    with ui.card("inspector", box):
        if layer is None:
            title, kind, rows = "Network", f"{len(facts.run.layers)} layers", _network_rows(facts)
        else:
            title, kind, rows = layer.name, layer.kind, _layer_rows(ui, state, facts, layer, _tiles(frame, layer))
            if widgets.icon_button(ui, "focus", box.x1 - 38, box.y + 10, "focus", tip=tip("fit the selection")):
                acts += fly_to(context, Thing(layer.index if state.selection is None else state.selection.layer))
        room = box.w - 2 * PAD - (36 if layer is not None else 0)
        ui.text(box.x + PAD, box.y + 24, ui.type.fit(title, room, 16, "semibold"), 16, "semibold")
        ui.text(box.x + PAD, box.y + 45, ui.type.fit(kind, box.w - 2 * PAD, 11.5), 11.5, token="text2")
        head = HEAD
        if layer is None:
            acts += _colour_rows(ui, state, box)
            head += COLOURS
        else:
            acts += _stage_row(ui, state, facts, layer, box)
            head += _stage_height(facts, layer)
        body = Box(box.x, box.y + head - 10, box.w, box.h - head + 10 - 1)
        tiles = None if layer is None else _tiles(frame, layer)
        content = 10 + ROW * len(rows) + _thumbs_height(tiles) + PAD - 2
        content += _notes_height(ui, facts) if layer is None else 0.0
        with ui.scroll("body", body, content) as offset:
            y = body.y + 10 - offset
            _draw_rows(ui, box, y, rows)
            if layer is None:
                _draw_notes(ui, facts, box, y + ROW * len(rows))
            elif tiles is not None:
                acts += _thumbs(ui, state, layer, tiles, box, y + ROW * len(rows), facts)
    return acts


def _colour_rows(ui: Ui, state: ViewState, box: Box) -> list[Act]:
    """Whose largest values have full colour, and the colours of activations."""
    acts: list[Act] = []
    y = box.y + HEAD - 7
    for name, words, values, on in (("scope", "Full colour", SCOPES, state.scope), ("ramp", "", RAMPS, state.ramp)):
        labels = [v.capitalize() for v in values]
        ui.text(box.x + PAD, y + 14, words, 12, token="text2")
        x = box.x1 - PAD - widgets.segment_width(ui, labels)
        pressed = widgets.segments(ui, name, x, y, labels, values.index(on), tips=_TIPS.get(name, ()))
        if pressed is not None:
            acts.append(SetScope(values[pressed]) if name == "scope" else SetRamp(values[pressed]))
        y += STAGE
    return acts


def _stage_height(facts: Facts, layer: Layer) -> float:
    return STAGE if len(facts.stages(layer.index)) > 1 else 0.0


def _stage_row(ui: Ui, state: ViewState, facts: Facts, layer: Layer, box: Box) -> list[Act]:
    """After which of its recorded stages the layer is shown."""
    labels = facts.stages(layer.index)
    if len(labels) < 2:
        return []
    ui.text(box.x + PAD, box.y + HEAD + 7, "Shown after", 12, token="text2")
    stage = state.layers[layer.index].stage
    x = box.x1 - PAD - widgets.segment_width(ui, labels)
    pressed = widgets.segments(ui, "stage", x, box.y + HEAD - 7, labels, stage if stage >= 0 else len(labels) - 1)
    if pressed is None:
        return []
    return [SetStage(layer.index, pressed if pressed < len(labels) - 1 else LAST)]


def _selected(state: ViewState, facts: Facts) -> Layer | None:
    return None if state.selection is None else facts.layer(state.selection.layer)


def _tiles(frame: Frame, layer: Layer) -> TileLayer | None:
    found = next((t for t in frame.tiles if t.layer == layer.index), None)
    return found if found is not None and found.values is not None else None


def _network_rows(facts: Facts) -> Rows:
    run = facts.run
    rows = [("Parameters", count_text(facts.n_parameters))]
    macs = sum(layer.macs for layer in run.layers)
    if macs and run.graph.kind != "inferred":
        rows.append(("Multiply-adds", count_text(macs)))
    rows += [("Epochs", count_text(len(run.epochs))), ("Samples", count_text(len(run.samples)))]
    if run.classes:
        rows.append(("Classes", count_text(len(run.classes))))
    rows.append(("Wires", run.graph.kind))
    return rows


def _note_lines(ui: Ui, facts: Facts) -> list[list[str]]:
    """What a reader should know about the run, each note as lines; kept, as measuring words takes time."""
    lines: list[list[str]] | None = ui.memory.get("notes")
    if lines is None:
        notes = (*facts.run.notes, *facts.run.left_out)
        lines = [ui.type.wrap(note, RIGHT - 2 * PAD - 16, 11.5) for note in notes[:MOST_NOTES]]
        if len(notes) > MOST_NOTES:
            lines.append([f"and {len(notes) - MOST_NOTES} more: nn3d info"])
        ui.memory["notes"] = lines
    return lines


def _notes_height(ui: Ui, facts: Facts) -> float:
    notes = _note_lines(ui, facts)
    return SECTION + sum(NOTE_LINE * len(lines) + 6 for lines in notes) if notes else 0.0


def _draw_notes(ui: Ui, facts: Facts, box: Box, y: float) -> None:
    notes = _note_lines(ui, facts)
    if not notes:
        return
    ui.line(box.x + PAD, y, box.x1 - PAD, y)
    widgets.section(ui, box.x + PAD, y + 17, box.w - 2 * PAD, "Notes")
    y += SECTION + 4
    for lines in notes:
        ui.line(box.x + PAD, y, box.x + PAD + 7, y, "text3")
        for line in lines:
            ui.text(box.x + PAD + 16, y, line, 11.5, token="text2")
            y += NOTE_LINE
        y += 6


def _layer_rows(ui: Ui, state: ViewState, facts: Facts, layer: Layer, tiles: TileLayer | None) -> Rows:
    rows = [("Output", shape_text(layer.shape))]
    group = None if state.selection is None else facts.groups.of_item(state.selection.layer)
    if group is not None:
        rows.append(("Layers inside", count_text(len(group.layers))))
    weight = next((p for p in facts.run.graph.parameters if p.id == layer.weight), None)
    if weight is not None:
        rows.append(("Weights", shape_text(weight.shape)))
    if layer.n_params:
        rows.append(("Parameters", count_text(layer.n_params)))
    if layer.macs:
        rows.append(("Multiply-adds", count_text(layer.macs)))
    if layer.module:
        rows.append(("Module", ui.type.fit(layer.module, 190, 12, "medium")))
    if tiles is None or tiles.lut == "rgb":
        return rows
    stage = state.layers[layer.index].stage if layer.index < len(state.layers) else LAST
    found = facts.values(layer.index, round(state.time.epoch), state.sample, stage)
    if found is not None:
        what = "maps" if tiles.cells != (1, 1) else "units"
        rows.append(("Active cells", percent_text(1.0 - found.zero_share)))
        if not found.is_signed:
            rows.append((f"Silent {what}, this sample", f"{found.silent} of {_n_thumbs(tiles)}"))
        if found.n_nonfinite:
            rows.append(("Not finite", f"{count_text(found.n_nonfinite)} of {count_text(found.values.cells.size)}"))
    return rows


def _draw_rows(ui: Ui, box: Box, y: float, rows: Sequence[tuple[str, str]]) -> None:
    for label, value in rows:
        token = "nonfinite" if label == "Not finite" else "text"
        ui.text(box.x + PAD, y, label, 12, token="text2" if token == "text" else token)
        ui.text(box.x1 - PAD, y, value, 12, "medium", token, "r")
        y += ROW


def _grid(tiles: TileLayer) -> tuple[int, float, float]:
    """Columns, side of a thumb (width) and its height: small for single cells, whole width for one tile."""
    rows, cols = tiles.cells
    if tiles.lut == "rgb" or _n_thumbs(tiles) == 1:
        width = min(300.0, 300.0 if cols >= rows else 300.0 * cols / rows)
        return 1, width, min(300.0, max(6.0, width * rows / cols))
    if (rows, cols) == (1, 1):
        return 20, 12.0, 12.0
    return COLUMNS, THUMB, min(THUMB * 2, max(6.0, THUMB * rows / cols))


def _n_thumbs(tiles: TileLayer) -> int:
    assert tiles.values is not None
    return 1 if tiles.lut == "rgb" else len(tiles.values[1].cells)


def _shown(tiles: TileLayer) -> int:
    columns = _grid(tiles)[0]
    return min(_n_thumbs(tiles), MOST_THUMBS if columns == COLUMNS else 20 * 12)


def _thumbs_height(tiles: TileLayer | None) -> float:
    if tiles is None:
        return 0.0
    columns, _, height = _grid(tiles)
    return SECTION + -(-_shown(tiles) // columns) * (height + _gap(columns)) + 2


def _gap(columns: int) -> float:
    return 3.0 if columns == 20 else THUMB_GAP


def _pick(texels: NDArray[np.uint8] | None, k: int) -> NDArray[np.uint8]:
    assert texels is not None
    return np.asarray(texels[k])


def _thumbs(ui: Ui, state: ViewState, layer: Layer, tiles: TileLayer, box: Box, y: float, facts: Facts) -> list[Act]:
    """The tiles as the picture colours them; a click selects one."""
    columns, width, height = _grid(tiles)
    n, total, gap = _shown(tiles), _n_thumbs(tiles), _gap(columns)
    what = "Values" if columns == 1 else "Maps" if columns == COLUMNS else "Units"
    ui.line(box.x + PAD, y, box.x1 - PAD, y)
    sample = facts.run.samples[state.sample].name if facts.run.samples else ""
    hint = sample if n == total else f"first {n} of {count_text(total)}"
    widgets.section(ui, box.x + PAD, y + 17, box.w - 2 * PAD, what, ui.type.fit(hint, 200, 11))
    values = tiles.values
    assert values is not None
    texels = None
    acts: list[Act] = []
    chosen = -1 if state.selection is None else state.selection.tile
    for k in range(n):
        left, top = box.x + PAD + (k % columns) * (width + gap), y + SECTION - 4 + (k // columns) * (height + gap)
        place = Box(left, top, width, height)
        key = ("tile", values[1].key, state.theme, state.ramp, tiles.gain[1], state.scope, k)
        if ui.atlas.get(key) is None and texels is None:
            texels = tile_texels(tiles, state.theme, 0, n, state.ramp)
        ui.thumb(key, partial(_pick, texels, k), place, 2.0 if columns == 20 else 3.0)
        ui.outline(place, "line", 2.0 if columns == 20 else 3.0)
        if columns > 1 and ui.hit(f"tile{k}", place, f"{layer.name} {k}").clicked:
            acts.append(Select(Thing(layer.index, k)))
        if k == chosen:
            ui.outline(Box(place.x - 2, place.y - 2, place.w + 4, place.h + 4), "accent", 5.0, 2.0)
    return acts
