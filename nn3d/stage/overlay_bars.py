"""The words of class bars and ropes: names, shares, the truth, how much of a rope is for and against. Logical px."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn3d.stage.frame import Mark, Text, View
from nn3d.stage.overlay import Facts, class_name, percent


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
