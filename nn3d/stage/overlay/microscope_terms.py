"""The terms of a cell as a list: the largest first, each with a bar as long as it counts; rows of shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.explain import Explanation
from nn3d.run.model import Layer
from nn3d.stage.frame import Mark, Rect, Text
from nn3d.stage.overlay.blocks import Block, hue, plain, signed, words_line
from nn3d.stage.overlay.facts import Facts, number, percent
from nn3d.stage.type import shorten, text_width

F64 = NDArray[np.float64]

MAX_TERMS: Final = 9
MAX_ROW: Final = 18
GREEK: Final = {"gamma": "γ", "beta": "β"}
KNOWN: Final = ("score", "winner", "token", "n")
BAR_PX: Final = 70.0
NAME_PX: Final = 150.0


def term_blocks(f: Facts, e: Explanation) -> list[Block]:
    """The largest terms, one a line, each with a bar as long as it counts."""
    blocks: list[Block] = []
    if "score" in e.extras:
        blocks.append(words_line(f, [(f"score {signed(float(e.extras['score']))}, largest products", f.ink("text2"))]))
    n = min(len(e.products), MAX_TERMS)
    largest = float(np.nanmax(np.abs(e.products), initial=0.0)) or 1.0
    blocks += [_term(f, e, i, largest) for i in range(n)]
    if len(e.products) > n:
        rest = float(e.products[n:].sum())
        words = [(f"{number(len(e.products) - n)} more   ", f.ink("text2")), (signed(rest), hue(f, rest))]
        blocks.append(words_line(f, words if e.is_sum else words[:1], 10.5))
    return blocks


def row_blocks(f: Facts, e: Explanation) -> list[Block]:
    """The row that one share (an attention weight) is part of; () of any other cell."""
    row = e.extras.get("row")
    return share_blocks(f, row, e.cell[-1]) if isinstance(row, np.ndarray) and "score" in e.extras else []


def share_blocks(f: Facts, row: F64, own: int) -> list[Block]:
    """A row of shares, in its order where it is short, else the largest; `own` is the cell's."""
    values = np.nan_to_num(row)
    some = np.flatnonzero(values) if values.any() else np.arange(len(row))
    order = np.sort(some[np.argsort(-values[some], kind="stable")[:MAX_ROW]])
    names = _row_names(f, len(row))
    blocks = [_share(f, names(int(i)), float(values[i]), float(values.max()), is_own=int(i) == own) for i in order]
    if len(order) < len(row):
        rest = float(values.sum() - values[order].sum())
        words = f"{number(len(row) - len(order))} more   {percent(rest)}"
        blocks.append(words_line(f, [(words, f.ink("text2"))], 10.5))
    return blocks


def _row_names(f: Facts, n: int) -> Callable[[int], str]:
    """Words for the entries of a row: the tokens of the sample, the classes, else numbers."""
    tokens = f.run.sample(f.state.sample).tokens if f.run.samples else ()
    known = next((names for names in (tokens, f.run.classes) if len(names) == n), ())
    return lambda i: f"{i}  {known[i]}" if i < len(known) else str(i)


def _share(f: Facts, name: str, share: float, largest: float, *, is_own: bool) -> Block:
    k, room = f.k, NAME_PX * 0.7 * f.k
    size, ink = 10.0 * k, f.ink("accent" if is_own else "text2")
    weight, fill = ("medium", f.ink("accent")) if is_own else ("regular", f.ink("bar"))
    length = BAR_PX * k * share / (largest or 1.0)

    def draw(x: float, y: float) -> list[Mark]:
        return [
            Text(x, y, shorten(name, size, room - 6 * k), size, weight, ink, "la"),
            Rect(x + room, y + 3 * k, x + room + max(1.0, length), y + 9 * k, fill, 1.0),
            Text(x + room + (BAR_PX + 10) * k, y, percent(share), size, weight, ink, "la"),
        ]

    return Block(room + (BAR_PX + 60) * k, size * 1.4, draw)


def extra_lines(f: Facts, e: Explanation) -> list[Block]:
    """Single numbers that belong to the cell: mean and variance of a norm, the state of a recurrent step."""
    said = [f"{GREEK.get(n, n)} {plain(float(v))}" for n, v in e.extras.items() if np.ndim(v) == 0 and n not in KNOWN]
    return [words_line(f, [("   ".join(said[i : i + 4]), f.ink("text2"))], 10.5) for i in range(0, len(said), 4)]


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


def layer_title(f: Facts, layer: Layer) -> str:
    """What a layer is called beside the plates that are visible: its title, else the last part of its name."""
    row = next((p for p in f.plan.layers if p.layer.index == layer.index and p.group < 0), None)
    return row.title if row is not None and row.title else layer.name.rsplit(".", 1)[-1]


def term_name(f: Facts, e: Explanation, i: int) -> str:
    """What a term reads: a named feature or token where there is one, else source and index."""
    source, cell = e.sources[e.source[i]], tuple(int(c) for c in e.cells[i] if c >= 0)
    layer = f.run.layer(source)
    title = layer_title(f, layer)
    info = next((known for known in f.run.graph.inputs if known.node in layer.nodes), None)
    if info is not None and len(cell) == 1 and cell[0] < len(info.names):
        return info.names[cell[0]]
    tokens = f.run.sample(f.state.sample).tokens if f.run.samples else ()
    axes = f.run.output(*e.source_nodes[e.source[i]]).axes
    at = axes.index("T") if "T" in axes and len(axes) == len(cell) else -1
    if at >= 0 and cell[at] < len(tokens):
        others = [str(c) for k, c in enumerate(cell) if k != at]
        return ", ".join([f"{title.split(',')[0]} “{tokens[cell[at]].strip() or '␣'}”", *others])
    return f"{title} [{', '.join(str(c) for c in cell)}]"
