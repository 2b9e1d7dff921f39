"""Opening the window: an OpenGL 4.1 core context, no larger than the screen, or an error that says what is missing."""

from __future__ import annotations

import sys
import warnings
from typing import Final

import glfw

from nn3d.app.events import Window
from nn3d.errors import GraphicsError

SCREEN_MARGIN_PX: Final = 80


def open_window(title: str, size_px: tuple[int, int]) -> Window:
    """A window with an OpenGL 4.1 core context, no larger than the screen.

    Raises GraphicsError without a display or without OpenGL 4.1.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        has_display = bool(glfw.init())
        try:
            return Window(
                title=title, gl_version=(4, 1), size=_on_screen(size_px), resizable=True, visible=True,
                fullscreen=False, vsync=True, samples=0, cursor=True,
            )  # fmt: skip
        except (ValueError, glfw.GLFWError) as error:
            what = "OpenGL 4.1" if has_display else "a display"
            raise GraphicsError(
                f"nn3d view needs {what}, found none ({error}). Use nn3d render, which needs no display."
            ) from None


def _on_screen(size_px: tuple[int, int]) -> tuple[int, int]:
    """The size, or what of it the primary screen has room for beside the window's frame."""
    monitor = glfw.get_primary_monitor()
    if not monitor:
        return size_px
    _, _, w, h = glfw.get_monitor_workarea(monitor)
    scale = max(1.0, glfw.get_monitor_content_scale(monitor)[0]) if sys.platform != "darwin" else 1.0
    if size_px[0] * scale <= w and size_px[1] * scale <= h:
        return size_px
    return min(size_px[0], int(w / scale)), min(size_px[1], int(h / scale) - SCREEN_MARGIN_PX)
