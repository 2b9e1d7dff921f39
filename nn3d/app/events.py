"""From GLFW's events to gestures: words of nn3d.stage.controls with where the pointer is, and mouse events for imgui.

Positions are logical px. A drag belongs to whoever had the pointer when it began: the picture or a card.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import glfw
from imgui_bundle import imgui
from moderngl_window.context.glfw.window import Window as GlfwWindow

CLICK_PX: Final = 4.0
DOUBLE_SECS: Final = 0.4
AWAY: Final = -3.4e38
NOWHERE: Final = (-1.0, -1.0)
SYMBOLS: Final = "[]-+=?"
BUTTONS: Final = {1: "left", 2: "right", 3: "middle"}
IMGUI_BUTTONS: Final = {1: 0, 2: 1, 3: 2}
NAMED: Final = {
    glfw.KEY_SPACE: "Space", glfw.KEY_LEFT: "Left", glfw.KEY_RIGHT: "Right", glfw.KEY_UP: "Up", glfw.KEY_DOWN: "Down",
    glfw.KEY_HOME: "Home", glfw.KEY_END: "End", glfw.KEY_TAB: "Tab", glfw.KEY_ESCAPE: "Esc",
}  # fmt: skip
REPEATING: Final = ("Left", "Right", "Up", "Down")


@dataclass(frozen=True, slots=True)
class Gesture:
    """A trigger of the table, with what came along. Positions in logical px."""

    trigger: str
    at_px: tuple[float, float]
    delta_px: tuple[float, float] = (0.0, 0.0)
    wheel: float = 0.0

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

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        glfw.set_window_refresh_callback(self._window, lambda _: self.on_damage())

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
    """

    def __init__(self, window: Window, owner: Callable[[float, float], bool], clock: Callable[[], float]) -> None:
        self.happened = True
        self._window = window
        self._owner = owner
        self._clock = clock
        self._queue: list[Gesture] = []
        self._at = NOWHERE
        self._pressed: tuple[int, tuple[float, float]] | None = None
        self._is_drag = False
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

    @property
    def is_dragging(self) -> bool:
        """A drag of the picture is on its way."""
        return self._pressed is not None and self._is_drag

    def _mark(self) -> None:
        self.happened = True

    def _logical(self, x: float, y: float) -> tuple[float, float]:
        k = pointer_scale(self._window)
        return x * k, y * k

    def _push(self, trigger: str, delta: tuple[float, float] = (0.0, 0.0), wheel: float = 0.0) -> None:
        self._queue.append(Gesture(trigger, self._at, delta, wheel))

    def _moved(self, x: int, y: int, _dx: int, _dy: int) -> None:
        at = self._logical(x, y)
        delta = at[0] - self._at[0], at[1] - self._at[1]
        self._at = at
        self.happened = True
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
        imgui.get_io().add_mouse_pos_event(*self._at)
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

    def _click(self) -> None:
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
        name = NAMED.get(key) or _letter(key)
        if name is None or (action == glfw.REPEAT and name not in REPEATING):
            return
        is_ctrl = modifiers.ctrl if sys.platform != "darwin" else _has_command(self._window)
        words = [w for w, on in (("Ctrl", is_ctrl), ("Alt", modifiers.alt), ("Shift", modifiers.shift)) if on]
        self._push(" ".join([*words, name]))

    def _char(self, char: str) -> None:
        self.happened = True
        if char in SYMBOLS:
            self._push(char)


def _letter(key: int) -> str | None:
    """What the key writes on this keyboard, where that is a letter."""
    if key == glfw.KEY_UNKNOWN:
        return None
    name = glfw.get_key_name(key, 0)
    return name.upper() if name is not None and len(name) == 1 and name.isalpha() else None


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
