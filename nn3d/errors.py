"""Every error that nn3d raises on purpose. Each message is one line: what was expected, what came, what to do."""

from __future__ import annotations

_LONGEST = 900


class Nn3dError(Exception):
    """Base of all errors that nn3d raises on purpose; the command line prints its message and exits with 1.

    The message is made one line of printable characters: names that it quotes may come from a file that wants to move
    the terminal's cursor.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(one_line(str(message)))


def one_line(text: str) -> str:
    """A text without line breaks and control characters, runs of them as one space; the middle of a long one is cut."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"
    if text.isprintable():
        return text
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class RunFormatError(Nn3dError):
    """A run file or folder is not what docs/FORMAT.md says."""


class SourceError(Nn3dError):
    """Something that should become a run cannot be read."""


class TraceError(Nn3dError):
    """A live model could not be traced."""


class GraphicsError(Nn3dError):
    """The machine has no OpenGL 4.1, no display, or a system library is missing (exit code 3)."""


class ShaderError(GraphicsError):
    """A shader does not compile or lacks a uniform; the message names file and line."""


class ExportError(Nn3dError):
    """A picture or film could not be written."""
