"""Parts of a card: lines of words and pictures that know their size, one under or beside the other. Logical px."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nn3d.stage.frame import Colour, Mark, Text
from nn3d.stage.overlay.facts import Facts
from nn3d.stage.type import text_width

Draw = Callable[[float, float], list[Mark]]


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a card: its size, and its marks when its upper left corner is at (x, y)."""

    width: float
    height: float
    draw: Draw


def words_line(f: Facts, parts: list[tuple[str, Colour]], size: float = 11.0, weight: str = "regular") -> Block:
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
    return words_line(f, [(said, ink)], size / f.k, weight)


def wrapped(f: Facts, text: str, room: float = 380.0) -> list[Block]:
    """Words on as many lines as they need."""
    size, lines, now = 11 * f.k, [], ""
    for word in text.split():
        longer = f"{now} {word}".strip()
        if text_width(longer, size, "regular") > room * f.k and now:
            lines.append(now)
            now = word
        else:
            now = longer
    return [words_line(f, [(line, f.ink("text2"))]) for line in [*lines, now]]


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


def stacked(blocks: list[Block]) -> Block:
    """Blocks one under the other."""
    tops = np.cumsum([0.0, *(b.height for b in blocks)]).tolist()
    return Block(
        max(b.width for b in blocks), tops[-1],
        lambda x, y: [m for b, top in zip(blocks, tops, strict=False) for m in b.draw(x, y + top)],
    )  # fmt: skip


def beside(a: Block, b: Block, gap: float) -> Block:
    """Two blocks in a row."""
    return Block(
        a.width + gap + b.width, max(a.height, b.height),
        lambda x, y: [*a.draw(x, y), *b.draw(x + a.width + gap, y)],
    )  # fmt: skip
