"""The drawing surface of the panels: the current imgui draw list in our own words, and what the pointer does to it.

Lengths are logical px from the window's top left corner; y of a text is the middle of its line.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from imgui_bundle import imgui
from numpy.typing import NDArray

from nn3d.app.backend import Atlas
from nn3d.app.cards import Box
from nn3d.app.style import ROUNDING, SHADOW_STEPS, pack, rgba, u32
from nn3d.app.type import Type, half_up, icon, imgui_px

V = imgui.ImVec2
TIP_SECS: Final = 0.45
_FLAGS = imgui.WindowFlags_
CARD: Final = (
    _FLAGS.no_decoration
    | _FLAGS.no_move
    | _FLAGS.no_saved_settings
    | _FLAGS.no_nav
    | _FLAGS.no_focus_on_appearing
    | _FLAGS.no_scroll_with_mouse
)


@dataclass(frozen=True, slots=True)
class Hit:
    """What the pointer does to a rectangle in this frame."""

    hovered: bool = False
    clicked: bool = False
    held: bool = False
    released: bool = False
    doubled: bool = False


class Ui:
    """One frame after the other of panels. `memory` is what a panel may keep between frames (folds), by its own keys.

    places : what can be pressed in this frame, by name. trail : places of the pointer since the last frame, in order.
    wake_secs : after how long the panels want to be drawn again though nothing happened; None when they don't.
    """

    def __init__(self, type_: Type, atlas: Atlas) -> None:
        self.type = type_
        self.atlas = atlas
        self.theme = "dark"
        self.size = (1600.0, 900.0)
        self.memory: dict[Hashable, Any] = {}
        self.places: dict[str, Box] = {}
        self.wake_secs: float | None = None
        self.trail: tuple[tuple[float, float], ...] = ()
        self._list: imgui.ImDrawList | None = None
        self._tip: tuple[str, float] = ("", 0.0)
        self._tip_seen = False
        self._generation = 0
        self._is_refilled = False

    def begin(self, theme: str, size_px: tuple[int, int]) -> None:
        """Start a frame in a theme, in a window of `size_px`."""
        self.theme = theme
        self.size = float(size_px[0]), float(size_px[1])
        self.wake_secs = None
        self._tip_seen = False
        self._generation = self.atlas.generation
        self.places.clear()
        self._list = imgui.get_background_draw_list()

    def end(self) -> None:
        """End a frame; where the atlas started over in its midst, what was drawn before is drawn once more."""
        if not self._tip_seen:
            self._tip = ("", 0.0)
        if self.atlas.generation == self._generation:
            self._is_refilled = False
        elif not self._is_refilled:
            self._is_refilled, self.wake_secs = True, 0.0

    def colour(self, token: str, alpha: float = 1.0) -> int:
        """A token of nn3d.app.style as imgui packs it."""
        return u32(self.theme, token, alpha)

    @property
    def moved(self) -> bool:
        """The pointer moved since the last frame."""
        delta = imgui.get_io().mouse_delta
        return bool(delta.x or delta.y)

    def solid(self, token: str) -> int:
        """A token's colour without its transparency."""
        return pack(*rgba(self.theme, token)[:3])

    @property
    def list(self) -> imgui.ImDrawList:
        """The draw list of the card that is open."""
        assert self._list is not None
        return self._list

    @contextmanager
    def card(self, name: str, box: Box, *, rounding: float = ROUNDING, has_shadow: bool = True) -> Iterator[None]:
        """A floating card; what is drawn inside `with` lies on it."""
        if has_shadow:
            self._shadow(box, rounding)
        imgui.set_next_window_pos(V(box.x, box.y))
        imgui.set_next_window_size(V(box.w, box.h))
        imgui.push_style_var(imgui.StyleVar_.window_rounding, rounding)
        imgui.begin(name, None, CARD)
        imgui.pop_style_var()
        outer, self._list = self._list, imgui.get_window_draw_list()
        try:
            yield
        finally:
            self._list = outer
            imgui.end()

    @contextmanager
    def over(self, target: imgui.ImDrawList) -> Iterator[None]:
        """What is drawn inside `with` goes to another draw list."""
        outer, self._list = self._list, target
        try:
            yield
        finally:
            self._list = outer

    def scrim(self, *, is_new: bool, hole: Box | None = None) -> bool:
        """Dim everything drawn so far but `hole`; True when it was clicked. `is_new`: it comes up in this frame."""
        if is_new:
            imgui.set_next_window_focus()
        imgui.set_next_window_pos(V(0, 0))
        imgui.set_next_window_size(V(*self.size))
        imgui.push_style_var(imgui.StyleVar_.window_rounding, 0.0)
        imgui.begin("scrim", None, CARD | _FLAGS.no_background)
        imgui.pop_style_var()
        outer, self._list = self._list, imgui.get_window_draw_list()
        whole = Box(0.0, 0.0, *self.size)
        for part in around(whole, hole):
            self.fill(part, "scrim", 0.0)
        if hole is not None:
            self.outline(hole, "accent", 6.0, 1.5)
        clicked = self.hit("scrim", whole).clicked
        self._list = outer
        imgui.end()
        return clicked and not is_new

    @contextmanager
    def scroll(self, name: str, box: Box, content_h: float) -> Iterator[float]:
        """A part of a card that scrolls when `content_h` px are more than it is high; yields the offset in px."""
        imgui.set_cursor_screen_pos(V(box.x, box.y))
        imgui.push_style_var(imgui.StyleVar_.window_padding, V(0, 0))
        imgui.begin_child(name, V(box.w, box.h), 0, _FLAGS.no_nav | _FLAGS.no_saved_settings)
        imgui.pop_style_var()
        outer, self._list = self._list, imgui.get_window_draw_list()
        try:
            yield float(imgui.get_scroll_y())
            imgui.set_cursor_pos(V(0, 0))
            imgui.dummy(V(1, content_h))
        finally:
            self._list = outer
            imgui.end_child()

    def _shadow(self, box: Box, rounding: float) -> None:
        back = imgui.get_background_draw_list()
        for i in range(SHADOW_STEPS):
            grow = i * 2.4
            back.add_rect_filled(
                V(box.x - grow, box.y - grow + 5), V(box.x1 + grow, box.y1 + grow + 5),
                self.colour("shadow", round(0.045 * (1 - i / 10), 4)), rounding + grow,
            )  # fmt: skip

    def text(
        self, x: float, y: float, text: str, size: float = 12.0, weight: str = "regular", token: str = "text",
        align: str = "l", alpha: float = 1.0,
    ) -> float:  # fmt: skip
        """A line with its middle at y; align l, c or r says what x is. Returns its width."""
        width = self.type.width(text, size, weight)
        x -= width if align == "r" else width / 2 if align == "c" else 0.0
        px = imgui_px(size, weight)
        self.list.add_text(
            self.type.font(weight), px, V(half_up(x), half_up(y - px / 2)), self.colour(token, alpha), text
        )
        return width

    def tabular(
        self, x: float, y: float, text: str, size: float = 12.0, weight: str = "regular", token: str = "text",
        align: str = "r",
    ) -> None:  # fmt: skip
        """A line whose digits all take the width of 0, as imgui does no shaping."""
        digit = self.type.width("0", size, weight)
        own = [self.type.width(c, size, weight) for c in text]
        cells = [digit if c.isdigit() else w for c, w in zip(text, own, strict=True)]
        x -= sum(cells) if align == "r" else sum(cells) / 2 if align == "c" else 0.0
        px, font, colour = imgui_px(size, weight), self.type.font(weight), self.colour(token)
        for c, w, cell in zip(text, own, cells, strict=True):
            self.list.add_text(font, px, V(x + (cell - w) / 2, half_up(y - px / 2)), colour, c)
            x += cell

    def icon(self, x: float, y: float, name: str, size: float = 16.0, token: str = "text2") -> None:
        """An icon centred on (x, y)."""
        self.text(x, y, icon(name), size, "icon", token, "c")

    def fill(self, box: Box, token: str, rounding: float = 6.0, alpha: float = 1.0) -> None:
        """A filled rectangle."""
        self.list.add_rect_filled(V(box.x, box.y), V(box.x1, box.y1), self.colour(token, alpha), rounding)

    def outline(self, box: Box, token: str, rounding: float = 6.0, width: float = 1.0) -> None:
        """A rectangle's outline, inside it."""
        low, high = V(box.x + 0.5, box.y + 0.5), V(box.x1 - 0.5, box.y1 - 0.5)
        self.list.add_rect(low, high, self.colour(token), rounding, width)

    def line(
        self, x0: float, y0: float, x1: float, y1: float, token: str = "line", width: float = 1.0, alpha: float = 1.0
    ) -> None:
        """A straight line."""
        self.list.add_line(V(x0, y0), V(x1, y1), self.colour(token, alpha), width)

    def disc(self, x: float, y: float, radius: float, token: str) -> None:
        """A filled circle."""
        self.list.add_circle_filled(V(x, y), radius, self.colour(token), 40)

    def curve(
        self, points: Sequence[tuple[float, float]], token: str, width: float = 1.6, alpha: float = 1.0
    ) -> None:
        """A line through points."""
        self.list.add_polyline([V(x, y) for x, y in points], self.colour(token, alpha), width, 0)

    def area(self, points: Sequence[tuple[float, float]], token: str) -> None:
        """The inside of a line through points, opaque; it may be concave."""
        self.list.add_concave_poly_filled([V(x, y) for x, y in points], self.solid(token))

    @contextmanager
    def clip(self, box: Box) -> Iterator[None]:
        """Draw inside `box` only."""
        self.list.push_clip_rect(V(box.x, box.y), V(box.x1, box.y1), True)
        try:
            yield
        finally:
            self.list.pop_clip_rect()

    def thumb(self, key: Hashable, texels: Callable[[], NDArray[np.uint8]], box: Box, rounding: float = 3.0) -> None:
        """A small picture; `texels` gives (H, W, 4) uint8 when the atlas lacks `key`."""
        place = self.atlas.get(key) or self.atlas.put(key, texels())
        u0, v0, u1, v1 = place
        self.list.add_image_rounded(
            self.atlas.reference, V(box.x, box.y), V(box.x1, box.y1), V(u0, v0), V(u1, v1), 0xFFFFFFFF, rounding
        )

    def hit(self, name: str, box: Box, tip: str = "") -> Hit:
        """A rectangle that feels the pointer; `tip` appears when it rests there."""
        self.places[name] = box
        imgui.set_cursor_screen_pos(V(box.x, box.y))
        clicked = imgui.invisible_button(name, V(max(1.0, box.w), max(1.0, box.h)))
        hovered = imgui.is_item_hovered()
        doubled = hovered and imgui.is_mouse_double_clicked(0)
        if hovered and tip:
            self._show_tip(name, tip)
        return Hit(hovered, clicked, imgui.is_item_active(), imgui.is_item_deactivated(), doubled)

    def tip(self, name: str, text: str) -> None:
        """Words beside the pointer where it rests on a part of what `hit` said is hovered."""
        if text:
            self._show_tip(name, text)

    def _show_tip(self, name: str, tip: str) -> None:
        now = imgui.get_time()
        key = f"{name}{tip}"
        if self._tip[0] != key:
            self._tip = (key, now)
        self._tip_seen = True
        left = TIP_SECS - (now - self._tip[1])
        if left > 0:
            self.wake_secs = left + 0.01
            return
        pointer, size = imgui.get_mouse_pos(), imgui.get_io().display_size
        width = self.type.width(tip, 11) + 16
        x = min(pointer.x + 12, size.x - width - 8)
        box = Box(x, pointer.y + 20 if pointer.y + 50 < size.y else pointer.y - 34, width, 24)
        outer, self._list = self._list, imgui.get_foreground_draw_list()
        self.fill(box, "panel", 6)
        self.outline(box, "line", 6)
        self.text(box.x + 8, box.y + 12, tip, 11)
        self._list = outer


def around(whole: Box, hole: Box | None) -> tuple[Box, ...]:
    """`whole` without `hole`, as rectangles that do not overlap."""
    if hole is None:
        return (whole,)
    x0, x1 = max(whole.x, hole.x), min(whole.x1, hole.x1)
    y0, y1 = max(whole.y, hole.y), min(whole.y1, hole.y1)
    if x0 >= x1 or y0 >= y1:
        return (whole,)
    parts = (
        Box(whole.x, whole.y, whole.w, y0 - whole.y), Box(whole.x, y1, whole.w, whole.y1 - y1),
        Box(whole.x, y0, x0 - whole.x, y1 - y0), Box(x1, y0, whole.x1 - x1, y1 - y0),
    )  # fmt: skip
    return tuple(p for p in parts if p.w > 0 and p.h > 0)
