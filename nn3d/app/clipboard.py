"""The clipboard of the desktop, through GLFW, whose windows have no part in it any more."""

from __future__ import annotations

from typing import Any, cast

import glfw

_GLFW = cast(Any, glfw)  # its stubs still ask for a window, and it warns of one


def read() -> str:
    """What the clipboard holds as text, "" when it holds none."""
    found: Any = _GLFW.get_clipboard_string(None)
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else found or ""


def write(text: str) -> None:
    """Put words on the clipboard."""
    _GLFW.set_clipboard_string(None, text)
