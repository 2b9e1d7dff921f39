"""The card of a cell under the microscope: patch × kernel = products, the sum, and the stored value. Logical px.

It belongs to the picture. Numbers are those of the run at the epoch on screen, the nearest recorded one while epochs
are mixed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from nn3d.analysis.explain import Explanation
from nn3d.run.ops import op_of
from nn3d.stage.explained import Pictures
from nn3d.stage.frame import Colour, Line, Mark, Rect, Text
from nn3d.stage.lens import Lens
from nn3d.stage.overlay.facts import Facts, number
from nn3d.stage.overlay.grids import cell_picture, numbers_in
from nn3d.stage.type import shorten, text_width

MAX_TERMS: Final = 9
MAX_MINIS: Final = 5
LARGEST_WITH_NUMBERS: Final = 7
BIG_PX: Final = {3: 30.0, 5: 25.0, 7: 22.0}
BAR_PX: Final = 70.0
NAME_PX: Final = 150.0
LEAST_PX: Final = 90.0

Draw = Callable[[float, float], list[Mark]]


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a card: its size, and its marks when its upper left corner is at (x, y)."""

    width: float
    height: float
    draw: Draw


def cell_blocks(f: Facts, lens: Lens) -> list[Block]:
    """What the card of the lens says, from top to bottom."""
    spot, found = lens.spot, lens.sum
    if spot is None or not lens.has_card:
        return []
    head = _head(f, lens)
    if found is None:
        return [head, _line(f, [("reading …", f.ink("text2"))])]
    e = found.explanation
    if not e.known and not len(e.products):
        return [head, *_wrapped(f, _stored_words(e) + e.reason)]
    if found.pictures is not None:
        return [head, *_picture_blocks(f, found.pictures, e)]
    return [head, *_term_blocks(f, e), *_sum_blocks(f, e)]


def _head(f: Facts, lens: Lens) -> Block:
    assert lens.spot is not None
    spot, plan = lens.spot, f.plan.layers[lens.spot.row]
    title = plan.title or plan.layer.name
    size, k = 14 * f.k, f.k
    where = cell_words(plan.layer.axes, spot.cell)
    wide = text_width(title, size, "semibold")

    def draw(x: float, y: float) -> list[Mark]:
        return [
            Text(x, y, title, size, "semibold", f.ink("text"), "la"),
            Text(x + wide + 10 * k, y + 2 * k, where, 12 * k, "medium", f.ink("accent"), "la"),
        ]

    return Block(wide + 10 * k + text_width(where, 12 * k, "medium"), 22 * k, draw)


def cell_words(axes: tuple[str, ...], cell: tuple[int, ...]) -> str:
    """The place of a cell as people say it: "map 11, cell (8, 4)", "unit 7", "token 3, feature 12"."""
    if len(cell) == 1:
        return f"{'token' if axes == ('T',) else 'unit'} {cell[0]}"
    if axes[:1] == ("C",):
        inner = ", ".join(str(i) for i in cell[1:])
        return f"map {cell[0]}, cell ({inner})" if len(cell) > 2 else f"map {cell[0]}, place {inner}"
    names = {"T": "token", "F": "feature", "heads": "head", "query": "query", "key": "key", "L": "place"}
    if len(axes) == len(cell) and all(a in names for a in axes):
        return ", ".join(f"{names[a]} {i}" for a, i in zip(axes, cell, strict=True))
    return f"cell ({', '.join(str(i) for i in cell)})"


def _line(f: Facts, parts: list[tuple[str, Colour]], size: float = 11.0, weight: str = "regular") -> Block:
    """One line of words in several inks."""
    px = size * f.k
    widths = [text_width(said, px, weight) for said, _ in parts]

    def draw(x: float, y: float) -> list[Mark]:
        out: list[Mark] = []
        for (said, ink), wide in zip(parts, widths, strict=True):
            out.append(Text(x, y, said, px, weight, ink, "la"))
            x += wide
        return out

    return Block(sum(widths), px * 1.5, draw)


def line_block(f: Facts, said: str, size: float, weight: str, ink: Colour) -> Block:
    """One line of words; size in px of the picture."""
    return _line(f, [(said, ink)], size / f.k, weight)


def _wrapped(f: Facts, text: str, room: float = 380.0) -> list[Block]:
    """Words on as many lines as they need."""
    size, lines, now = 11 * f.k, [], ""
    for word in text.split():
        longer = f"{now} {word}".strip()
        if text_width(longer, size, "regular") > room * f.k and now:
            lines.append(now)
            now = word
        else:
            now = longer
    return [_line(f, [(line, f.ink("text2"))]) for line in [*lines, now]]


def signed(v: float) -> str:
    """A number with its sign and four digits that count: "+3.424", "−0.0123", "0"."""
    if v == 0.0:
        return "0"
    text = f"{v:+.3e}" if abs(v) < 1e-3 or abs(v) >= 1e5 else f"{v:+.4g}"
    return text.replace("-", "−")


def plain(v: float) -> str:
    """A number with six digits that count."""
    return ("0" if v == 0.0 else f"{v:.6g}").replace("-", "−")


def hue(f: Facts, v: float) -> Colour:
    """The ink of a signed number."""
    return f.ink("text3") if v == 0.0 or v != v else f.ink("positive" if v > 0.0 else "negative")


def _picture_blocks(f: Facts, p: Pictures, e: Explanation) -> list[Block]:
    """The largest source map in full, with numbers where they fit, and the next ones small."""
    full_a, full_w, full_p = (float(np.nanmax(np.abs(v), initial=0.0)) for v in (p.inputs, p.weights, p.products))
    scales = (full_a, full_w, full_p)
    lut = "div" if float(np.nanmin(p.inputs, initial=0.0)) < 0.0 else "seq"
    n = min(len(p.names) - 1, MAX_MINIS)
    rest = len(p.names) - 1 - n
    left = _stacked([_hero(f, p, e, scales, lut), *_sum_blocks(f, e)])
    if n <= 0 or not e.is_sum:
        return [left]
    minis = [_minis(f, p, n, scales, lut)]
    if rest > 0:
        more = float(p.sums[1 + n :].sum())
        words = f"{number(rest)} more map{'' if rest == 1 else 's'}   "
        minis.append(_line(f, [(words, f.ink("text2")), (signed(more), hue(f, more))], 10.0))
    return [_beside(left, _stacked(minis), 26.0 * f.k)]


def _stacked(blocks: list[Block]) -> Block:
    """Blocks one under the other."""
    tops = np.cumsum([0.0, *(b.height for b in blocks)]).tolist()
    return Block(
        max(b.width for b in blocks), tops[-1],
        lambda x, y: [m for b, top in zip(blocks, tops, strict=False) for m in b.draw(x, y + top)],
    )  # fmt: skip


def _beside(a: Block, b: Block, gap: float) -> Block:
    """Two blocks in a row."""
    return Block(
        a.width + gap + b.width, max(a.height, b.height),
        lambda x, y: [*a.draw(x, y), *b.draw(x + a.width + gap, y)],
    )  # fmt: skip


def _hero(f: Facts, p: Pictures, e: Explanation, scales: tuple[float, float, float], lut: str) -> Block:
    rows, cols = p.inputs.shape[1:]
    k, longest = f.k, max(rows, cols)
    has_numbers = longest <= LARGEST_WITH_NUMBERS
    cell = next(v for n, v in BIG_PX.items() if longest <= n) * k if has_numbers else max(2.0, 150.0 * k / longest)
    wide, high, gap, top = cols * cell, rows * cell, 26.0 * k, 18.0 * k
    is_pool = "pool" in e.op
    pictures = [("div" if lut == "div" else "seq", p.inputs[0], scales[0], f"{p.source} {p.names[0]}")]
    if not is_pool:
        pictures.append(("div", p.weights[0], scales[1], "kernel"))
        pictures.append(("div", p.products[0], scales[2], f"products, Σ {signed(float(p.sums[0]))}"))
    size = 10.0 * k

    def draw(x: float, y: float) -> list[Mark]:
        out: list[Mark] = []
        for n, (ramp, values, full, words) in enumerate(pictures):
            left = x + n * (max(wide, LEAST_PX * k) + gap)
            ink = hue(f, float(p.sums[0])) if n == 2 else f.ink("text2")
            out.append(Text(left, y, words, size, "regular", ink, "la"))
            picture = cell_picture(f, (left, y + top), cell, values, full, ramp, p.is_inside[0])
            out.append(picture)
            if has_numbers:
                out += numbers_in(f, picture, values, p.is_inside[0], 9.0 * k if longest <= 5 else 8.0 * k)
            if n:
                sign = "×" if n == 1 else "="
                middle = left - gap / 2 - max(0.0, LEAST_PX * k - wide) / 2
                out.append(Text(middle, y + top + high / 2, sign, 14 * k, "regular", f.ink("text2"), "mm"))
        if is_pool:
            out += _winner(f, p, e, (x, y + top), cell)
        return out

    return Block(len(pictures) * max(wide, LEAST_PX * k) + (len(pictures) - 1) * gap, top + high + 10 * k, draw)


def _winner(f: Facts, p: Pictures, e: Explanation, at: tuple[float, float], cell: float) -> list[Mark]:
    """A frame around the winning cell of a max."""
    x, y = at
    right, middle = x + p.weights.shape[2] * cell + 14 * f.k, y + p.weights.shape[1] * cell / 2
    words = "the largest wins" if "max" in e.op else f"mean of {number(len(e.products))}"
    said = Text(right, middle, words, 10 * f.k, "regular", f.ink("text2"), "lm")
    if "max" not in e.op:
        return [said]
    r, c = divmod(int(np.argmax(np.nan_to_num(p.weights[0]))), p.weights.shape[2])
    x0, y0, ink = x + c * cell - 1.0, y + r * cell - 1.0, f.ink("accent")
    x1, y1 = x0 + cell + 1.0, y0 + cell + 1.0
    sides = ((x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1))
    return [*(Line(*side, 2.0, ink) for side in sides), said]


def _minis(f: Facts, p: Pictures, n: int, scales: tuple[float, float, float], lut: str) -> Block:
    rows, cols = p.inputs.shape[1:]
    k = f.k
    cell = max(1.5, min(11.0, 45.0 / max(rows, cols))) * k
    pitch, down = max(cols * cell + 10 * k, 54.0 * k), rows * cell + 4 * k
    label, size = 40.0 * k, 9.5 * k

    def draw(x: float, y: float) -> list[Mark]:
        out: list[Mark] = []
        for row, words in enumerate(("patch", "kernel", "a · w")):
            middle = y + 15 * k + row * down + rows * cell / 2
            out.append(Text(x, middle, words, size, "regular", f.ink("text3"), "lm"))
        out.append(Text(x, y + 15 * k + 3 * down + 2 * k, "Σ", size, "regular", f.ink("text3"), "la"))
        for j in range(1, n + 1):
            left = x + label + (j - 1) * pitch
            out.append(Text(left, y, p.names[j], size, "regular", f.ink("text2"), "la"))
            parts = ((p.inputs, scales[0], lut), (p.weights, scales[1], "div"), (p.products, scales[2], "div"))
            for row, (values, full, ramp) in enumerate(parts):
                at = left, y + 15 * k + row * down
                out.append(cell_picture(f, at, cell, values[j], full, ramp, p.is_inside[j]))
            total = float(p.sums[j])
            at_y = y + 15 * k + 3 * down + 2 * k
            out.append(Text(left, at_y, signed(total), size, "medium", hue(f, total), "la"))
        return out

    return Block(label + n * pitch, 15 * k + 3 * down + 20 * k, draw)


def _term_blocks(f: Facts, e: Explanation) -> list[Block]:
    """The largest terms, one a line, each with a bar as long as it counts."""
    n = min(len(e.products), MAX_TERMS)
    largest = float(np.nanmax(np.abs(e.products), initial=0.0)) or 1.0
    blocks = [_term(f, e, i, largest) for i in range(n)]
    if len(e.products) > n:
        rest = float(e.products[n:].sum())
        words = [(f"{number(len(e.products) - n)} more   ", f.ink("text2")), (signed(rest), hue(f, rest))]
        blocks.append(_line(f, words if e.is_sum else words[:1], 10.5))
    return blocks


def _term(f: Facts, e: Explanation, i: int, largest: float) -> Block:
    k, a, w, p = f.k, float(e.inputs[i]), float(e.weights[i]), float(e.products[i])
    size, name = 10.5 * k, term_name(f, e, i)
    arithmetic = f"{signed(a)} × {signed(w)} = {signed(p)}" if w == w and w != 1.0 else f"{signed(a)}" if a == p else (
        f"{signed(a)} → {signed(p)}"
    )
    length = BAR_PX * k * abs(p) / largest if np.isfinite(p) else 0.0
    room = NAME_PX * k

    def draw(x: float, y: float) -> list[Mark]:
        return [
            Text(x, y, shorten(name, size, room - 8 * k), size, "regular", f.ink("text2"), "la"),
            Rect(x + room, y + 3 * k, x + room + max(1.0, length), y + 10 * k, hue(f, p), 1.0),
            Text(x + room + (BAR_PX + 10) * k, y, arithmetic, size, "medium", hue(f, p), "la"),
        ]

    return Block(room + (BAR_PX + 10) * k + text_width(arithmetic, size, "medium"), size * 1.55, draw)


def term_name(f: Facts, e: Explanation, i: int) -> str:
    """What a term reads: a named feature or token where there is one, else source and index."""
    source, cell = e.sources[e.source[i]], tuple(int(c) for c in e.cells[i] if c >= 0)
    layer = f.run.layer(source)
    info = next((known for known in f.run.graph.inputs if known.node in layer.nodes), None)
    if info is not None and len(cell) == 1 and cell[0] < len(info.names):
        return info.names[cell[0]]
    tokens = f.run.samples[f.state.sample].tokens if f.state.sample < len(f.run.samples) else ()
    if layer.axes[:1] == ("T",) and cell and cell[0] < len(tokens):
        after = "" if len(cell) == 1 else ", " + ", ".join(str(c) for c in cell[1:])
        return f"{source} “{tokens[cell[0]].strip() or '␣'}”{after}"
    return f"{source} [{', '.join(str(c) for c in cell)}]"


def _sum_blocks(f: Facts, e: Explanation) -> list[Block]:
    """Σ + bias → stages → what is stored, and by how much it differs."""
    text, dim = f.ink("text"), f.ink("text2")
    parts: list[tuple[str, Colour]] = []
    if "pool" in e.op:
        parts.append((f"{'max' if 'max' in e.op else 'mean'} of {number(len(e.products))}  =  ", dim))
        parts.append((plain(e.before), text))
    elif e.is_sum and len(e.products):
        total = e.before - (e.bias or 0.0)
        parts.append((f"Σ {plain(total)}", text))
        parts.append((f" of {number(len(e.products))} {'product' if len(e.products) == 1 else 'products'}", dim))
        if e.bias is not None:
            parts += [("   bias ", dim), (signed(e.bias), hue(f, e.bias)), (f"   =  {plain(e.before)}", text)]
    else:
        parts += [(f"{e.formula}   =  ", dim), (plain(e.before), text)]
    for step in e.steps:
        parts += [(f"   →  {op_of(step.op).label}  →  ", dim), (plain(step.value), text)]
    return [_line(f, parts, 11.5, "medium"), *_verdict(f, e)]


def _verdict(f: Facts, e: Explanation) -> list[Block]:
    if e.stored is None:
        return _wrapped(f, e.reason)
    if e.known:
        off = "exactly" if e.abs_error == 0.0 else f"|Δ| {e.abs_error:.1g} ≤ tolerance {e.tolerance:.1g}"
        words = [("stored ", f.ink("text2")), (plain(e.stored), f.ink("accent")), (f"   {off}", f.ink("text2"))]
        return [_line(f, words, 11.0)]
    words = [("stored ", f.ink("text2")), (plain(e.stored), f.ink("accent"))]
    words.append((f"   differs by {e.abs_error:.2g}, tolerance {e.tolerance:.1g}", f.ink("text")))
    return [_line(f, words, 11.0), *_wrapped(f, f"cannot be reproduced: {e.reason}")]


def _stored_words(e: Explanation) -> str:
    return "" if e.stored is None else f"stored {plain(e.stored)}.  "
