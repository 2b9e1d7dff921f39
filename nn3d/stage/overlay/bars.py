"""The words of class bars and ropes: names, shares, the truth, how much of a rope is for and against. Logical px."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.bars import Bar, Bars
from nn3d.stage.frame import Colour, Mark, Text, View
from nn3d.stage.overlay.facts import Facts, class_name, free_words, percent, pill, points
from nn3d.stage.type import text_width
from nn3d.stage.waiting import UNREAD

# Of the picture, kept free left and right of the line of notes, px.
MARGIN = 48.0
LEAST_SAID = 0.005


def bar_marks(f: Facts, bars: Bars, view: View) -> list[Mark]:
    """Class names and the share at the end of each bar; the truth is marked. Names that have no room are counted."""
    rows = bars.rows
    if not rows:
        return []
    size = f.state.size_px
    names, ends = (_places(view, [getattr(b, at) for b in rows], size) for at in (_name_place(bars), "end_at"))
    inside = (names >= 0).all(1) & (names <= size).all(1)
    if not inside.any():
        return []  # close up, somewhere else: no note at the edge about bars that nobody sees
    best = max(rows, key=lambda b: abs(b.share)).index if all(math.isfinite(b.share) for b in rows) else -1
    truth = f.run.sample(f.outcome_sample).label if f.run.samples else None
    kept = _with_room(rows, names[:, 1], {best: 2.0, truth: 1.0}, (34.0 if bars.is_above else 14.5) * f.k)
    least = 0.0 if len(rows) < bars.total else LEAST_SAID
    along = _places(view, [rows[0].start_at, (rows[0].start_at[0] + 4.0, *rows[0].start_at[1:])], size)[:, 0]
    way = 1.0 if along[1] >= along[0] else -1.0  # seen from the other side, bars grow to the left
    marks: list[Mark] = []
    for k in kept:
        bar, at = rows[k], names[k]
        look = ("semibold", f.ink("text")) if bar.index == best else ("regular", f.ink("text2"))
        end = _end(f, bar, ends[k], look, (least, way), is_truth=bar.index == truth)
        words = [*_name(f, bars, bar, at, look, (view, way)), *end]
        marks += words if bar.index in (best, truth) else free_words(words, marks)
    low = float(max(ends[:, 1].max(), names[:, 1].max()))
    return [*marks, *_notes(f, bars, len(kept), (float((way * names[:, 0]).min()) * way, low), way)]


def _name(
    f: Facts, bars: Bars, bar: Bar, at: NDArray[np.float64], look: tuple[str, Colour], seen: tuple[View, float]
) -> list[Mark]:
    """The name of a class, beside its tile or over the start of its bar, above the bar's upper edge."""
    name, (x, y), size = class_name(f.run, bar.index), (float(at[0]), float(at[1])), 13 * f.k
    view, way = seen
    near, far = ("l", "r") if way > 0 else ("r", "l")
    if bars.is_before:
        return [Text(x - way * 7 * f.k, y, name, size, *look, f"{far}m")]
    if not bars.is_above:
        return [Text(x + way * 8 * f.k, y, name, size, *look, f"{near}m")]
    start = np.array(bar.start_at)
    corners = _places(view, [(start + d).tolist() for d in ((0, bars.half, 0), (4, bars.half, 0))], f.state.size_px)
    across = max(way * float(corners[1, 0] - corners[0, 0]), 1.0)
    rise = max(0.0, float(corners[0, 1] - corners[1, 1]) / across) * text_width(name, size, look[0])
    return [Text(x, float(corners[0, 1]) - min(rise, 24.0 * f.k) - 3.0 * f.k, name, size, *look, f"{near}b")]


def _name_place(bars: Bars) -> str:
    return "start_at" if bars.is_above or bars.is_before else "name_at"


def _places(view: View, points: list[tuple[float, float, float]], size: tuple[int, int]) -> NDArray[np.float64]:
    return view.project(np.array(points), size)


def _end(
    f: Facts, bar: Bar, at: NDArray[np.float64], look: tuple[str, Colour], how: tuple[float, float], *, is_truth: bool
) -> list[Mark]:
    """A share behind its bar, and the word "truth". how : the least share that is said, and the way bars grow."""
    least, way = how
    said, anchor = percent(bar.share) if bar.share >= least else "", "l" if way > 0 else "r"
    if f.compared is not None:
        said = points(bar.share) if abs(bar.share) >= least else ""
        if said not in ("", "0"):
            look = look[0], f.ink("positive" if bar.share > 0 else "negative")
    x, y = float(at[0]) + way * 7 * f.k, float(at[1])
    out: list[Mark] = pill(f, x, y, said, 12 * f.k, look, anchor) if said else []
    if is_truth:
        shift = text_width(said, 12 * f.k, look[0]) + 10 * f.k if said else 0.0
        out.append(Text(x + way * shift, y, "truth", 11 * f.k, "regular", f.ink("accent"), f"{anchor}m"))
    return out


def _with_room(
    rows: tuple[Bar, ...], y: NDArray[np.float64], first: dict[int | None, float], pitch: float
) -> list[int]:
    """Numbers of the rows whose words do not run into each other: the best and the truth first, then by share."""
    size = [abs(float(np.nan_to_num(row.share))) for row in rows]
    rank = sorted(range(len(rows)), key=lambda k: (-first.get(rows[k].index, 0.0), -size[k], k))
    kept: list[int] = []
    for k in rank:
        if all(abs(float(y[k] - y[other])) >= pitch for other in kept):
            kept.append(k)
    return sorted(kept)


def _notes(f: Facts, bars: Bars, n_named: int, at: tuple[float, float], way: float) -> list[Mark]:
    """Whose softmax the shares are, and how many of all classes have a bar or a name."""
    whose = "stored" if f.outcome_sample < len(f.run.samples) else "computed"
    said = [f"softmax of the {whose} logits"] if f.is_softmax_ours else []
    if f.compared is not None:
        said = ["points, " + said[0].replace("the ", "")] if said else ["points"]
    if len(bars.rows) < bars.total:
        said.insert(0, f"top {len(bars.rows)} of {bars.total:,}")
    if n_named < len(bars.rows):
        said.append(f"{n_named} of {len(bars.rows)} named, no room for more")
    if not said:
        return []
    line, size = ", ".join(said), 10 * f.k
    width = text_width(line, size)
    x = at[0] if bars.is_above else at[0] + way * 8 * f.k
    edge = MARGIN * f.k
    left = min(max(x if way > 0 else x - width, edge), f.state.size_px[0] - edge - width)
    return [Text(left, at[1] + 21 * f.k, line, size, "regular", f.ink("text3"), "lm")]


def rope_marks(f: Facts, places: dict[int, tuple[float, float, float]], others: list[Mark]) -> list[Mark]:
    """The shares of both signs, "57 % for", over the ropes of collapsed pairs, where they lie over no other text.

    places : link → (x, y, room) in px.
    """
    marks: list[Mark] = []
    by_input = f.state.edges.mode == "contribution"
    words = ("for", "against") if by_input else ("positive", "negative")
    words = words if f.compared is None else ("more", "less")
    for index, (x, y, room) in places.items():
        table = f.tables.get(index)
        if table is not None and table.note not in ("", UNREAD) and room >= 62 * f.k:
            marks.append(Text(x, y, table.note, 10.5 * f.k, "regular", f.ink("text3"), "mb"))
        if table is None or table.signs is None or sum(table.signs) <= 0 or room < 62 * f.k:
            continue
        share = table.signs[0] / sum(table.signs)
        size = 10.5 * f.k
        rows = ((21, share, words[0], "positive"), (6, 1.0 - share, words[1], "negative"))
        said = [
            mark
            for up, part, word, ink in rows
            for mark in pill(f, x, y - up * f.k, f"{100 * part:.0f} % {word}", size, ("regular", f.ink(ink)), "m")
        ]
        marks += said if len(free_words(said, [*others, *marks])) == len(said) else []
    return marks
