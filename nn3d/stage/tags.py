"""Words that hang on something in the scene: letters of gates and heads, words of tokens, names of staves, time arrows.

A tag has a place on the bench in world units u; sizes and offsets are logical px.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.stage.frame import Colour, Line, Mark, Rect, Text, View
from nn3d.stage.look import colour
from nn3d.stage.state import ViewState
from nn3d.stage.type import text_width

F64 = NDArray[np.float64]
Place = tuple[float, float, float]

PILL_X, PILL_Y = 4.5, 2.5
PILL_ALPHA = 0.80
HEAD_PX = 7.0
LEADER_GAP = 3.0


@dataclass(frozen=True, slots=True)
class Tag:
    """One word. anchor : as in Text. shift : px from the projected place. is_strong : in the first ink.

    leader : px from the place where a fine line to a word begins that stands farther off, 0 for none.
    """

    at: Place
    text: str
    size_px: float = 11.0
    anchor: str = "mm"
    shift: tuple[float, float] = (0.0, 0.0)
    has_pill: bool = False
    is_strong: bool = False
    leader: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrow:
    """A thin arrow from one place to another, `shift` px aside."""

    start: Place
    end: Place
    shift: tuple[float, float] = (0.0, 0.0)


def tag_marks(state: ViewState, k: float, tags: Sequence[Tag | Arrow], view: View) -> list[Mark]:
    """Marks of tags as seen; k : type scale."""
    if not tags:
        return []
    places = [p for t in tags for p in ((t.at,) if isinstance(t, Tag) else (t.start, t.end))]
    px = iter(view.project(np.array(places, np.float64), state.size_px))
    marks: list[Mark] = []
    for tag in tags:
        a = next(px)
        marks += _word(state, k, tag, a) if isinstance(tag, Tag) else _arrow(state, tag, a, next(px))
    return marks


def _word(state: ViewState, k: float, tag: Tag, at: F64) -> list[Mark]:
    x, y, size = float(at[0]) + tag.shift[0] * k, float(at[1]) + tag.shift[1] * k, tag.size_px * k
    weight = "medium" if tag.is_strong else "regular"
    ink = colour(state.theme, "text" if tag.is_strong else "text2")
    words = Text(x, y, tag.text, size, weight, ink, tag.anchor)
    if tag.leader:
        way = math.copysign(k, tag.shift[0])
        start, end = float(at[0]) + way * tag.leader, x - way * LEADER_GAP
        return [Line(start, float(at[1]), end, y, 0.8, colour(state.theme, "rail", 0.8)), words]
    if not tag.has_pill:
        return [words]
    wide = text_width(tag.text, size, weight)
    left = x - wide * {"l": 0.0, "m": 0.5, "r": 1.0}[tag.anchor[0]]
    middle = y + size * {"a": 0.5, "m": 0.0, "s": -0.35, "b": -0.5}[tag.anchor[1]]
    card = colour(state.theme, "card", PILL_ALPHA)
    half = size * 0.62 + PILL_Y * k
    return [Rect(left - PILL_X * k, middle - half, left + wide + PILL_X * k, middle + half, card, 4.0 * k), words]


def _arrow(state: ViewState, arrow: Arrow, a: F64, b: F64) -> list[Mark]:
    ink: Colour = colour(state.theme, "accent", 0.85)
    x0, y0 = float(a[0]) + arrow.shift[0], float(a[1]) + arrow.shift[1]
    x1, y1 = float(b[0]) + arrow.shift[0], float(b[1]) + arrow.shift[1]
    angle = math.atan2(y1 - y0, x1 - x0)
    marks: list[Mark] = [Line(x0, y0, x1, y1, 1.2, ink)]
    for turn in (-0.42, 0.42):
        back = angle + math.pi + turn
        marks.append(Line(x1, y1, x1 + HEAD_PX * math.cos(back), y1 + HEAD_PX * math.sin(back), 1.4, ink))
    return marks
