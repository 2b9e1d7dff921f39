"""From GLFW's events to gestures: words of nn3d.stage.controls with where the pointer is, and mouse events for imgui.

Positions are logical px. A drag belongs to whoever had the pointer when it began: the picture or a card.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import glfw
from imgui_bundle import imgui
from moderngl_window.context.glfw.window import Window as GlfwWindow

CLICK_PX: Final = 4.0
DOUBLE_SECS: Final = 0.4
AWAY: Final = -3.4e38
NOWHERE: Final = (-1.0, -1.0)
BUTTONS: Final = {1: "left", 2: "right", 3: "middle"}
IMGUI_BUTTONS: Final = {1: 0, 2: 1, 3: 2}
NAMED: Final = {
    glfw.KEY_SPACE: "Space", glfw.KEY_LEFT: "Left", glfw.KEY_RIGHT: "Right", glfw.KEY_UP: "Up", glfw.KEY_DOWN: "Down",
    glfw.KEY_HOME: "Home", glfw.KEY_END: "End", glfw.KEY_TAB: "Tab", glfw.KEY_ESCAPE: "Esc",
    glfw.KEY_ENTER: "Enter", glfw.KEY_KP_ENTER: "Enter", glfw.KEY_BACKSPACE: "Backspace", glfw.KEY_DELETE: "Delete",
    glfw.KEY_PAGE_UP: "PageUp", glfw.KEY_PAGE_DOWN: "PageDown",
    **{glfw.KEY_1 + k: f"{k + 1}" for k in range(9)}, **{glfw.KEY_KP_1 + k: f"{k + 1}" for k in range(9)},
}  # fmt: skip
SHIFTS: Final = (glfw.KEY_LEFT_SHIFT, glfw.KEY_RIGHT_SHIFT)
REPEATING: Final = ("Left", "Right", "Up", "Down", "Backspace", "Delete", "PageUp", "PageDown")


@dataclass(frozen=True, slots=True)
class Gesture:
    """A trigger of the table, with what came along. Positions in logical px.

    text : what was typed, for whoever has the keyboard; a letter or digit has no trigger then, its key has one.
    stroke : counts presses and releases: what belongs to one drag has one number.
    """

    trigger: str
    at_px: tuple[float, float]
    delta_px: tuple[float, float] = (0.0, 0.0)
    wheel: float = 0.0
    text: str = ""
    stroke: int = 0

    def merged(self, later: Gesture) -> Gesture | None:
        """A later one added to this one, where they add up (drags, wheel, moves), else None."""
        if self.trigger != later.trigger or not self.trigger.startswith(("drag", "wheel", "move")):
            return None
        dx, dy = self.delta_px[0] + later.delta_px[0], self.delta_px[1] + later.delta_px[1]
        return replace(later, delta_px=(dx, dy), wheel=self.wheel + later.wheel)


class Window(GlfwWindow):  # type: ignore[misc, unused-ignore]
    """moderngl-window's window, which also tells when the pointer leaves and when its content was damaged."""

    on_leave: Callable[[], None] = staticmethod(lambda: None)
    on_damage: Callable[[], None] = staticmethod(lambda: None)
    on_drop: Callable[[Sequence[str]], None] = staticmethod(lambda _: None)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        glfw.set_window_refresh_callback(self._window, lambda _: self.on_damage())
        glfw.set_drop_callback(self._window, self._dropped_on)

    def _dropped_on(self, _window: Any, paths: Any, *_: Any) -> None:
        self.on_drop(paths)

    def glfw_cursor_enter(self, window: Any, enter: int) -> None:
        """The pointer came or went."""
        if not enter:
            self.on_leave()

    @property
    def handle(self) -> Any:
        """GLFW's own window."""
        return self._window


class Events:
    """Collects what happens in a window between two frames.

    owner : whether a card lies at (x, y). clock : seconds. happened : whether anything came since the last `take`.
    stroke : how many presses of keys and buttons there were; turns of the wheel in a row count once.
    """

    def __init__(self, window: Window, owner: Callable[[float, float], bool], clock: Callable[[], float]) -> None:
        self.happened = True
        self.stroke = 0
        self._window = window
        self._owner = owner
        self._clock = clock
        self._queue: list[Gesture] = []
        self._trail: list[tuple[float, float]] = []
        self._dropped: tuple[Path, ...] = ()
        self._at = NOWHERE
        self._pressed: tuple[int, tuple[float, float]] | None = None
        self._is_drag = False
        self._is_wheel = False
        self._last_click = (-10.0, (0.0, 0.0))
        window.exit_key = None
        window.fullscreen_key = None
        window.mouse_position_event_func = self._moved
        window.mouse_drag_event_func = self._moved
        window.mouse_press_event_func = self._press
        window.mouse_release_event_func = self._release
        window.mouse_scroll_event_func = self._wheel
        window.key_event_func = self._key
        window.unicode_char_entered_func = self._char
        window.on_leave = self._leave
        window.on_damage = self._mark
        window.on_drop = self._drop

    def take(self) -> list[Gesture]:
        """The gestures since the last call, in order; those that add up are one."""
        out: list[Gesture] = []
        for gesture in self._queue:
            merged = out[-1].merged(gesture) if out else None
            if merged is not None:
                out[-1] = merged
            else:
                out.append(gesture)
        self._queue.clear()
        self.happened = False
        return out

    def take_dropped(self) -> tuple[Path, ...]:
        """The files that were dropped on the window since the last call."""
        dropped, self._dropped = self._dropped, ()
        return dropped

    def take_trail(self) -> tuple[tuple[float, float], ...]:
        """Every place of the pointer since the last call, or since a button went down: a frame may take several."""
        trail = tuple(self._trail)
        self._trail.clear()
        return trail

    @property
    def is_dragging(self) -> bool:
        """A drag of the picture is on its way."""
        return self._pressed is not None and self._is_drag

    def _drop(self, paths: Sequence[str]) -> None:
        self._dropped += tuple(Path(path) for path in paths)
        self.happened = True

    def _mark(self) -> None:
        self.happened = True

    def _logical(self, x: float, y: float) -> tuple[float, float]:
        k = pointer_scale(self._window)
        return x * k, y * k

    def _push(self, trigger: str, delta: tuple[float, float] = (0.0, 0.0), wheel: float = 0.0) -> None:
        self._queue.append(Gesture(trigger, self._at, delta, wheel, stroke=self.stroke))

    def _moved(self, x: int, y: int, _dx: int, _dy: int) -> None:
        at = self._logical(x, y)
        delta = at[0] - self._at[0], at[1] - self._at[1]
        self._at = at
        self.happened = True
        self._trail.append(at)
        imgui.get_io().add_mouse_pos_event(*at)
        if self._pressed is None:
            self._push("move" if not self._owner(*at) else "away")
            return
        button, start = self._pressed
        if not self._is_drag:
            delta = at[0] - start[0], at[1] - start[1]
            self._is_drag = max(abs(delta[0]), abs(delta[1])) >= CLICK_PX
        if self._is_drag:
            self._push(f"drag {BUTTONS[button]}", delta)

    def _arrive(self, x: int, y: int) -> None:
        """Where a button event happened: at the last motion event, since GLFW tells where the pointer is by now."""
        if self._at == NOWHERE:
            self._at = self._logical(x, y)

    def _press(self, x: int, y: int, button: int) -> None:
        self._arrive(x, y)
        self.happened = True
        self.stroke += 1
        self._is_wheel = False
        self._trail[:] = [self._at]
        imgui.get_io().add_mouse_pos_event(*self._at)
        imgui.get_io().add_key_event(imgui.Key.mod_shift, self._has_shift())
        imgui.get_io().add_mouse_button_event(IMGUI_BUTTONS[button], True)
        if self._pressed is None and not self._owner(*self._at):
            self._pressed, self._is_drag = (button, self._at), False

    def _release(self, x: int, y: int, button: int) -> None:
        self._arrive(x, y)
        self.happened = True
        imgui.get_io().add_mouse_button_event(IMGUI_BUTTONS[button], False)
        if self._pressed is None or self._pressed[0] != button:
            return
        was_click = not self._is_drag and button == 1
        self._pressed, self._is_drag = None, False
        if was_click:
            self._click()

    def _has_shift(self) -> bool:
        return any(glfw.get_key(self._window.handle, key) == glfw.PRESS for key in SHIFTS)

    def _click(self) -> None:
        if self._has_shift():
            self._push("shift click")
            return
        now, (then, there) = self._clock(), self._last_click
        is_near = max(abs(self._at[0] - there[0]), abs(self._at[1] - there[1])) <= CLICK_PX
        if now - then <= DOUBLE_SECS and is_near:
            self._last_click = (-10.0, self._at)
            self._push("double click")
        else:
            self._last_click = (now, self._at)
            self._push("click")

    def _wheel(self, dx: float, dy: float) -> None:
        self.happened = True
        self.stroke += int(not self._is_wheel)
        self._is_wheel = True
        imgui.get_io().add_mouse_wheel_event(dx, dy)
        if not self._owner(*self._at):
            self._push("wheel", wheel=dy)

    def _leave(self) -> None:
        self.happened = True
        imgui.get_io().add_mouse_pos_event(AWAY, AWAY)
        if self._pressed is None:
            self._at = NOWHERE
        self._push("away")

    def _key(self, key: Any, action: Any, modifiers: Any) -> None:
        self.happened = True
        if action == glfw.RELEASE:
            return
        self.stroke += int(action == glfw.PRESS)
        self._is_wheel = False
        name = NAMED.get(key) or letter_of(key)
        if name is None or (action == glfw.REPEAT and name not in REPEATING):
            return
        is_ctrl = modifiers.ctrl if sys.platform != "darwin" else _has_command(self._window)
        words = [w for w, on in (("Ctrl", is_ctrl), ("Alt", modifiers.alt), ("Shift", modifiers.shift)) if on]
        self._push(" ".join([*words, name]))

    def _char(self, char: str) -> None:
        self.happened = True
        is_symbol = char.isprintable() and not char.isalnum() and char != " "
        self._queue.append(Gesture(char if is_symbol else "", self._at, text=char, stroke=self.stroke))


def letter_of(key: int) -> str | None:
    """The letter that a key writes on this keyboard; the one at its place where it writes none from A to Z."""
    if key == glfw.KEY_UNKNOWN:
        return None
    name = glfw.get_key_name(key, 0)
    if name is None or len(name) != 1 or not name.isalpha():
        return None
    return name.upper() if name.isascii() else chr(key) if glfw.KEY_A <= key <= glfw.KEY_Z else None


def _has_command(window: Window) -> bool:
    keys = (glfw.KEY_LEFT_SUPER, glfw.KEY_RIGHT_SUPER)
    return any(glfw.get_key(window.handle, key) == glfw.PRESS for key in keys)


def framebuffer_scale(window: Window) -> float:
    """Framebuffer px a logical px. macOS scales the framebuffer, X11 and Windows the window."""
    width = max(1, glfw.get_window_size(window.handle)[0])
    ratio = glfw.get_framebuffer_size(window.handle)[0] / width
    return max(1.0, float(ratio), float(glfw.get_window_content_scale(window.handle)[0]))


def pointer_scale(window: Window) -> float:
    """Logical px a unit of GLFW's pointer positions."""
    width = max(1, glfw.get_window_size(window.handle)[0])
    return float(glfw.get_framebuffer_size(window.handle)[0]) / width / framebuffer_scale(window)
