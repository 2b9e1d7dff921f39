"""`nn3d view`: a run in the window, or an empty window that waits for one."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from nn3d.cli.own import with_own
from nn3d.cli.sources import SourceOptions, open_any, source_options
from nn3d.cli.states import read_state
from nn3d.cli.tours import read_tour
from nn3d.cli.viewing import apply_view_options, read_script, view_options


@click.command(epilog="Example: nn3d view run.npz --epoch -1 --open conv1,conv2")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--tour", metavar="FILE", help="A tour to take: steps of commands with captions.")
@view_options
@source_options
def command(
    file: Path | None, tour: str | None, state: str | None, script: str | None, source: SourceOptions, **view: Any
) -> None:
    """Open FILE in the window: a run, or anything that extract can read. There, ? shows every key.

    Without FILE the window waits for one to be dropped on it, or chosen from the recent ones.
    """
    from nn3d.app.window import show
    from nn3d.extract.own_picture import read_own
    from nn3d.stage.compose import initial_state
    from nn3d.stage.resident import Resident

    opener = partial(open_any, source=source)
    if file is None:
        given = [name for name, value in {**view, "state": state, "script": script, "tour": tour}.items() if value]
        if given:
            raise click.UsageError(f"--{given[0].rstrip('_')} needs a FILE to look at")
        show(opener=opener, reader=read_own, remembers=True)
        return
    commands = read_script(script) if script is not None else []
    with open_any(file, source) as run:
        resident = Resident(run)
        first = read_state(run, state) if state is not None else initial_state(run, resident)
        seen = apply_view_options(run, with_own(run, first, source), **view)
        show(
            run, state=seen, script=commands, resident=resident, opener=opener, reader=read_own, remembers=True,
            tour=read_tour(run, tour) if tour is not None else None,
        )  # fmt: skip
