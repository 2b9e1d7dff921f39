"""`nn3d view`: a run in the window, or an empty window that waits for one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nn3d.cli.comparing import compared_with
from nn3d.cli.own import with_own
from nn3d.cli.sources import SourceOptions, open_any, source_options
from nn3d.cli.states import read_state
from nn3d.cli.tours import read_tour
from nn3d.cli.viewing import apply_view_options, read_script, view_options, write_script

if TYPE_CHECKING:
    from nn3d.run.run import Run
    from nn3d.stage.commands import Command
    from nn3d.stage.resident import Resident
    from nn3d.stage.state import ViewState


def _open(path: Path, source: SourceOptions, file: Path | None, follow: bool) -> Run:
    """Any file. Events belong to FILE alone; a design that is followed knows where it was read from."""
    run = open_any(path, source if path == file else replace(source, events=None))
    if follow and path == file and path.is_file():
        run.path = str(path)
    return run


@click.command(epilog="Example: nn3d view run.npz --epoch -1 --open conv1,conv2")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--select", metavar="LAYER:I,J,…", help="Begin with a layer, tile or cell selected.")
@click.option("--tour", metavar="FILE", help="A tour to take: steps of commands with captions.")
@click.option(
    "--follow", is_flag=True, help="Show each epoch of a folder that is being recorded, or a design as it is saved."
)
@click.option("--record", type=click.Path(path_type=Path), metavar="FILE", help="Write what is done, for --script.")
@view_options
@source_options
def command(
    file: Path | None, tour: str | None, state: str | None, script: str | None, source: SourceOptions, follow: bool,
    record: Path | None, against: str | None, against_epoch: str | None, side_by_side: bool,
    select: str | None, **view: Any,
) -> None:  # fmt: skip
    """Open FILE in the window: a run, or anything that extract can read. There, ? shows every key.

    Without FILE the window waits for one to be dropped on it, or chosen from the recent ones. With --follow it waits
    until FILE holds a run, and then shows each epoch as it is recorded; a design (spec.toml) is read anew whenever it
    is saved. With --record, what was done to FILE's view
    until the window closed gives the same picture again: nn3d render FILE --script FILE.json, with the same options.
    """
    from nn3d.app.window import show
    from nn3d.cli.pointing import selected
    from nn3d.extract.formats.spec import is_design
    from nn3d.extract.own_picture import read_own
    from nn3d.run.folder import holds_epochs
    from nn3d.stage.compose import initial_state
    from nn3d.stage.resident import Resident

    opener = partial(_open, source=source, file=file, follow=follow)
    if file is None:
        options = {**view, "state": state, "script": script, "tour": tour, "follow": follow, "record": record}
        options |= {"select": select, "against": against, "against-epoch": against_epoch, "side-by-side": side_by_side}
        given = [name for name, value in options.items() if value]
        if given:
            raise click.UsageError(f"--{given[0].rstrip('_')} needs a FILE to look at")
        show(opener=opener, reader=read_own, remembers=True)
        return
    commands = read_script(script) if script is not None else []

    def begin(run: Run, resident: Resident) -> ViewState:
        first = read_state(run, state) if state is not None else initial_state(run, resident)
        seen = selected(run, apply_view_options(run, with_own(run, first, source), **view), select)
        return compared_with(run, seen, source, against, against_epoch, side_by_side=side_by_side)

    if follow and file.is_file() and not is_design(file):
        raise click.UsageError(f"--follow needs the folder of a run, or a design (spec.toml), {file} is another file")
    done: list[Command] = []
    if follow and not file.is_file() and not holds_epochs(file):
        if tour is not None:
            raise click.UsageError(f"--tour needs a run that is there, {file} holds none yet")
        show(script=commands, opener=opener, reader=read_own, remembers=True, follow=file, begin=begin,
             on_command=done.append)  # fmt: skip
        if record is not None:
            write_script(record, done)
        return
    with opener(file) as run:
        resident = Resident(run)
        show(
            run, state=begin(run, resident), script=commands, resident=resident, opener=opener, reader=read_own,
            remembers=True, tour=read_tour(run, tour) if tour is not None else None, follow=file if follow else None,
            on_command=done.append,
        )  # fmt: skip
    if record is not None:
        write_script(record, done)
