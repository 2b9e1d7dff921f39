"""`nn3d demo`: the bundled runs in the window, or, where there is no display, as pictures."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nn3d.errors import ExportError, GraphicsError, Nn3dError
from nn3d.paths import bundled_runs

if TYPE_CHECKING:
    from nn3d.run.run import Run

SIZE_PX = (1600, 900)


def has_display() -> bool:
    """Whether a window can be expected to open here: always on macOS and Windows, with a display server elsewhere."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def choose(name: str | None) -> tuple[str, Path]:
    """Name and file of a bundled run by its name or the beginning of it; the first one without a name."""
    runs = bundled_runs()
    if not runs:
        raise Nn3dError("expected bundled runs among the installed files, found none: install nn3d again")
    names = [known for known in runs if name is None or known.startswith(name)]
    if not names:
        raise Nn3dError(f"expected the name of a bundled run ({', '.join(runs)}), got {name!r}")
    return names[0], runs[names[0]]


def opened_window(run: Run) -> bool:
    """Show a run until its window is closed; False, and a line that says why, when no window can open here."""
    if not has_display():
        click.echo("No display here (neither DISPLAY nor WAYLAND_DISPLAY is set), so pictures instead of a window:")
        return False
    from nn3d.app.window import show
    from nn3d.cli.sources import SourceOptions, open_any
    from nn3d.extract.own_picture import read_own

    try:
        show(run, opener=partial(open_any, source=SourceOptions()), reader=read_own, remembers=True)
    except GraphicsError as error:
        click.echo(f"{error} Pictures instead:")
        return False
    return True


def write_pictures(name: str, run: Run, folder: Path) -> list[Path]:
    """Render the first, middle and last epoch of a run to PNG files in a folder; returns their paths."""
    from PIL import Image

    from nn3d.offscreen import render_run

    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for epoch in sorted({0, len(run.epochs) // 2, len(run.epochs) - 1}):
            path = folder / f"{name}-epoch-{run.epochs[epoch].id:02d}.png"
            Image.fromarray(render_run(run, size=SIZE_PX, epoch=epoch)).save(path)
            paths.append(path)
    except OSError as error:
        raise ExportError(f"expected a folder to write to, got {folder} ({error}): give another with -o") from error
    return paths


@click.command(epilog="Example: nn3d demo lenet-mnist --pictures -o pictures/")
@click.argument("name", required=False)
@click.option("--pictures", is_flag=True, help="Render pictures even if there is a display.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("nn3d-demo"), show_default=True,
              help="Folder for the pictures.")
@click.option("--list", "list_", is_flag=True, help="List the bundled runs.")
def command(name: str | None, pictures: bool, output: Path, list_: bool) -> None:
    """Show a bundled run: in the window, or without a display as pictures.

    NAME is a run's or its beginning: lenet, mlp, resnet, gpt; without one, the first.
    """
    if list_:
        click.echo("\n".join(bundled_runs()))
        return
    from nn3d.run.reader import open_run

    name, path = choose(name)
    with open_run(path) as run:
        if not pictures and opened_window(run):
            return
        for picture in write_pictures(name, run, output):
            click.echo(str(picture.resolve()))
