"""`--against` and `--against-epoch`: what a view is compared with."""

from __future__ import annotations

from pathlib import Path

from nn3d.cli.sources import SourceOptions, open_any
from nn3d.errors import Nn3dError
from nn3d.run.run import Run
from nn3d.stage.commands import SetCompare, apply
from nn3d.stage.comparing import check_compare
from nn3d.stage.state import ViewState


def compared_with(
    run: Run, state: ViewState, source: SourceOptions, against: str | None, epoch: str | None
) -> ViewState:
    """The state that shows `run` minus another run (its last epoch), or minus an epoch of itself. Raises Nn3dError."""
    if against is not None:
        run.other = open_any(Path(against), source)
    if against is None and epoch is None:
        check_compare(run, state)
        return state
    other = run if run.other is None else run.other
    if not run.epochs or not other.epochs:
        name = against if not other.epochs and against is not None else run.path or run.name
        raise Nn3dError(f"{name}: should have an epoch to compare, it has none")
    return apply(state, SetCompare(other.epoch_index("-1" if epoch is None else epoch), run.other is not None))
