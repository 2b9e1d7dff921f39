"""Pictures as files: PNG and JPEG, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nn3d.errors import ExportError

SUFFIXES = (".png", ".jpg", ".jpeg")


def check_name(path: str | Path) -> Path:
    """The path, if its ending is one that can be written; else ExportError."""
    goal = Path(path)
    if goal.suffix.lower() not in SUFFIXES:
        endings = ", ".join(SUFFIXES)
        raise ExportError(f"{goal}: expected a name that ends in {endings}, got {goal.suffix or 'no ending'}")
    return goal


def save_picture(path: str | Path, pixels: NDArray[np.uint8]) -> None:
    """Write (H, W, 3 or 4) uint8 to a .png or .jpg file. Raises ExportError when that cannot be done."""
    goal = check_name(path)
    part = goal.with_name(f".{goal.name}.{os.getpid()}{goal.suffix}")
    try:
        Image.fromarray(pixels).save(part, quality=95)
        os.replace(part, goal)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ExportError(f"{goal}: cannot write ({error.strerror or error}). Choose another folder.") from error
