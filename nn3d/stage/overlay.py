"""The flat part of the picture: title, colour key, strands line, layer cards, class bars' figures. Logical px.

Everything here belongs to the picture and is in every exported image; the window's panels are drawn elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.run.run import Run
from nn3d.stage.frame import Line, Mark, Palette, Rect, Text, View
from nn3d.stage.links import StrandTable
from nn3d.stage.look import colour
from nn3d.stage.plan import LinkPlan, Plan
from nn3d.stage.resident import LayerValues
from nn3d.stage.state import ViewState
from nn3d.stage.type import text_width

KEY_WIDTH = 150.0
KEY_GAP = 32.0
POWER = 0.7
SIGNED_POWER = 0.8


@dataclass(frozen=True, slots=True)
class Facts:
    """What the overlay tells about: layer values by layer index, strand tables by link index, probabilities."""

    run: Run
    plan: Plan
    state: ViewState
    palette: Palette
    values: dict[int, LayerValues]
    tables: dict[int, StrandTable]
    probabilities: NDArray[np.float64] | None
    is_softmax_ours: bool

    def ink(self, name: str, alpha: float = 1.0) -> tuple[float, float, float, float]:
        """A colour of the theme."""
        return colour(self.state.theme, name, alpha)

    @property
    def k(self) -> float:
        """Type scale: smaller pictures get slightly smaller type, never under 0.8."""
        return min(1.0, max(0.8, self.state.size_px[0] / 1600.0))


def number(n: float) -> str:
    """A count with thousands commas."""
    return f"{n:,.0f}"


def percent(share: float) -> str:
    """A share as "90.4 %"; 100 % only when it is."""
    value = 100.0 * share
    return f"{value:.0f} %" if value > 99.95 or value == 0 else f"{value:.1f} %"


def title_marks(f: Facts) -> list[Mark]:
    """Name of the network, and what is shown of it."""
    at = f.state.anchors.title
    if at is None:
        return []
    x, y = at
    return [
        Text(x, y, f.run.name or "network", 25 * f.k, "display", f.ink("text")),
        Text(x, y + 35 * f.k, "   ·   ".join(subtitle(f)), 13 * f.k, "regular", f.ink("text2")),
    ]


def subtitle(f: Facts) -> list[str]:
    """Sample, epoch, prediction and truth, and how the graph is known."""
    parts = []
    if f.run.samples:
        parts.append(f.run.samples[f.state.sample].name)
    if len(f.run.epochs) > 1:
        at = f.state.time.epoch
        parts.append(f"epoch {at:.{1 if at % 1 else 0}f} of {len(f.run.epochs) - 1}")
    if f.probabilities is not None:
        parts.append(_verdict(f, f.probabilities))
    if all(not v.is_open for v in f.state.layers) and f.state.layers:
        parts.append("every layer collapsed")
    if f.run.graph.kind == "inferred":
        parts.append("wires inferred from order and shapes")
    if not parts:
        parts.append(f"{number(sum(layer.n_params for layer in f.run.layers))} parameters")
    return parts


def _verdict(f: Facts, p: NDArray[np.float64]) -> str:
    if not np.isfinite(p).all():
        return "no prediction: not finite"
    best, truth = int(p.argmax()), f.run.samples[f.state.sample].label if f.run.samples else None
    said = f"predicted {class_name(f.run, best)}"
    return said if truth is None else f"{said}, truth {class_name(f.run, truth)}"


def class_name(run: Run, index: int) -> str:
    """The name of a class, or its number."""
    return run.classes[index] if index < len(run.classes) else str(index)


def key_marks(f: Facts) -> list[Mark]:
    """The colour keys, right-aligned at the anchor: activation, signed values, strands, not finite."""
    anchor = f.state.anchors.key
    if anchor is None:
        return []
    signed = [v.is_signed for i, v in f.values.items() if f.plan.layers[i].input is None]
    faces = any(p.shows == "weights" for p in f.plan.layers)
    parts = []
    if any(not s for s in signed) and not faces:
        parts.append(_sequential_key)
    if any(signed):
        parts.append(_signed_key)
    if f.state.edges.selection != "off" and any(t.colour == "sign" for t in f.tables.values()):
        parts.append(_strand_key)
    if any(v.n_nonfinite for v in f.values.values()):
        parts.append(_nonfinite_key)
    marks: list[Mark] = []
    x = anchor[0]
    for part in reversed(parts):
        width = (64.0 if part is _nonfinite_key else KEY_WIDTH) * f.k
        x -= width
        marks += part(f, x, anchor[1], width)
        x -= KEY_GAP * f.k
    return marks


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


def _sequential_key(f: Facts, x: float, y: float, w: float) -> list[Mark]:
    marks: list[Mark] = [
        Text(x, y, "activation", 11 * f.k, "medium", f.ink("text2")),
        Text(x + w, y, "layer, 99.5 %", 10 * f.k, "regular", f.ink("text3"), "ra"),
        *_ramp_marks(f, "seq", x, y, w),
    ]
    for t, label, anchor in ((0.0, "0", "la"), (0.25, "¼", "ma"), (0.5, "½", "ma"), (1.0, "1", "ra")):
        marks += _tick(f, x + w * t**POWER, y, label, anchor)
    return marks


def _signed_key(f: Facts, x: float, y: float, w: float) -> list[Mark]:
    what = "weights" if any(p.shows == "weights" for p in f.plan.layers) else "signed values"
    marks: list[Mark] = [
        Text(x, y, what, 11 * f.k, "medium", f.ink("text2")),
        Text(x + w, y, "layer, 97 %", 10 * f.k, "regular", f.ink("text3"), "ra"),
    ]
    marks += _ramp_marks(f, "div", x, y, w)
    for at, label, anchor in ((0.0, "−1", "la"), (0.5, "0", "ma"), (1.0, "1", "ra")):
        marks += _tick(f, x + w * at, y, label, anchor)
    return marks


def _strand_key(f: Facts, x: float, y: float, w: float) -> list[Mark]:
    by_input = f.state.edges.mode == "contribution"
    what, low, high = ("contribution  a · w", "against", "for") if by_input else ("weight  w", "negative", "positive")
    fog, up, down = (np.array(f.ink(n)[:3]) for n in ("fog", "positive", "negative"))
    marks: list[Mark] = [Text(x, y, what, 11 * f.k, "medium", f.ink("text2"))]
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


def _nonfinite_key(f: Facts, x: float, y: float, w: float) -> list[Mark]:
    return [
        Text(x, y, "not finite", 11 * f.k, "medium", f.ink("nonfinite")),
        Rect(x, y + 18 * f.k, x + w, y + 26 * f.k, f.ink("nonfinite")),
        Text(x, y + 33 * f.k, "NaN, ±Inf", 10 * f.k, "regular", f.ink("text2")),
    ]


def hud_marks(f: Facts) -> list[Mark]:
    """What of how many is drawn, and how sizes are drawn."""
    anchor = f.state.anchors.hud
    if anchor is None:
        return []
    x0, x1, y = anchor
    size = 11 * f.k
    right = [f"sides drawn n^{f.plan.power:g}"]
    if any(p.input is not None and p.tiles.n <= 3 for p in f.plan.layers):
        right.append("input ×1.55")
    if f.run.graph.kind == "inferred":
        right.insert(0, "dashed = inferred")
    pooled = (p for p in f.plan.layers if p.pool != (1, 1))
    right += [f"{p.layer.name}: a cell is the mean of {p.pool[0] * p.pool[1]}" for p in pooled]
    tail = ", ".join(right)
    room = x1 - x0 - text_width(tail, size, "regular") - 28
    lines = ["    ".join(strand_figures(f, with_units=u)) for u in (True, False)]
    line = next((t for t in lines if text_width(t, size, "regular") <= room), _fit(lines[-1], room, size))
    return [
        Text(x0, y, line, size, "regular", f.ink("text3"), "la"),
        Text(x1, y, tail, size, "regular", f.ink("text3"), "ra"),
    ]


def strand_figures(f: Facts, *, with_units: bool = True) -> list[str]:
    """One entry a link: "conv2 867 of 2,400 (81 % of |c|)"; many ropes are summed up.

    with_units : also what one of the equal strands stands for.
    """
    if f.state.edges.selection == "off":
        return ["strands off"]
    what = "|c|" if f.state.edges.mode == "contribution" else "|w|"
    singles, ropes, pairs = [], 0, 0
    for i, table in sorted(f.tables.items()):
        link = f.plan.links[i]
        if table.colour != "sign":
            pairs += 1
        elif table.shown == 0 or _is_rope(f, link):
            ropes += 1
        else:
            share = "" if table.share > 0.999 else f" ({_whole(table.share)} of {what})"
            share += _coarser(f, link, table)
            unit = f", 1 strand ≈ {table.unit:.2g}" if with_units and table.unit > 0 else ""
            singles.append(
                f"{f.plan.layers[link.target].layer.name} {number(table.shown)} of {number(table.total)}{share}{unit}"
            )
    out = [f"strands, {f.state.edges.selection}", *singles] if singles else []
    if ropes:
        out.append(f"{ropes} {'pair' if ropes == 1 else 'pairs'} as ropes, one a sign, area ~ share of Σ{what}")
    if pairs:
        out.append("grey, ivory: no weight")
    return out


def _coarser(f: Facts, link: LinkPlan, table: StrandTable) -> str:
    """What is drawn where it is not what was asked for: too many edges, or a level that the link has not."""
    said = [] if table.selection == f.state.edges.selection else [table.selection]
    is_conv = link.wiring is not None and bool(link.wiring.kernel)
    if table.level != f.state.edges.level and (is_conv or f.state.edges.level == "maps"):
        said.append("kernels" if is_conv else "neurons")
    return "".join(f", {word}" for word in said)


def _is_rope(f: Facts, link: LinkPlan) -> bool:
    state = f.state.layers
    return f.state.edges.level == "trunk" or not (state[link.source].is_open and state[link.target].is_open)


def _whole(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "under 1 %"


def _fit(text: str, room: float, size: float) -> str:
    if text_width(text, size, "regular") <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        mid = (low + high + 1) // 2
        low, high = (mid, high) if text_width(text[:mid] + " …", size, "regular") <= room else (low, mid - 1)
    return text[:low].rstrip() + " …"


@dataclass(frozen=True, slots=True)
class Foot:
    """Where a layer's card hangs: under its foot on the rail (px), or above its plate; `alone` px to the next foot."""

    layer: int
    x: float
    y: float
    is_above: bool
    alone: float


def label_marks(f: Facts, feet: list[Foot]) -> list[Mark]:
    """Layer cards that do not overlap: selected, input and output first, then in order; without room, none."""
    chosen = {t.layer for t in (f.state.selection, f.state.hover) if t is not None}
    ends = {f.plan.output} | {i for i, p in enumerate(f.plan.layers) if p.input is not None}
    feet = sorted(feet, key=lambda t: (t.layer not in chosen, t.layer not in ends, t.layer))
    taken: list[tuple[float, float, float, float]] = []
    marks: list[Mark] = []
    for foot in feet:
        for detail in (4, 3, 2, 1):
            if detail > 1 and foot.alone < (0, 0, 58, 78, 92)[detail] * f.k:
                continue
            lines = _card(f, foot.layer)[:detail]
            box = _box(f, foot, lines)
            if any(box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3] for t in taken):
                continue
            taken.append(box)
            marks += _draw_card(f, foot, lines)
            break
    return marks


def _card(f: Facts, index: int) -> list[str]:
    layer = f.plan.layers[index].layer
    shape = " × ".join(str(n) for n in layer.shape)
    lines = [layer.name, layer.kind, shape, f"{number(layer.n_params)} params" if layer.n_params else ""]
    return [line for i, line in enumerate(lines) if line or i == 0]


def _heights(f: Facts, n: int) -> list[float]:
    return [v * f.k for v in (0.0, 20.0, 35.0, 50.0)[:n]]


def _box(f: Facts, foot: Foot, lines: list[str]) -> tuple[float, float, float, float]:
    sizes = [15 if f.k > 0.9 else 13] + [11] * 3
    weights = ["semibold"] + ["regular"] * 3
    half = max(text_width(t, s * f.k, w) for t, s, w in zip(lines, sizes, weights, strict=False)) / 2
    height = _heights(f, len(lines))[-1] + 16 * f.k
    top = foot.y - height - 8 if foot.is_above else foot.y + 11 * f.k
    return foot.x - half - 4, top, foot.x + half + 4, top + height


def _draw_card(f: Facts, foot: Foot, lines: list[str]) -> list[Mark]:
    top = _box(f, foot, lines)[1] + 2
    inks = ("text", "text2", "text2", "text3")
    selected = f.state.selection is not None and f.state.selection.layer == foot.layer
    out: list[Mark] = []
    for i, (line, dy) in enumerate(zip(lines, _heights(f, len(lines)), strict=True)):
        ink = f.ink("accent" if selected and i == 0 else inks[i])
        size = (15 if i == 0 else 11) * f.k
        out.append(Text(foot.x, top + dy, line, size, "semibold" if i == 0 else "regular", ink, "ma"))
    return out


@dataclass(frozen=True, slots=True)
class Bar:
    """A class bar: name's place and bar's end in world units; share 0 … 1."""

    index: int
    share: float
    name_at: tuple[float, float, float]
    end_at: tuple[float, float, float]


def bar_marks(f: Facts, bars: list[Bar], view: View) -> list[Mark]:
    """Class names beside their tiles and the share at the end of each bar; the truth is marked."""
    if not bars:
        return []
    size = f.state.size_px
    names = view.project(np.array([b.name_at for b in bars]), size)
    ends = view.project(np.array([b.end_at for b in bars]), size)
    best = max(bars, key=lambda b: b.share).index if all(np.isfinite(b.share) for b in bars) else -1
    truth = f.run.samples[f.state.sample].label if f.run.samples else None
    marks: list[Mark] = []
    if f.is_softmax_ours:
        at = names[names[:, 1].argmax()]
        said = "softmax of the stored logits"
        marks.append(Text(float(at[0]) + 8, float(at[1]) + 20 * f.k, said, 10 * f.k, "regular", f.ink("text3"), "lm"))
    for bar, a, b in zip(bars, names, ends, strict=True):
        weight, ink = ("semibold", f.ink("text")) if bar.index == best else ("regular", f.ink("text2"))
        marks.append(Text(float(a[0]) + 8, float(a[1]), class_name(f.run, bar.index), 13 * f.k, weight, ink, "lm"))
        is_said = bar.share >= 0.005
        if is_said:
            marks.append(Text(float(b[0]) + 7, float(b[1]), percent(bar.share), 12 * f.k, weight, ink, "lm"))
        if bar.index == truth:
            shift = 7 + (52 * f.k if is_said else 0)
            marks.append(Text(float(b[0]) + shift, float(b[1]), "truth", 11 * f.k, "regular", f.ink("text2"), "lm"))
    return marks


def rope_marks(f: Facts, places: dict[int, tuple[float, float, float]]) -> list[Mark]:
    """The shares of both signs, "57 % for", over the ropes of collapsed pairs. places: link → (x, y, room) in px."""
    marks: list[Mark] = []
    by_input = f.state.edges.mode == "contribution"
    words = ("for", "against") if by_input else ("positive", "negative")
    for index, (x, y, room) in places.items():
        table = f.tables.get(index)
        if table is None or table.signs is None or sum(table.signs) <= 0 or room < 62 * f.k:
            continue
        share = table.signs[0] / sum(table.signs)
        size = 10.5 * f.k
        marks += [
            Text(x, y - 15 * f.k, f"{100 * share:.0f} % {words[0]}", size, "regular", f.ink("positive"), "mb"),
            Text(x, y, f"{100 * (1 - share):.0f} % {words[1]}", size, "regular", f.ink("negative"), "mb"),
        ]
    return marks
