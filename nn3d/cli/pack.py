"""`nn3d pack`: a folder that a recorder wrote becomes one file."""

from __future__ import annotations

from pathlib import Path

import click

from nn3d.run.writer import write_packed


@click.command("pack", epilog="Example: nn3d pack run/ -o run.npz")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="RUN/")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
def command(folder: Path, output: Path) -> None:
    """Pack a run folder into one file: aligned, so that every array can be memory-mapped where it lies."""
    write_packed(folder, output)
    click.echo(f"{output}: {output.stat().st_size / 1e6:,.1f} MB")
