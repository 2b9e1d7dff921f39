"""Pictures as files: PNG and JPEG, written whole or not at all, with the view that they show inside."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from nn3d.errors import ExportError

SUFFIXES = (".png", ".jpg", ".jpeg")
VIEW_KEY = "nn3d view"
SOFTWARE = "nn3d"


def check_name(path: str | Path) -> Path:
    """The path, if its ending is one that can be written; else ExportError."""
    goal = Path(path)
    if goal.suffix.lower() not in SUFFIXES:
        endings = ", ".join(SUFFIXES)
        raise ExportError(f"{goal}: expected a name that ends in {endings}, got {goal.suffix or 'no ending'}")
    return goal


def save_picture(path: str | Path, pixels: NDArray[np.uint8], view: str = "") -> None:
    """Write (H, W, 3 or 4) uint8 to a .png or .jpg file. Raises ExportError when that cannot be done.

    view : a string of nn3d.stage.viewstring, kept as PNG text or as the JPEG's comment; `view_inside` reads it again.
    """
    goal = check_name(path)
    part = goal.with_name(f".{goal.name}.{os.getpid()}{goal.suffix}")
    try:
        picture = Image.fromarray(pixels)
        if goal.suffix.lower() == ".png":
            picture.save(part, pnginfo=_notes(view))
        else:
            picture.save(part, quality=95, comment=view)
        os.replace(part, goal)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ExportError(f"{goal}: cannot write ({error.strerror or error}). Choose another folder.") from error


def view_inside(path: str | Path) -> str | None:
    """The view that a picture of ours carries; None for a picture without one, and for what is no picture."""
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as picture:
            found = picture.info.get(VIEW_KEY) or picture.info.get("comment")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    text = found.decode("latin-1") if isinstance(found, bytes) else found
    return text if isinstance(text, str) and text else None


def _notes(view: str) -> PngImagePlugin.PngInfo:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Software", SOFTWARE)
    if view:
        notes.add_text(VIEW_KEY, view)
    return notes
