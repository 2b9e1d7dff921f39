"""The inspector's part for a selected cell: why this value, what it was made from, and the kernel that slides.

Numbers are those of the picture's own card; the state moves only through commands.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from nn3d.analysis.explain import Explanation
from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.panels.inspector.page import CAPTION, HEAD, PAD, ROW, Page, Part, caption, head
from nn3d.run.ops import op_of
from nn3d.stage.commands import Select, SetDepth, SetPath, SetSlideSpeed
from nn3d.stage.controls import Act, answer
from nn3d.stage.overlay.blocks import plain, signed
from nn3d.stage.overlay.microscope import cell_words
from nn3d.stage.state import Thing

MOST_TERMS: Final = 12
TERM: Final = 18.0
TRANSPORT: Final = 66.0
SPEEDS: Final = (1.0, 4.0, 16.0, 64.0)
BAR: Final = 46.0
STORED: Final = "Stored"
ENGINE: Final = "The engine's"  # of an input of one's own nothing was stored


def why_part(page: Page) -> Part | None:
    """The arithmetic of the selected cell; None where no cell is selected, or its numbers are not in memory."""
    found = page.frame.explained
    if found is None or not _is_cell(page):
        return None
    e = found.explanation
    n = min(len(e.products), MOST_TERMS)
    rows = _rows(page, e)
    height = HEAD + 4 + TERM * n + (CAPTION if len(e.products) > n else 0.0) + ROW * len(rows) + 8.0
    reasons = page.ui.type.wrap(e.reason, page.w, 11.5) if e.reason else []
    return Part(height + CAPTION * len(reasons), lambda p, y: _draw_why(p, y, e, rows, reasons))


def slide_part(page: Page) -> Part | None:
    """Play, step, speed and place of the sliding kernel, how far back a cell is traced, and its bright path."""
    return Part(HEAD + TRANSPORT + 2 * ROW + 18.0, _draw_slide) if _is_cell(page) else None


def _is_cell(page: Page) -> bool:
    thing = page.state.selection
    plate = page.tiles
    if thing is None or plate is None or page.is_group or thing.tile < 0 or thing.tile >= plate.table.size:
        return False
    return thing.row >= 0 or plate.cells == (1, 1)


def _rows(page: Page, e: Explanation) -> list[tuple[str, str]]:
    """What stands below the terms: bias, sum, stages, stored value, difference, and what was looked at."""
    rows: list[tuple[str, str]] = []
    if e.bias is not None:
        rows.append(("Bias", signed(e.bias)))
    if e.products.size:
        rows.append((e.formula if not e.steps else "Sum" if e.is_sum else "Before", plain(e.before)))
    rows += [(op_of(step.op).label, plain(step.value)) for step in e.steps]
    if e.stored is not None:
        is_own = page.state.sample >= max(1, len(page.facts.run.samples))
        rows.append((ENGINE if is_own else STORED, plain(e.stored)))
    if np.isfinite(e.abs_error):
        rows.append(("Difference", "none" if e.abs_error == 0.0 else f"{e.abs_error:.2g} of {e.tolerance:.2g} allowed"))
    rows += [(f"Looked at in {name}", _box_words(box)) for name, box in e.receptive_field.items()]
    return rows


def _box_words(box: tuple[tuple[int, int], ...]) -> str:
    return " × ".join(str(a) if b - a == 1 else f"{a}–{b - 1}" for a, b in box)


def _draw_why(page: Page, y: float, e: Explanation, rows: list[tuple[str, str]], reasons: list[str]) -> list[Act]:
    ui = page.ui
    axes = page.layer.axes if page.layer is not None else ()
    head(page, y, "Why this value", cell_words(axes, e.cell))
    y += HEAD + 4
    n = min(len(e.products), MOST_TERMS)
    largest = float(np.nanmax(np.abs(e.products), initial=0.0)) or 1.0
    for i in range(n):
        _term(page, y, e, i, largest)
        y += TERM
    if len(e.products) > n:
        rest = float(e.products[n:].sum())
        caption(page, y - 3, f"{len(e.products) - n:,} more" + (f", {signed(rest)} in all" if e.is_sum else ""))
        y += CAPTION
    for name, value in rows:
        width = ui.type.width(value, 12, "medium")
        ui.text(page.x, y + 9, ui.type.fit(name, page.w - width - 10, 12), 12, token="text2")
        ui.text(page.x + page.w, y + 9, value, 12, "medium", "accent" if name in (STORED, ENGINE) else "text", "r")
        y += ROW
    for line in reasons:
        caption(page, y, line)
        y += CAPTION
    return []


def _term(page: Page, y: float, e: Explanation, i: int, largest: float) -> None:
    """source [index]   a × w   product, with a bar as long as the product."""
    ui, p, w = page.ui, float(e.products[i]), float(e.weights[i])
    token = "text3" if p == 0.0 or p != p else "positive" if p > 0 else "negative"
    cell = ", ".join(str(int(c)) for c in e.cells[i] if c >= 0)
    source = e.sources[e.source[i]].rsplit(".", 1)[-1]
    sum_ = signed(p)
    factors = f"{plain4(float(e.inputs[i]))} × {plain4(w)}" if w == w and w != 1.0 else ""
    right = page.x + page.w
    ui.text(right, y + 8, sum_, 11.5, "medium", token, "r")
    length = BAR * abs(p) / largest if np.isfinite(p) else 0.0
    ui.fill(Box(right - 62 - length, y + 4, max(1.0, length), 8), token, 1.5)
    ui.text(right - 62 - BAR - 8, y + 8, factors, 11, "regular", "text2", "r")
    room = page.w - 62 - BAR - 16 - ui.type.width(factors, 11)
    ui.text(page.x, y + 8, ui.type.fit(f"{source} [{cell}]", room, 11), 11, "regular", "text2")


def plain4(v: float) -> str:
    """A number with three digits that count."""
    return ("0" if v == 0.0 else f"{v:.3g}").replace("-", "−")


def _draw_slide(page: Page, y: float) -> list[Act]:
    ui, slide, plate = page.ui, page.state.slide, page.tiles
    thing = page.state.selection
    assert plate is not None
    assert thing is not None
    rows, cols = plate.cells
    n, now = rows * cols, max(0, thing.row) * cols + max(0, thing.col)
    head(page, y, "Kernel over the tile", f"cell {now + 1:,} of {n:,}")
    y += HEAD + 2
    acts: list[Act] = []
    is_playing = slide is not None and slide.is_playing
    if widgets.icon_button(ui, "cell back", page.x - 4, y, "step-back", tip="One cell back  (,)", size=15):
        acts += answer(",", page.context)
    icon, words = ("pause", "Pause") if is_playing else ("play", "Slide the kernel over the tile")
    if widgets.round_button(ui, "slide", page.x + 42, y + 14, 13, icon, tip=f"{words}  (K)"):
        acts += answer("K", page.context)
    if widgets.icon_button(ui, "cell on", page.x + 60, y, "step-forward", tip="One cell on  (.)", size=15):
        acts += answer(".", page.context)
    if slide is not None:
        words = "Stop, show all values  (Shift K)"
        if widgets.icon_button(ui, "slide stop", page.x + 90, y, "square", tip=words, size=13):
            acts += answer("Shift K", page.context)
        labels = [f"{s:g}" for s in SPEEDS]
        on = next((k for k, s in enumerate(SPEEDS) if s == slide.cells_per_sec), -1)
        x = page.x + page.w - widgets.segment_width(ui, labels)
        pressed = widgets.segments(ui, "slide speed", x, y, labels, on, tips=["cells a second"] * len(SPEEDS))
        if pressed is not None:
            acts.append(SetSlideSpeed(SPEEDS[pressed]))
    share = widgets.slider(ui, "slide at", page.x + 7, y + 44, page.w - 14, now / max(1, n - 1), tip="Jump to a cell")
    if share is not None:
        goal = _cell(thing, round(share * (n - 1)), cols)
        acts += [Select(goal)] if goal != thing else []
    y += TRANSPORT
    acts += _stepper(page, y, "depth", "Traced back", page.state.lens.depth, "layers", "{ }")
    acts += _stepper(page, y + ROW + 4, "path", "Bright path", page.state.lens.path, "layers", "X")
    return acts


def _cell(thing: Thing, number: int, cols: int) -> Thing:
    row, col = divmod(number, cols)
    return replace(thing, row=row, col=col)


def _stepper(page: Page, y: float, name: str, label: str, value: int, unit: str, keys: str) -> list[Act]:
    """A number with a minus and a plus."""
    ui, right = page.ui, page.x + page.w
    make = SetDepth if name == "depth" else SetPath
    acts: list[Act] = []
    ui.text(page.x, y + 12, label, 12, token="text2")
    if widgets.icon_button(ui, f"{name} less", right - 96, y, "minus", tip=f"Fewer layers  ({keys})", side=24, size=13):
        acts.append(make(value - 1))
    said = f"{value} {unit if value != 1 else unit[:-1]}" if value else "off"
    ui.text(right - 48 + 12 - PAD, y + 12, said, 12, "medium", "text", "c")
    if widgets.icon_button(ui, f"{name} more", right - 22, y, "plus", tip=f"More layers  ({keys})", side=24, size=13):
        acts.append(make(value + 1))
    return acts
