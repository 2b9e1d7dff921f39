"""`nn3d view`: a run in the window."""

from __future__ import annotations

from pathlib import Path

import click

from nn3d.cli.viewing import apply_view_options, read_script, read_state, view_options


@click.command(epilog="Example: nn3d view run.npz --epoch -1 --open conv1,conv2")
@click.argument("file", type=click.Path(path_type=Path))
@view_options
def command(
    file: Path,
    epoch: str | None,
    sample: str | None,
    open_: str | None,
    theme: str | None,
    level: str | None,
    edges: str | None,
    by: str | None,
    strength: float | None,
    state: str | None,
    script: str | None,
) -> None:
    """Open FILE in the window: drag turns, the wheel goes nearer, ? shows every key."""
    from nn3d.app.window import show
    from nn3d.run.reader import open_run
    from nn3d.stage.compose import initial_state
    from nn3d.stage.resident import Resident

    commands = read_script(script) if script is not None else []
    with open_run(file) as run:
        first = read_state(run, state) if state is not None else initial_state(run, Resident(run))
        first = apply_view_options(
            run, first, epoch=epoch, sample=sample, open_=open_, theme=theme, level=level, edges=edges, by=by,
            strength=strength,
        )  # fmt: skip
        show(run, state=first, script=commands)
