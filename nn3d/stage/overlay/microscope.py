"""The card of a cell under the microscope: patch × kernel = products, the sum, and the stored value. Logical px.

It belongs to the picture. Numbers are those of the run at the epoch on screen, the nearest recorded one while epochs
are mixed.
"""

from __future__ import annotations

from nn3d.analysis.explain import Explanation
from nn3d.run.ops import op_of
from nn3d.stage.frame import Colour, Mark, Text
from nn3d.stage.lens import Lens
from nn3d.stage.microscope import Patch
from nn3d.stage.overlay.blocks import Block, beside, hue, plain, signed, stacked, words_line, wrapped
from nn3d.stage.overlay.facts import Facts, class_name, number, percent
from nn3d.stage.overlay.microscope_pictures import picture_blocks
from nn3d.stage.overlay.microscope_terms import extra_lines, row_blocks, term_blocks
from nn3d.stage.type import text_width

MOST_NAMED = 5
TOKENS = ("T", "query", "key")


def cell_blocks(f: Facts, lens: Lens, *, is_brief: bool = False) -> list[Block]:
    """What the card of the lens says, from top to bottom. is_brief : the sum alone, without what it is made of."""
    spot, found = lens.spot, lens.sum
    if spot is None or not lens.has_card:
        return []
    head = stacked([_head(f, lens), *_field_blocks(f, lens)])
    if found is None and f.state.selection is None:
        return []  # while the pointer runs over cells, cards come when they are known
    if found is None:
        return [head, words_line(f, [("reading …", f.ink("text2"))])]
    e = found.explanation
    if not e.known and not len(e.products):
        return [head, *wrapped(f, _stored_words(e) + e.reason)]
    if is_brief:
        return [head, *_sum_blocks(f, e), *_path_blocks(f, lens)]
    if found.pictures is not None:
        return [head, *picture_blocks(f, found.pictures, e, [*_sum_blocks(f, e), *_path_blocks(f, lens)])]
    under = [*extra_lines(f, e), *_sum_blocks(f, e), *_path_blocks(f, lens)]
    row = row_blocks(f, e)
    if row:
        return [head, beside(stacked(row), stacked([*term_blocks(f, e), *under]), 22.0 * f.k)]
    return [head, *term_blocks(f, e), *under]


def _field_blocks(f: Facts, lens: Lens) -> list[Block]:
    """What the frames are: "framed: 5 × 5 of pool1, 10 × 10 of conv1, 14 × 14 of input"."""
    if lens.path is not None or not lens.patches:
        return []
    said = [_patch_words(f, p) for p in lens.patches[:MOST_NAMED]]
    more = len(lens.patches) - len(said)
    words = ", ".join([*said, *([f"{more} more"] if more else [])])
    lines = wrapped(f, f"framed: {words}")
    return [*lines[:-1], Block(lines[-1].width, lines[-1].height + 4.0 * f.k, lines[-1].draw)]


def _patch_words(f: Facts, patch: Patch) -> str:
    plan = f.plan.layers[patch.row]
    name = (plan.title or plan.layer.name).split(",")[0]
    if patch.is_inside:
        return f"inside {name}"
    r0, r1, c0, c1 = patch.rect
    n = len(patch.tiles)
    if plan.tiles.cells == (1, 1):
        return f"{number(n)} of {name}"
    if (r1 - r0, c1 - c0) != plan.tiles.cells:
        return f"{r1 - r0} × {c1 - c0} of {name}"
    return f"all of {name}" if n == plan.tiles.n else f"{number(n)} tiles of {name}"


def _path_blocks(f: Facts, lens: Lens) -> list[Block]:
    """What the bright path covers, step by step."""
    if lens.path is None:
        return []
    covered = lens.path.path.covered
    ways = [(w, [percent(v) for s, v in covered if (s < 0) == (w == "back")]) for w in ("back", "on")]
    said = "; ".join(f"{way} {', '.join(shares)}" for way, shares in ways if shares)
    return wrapped(f, f"bright path, of |contribution|: {said or 'nothing is known'}")


def _head(f: Facts, lens: Lens) -> Block:
    assert lens.spot is not None
    plan = f.plan.layers[lens.spot.row]
    title = plan.title or plan.layer.name
    size, k = 14 * f.k, f.k
    where = cell_words(plan.layer.axes, lens.cell, f.run.sample(f.state.sample).tokens if f.run.samples else ())
    if plan.is_classes and len(lens.cell) == 1 and class_name(f.run, lens.cell[0]) != str(lens.cell[0]):
        where = f"{where}, {class_name(f.run, lens.cell[0])}"
    where = where if f.compared is None else f"{where}, in B"  # the arithmetic is that of B, not of the difference
    wide = text_width(title, size, "semibold")

    def draw(x: float, y: float) -> list[Mark]:
        return [
            Text(x, y, title, size, "semibold", f.ink("text"), "la"),
            Text(x + wide + 10 * k, y + 2 * k, where, 12 * k, "medium", f.ink("accent"), "la"),
        ]

    return Block(wide + 10 * k + text_width(where, 12 * k, "medium"), 22 * k, draw)


def cell_words(axes: tuple[str, ...], cell: tuple[int, ...], tokens: tuple[str, ...] = ()) -> str:
    """The place of a cell as people say it: "map 11, cell (8, 4)", "unit 7", "token 3 “if”, feature 12"."""
    if len(cell) == 1:
        return f"{'token' if axes == ('T',) else 'unit'} {cell[0]}"
    if axes[:1] == ("C",):
        inner = ", ".join(str(i) for i in cell[1:])
        return f"map {cell[0]}, cell ({inner})" if len(cell) > 2 else f"map {cell[0]}, place {inner}"
    names = {"T": "token", "F": "feature", "heads": "head", "query": "query", "key": "key", "L": "place"}
    if len(axes) == len(cell) and all(a in names for a in axes):
        said = [(f"{names[a]} {i}", a, i) for a, i in zip(axes, cell, strict=True)]
        return ", ".join(f"{w} “{tokens[i]}”" if a in TOKENS and i < len(tokens) else w for w, a, i in said)
    return f"cell ({', '.join(str(i) for i in cell)})"


def _sum_blocks(f: Facts, e: Explanation) -> list[Block]:
    """Σ + bias → stages → what is stored, and by how much it differs."""
    text, dim = f.ink("text"), f.ink("text2")
    parts: list[tuple[str, Colour]] = []
    if "pool" in e.op:
        parts.append((f"{'max' if 'max' in e.op else 'mean'} of {number(len(e.products))}  =  ", dim))
        parts.append((plain(e.before), text))
    elif "Σ" in e.formula and e.is_sum:
        total = e.before - (e.bias or 0.0)
        parts.append((f"Σ {plain(total)}", text))
        parts.append((f" of {number(len(e.products))} {'product' if len(e.products) == 1 else 'products'}", dim))
        if e.bias is not None:
            parts += [("   bias ", dim), (signed(e.bias), hue(f, e.bias)), (f"   =  {plain(e.before)}", text)]
    else:
        parts += [("" if e.steps else f"{e.formula}   =  ", dim), (plain(e.before), text)]
    for step in e.steps:
        parts += [(f"   →  {op_of(step.op).label}  →  ", dim), (plain(step.value), text)]
    return [words_line(f, parts, 11.5, "medium"), *_verdict(f, e)]


def _verdict(f: Facts, e: Explanation) -> list[Block]:
    if e.stored is None:
        return wrapped(f, e.reason)
    if e.known:
        off = "exactly" if e.abs_error == 0.0 else f"|Δ| {e.abs_error:.1g} ≤ tolerance {e.tolerance:.1g}"
        words = [(_held_word(f), f.ink("text2")), (plain(e.stored), f.ink("accent")), (f"   {off}", f.ink("text2"))]
        return [words_line(f, words, 11.0)]
    words = [(_held_word(f), f.ink("text2")), (plain(e.stored), f.ink("accent"))]
    words.append((f"   differs by {e.abs_error:.2g}, tolerance {e.tolerance:.1g}", f.ink("text")))
    reason = e.reason if e.reason.startswith("cannot") else f"cannot be reproduced: {e.reason}"
    return [words_line(f, words, 11.0), *wrapped(f, reason)]


def _held_word(f: Facts) -> str:
    """What the value that a cell shows is called: stored, or of an input of one's own, what the engine gave."""
    return "stored " if f.state.sample < max(1, len(f.run.samples)) else "the engine's "


def _stored_words(e: Explanation) -> str:
    return "" if e.stored is None else f"stored {plain(e.stored)}.  "
