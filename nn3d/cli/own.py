"""`--input` of a command that shows a run: the input of one's own, and what computes it."""

from __future__ import annotations

from pathlib import Path

from nn3d.cli.sources import SourceOptions
from nn3d.run.run import Run
from nn3d.stage.commands import AddOwn, apply
from nn3d.stage.own import check_own
from nn3d.stage.state import ViewState


def with_own(run: Run, state: ViewState, source: SourceOptions) -> ViewState:
    """The state with what `--input` names as a sample of its own, shown at once; only of a finished run.

    Raises Nn3dError when it cannot be read, does not fit, or when the run cannot be computed anew.
    """
    if not run.path or source.input is None:
        return state
    from nn3d.extract.own_picture import read_own

    found = read_own(Path(source.input), run, f"own {len(state.own) + 1}")
    state = apply(state, AddOwn(found, "at once"))
    check_own(run, state)
    return state
