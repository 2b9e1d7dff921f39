"""Where a picture or film of the window goes: into the current folder, named after what it shows, never over another.

The view that it shows is written into it, so that `--state picture.png` opens it again.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from nn3d.app.picture import Pixels
from nn3d.export.png import save_picture as write_picture
from nn3d.run.run import Run
from nn3d.stage.state import ViewState
from nn3d.stage.viewstring import to_text


def picture_name(run: Run, state: ViewState) -> str:
    """`lenet-5-epoch10-sample3`: of letters that every file system takes."""
    words = [run.name or "network"]
    if run.epochs:
        words.append(f"epoch{run.epochs[round(state.time.epoch)].id}")
    if run.samples:
        words.append(f"sample{state.sample}")
    return _plain(words)


def film_name(run: Run) -> str:
    """`lenet-5-film`."""
    return _plain([run.name or "network", "film"])


def _plain(words: list[str]) -> str:
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def free_path(folder: Path, stem: str, suffix: str, taken: Collection[Path] = ()) -> Path:
    """`stem.suffix` in `folder`, with a number behind it when that is there or `taken`."""
    path = folder / f"{stem}{suffix}"
    n = 2
    while path.exists() or path in taken:
        path = folder / f"{stem}-{n}{suffix}"
        n += 1
    return path


def save_picture(pixels: Pixels, run: Run, state: ViewState) -> Path:
    """Write the pixels into the current folder. Raises ExportError or OSError when that fails."""
    path = free_path(Path.cwd(), picture_name(run, state), ".png")
    write_picture(path, pixels, to_text(state))
    return path
