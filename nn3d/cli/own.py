"""`--input` of a command that shows a run: the input of one's own, and what computes it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from nn3d.cli.sources import SourceOptions
from nn3d.run.run import Run
from nn3d.stage.commands import AddOwn, apply
from nn3d.stage.own import check_own, own_inputs
from nn3d.stage.state import ViewState


def with_own(run: Run, state: ViewState, source: SourceOptions) -> ViewState:
    """The state with what `--input` names as a sample of its own, shown at once; `--model` computes it.

    Of a run that was recorded just now nothing is added: there, both options said what to record.

    Raises Nn3dError when it cannot be read, does not fit, or when the run cannot be computed anew.
    """
    is_recorded_anew = not run.path and run.graph.kind == "traced"
    if is_recorded_anew:
        return state
    if source.model is not None:
        import_module("nn3d.extract.factory").require("torch")
        own_inputs(run, import_module("nn3d.extract.engine").TorchEngine(run, source.model))
    if source.input is None:
        return state
    from nn3d.extract.own_picture import read_own

    found = read_own(Path(source.input), run, f"own {len(state.own) + 1}")
    state = apply(state, AddOwn(found, "at once"))
    check_own(run, state)
    return state
