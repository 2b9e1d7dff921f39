"""The colour keys of the picture: activation, signed values, strands, not finite. Logical px."""

from __future__ import annotations

import numpy as np

from nn3d.stage.frame import Line, Mark, Rect, Text
from nn3d.stage.nonfinite import Odd, together
from nn3d.stage.overlay.facts import POWER, Facts
from nn3d.stage.overlay.neurons import value_text
from nn3d.stage.signals import SCALES
from nn3d.stage.type import text_width

KEY_WIDTH = 150.0
KEY_GAP = 32.0
ODD_WIDTH, ODD_GAP = 18.0, 12.0
# Lines cut out of a swatch of 18 × 12 px, from its upper left corner.
ODD_SIGNS = {
    "NaN": ((1.0, 5.0, 5.0, 1.0), (3.0, 11.0, 13.0, 1.0), (11.0, 11.0, 17.0, 5.0)),
    "+Inf": ((5.0, 6.0, 13.0, 6.0), (9.0, 2.0, 9.0, 10.0)),
    "−Inf": ((5.0, 6.0, 13.0, 6.0),),
}

STRAND_WORDS = {
    "weight": ("weight  w", "negative", "positive"),
    "contribution": ("contribution  a · w", "against", "for"),
    "gradient": ("gradient  c · ∂L", "lowers loss", "raises it"),
}


COMPARED_WORDS = {
    "weight": ("change of w", "less", "more"),
    "contribution": ("change of a · w", "less", "more"),
    "gradient": ("change of c · ∂L", "less", "more"),
}


def key_marks(f: Facts) -> list[Mark]:
    """The colour keys, right-aligned at the anchor: activation, signed values, strands, not finite."""
    anchor = f.state.anchors.key
    if anchor is None:
        return []
    signed = [v.is_signed for i, v in f.values.items() if f.plan.layers[i].input is None]
    faces = any(p.shows == "weights" for p in f.plan.layers)
    parts = []
    if f.state.signal != "values" and f.compared is None:
        parts.append(_signal_key)
    if any(not s for s in signed) and not faces:
        parts.append(_sequential_key)
    if any(piece.is_true_scale for p in f.plan.layers if p.recurrent is not None for piece in p.recurrent.pieces):
        parts.append(_gates_key)
    if any(signed):
        parts.append(_signed_key)
    if f.state.edges.selection != "off" and any(t.colour == "sign" for t in f.tables.values()):
        parts.append(_strand_key)
    if any(v.n_nonfinite for v in f.values.values()):
        parts.append(_nonfinite_key)
    marks: list[Mark] = []
    x = anchor[0]
    for part in reversed(parts):
        width = _nonfinite_width(f) if part is _nonfinite_key else KEY_WIDTH * f.k
        x -= width
        marks += part(f, x, anchor[1], width)
        x -= KEY_GAP * f.k
    return marks


def _what(f: Facts) -> str:
    """What the cells of all layers are: activations, or counts where nothing but histograms is shown."""
    is_log = bool(f.plan.layers) and all(p.layer.op == "other:histogram" for p in f.plan.layers)
    return "counts" if is_log else "activation"


def _ramp_marks(f: Facts, ramp: str, x: float, y: float, w: float) -> list[Mark]:
    n = 64
    rows = f.palette.ramps[ramp][np.round(np.linspace(0, 255, n + 1)).astype(int)]
    ink = [(float(r), float(g), float(b), 1.0) for r, g, b in rows]
    top, low = y + 18 * f.k, y + 26 * f.k
    return [
        Rect(x + w * i / n, top, min(x + w, x + w * (i + 1) / n + 0.6), low, ink[i], 0.0, ink[i + 1]) for i in range(n)
    ]


def _tick(f: Facts, x: float, y: float, label: str, anchor: str) -> list[Mark]:
    return [
        Line(x, y + 26 * f.k, x, y + 30 * f.k, 1.0, f.ink("text3")),
        Text(x, y + 33 * f.k, label, 10 * f.k, "regular", f.ink("text2"), anchor),
    ]


def _scope(f: Facts, quantile: str) -> str:
    """Whose quantile has full colour; for the whole network, the value itself."""
    if f.state.scope != "network":
        return f"{f.state.scope}, {quantile}"
    return f"network, 1 = {value_text(f.full)}"


def _sequential_key(f: Facts, x: float, y: float, w: float) -> list[Mark]:
    marks: list[Mark] = [
        Text(x, y, _what(f), 11 * f.k, "medium", f.ink("text2")),
        Text(x + w, y, _scope(f, "99.5 %"), 10 * f.k, "regular", f.ink("text3"), "ra"),
        *_ramp_marks(f, "seq", x, y, w),
    ]
    for t, label, anchor in ((0.0, "0", "la"), (0.25, "¼", "ma"), (0.5, "½", "ma"), (1.0, "1", "ra")):
        marks += _tick(f, x + w * t**POWER, y, label, anchor)
    return marks


def _signal_key(f: Facts, x: float, y: float, w: float) -> list[Mark]:
    """The signal of training that tiles show, on its own scale, the same for all layers and epochs."""
    scale = SCALES[f.state.signal]
    marks: list[Mark] = [
        Text(x, y, scale.words, 11 * f.k, "medium", f.ink("text2")),
        Text(x + w, y, scale.note, 10 * f.k, "regular", f.ink("text3"), "ra"),
        *_ramp_marks(f, "seq", x, y, w),
    ]
    for (value, label), anchor in zip(scale.ticks, ("la", "ma", "ra"), strict=True):
        marks += _tick(f, x + w * scale.place(value), y, label, anchor)
    return marks


def _gates_key(f: Facts, x: float, y: float, w: float) -> list[Mark]:
    """Sigmoid gates are shown as they are, from 0 to 1; their change from −1 to 1."""
    pieces = [piece for p in f.plan.layers if p.recurrent is not None for piece in p.recurrent.pieces]
    letters = {letter for piece in pieces if piece.is_true_scale for letter in piece.letters}
    what = ("gates " if f.compared is None else "change of ") + ", ".join(sorted(letters, key="ifrzo".find))
    marks: list[Mark] = [
        Text(x, y, what, 11 * f.k, "medium", f.ink("text2")),
        Text(x + w, y, "true scale", 10 * f.k, "regular", f.ink("text3"), "ra"),
        *_ramp_marks(f, "seq" if f.compared is None else "div", x, y, w),
    ]
    low, middle = ("0", "½") if f.compared is None else ("−1", "0")
    for t, label, anchor in ((0.0, low, "la"), (0.5, middle, "ma"), (1.0, "1", "ra")):
        marks += _tick(f, x + w * t, y, label, anchor)
    return marks


def _signed_key(f: Facts, x: float, y: float, w: float) -> list[Mark]:
    what = "weights" if any(p.shows == "weights" for p in f.plan.layers) else "signed values"
    what = "signed" if what != "weights" and f.state.scope == "network" else what
    what = what if f.compared is None else "difference  B − A" if f.state.scope != "network" else "B − A"
    marks: list[Mark] = [
        Text(x, y, what, 11 * f.k, "medium", f.ink("text2")),
        Text(x + w, y, _scope(f, "97 %"), 10 * f.k, "regular", f.ink("text3"), "ra"),
    ]
    marks += _ramp_marks(f, "div", x, y, w)
    for at, label, anchor in ((0.0, "−1", "la"), (0.5, "0", "ma"), (1.0, "1", "ra")):
        marks += _tick(f, x + w * at, y, label, anchor)
    return marks


def _strand_key(f: Facts, x: float, y: float, w: float) -> list[Mark]:
    known = STRAND_WORDS if f.compared is None else COMPARED_WORDS
    what, low, high = known[f.state.edges.mode]
    fog, up, down = (np.array(f.ink(n)[:3]) for n in ("fog", "positive", "negative"))
    marks: list[Mark] = [Text(x, y, what, 11 * f.k, "medium", f.ink("text2"))]
    if f.neurons is not None and f.plan.tallest:
        most = f"up to {value_text(f.neurons.largest[0])}"
        marks.append(Text(x + w, y, most, 10 * f.k, "regular", f.ink("text3"), "ra"))
    n = 75
    for i in range(n):
        t = (i + 0.5) / n * 2.0 - 1.0
        c = fog + ((up if t > 0 else down) - fog) * (0.3 + 0.7 * abs(t) ** 0.6)
        h = (0.6 + 3.6 * abs(t) ** 0.5) * f.k
        ink = (float(c[0]), float(c[1]), float(c[2]), 1.0)
        x1 = min(x + w, x + w * (i + 1) / n + 0.6)
        marks.append(Rect(x + w * i / n, y + 22 * f.k - h, x1, y + 22 * f.k + h, ink))
    for at, label, anchor in ((0.0, low, "la"), (0.5, "0", "ma"), (1.0, high, "ra")):
        marks.append(Text(x + w * at, y + 33 * f.k, label, 10 * f.k, "regular", f.ink("text2"), anchor))
    return marks


def _odd(f: Facts) -> Odd:
    """Cells that are not finite, of all layers."""
    return together(v.odd for v in f.values.values())


def _odd_columns(f: Facts) -> list[tuple[str, float]]:
    """(words, width) of each kind of cell that is not finite."""
    said = [f"{name} {n:,}" for name, n in _odd(f).words]
    return [(text, max(ODD_WIDTH * f.k, text_width(text, 10 * f.k))) for text in said]


def _nonfinite_width(f: Facts) -> float:
    columns = _odd_columns(f)
    width = sum(w for _, w in columns) + ODD_GAP * f.k * (len(columns) - 1)
    return max(width, text_width("not finite", 11 * f.k, "medium"))


def _nonfinite_key(f: Facts, x: float, y: float, w: float) -> list[Mark]:
    """A cell of each kind as the plates show it, and how many there are."""
    marks: list[Mark] = [Text(x, y, "not finite", 11 * f.k, "medium", f.ink("nonfinite"))]
    for text, width in _odd_columns(f):
        marks.append(Rect(x, y + 16 * f.k, x + ODD_WIDTH * f.k, y + 28 * f.k, f.ink("nonfinite")))
        for x0, y0, x1, y1 in ODD_SIGNS[text.split()[0]]:
            ends = x + x0 * f.k, y + (16 + y0) * f.k, x + x1 * f.k, y + (16 + y1) * f.k
            marks.append(Line(*ends, 2.0 * f.k, f.ink("card")))
        marks.append(Text(x, y + 33 * f.k, text, 10 * f.k, "regular", f.ink("text2")))
        x += width + ODD_GAP * f.k
    return marks
