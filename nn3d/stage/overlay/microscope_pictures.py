"""Patch × kernel = products as small pictures: the source map that counts most in full, the next ones small.

Each of the three kinds has one colour scale over all maps of the cell, its largest magnitude in full colour.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.explain import Explanation
from nn3d.stage.explained import Pictures
from nn3d.stage.frame import Line, Mark, Text
from nn3d.stage.overlay.blocks import Block, beside, hue, signed, stacked, words_line
from nn3d.stage.overlay.facts import Facts, number
from nn3d.stage.overlay.grids import cell_picture, numbers_in, power_of, power_words
from nn3d.stage.overlay.microscope_terms import layer_title
from nn3d.stage.type import text_width

F64 = NDArray[np.float64]

MAX_MINIS: Final = 5
LARGEST_WITH_NUMBERS: Final = 7
BIG_PX: Final = {3: 30.0, 5: 25.0, 7: 22.0}
LEAST_ROOM: Final = 1250.0


def picture_blocks(f: Facts, p: Pictures, e: Explanation, under: list[Block]) -> list[Block]:
    """The largest source map in full, with numbers where they fit, `under` below it, and the next ones small."""
    full_a, full_w, full_p = (float(np.nanmax(np.abs(v), initial=0.0)) for v in (p.inputs, p.weights, p.products))
    scales = (full_a, full_w, full_p)
    nodes = f.run.layer(p.source).nodes
    is_image = any(info.node in nodes and info.kind == "image" for info in f.run.graph.inputs)
    lut = "div" if float(np.nanmin(p.inputs, initial=0.0)) < 0.0 else "grey" if is_image else "seq"
    room = f.state.anchors.room
    wide = f.state.size_px[0] if room is None else room[2] - room[0]
    n = min(len(p.names) - 1, MAX_MINIS if wide >= LEAST_ROOM * f.k else 0)
    rest = len(p.names) - 1 - n
    left = stacked([_hero(f, p, e, scales, lut), *under])
    if not e.is_sum or len(p.names) == 1:
        return [left]
    more = float(p.sums[1 + n :].sum())
    words = f"{number(rest)} more map{'' if rest == 1 else 's'}   "
    others = [words_line(f, [(words, f.ink("text2")), (signed(more), hue(f, more))], 10.0)] if rest > 0 else []
    if n <= 0:
        return [_hero(f, p, e, scales, lut), *others, *under]
    minis = [_minis(f, p, e, n, scales, lut), *others]
    return [beside(left, stacked(minis), 26.0 * f.k)]


def _hero(f: Facts, p: Pictures, e: Explanation, scales: tuple[float, float, float], lut: str) -> Block:
    rows, cols = p.inputs.shape[1:]
    k, longest = f.k, max(rows, cols)
    has_numbers = longest <= LARGEST_WITH_NUMBERS
    cell = next(v for n, v in BIG_PX.items() if longest <= n) * k if has_numbers else max(2.0, 150.0 * k / longest)
    wide, high, gap, top = cols * cell, rows * cell, 26.0 * k, 18.0 * k
    is_pool = "pool" in e.op
    pictures = _kinds(f, p, e, scales, lut)
    powers = [power_of(values) if has_numbers else 0 for _, values, _, _ in pictures]
    size = 10.0 * k
    labels = [words + power_words(power) for (_, _, _, words), power in zip(pictures, powers, strict=True)]
    columns = [max(wide, text_width(words, size)) for words in labels]
    lefts = np.cumsum([0.0, *(w + gap for w in columns)]).tolist()

    def draw(x: float, y: float) -> list[Mark]:
        out: list[Mark] = []
        for n, (ramp, values, full, _) in enumerate(pictures):
            left = x + lefts[n]
            ink = hue(f, float(p.sums[0])) if n == 2 else f.ink("text2")
            out.append(Text(left, y, labels[n], size, "regular", ink, "la"))
            picture = cell_picture(f, (left, y + top), cell, values, full, ramp, p.is_inside[0])
            out.append(picture)
            if has_numbers:
                shown = values / 10.0 ** powers[n]
                out += numbers_in(f, picture, shown, p.is_inside[0], 9.0 * k if longest <= 5 else 8.0 * k)
            if n:
                middle = (x + lefts[n - 1] + wide + left) / 2
                out.append(Text(middle, y + top + high / 2, "×="[n - 1], 14 * k, "regular", f.ink("text2"), "mm"))
        if is_pool:
            out += _winner(f, p, e, (x, y + top), cell)
        return out

    extra = 110.0 * k if is_pool else 0.0
    return Block(lefts[-1] - gap + extra, top + high + 10 * k, draw)


def _kinds(
    f: Facts, p: Pictures, e: Explanation, scales: tuple[float, float, float], lut: str
) -> list[tuple[str, F64, float, str]]:
    """(ramp, values, full colour, words) of the pictures of the first map: patch, kernel, products; of a pool patch."""
    patch = (lut, p.inputs[0], scales[0], f"{layer_title(f, f.run.layer(p.source))} {p.names[0]}")
    if "pool" in e.op:
        return [patch]
    products = ("div", p.products[0], scales[2], f"products, Σ {signed(float(p.sums[0]))}")
    return [patch, ("div", p.weights[0], scales[1], weights_word(e)), products]


def weights_word(e: Explanation) -> str:
    """What the weights of a cell are called."""
    return "kernel" if "conv" in e.op else "weights"


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
    return [*(Line(*side, w, c) for w, c in ((5.0, f.ink("card")), (2.0, ink)) for side in sides), said]


def _minis(f: Facts, p: Pictures, e: Explanation, n: int, scales: tuple[float, float, float], lut: str) -> Block:
    rows, cols = p.inputs.shape[1:]
    k = f.k
    cell = max(1.5, min(11.0, 45.0 / max(rows, cols))) * k
    label, size = 40.0 * k, 9.5 * k
    names = max(text_width(name, size) for name in p.names[1 : n + 1])
    pitch, down = max(cols * cell + 10 * k, 54.0 * k, names + 8 * k), rows * cell + 4 * k

    def draw(x: float, y: float) -> list[Mark]:
        out: list[Mark] = []
        for row, words in enumerate(("patch", weights_word(e), "a · w")):
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
            out.append(Text(left, at_y, f"{total:+.3g}".replace("-", "−"), size, "medium", hue(f, total), "la"))
        return out

    return Block(label + n * pitch, 15 * k + 3 * down + 20 * k, draw)
