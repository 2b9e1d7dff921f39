"""`--against` and `--against-epoch`: what a view is compared with."""

from __future__ import annotations

from pathlib import Path

import click

from nn3d.cli.sources import SourceOptions, open_any
from nn3d.errors import Nn3dError
from nn3d.run.run import Run
from nn3d.stage.commands import SetCompare, SetSides, apply
from nn3d.stage.comparing import check_compare
from nn3d.stage.state import ViewState


def compared_with(
    run: Run, state: ViewState, source: SourceOptions, against: str | None, epoch: str | None, *, side_by_side: bool
) -> ViewState:
    """The state that shows `run` minus another run (its last epoch), or minus an epoch of itself.

    Raises Nn3dError, and click.UsageError where both sides are asked for of no comparison.
    """
    if against is not None:
        run.other = open_any(Path(against), source)
    if against is None and epoch is None:
        check_compare(run, state)
        if side_by_side and state.compare is None:
            raise click.UsageError("--side-by-side needs --against FILE or --against-epoch E")
        return apply(state, SetSides(True)) if side_by_side else state
    other = run if run.other is None else run.other
    if not run.epochs or not other.epochs:
        name = against if not other.epochs and against is not None else run.path or run.name
        raise Nn3dError(f"{name}: should have an epoch to compare, it has none")
    at = other.epoch_index("-1" if epoch is None else epoch)
    state = apply(state, SetCompare(at, run.other is not None))
    return apply(state, SetSides(True)) if side_by_side else state
