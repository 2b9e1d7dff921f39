"""What the parts of the inspector are made of: the page they stand on, their heads, captions, buttons and pictures.

Lengths are logical px. A part says how high it is before it is drawn; one that is out of sight is not drawn at all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from imgui_bundle import imgui
from numpy.typing import NDArray

from nn3d.app import widgets
from nn3d.app.cards import Box
from nn3d.app.facts import Facts
from nn3d.app.tints import legend_texels
from nn3d.app.ui import Hit, Ui
from nn3d.run.model import Layer
from nn3d.stage.controls import Act, Context
from nn3d.stage.frame import Frame, TileLayer
from nn3d.stage.state import ViewState

PAD: Final = 12.0
ROW: Final = 21.0
SECTION: Final = 34.0
HEAD: Final = 30.0
CAPTION: Final = 20.0
BUTTONS: Final = 38.0
WIDE: Final = 400.0


@dataclass(frozen=True, slots=True)
class Page:
    """One frame of the inspector.

    item : what is selected, −1 for the network. layer : the layer, or a closed group as one layer; None for the
    network. tiles : its plate, where its values are in memory. box : of the card.
    """

    ui: Ui
    state: ViewState
    facts: Facts
    frame: Frame
    context: Context
    item: int
    layer: Layer | None
    tiles: TileLayer | None
    box: Box

    @property
    def x(self) -> float:
        """Left end of the content."""
        return self.box.x + PAD

    @property
    def w(self) -> float:
        """Width of the content."""
        return self.box.w - 2 * PAD

    @property
    def epoch(self) -> int:
        """Index of the epoch that is shown."""
        return min(round(self.state.time.epoch), max(0, self.state.n_epochs - 1))

    @property
    def tile(self) -> int:
        """The selected tile, −1 for none."""
        return -1 if self.state.selection is None else self.state.selection.tile

    @property
    def is_group(self) -> bool:
        """A group of layers is selected."""
        return self.item >= len(self.facts.run.layers)

    @property
    def node(self) -> tuple[int, int] | None:
        """(node, output) whose values are shown; None for the network and where nothing was recorded."""
        if self.layer is None or not self.facts.run.epochs:
            return None
        node, output = self.facts.node(self.layer, self.epoch, self.stage)
        return (node, output) if self.facts.run.has_values(node, output, self.epoch) else None

    @property
    def stage(self) -> int:
        """Which stage of the layer is shown, −1 for the last."""
        return -1 if self.layer is None or self.is_group else self.state.layers[self.layer.index].stage

    def kept(self, slot: Hashable, about: Hashable, value: Any) -> Any:
        """`value`, or while it is not known yet (None) the last one that stood here about the same thing."""
        key = ("kept", slot)
        if value is not None:
            self.ui.memory[key] = (about, value)
            return value
        last = self.ui.memory.get(key)
        return last[1] if last is not None and last[0] == about else None

    def sees(self, y: float, height: float) -> bool:
        """Whether any of y … y + height is in sight."""
        return y + height > self.box.y and y < self.box.y1


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the page: its height, and what draws it at a y and says what was asked for."""

    height: float
    draw: Callable[[Page, float], list[Act]]


def head(page: Page, y: float, title: str, hint: str = "") -> None:
    """The line above a section, its title, and a hint at the right end that gives way to it."""
    ui = page.ui
    ui.line(page.x, y, page.x + page.w, y)
    room = page.w - ui.type.width(title, 11, "medium") - 12.0
    widgets.section(ui, page.x, y + 17, page.w, title, ui.type.fit(hint, room, 11))


def caption(page: Page, y: float, text: str, *, x: float | None = None, token: str = "text3") -> None:
    """A line under a picture."""
    left = page.x if x is None else x
    page.ui.text(left, y + 10, page.ui.type.fit(text, page.x + page.w - left, 11), 11, "regular", token)


def legend(page: Page, y: float, full: float, text: str, *, key: str = "signed") -> None:
    """The colour bar of signed values with its ends, and what its ends are."""
    ui, width = page.ui, 64.0
    ends = number_text(full)
    x = page.x + ui.text(page.x, y + 10, f"−{ends}", 11, "regular", "text2") + 6
    bar = Box(x, y + 6, width, 8)
    ui.thumb(("legend", key, page.ui.theme), _LEGENDS[key](page.ui.theme), bar, 1.0)
    ui.line(x + width / 2, y + 4, x + width / 2, y + 16, "text3")
    x += width + 6
    x += ui.text(x, y + 10, f"+{ends}", 11, "regular", "text2") + 10
    caption(page, y, text, x=x)


def _signed(theme: str) -> Callable[[], NDArray[np.uint8]]:
    return lambda: legend_texels(theme)


def _colour(_: str) -> Callable[[], NDArray[np.uint8]]:
    from nn3d.app.tints import colour_legend

    return colour_legend


_LEGENDS: Final = {"signed": _signed, "colour": _colour}


def buttons(page: Page, y: float, name: str, labels: tuple[tuple[str, str, str], ...]) -> str | None:
    """A row of buttons (icon, label, tooltip) over the whole width; the label of the one that was pressed."""
    ui, gap = page.ui, 8.0
    width = (page.w - gap * (len(labels) - 1)) / len(labels)
    pressed = None
    for k, (icon, label, tip) in enumerate(labels):
        box = Box(round(page.x + k * (width + gap)), y + 6, round(width), 26)
        if widgets.text_button(ui, f"{name}{k}", box, icon, label, tip=tip):
            pressed = label
    return pressed


def waiting(page: Page, box: Box) -> None:
    """What stands in the place of a picture that is still being read."""
    page.ui.fill(box, "well", 3)
    page.ui.text(box.x + box.w / 2, box.y + box.h / 2, "…", 13, "medium", "text3", "c")


def pointer_in(box: Box, hit: Hit) -> tuple[float, float] | None:
    """Where the pointer is inside a hovered box, px from its corner."""
    at = imgui.get_mouse_pos()
    return (at.x - box.x, at.y - box.y) if hit.hovered and box.contains(at.x, at.y) else None


def number_text(value: float) -> str:
    """A number in three figures: "0.43", "12.5", "1.2e−07", "−0.031"."""
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else "Inf" if value > 0 else "−Inf"
    if value == 0:
        return "0"
    text = f"{value:.3g}"
    return text.replace("-", "−").replace("e+", "e")
