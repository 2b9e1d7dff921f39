"""The cards of layers, under their feet on the rail or above their plates, none over another. Logical px."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from nn3d.stage.frame import Line, Mark, Rect, Text
from nn3d.stage.overlay.facts import PILL, Facts, number
from nn3d.stage.stages import stage_kind
from nn3d.stage.type import text_width

EDGE = 6.0
ROW_PX = 19.0
MAX_ROWS = 6
MAX_ROWS_ABOVE = 6
# Names are smaller where there are more layers than this.
MANY_LAYERS = 40
NAME_PX, SMALL_NAME_PX = 15.0, 13.0
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Foot:
    """Where a layer's card hangs: under its foot on the rail (px), or above its plate; `alone` px to the next foot.

    room : px between the plate and the next one above it, for a card above the plate.
    """

    layer: int
    x: float
    y: float
    is_above: bool
    alone: float
    room: float = math.inf


def label_marks(f: Facts, feet: list[Foot], taken: list[Box] | None = None) -> list[Mark]:
    """Layer cards that do not overlap: selected, input and output first, then in order.

    First every layer gets its name, farther from its plate where neighbours leave no room; then the cards that hang
    at their usual place get as many of their other lines as there is room for.
    taken : boxes where no card may lie; those of the cards are added.
    """
    chosen = {t.layer for t in (f.state.selection, f.state.hover) if t is not None}
    ends = {f.plan.output} | {i for i, p in enumerate(f.plan.layers) if p.input is not None}
    feet = sorted(feet, key=lambda t: (t.layer not in chosen, t.layer not in ends, t.layer))
    taken = [] if taken is None else taken
    cards: dict[int, _Card] = {}
    for foot in feet:
        found = next((c for c in _names(f, foot) if not _meets(c.box, taken)), None)
        if found is not None:
            taken.append(found.box)
            cards[foot.layer] = found
    for foot in feet:
        card = cards.get(foot.layer)
        if card is None or card.drop:
            continue
        taken.remove(card.box)
        card = next((c for c in _fuller(f, foot) if not _meets(c.box, taken)), card)
        taken.append(card.box)
        cards[foot.layer] = card
    nameless = [foot for foot in feet if foot.layer not in cards and _is_on(f, foot)]
    drawn = [mark for foot in feet if foot.layer in cards for mark in _draw_card(f, foot, cards[foot.layer])]
    return drawn + _left_out(f, len(nameless), taken)


def _is_on(f: Facts, foot: Foot) -> bool:
    w, h = f.state.size_px
    return 0.0 <= foot.x <= w and 0.0 <= foot.y <= h


def _left_out(f: Facts, n: int, taken: list[Box]) -> list[Mark]:
    """How many layers on the picture have no room for their names, over the line at its foot."""
    if not n or f.state.anchors.hud is None:
        return []
    x0, _, y = f.state.anchors.hud
    said, size = f"{n} of {len(f.plan.layers)} names left out: no room", 11 * f.k
    wide = text_width(said, size, "regular")
    rows = [y - k * 16 * f.k for k in (1, 2, 3)]
    top = next((t for t in rows if not _meets((x0, t, x0 + wide, t + size), taken)), rows[0])
    taken.append((x0, top, x0 + wide, top + size))
    return [Text(x0, top, said, size, "regular", f.ink("text3"), "la")]


@dataclass(frozen=True, slots=True)
class _Card:
    """A card's lines, how far it hangs from its usual place (px), and its box."""

    lines: list[str]
    drop: float
    box: Box


def _names(f: Facts, foot: Foot) -> Iterator[_Card]:
    """The name alone, at its usual place or farther off, the best first."""
    lines = _card(f, foot.layer)[:1]
    for row in range(MAX_ROWS_ABOVE if foot.is_above else MAX_ROWS):
        drop = row * ROW_PX * f.k
        if not foot.is_above or _heights(f, 1)[-1] + 16 * f.k + drop <= foot.room:
            yield _Card(lines, drop, _box(f, foot, lines, -drop if foot.is_above else drop))


def _fuller(f: Facts, foot: Foot) -> Iterator[_Card]:
    """More lines at the usual place, most first."""
    for detail in (4, 3, 2):
        if foot.alone >= (0, 0, 58, 78, 92)[detail] * f.k:
            lines = _card(f, foot.layer)[:detail]
            if not foot.is_above or _heights(f, len(lines))[-1] + 16 * f.k <= foot.room:
                yield _Card(lines, 0.0, _box(f, foot, lines, 0.0))


def _meets(box: Box, taken: list[Box]) -> bool:
    x0, y0, x1, y1 = box
    return any(x0 < a1 and a0 < x1 and y0 < b1 and b0 < y1 for a0, b0, a1, b1 in taken)


def _card(f: Facts, index: int) -> list[str]:
    layer = f.plan.layers[index].layer
    shape = " × ".join(str(n) for n in layer.shape)
    params = f"{number(layer.n_params)} params" if layer.n_params else ""
    kind = stage_kind(f.run, layer, f.state.layers[index].stage, round(f.state.time.epoch))
    lines = [f.plan.layers[index].title or layer.name, kind, shape, params]
    return [line for i, line in enumerate(lines) if line or i == 0]


def _name_px(f: Facts) -> float:
    return (NAME_PX if len(f.plan.layers) <= MANY_LAYERS else SMALL_NAME_PX) * f.k


def _heights(f: Facts, n: int) -> list[float]:
    return [v * f.k for v in (0.0, 20.0, 35.0, 50.0)[:n]]


def _box(f: Facts, foot: Foot, lines: list[str], drop: float) -> Box:
    """The card's place: centred at its foot, `drop` px lower (or higher), and not beyond the picture's edges."""
    sizes = [_name_px(f), *[11 * f.k] * 3]
    weights = ["semibold"] + ["regular"] * 3
    half = max(text_width(t, s, w) for t, s, w in zip(lines, sizes, weights, strict=False)) / 2
    height = _heights(f, len(lines))[-1] + 16 * f.k
    top = (foot.y - height - 8 if foot.is_above else foot.y + 11 * f.k) + drop
    x = min(max(foot.x, half + EDGE), f.state.size_px[0] - half - EDGE) if 0 < foot.x < f.state.size_px[0] else foot.x
    return x - half - 4, top, x + half + 4, top + height


def _draw_card(f: Facts, foot: Foot, card: _Card) -> list[Mark]:
    lines, box = card.lines, card.box
    top, x = box[1] + 2, (box[0] + box[2]) / 2.0
    inks = ("text", "text2", "text2", "text3")
    selected = f.state.selection is not None and f.state.selection.layer == foot.layer
    out: list[Mark] = []
    if foot.is_above:
        out.append(Rect(box[0] - 2, box[1], box[2] + 2, box[3], f.ink("halo", PILL), 5.0))
    if card.drop > 0.0:
        y0, y1 = (box[3], foot.y - 2) if foot.is_above else (foot.y + 8 * f.k, top - 1)
        out.append(Line(foot.x, y0, foot.x, y1, 1.0, f.ink("rail", 0.6)))
    for i, (line, dy) in enumerate(zip(lines, _heights(f, len(lines)), strict=True)):
        ink = f.ink("accent" if selected and i == 0 else inks[i])
        size = _name_px(f) if i == 0 else 11 * f.k
        out.append(Text(x, top + dy, line, size, "semibold" if i == 0 else "regular", ink, "ma"))
    return out
