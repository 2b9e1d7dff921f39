"""What the flat part of the picture tells about, and its words for numbers and classes. Logical px.

Title, key, strands line, cards and class bars (overlay/) belong to the picture and are in every exported image; the
window's panels are drawn elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.run.run import Run
from nn3d.stage.comparing import Compared
from nn3d.stage.frame import Colour, Mark, Palette, Rect, Text
from nn3d.stage.look import colour
from nn3d.stage.ordering import Orders
from nn3d.stage.own import Front
from nn3d.stage.plan import Plan
from nn3d.stage.resident import LayerValues
from nn3d.stage.small import Neurons
from nn3d.stage.state import ViewState, type_scale
from nn3d.stage.strands import StrandTable
from nn3d.stage.type import text_width
from nn3d.stage.urgency import Due

POWER = 0.7
SIGNED_POWER = 0.8
PILL = 0.78


@dataclass(frozen=True, slots=True)
class Facts:
    """What the overlay tells about: layer values by layer index, strand tables by link index, probabilities.

    full : the value that has full colour in the scope "network", at the nearer epoch. notes : more for the foot line.
    front : how far a new input has come, None where no row is told apart. compared : None: values are as they are.
    meanwhile : what of the picture is still another epoch's, in words.
    """

    run: Run
    plan: Plan
    state: ViewState
    palette: Palette
    values: dict[int, LayerValues]
    tables: dict[int, StrandTable]
    probabilities: NDArray[np.float64] | None
    is_softmax_ours: bool
    due: Due
    neurons: Neurons | None = None
    orders: Orders | None = None
    full: float = 1.0
    notes: tuple[str, ...] = ()
    front: Front | None = None
    compared: Compared | None = None
    meanwhile: str = ""

    @property
    def outcome_sample(self) -> int:
        """The sample whose outcome is shown: a wave reaches the output last."""
        return self.state.sample if self.front is None else self.front.number(self.plan.output)

    def ink(self, name: str, alpha: float = 1.0) -> tuple[float, float, float, float]:
        """A colour of the theme."""
        return colour(self.state.theme, name, alpha)

    @property
    def k(self) -> float:
        """Type scale, see nn3d.stage.state.type_scale."""
        return type_scale(self.state)


def number(n: float) -> str:
    """A count with thousands commas."""
    return f"{n:,.0f}"


def percent(share: float) -> str:
    """A share as "90.4 %"; 100 % only when it is."""
    value = 100.0 * share
    if 99.95 <= value < 100.0:
        return "> 99.9 %"
    return f"{value:.0f} %" if value in (0.0, 100.0) else f"{value:.1f} %" if value >= 0.05 else "< 0.1 %"


def points(change: float) -> str:
    """How far a share went, in points: "+2.1", "−12.0", "0"."""
    value = 100.0 * change
    return "0" if abs(value) < 0.05 else f"{value:+.1f}".replace("-", "−")


def class_name(run: Run, index: int) -> str:
    """The name of a class, or its number."""
    return run.classes[index] if index < len(run.classes) else str(index)


def pill(f: Facts, x: float, y: float, said: str, size: float, look: tuple[str, Colour], anchor: str) -> list[Mark]:
    """A line of text on a ground of the background's colour, to be read where strands cross it; y is its middle."""
    width, (weight, ink) = text_width(said, size, look[0]), look
    left = x - width * {"l": 0.0, "m": 0.5, "r": 1.0}[anchor]
    ground = Rect(left - 4, y - 0.68 * size, left + width + 4, y + 0.68 * size, f.ink("halo", PILL), 4.0)
    return [ground, Text(x, y, said, size, weight, ink, anchor + "m")]


def text_boxes(marks: list[Mark]) -> list[tuple[float, float, float, float]]:
    """(x0, y0, x1, y1) of each line of text."""
    out: list[tuple[float, float, float, float]] = []
    for m in marks:
        if isinstance(m, Text) and math.isfinite(m.x + m.y):
            width = text_width(m.text, m.size_px, m.weight)
            left = m.x - width * {"l": 0.0, "m": 0.5, "r": 1.0}[m.anchor[0]]
            top = m.y - m.size_px * {"a": 0.1, "m": 0.6, "s": 0.9, "b": 1.1, "d": 1.1}[m.anchor[1]]
            out.append((left, top, left + width, top + 1.2 * m.size_px))
    return out


def free_words(words: list[Mark], others: list[Mark]) -> list[Mark]:
    """Those of `words` whose text does not lie over other text; a ground goes with the text that follows it."""
    taken = text_boxes(others)
    out: list[Mark] = []
    ground: list[Mark] = []
    for mark in words:
        if not isinstance(mark, Text):
            ground.append(mark)
            continue
        box = text_boxes([mark])[0] if math.isfinite(mark.x + mark.y) else None
        if box is not None and not any(_meet(box, t) for t in taken):
            out += [*ground, mark]
        ground = []
    return out


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
