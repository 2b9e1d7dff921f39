"""`--input` of a command that shows a run: the input of one's own, and what computes it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from nn3d.cli.sources import SourceOptions
from nn3d.run.own import OwnInput
from nn3d.run.run import Run
from nn3d.stage.commands import AddOwn, apply
from nn3d.stage.own import check_inputs, own_inputs
from nn3d.stage.state import ViewState


def own_number(run: Run, source: SourceOptions) -> int | None:
    """The sample number of what `--input` names, computed by `--model` if that is given; None where no run is shown.

    Of a run that was recorded just now there is none: there, both options said what to record.
    Raises Nn3dError when it cannot be read, does not fit, or when the run cannot be computed anew.
    """
    found = _own_input(run, source, "own 1")
    return None if found is None else own_inputs(run).number(found)


def with_own(run: Run, state: ViewState, source: SourceOptions) -> ViewState:
    """The state with what `--input` names as a sample of its own, shown at once. Raises as `own_number` does."""
    found = _own_input(run, source, f"own {len(state.own) + 1}")
    return state if found is None else apply(state, AddOwn(found, "at once"))


def _own_input(run: Run, source: SourceOptions, name: str) -> OwnInput | None:
    is_recorded_anew = not run.path and run.graph.kind == "traced"
    if is_recorded_anew:
        return None
    if source.model is not None:
        import_module("nn3d.extract.factory").require("torch")
        own_inputs(run, import_module("nn3d.extract.engine").TorchEngine(run, source.model))
    if source.input is None:
        return None
    from nn3d.extract.own_picture import read_own

    found = read_own(Path(source.input), run, name)
    check_inputs(run, [found])
    return found
