"""A film as a folder of numbered PNGs, each with its view inside; what is there already is not drawn again.

`film.json` says which film the folder holds: another one is refused, so that frames of two never mix.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nn3d.errors import ExportError
from nn3d.export.parts import part_of, refuse
from nn3d.export.png import save_picture, view_inside
from nn3d.run.run import Run
from nn3d.stage.film import Film
from nn3d.stage.state import ViewState
from nn3d.stage.viewstring import to_text

NOTE: Final = "film.json"


class FrameFolder:
    """A folder, made when missing, of `frame-00000.png` on."""

    n_samples = 0

    def __init__(self, folder: Path, run: Run, film: Film, *, transparent: bool = False) -> None:
        self.folder = folder
        self._mode = "RGBA" if transparent else "RGB"
        self._note = {
            "nn3d_film": 1, "run": run.identity, "frames": film.n_frames, "fps": film.fps, "transparent": transparent,
        }  # fmt: skip
        self._check()

    def path(self, k: int) -> Path:
        """Of frame k."""
        return self.folder / f"frame-{k:05d}.png"

    def begin(self, samples: Iterator[NDArray[np.uint8]]) -> None:
        """Nothing to get ready."""

    def has(self, k: int, state: ViewState) -> bool:
        """Whether frame k is there, whole, and of this very view."""
        path = self.path(k)
        if not path.exists() or view_inside(path) != to_text(state):
            return False
        with Image.open(path) as picture:
            return picture.mode == self._mode

    def add(self, k: int, pixels: NDArray[np.uint8], state: ViewState) -> None:
        """Write frame k. Raises ExportError."""
        save_picture(self.path(k), pixels, to_text(state))

    def finish(self) -> None:
        """All frames stand."""

    def abandon(self) -> None:
        """What stands is whole, and stays: the next time goes on from there."""

    def _check(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            found = self._read_note()
            if found is None and any(self.folder.glob("frame-*.png")):
                raise ExportError(f"{self.folder}: holds frames of something else. Choose another folder.")
            if found is not None and found != self._note:
                differs = [key for key in self._note if found.get(key) != self._note[key]]
                what = f"{differs[0]}: {found.get(differs[0])}" if differs else "of a later nn3d"
                raise ExportError(f"{self.folder}: holds another film ({what}). Choose another folder.")
            part = part_of(self.folder / NOTE)
            part.write_text(json.dumps(self._note) + "\n", encoding="utf-8")
            os.replace(part, self.folder / NOTE)
        except OSError as error:
            raise refuse(self.folder, error) from error

    def _read_note(self) -> dict[str, Any] | None:
        """What `film.json` says, {} where it says nothing that we know; None without one."""
        path = self.folder / NOTE
        if not path.exists():
            return None
        try:
            note = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return {}
        return note if isinstance(note, dict) else {}
