"""What a tooltip says of the thing under the pointer: name, real index, value, shape; of strands weight and amount.

Words come from the frame and from the run's tables; `amount` may read the values that one weight meets.
"""

from __future__ import annotations

import numpy as np

from nn3d.analysis.contribution import input_sums, weighted_link
from nn3d.run.model import Layer
from nn3d.run.run import Run
from nn3d.stage.frame import PART, Frame, StrandLayer, TileLayer
from nn3d.stage.overlay.blocks import plain, signed
from nn3d.stage.overlay.facts import number, percent
from nn3d.stage.overlay.microscope import cell_words
from nn3d.stage.own import sample_number
from nn3d.stage.pointed import Pointed
from nn3d.stage.state import Thing

Lines = tuple[str, ...]
# Σ of the inputs that each weight of a link meets, by (parameter, source item, epoch, sample): kept by the caller.
Met = dict[tuple[int, int, int, int], np.ndarray[tuple[int, ...], np.dtype[np.float32]]]


def tip_lines(run: Run, frame: Frame, pointed: Pointed, met: Met) -> Lines:
    """The lines of the tooltip, the name first."""
    if pointed.kind == "label":
        return _label(run, frame, pointed)
    if pointed.kind in ("edge", "trunk"):
        strands = frame.strands[pointed.link]
        return _edge(run, frame, strands, pointed.row, met) if pointed.kind == "edge" else _trunk(run, frame, strands)
    return () if pointed.thing is None else _thing(run, frame, pointed.thing)


def _label(run: Run, frame: Frame, pointed: Pointed) -> Lines:
    """A label is there to be read: only what belongs to a layer or group has more to say."""
    return () if pointed.thing is None else _thing(run, frame, pointed.thing)


def _thing(run: Run, frame: Frame, thing: Thing) -> Lines:
    n = len(run.layers)
    if thing.layer >= n:
        return _group(frame, thing.layer - n)
    layer = run.layers[thing.layer]
    plate = next((t for t in frame.tiles if t.layer == thing.layer), None)
    if thing.tile < 0 or plate is None or plate.values is None:
        params = f"{number(layer.n_params)} parameters" if layer.n_params else ""
        return tuple(line for line in (layer.name, layer.kind, shape_words(layer), params) if line)
    if thing.row < 0 or thing.tile >= plate.table.size:
        return (layer.name, f"{tile_word(layer)} {thing.tile}", shape_words(layer))
    head = f"{layer.name}   {_value(frame, plate, thing)}"
    return head, _where(run, frame, layer, plate, thing), shape_words(layer)


def _group(frame: Frame, group: int) -> Lines:
    assert frame.groups is not None
    found = frame.groups.all[group]
    repeats = f"{found.count} × {found.kind}" if found.count > 1 else found.type
    return tuple(line for line in (found.name, repeats, f"{number(len(found.layers))} layers", found.note) if line)


def shape_words(layer: Layer) -> str:
    """The shape as people write it: "16 × 10 × 10"."""
    return " × ".join(str(n) for n in layer.shape) or "one number"


def tile_word(layer: Layer) -> str:
    """What one tile of a layer is called."""
    return "map" if layer.axes[:1] == ("C",) else "head" if layer.axes[:1] == ("heads",) else "tile"


def _value(frame: Frame, plate: TileLayer, thing: Thing) -> str:
    assert plate.values is not None
    pair = [v.cells for v in plate.values]
    mix = frame.epoch_mix if plate.mix is None else plate.mix
    if plate.lut == "rgb":
        return ", ".join(f"{v:.2f}" for v in pair[round(mix)][:, thing.row, thing.col])
    a, b = (float(cells[thing.tile, thing.row, thing.col]) for cells in pair)
    value = a if mix == 0.0 else a * (1.0 - mix) + b * mix
    is_change = frame.state.compare is not None and plate.lut == "div"
    return f"{signed(value)}   B − A" if is_change else plain(value)


def _where(run: Run, frame: Frame, layer: Layer, plate: TileLayer, thing: Thing) -> str:
    rows, cols = plate.cells
    flat = (thing.tile * rows + thing.row) * cols + thing.col
    tokens = run.sample(sample_number(run, frame.state)).tokens if run.samples else ()
    if plate.table.size * rows * cols != int(np.prod(layer.shape, dtype=np.int64)):
        return f"row {thing.row}, column {thing.col}"
    cell = tuple(int(i) for i in np.unravel_index(flat, layer.shape)) if layer.shape else ()
    said = cell_words(layer.axes, cell, tokens)
    is_class = layer.index == _output(run) and len(cell) == 1 and cell[0] < len(run.classes)
    return f"{said}, {run.classes[cell[0]]}" if is_class else said


def _output(run: Run) -> int:
    nodes = {n for _, n, _ in run.graph.outputs}
    return next((layer.index for layer in run.layers if nodes & set(layer.nodes)), len(run.layers) - 1)


def _ends(run: Run, frame: Frame, strands: StrandLayer) -> tuple[str, str]:
    return _name(run, frame, frame.tiles[strands.source]), _name(run, frame, frame.tiles[strands.target])


def _name(run: Run, frame: Frame, plate: TileLayer) -> str:
    item = plate.layer % PART
    if item < len(run.layers):
        return run.layers[item].name
    assert frame.groups is not None
    return frame.groups.all[item - len(run.layers)].name


def _trunk(run: Run, frame: Frame, strands: StrandLayer) -> Lines:
    a, b = _ends(run, frame, strands)
    head = f"{a} → {b}"
    if strands.colour != "sign":
        return head, "a copy of the values" if strands.colour == "identity" else "no weight"
    shown, total, share = strands.counts
    lines = [head]
    if shown:
        lines.append(f"{number(shown)} of {number(total)} edges drawn, {percent(share)} of their sum")
    elif total:
        lines.append(f"{number(total)} edges as one rope")
    areas = strands.strands["area"][: strands.n_trunk, 0]
    if len(areas) >= 2 * strands.trunk_per_sign > 0:
        up, down = float(areas[0]), float(areas[strands.trunk_per_sign])
        if up + down > 0.0:
            said = ("for", "against") if frame.state.compare is None else ("more", "less")
            lines.append(f"{percent(up / (up + down))} {said[0]}, {percent(down / (up + down))} {said[1]}")
    return tuple(lines)


def _edge(run: Run, frame: Frame, strands: StrandLayer, row: int, met: Met) -> Lines:
    if not 0 <= row < strands.weight_index.size:
        return _trunk(run, frame, strands)
    a, b = _ends(run, frame, strands)
    tiles = strands.strands["tiles"][strands.n_trunk + row]
    ends = [
        _end(frame.tiles[k], name, int(tile), int(cell[row]))
        for k, name, tile, cell in (
            (strands.source, a, tiles[0], strands.source_cell), (strands.target, b, tiles[1], strands.target_cell),
        )
    ]  # fmt: skip
    lines = [f"{ends[0]} → {ends[1]}"]
    if strands.level == "path":
        return lines[0], f"contribution {signed(float(strands.weight[row]))}"
    flat = int(strands.weight_index[row])
    if strands.parameter is None or flat < 0:
        return tuple(lines if strands.parameter is None else [*lines, f"amount {signed(float(strands.weight[row]))}"])
    info = run.parameter_info(strands.parameter)
    at = ", ".join(str(int(i)) for i in np.unravel_index(flat, info.shape))
    weight = float(strands.weight[row])
    if frame.state.compare is not None:
        return (*lines, f"change of weight {signed(weight)}   {info.name} [{at}]")
    lines.append(f"weight {signed(weight)}   {info.name} [{at}]")
    amount = _contribution(run, frame, strands, row, met)
    if amount is not None:
        lines.append(f"contribution {signed(amount)}")
    return tuple(lines)


def _end(plate: TileLayer, name: str, tile: int, cell: int) -> str:
    if plate.cells == (1, 1):
        return f"{name} {tile}"
    if cell < 0:
        return f"{name} map {tile}"
    return f"{name} map {tile} ({cell // plate.cells[1]}, {cell % plate.cells[1]})"


def _contribution(run: Run, frame: Frame, strands: StrandLayer, row: int, met: Met) -> float | None:
    """Input × weight, summed over the positions where one weight is used; None where inputs were not recorded."""
    source, target = (frame.tiles[k].layer % PART for k in (strands.source, strands.target))
    if max(source, target) >= len(run.layers) or strands.parameter is None:
        return None
    flat, weight = int(strands.weight_index[row]), float(strands.weight[row])
    plate, cell = frame.tiles[strands.source], int(strands.source_cell[row])
    tile = int(strands.strands["tiles"][strands.n_trunk + row, 0])
    is_one_input = cell >= 0 or plate.cells == (1, 1)
    if is_one_input and plate.values is not None and plate.lut != "rgb" and strands.level == "all":
        return weight * float(plate.values[0].cells.reshape(plate.table.size, -1)[tile, max(0, cell)])
    links = (k for k in run.layers[target].links if k.source == source)
    weighted = next((w for k in links if (w := weighted_link(run, target, k)) is not None), None)
    epoch, sample = int(frame.state.time.epoch), sample_number(run, frame.state)
    if weighted is None or not run.has_values(*weighted.source, epoch):
        return None
    key = (strands.parameter, source, epoch, sample)
    if key not in met:
        met.clear()
        met[key] = input_sums(run, weighted, epoch, sample)
    sums, shape = met[key], run.parameter_info(strands.parameter).shape
    index = np.unravel_index(flat, shape)
    channel = int(index[1]) + int(index[0]) // max(1, shape[0] // weighted.groups) * shape[1]
    return weight * float(sums[(channel, *index[2:])])


