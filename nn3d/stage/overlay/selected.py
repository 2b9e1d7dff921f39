"""The card of the cell under the lens or of the selected layer, near its plate; numbers of tiles. Logical px."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.frame import PART, Colour, Line, Mark, Rect, Text, TileLayer, View
from nn3d.stage.lens import Lens
from nn3d.stage.overlay.blocks import Block, line_block
from nn3d.stage.overlay.facts import Facts, number, text_boxes
from nn3d.stage.overlay.microscope import cell_blocks
from nn3d.stage.overlay.neurons import value_text
from nn3d.stage.reference import tile_places
from nn3d.stage.stages import stage_kind
from nn3d.stage.type import text_width

F64 = NDArray[np.float64]

PAD = 12.0
AWAY = 18.0
MARGIN = 14.0
CORNER = 48.0
ROUND = 9.0
LATTICE = 9
KEY_WEIGHT = 3  # how many times as much as other things the colour key is spared
PILL_PX = 15.0
MOST_SHARE = 0.2  # of the picture's room: a larger card leaves its pictures away, until the kernel slides
Words = tuple[str, float, str, Colour]


def selected_marks(
    f: Facts, lens: Lens, tiles: tuple[TileLayer, ...], first: list[int], view: View, others: list[Mark]
) -> list[Mark]:
    """The card of the cell under the lens, else of the selected layer, where it covers least; numbers of tiles.

    first : where the plates of each row of the plan begin in `tiles`. others : the marks that the card should not hide.
    """
    marks: list[Mark] = []
    chosen = f.state.selection
    for thing in dict.fromkeys(t for t in (chosen, f.state.hover) if t is not None and t.tile >= 0):
        if 0 <= thing.layer < len(first):
            marks += _tile_number(f, own_plate(tiles, first[thing.layer]), view, thing.tile)
    blocks, row = cell_blocks(f, lens), lens.spot.row if lens.spot is not None else -1
    if f.state.slide is None and _share(f, blocks) > MOST_SHARE:
        blocks = cell_blocks(f, lens, is_brief=True)
    if not blocks and chosen is not None and 0 <= chosen.layer < len(f.plan.layers):
        blocks, row = [line_block(f, *words) for words in card_lines(f, chosen.layer)], chosen.layer
    if not blocks:
        return marks
    boxes = [_plate_box(t, view, f.state.size_px) for t in tiles]
    own = boxes[first[row]]
    ramps = [(m.x0, m.y0, m.x1, m.y1) for m in others if isinstance(m, Rect) and m.right is not None]
    taken = [b for b in boxes if b is not own] + text_boxes(others) + KEY_WEIGHT * ramps
    hulls = [_hull(boxes[first[k.source]], boxes[first[k.target]]) for k in f.plan.links]
    return marks + _card(f, blocks, own, (np.array(taken).reshape(-1, 4), np.array(hulls).reshape(-1, 4)))


def _hull(a: tuple[float, ...], b: tuple[float, ...]) -> tuple[float, ...]:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def card_lines(f: Facts, row: int) -> list[Words]:
    """What the card says: name and kind, shape and parameters, mean and spread, silent units, values not finite."""
    plan, k = f.plan.layers[row], f.k
    layer, text, dim = plan.layer, f.ink("text"), f.ink("text2")
    shape = " × ".join(str(n) for n in layer.shape) or "one number"
    params = f"   ·   {number(layer.n_params)} parameters" if layer.n_params else ""
    kind = stage_kind(f.run, layer, f.state.layers[row].stage, round(f.state.time.epoch))
    out: list[Words] = [
        (plan.title or layer.name, 14 * k, "semibold", text), (kind, 11 * k, "regular", dim),
        (shape + params, 11 * k, "regular", dim),
    ]  # fmt: skip
    values, alone = f.values.get(row), f.compared.alone if f.compared is not None else {}
    if layer.index in alone:
        why = f": {alone[layer.index]}" if alone[layer.index] else ""
        return [*out, (f"not compared, no partner in A{why}", 11 * k, "regular", dim)]
    if values is None:
        return [*out, ("values not recorded" if plan.shows == "nothing" else "reading …", 11 * k, "regular", dim)]
    what = "weights" if plan.shows == "weights" else "values"
    what = f"change of {what}" if values.is_difference else what
    spread = f"{what} {value_text(values.lowest)} … {value_text(values.highest)}"
    out.append((f"mean {value_text(values.mean)}   std {value_text(values.std)}   {spread}", 11 * k, "regular", text))
    unit = "neurons" if plan.tiles.cells == (1, 1) else "maps"
    if plan.shows == "values" and values.lowest >= 0.0 and plan.tiles.n > 1 and not values.is_difference:
        share = f"{100.0 * values.silent / plan.tiles.n:.0f} %"
        said = f"{number(values.silent)} of {number(plan.tiles.n)} {unit} silent for this sample ({share})"
        out.append((said if values.silent else f"no {unit[:-1]} silent for this sample", 11 * k, "regular", dim))
    if values.n_nonfinite:
        said = ", ".join(f"{number(n)} {name}" for name, n in values.odd.words)
        out.append((f"not finite: {said}", 11 * k, "medium", f.ink("nonfinite")))
    return out


def _size(blocks: list[Block]) -> tuple[float, float]:
    """Of the card that holds blocks."""
    return max((b.width for b in blocks), default=0.0) + 2 * PAD, sum(b.height for b in blocks) + 2 * PAD - 4.0


def _share(f: Facts, blocks: list[Block]) -> float:
    """Of the room that the window's cards leave to the picture, how much a card takes; 0 without a window."""
    if f.state.anchors.room is None:
        return 0.0
    width, height = _size(blocks)
    left, top, right, bottom = f.state.anchors.room
    return width * height / max(1.0, (right - left) * (bottom - top))


def _card(f: Facts, blocks: list[Block], plate: tuple[float, ...], taken: tuple[F64, F64]) -> list[Mark]:
    width, height = _size(blocks)
    foot = math.inf if f.state.anchors.hud is None else f.state.anchors.hud[2]
    x, y = best_place((width, height), plate, taken[0], f.state.size_px, taken[1], f.state.anchors.room, foot)
    edge = f.ink("rail", 0.7)
    middle = ((plate[0] + plate[2]) / 2.0, (plate[1] + plate[3]) / 2.0)
    near = (min(max(middle[0], x), x + width), min(max(middle[1], y), y + height))
    out: list[Mark] = [
        Line(*near, min(max(near[0], plate[0]), plate[2]), min(max(near[1], plate[1]), plate[3]), 1.0, edge),
        Rect(x - 1, y - 1, x + width + 1, y + height + 1, edge, ROUND),
        Rect(x, y, x + width, y + height, f.ink("card", 1.0), 8.0),
    ]
    at = y + PAD - 2.0
    for block in blocks:
        out += block.draw(x + PAD, at)
        at += block.height
    return out


def card_box(marks: Sequence[Mark]) -> tuple[float, float, float, float] | None:
    """Box of the card among the marks of `selected_marks`, None where there is none."""
    found = (m for m in marks if isinstance(m, Rect) and m.radius == ROUND)
    return next(((m.x0, m.y0, m.x1, m.y1) for m in found), None)


def best_place(
    size: tuple[float, float], plate: tuple[float, ...], taken: F64, picture: tuple[int, int],
    strands: F64 | None = None, room: tuple[float, float, float, float] | None = None,
    foot: float = math.inf,
) -> tuple[float, float]:  # fmt: skip
    """Upper left corner of a card of `size`: beside a plate's box or in a corner of the picture, inside of `room`.

    foot : the card stays above it. It covers least of `taken`, counted in full, and of the boxes that hold strands,
    by a third.
    """
    w, h = size
    x0, y0, x1, y1 = plate
    xs = (x1 + AWAY, x0 - AWAY - w, (x0 + x1 - w) / 2.0, x0, x1 - w)
    ys = (y0 - AWAY - h, y1 + AWAY, (y0 + y1 - h) / 2.0, y0, y1 - h)
    left, top, right, bottom = room or (MARGIN, MARGIN, picture[0] - MARGIN, min(picture[1], foot) - MARGIN)
    away_x, away_y = (CORNER, 2.0 * CORNER) if room is None else (left, top)
    lowest = picture[1] - h - 1.6 * CORNER if room is None else bottom - h
    corners = product((away_x, picture[0] - w - CORNER if room is None else right - w), (away_y, lowest))
    lattice = product(np.linspace(left, max(left, right - w), LATTICE), np.linspace(top, max(top, bottom - h), LATTICE))
    spots = np.array([*product(xs, ys), *corners, *lattice])
    spots[:, 0] = np.clip(spots[:, 0], left, max(left, right - w))
    spots[:, 1] = np.clip(spots[:, 1], top, max(top, bottom - h))
    boxes = np.concatenate([spots, spots + np.array([w, h])], 1)
    own = 4.0 * _overlap(boxes, np.array([plate]))[:, 0]
    others = _overlap(boxes, taken).sum(1) if len(taken) else np.zeros(len(boxes))
    if strands is not None and len(strands):
        others = others + _overlap(boxes, strands).max(1) / 3.0
    away = np.hypot(boxes[:, 0] + w / 2 - (x0 + x1) / 2, boxes[:, 1] + h / 2 - (y0 + y1) / 2)
    best = int(np.argmin(own + others + 0.5 * away))
    return float(spots[best, 0]), float(spots[best, 1])


def _overlap(a: F64, b: F64) -> F64:
    """(n, m) areas that boxes (n, 4) and (m, 4) share, px²."""
    across = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    down = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    return np.asarray(np.maximum(across, 0.0) * np.maximum(down, 0.0))


def _plate_box(t: TileLayer, view: View, size: tuple[int, int]) -> tuple[float, ...]:
    signs = np.array(list(product((-1.0, 1.0), repeat=3)))
    corners = np.array([t.x, t.y, 0.0]) + signs * np.array([t.thickness[1], *t.block_half])
    px = view.project(corners, size)
    return (*px.min(0).tolist(), *px.max(0).tolist())


def own_plate(tiles: tuple[TileLayer, ...], first: int) -> TileLayer:
    """The plate that shows a layer's own output, of those that begin at `first`."""
    return next(t for t in tiles[first:] if t.layer < PART)


def _tile_number(f: Facts, t: TileLayer, view: View, tile: int) -> list[Mark]:
    """The tile's own number in a pill inside its upper left corner, or above it where it is small."""
    if tile >= len(t.table) or (t.cells == (1, 1) and f.plan.tallest):
        return []
    centres, halves = tile_places(t)
    middle, half = centres[tile], halves[tile]
    corners = middle + np.array([[0.0, half[0], -half[1]], [0.0, half[0], half[1]], [0.0, -half[0], -half[1]]])
    px = view.project(corners, f.state.size_px)
    left, top = float(px[:2, 0].min()), float(px[:2, 1].min())
    said, size, high = str(tile), 10.0 * f.k, PILL_PX * f.k
    width = text_width(said, size, "semibold") + 9.0
    is_inside = float(np.abs(px[1, 0] - px[0, 0])) > width + 10.0 and float(np.abs(px[2, 1] - px[0, 1])) > 2.0 * high
    at_left = px[int(px[1, 0] < px[0, 0])]
    x, y = (float(at_left[0]) + 5.0, float(at_left[1]) + 6.0) if is_inside else (left, top - high - 3.0)
    return [
        Rect(x, y, x + width, y + high, f.ink("card", 0.92), high / 2.0),
        Text(x + width / 2.0, y + high / 2.0, said, size, "semibold", f.ink("accent"), "mm"),
    ]
