"""`nn3d view`: a run in the window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from nn3d.cli.sources import SourceOptions, open_any, source_options
from nn3d.cli.states import read_state
from nn3d.cli.viewing import apply_view_options, read_script, view_options


@click.command(epilog="Example: nn3d view run.npz --epoch -1 --open conv1,conv2")
@click.argument("file", type=click.Path(path_type=Path))
@view_options
@source_options
def command(file: Path, state: str | None, script: str | None, source: SourceOptions, **view: Any) -> None:
    """Open FILE in the window: a run, or anything that extract can read. There, ? shows every key."""
    from nn3d.app.window import show
    from nn3d.stage.compose import initial_state
    from nn3d.stage.resident import Resident

    commands = read_script(script) if script is not None else []
    with open_any(file, source) as run:
        resident = Resident(run)
        first = read_state(run, state) if state is not None else initial_state(run, resident)
        show(run, state=apply_view_options(run, first, **view), script=commands, resident=resident)
