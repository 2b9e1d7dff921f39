"""Weights that are large parts of a large file: they wait there until somebody looks at their layer."""

from __future__ import annotations

from collections.abc import Iterable

from nn3d.run.run import Run
from nn3d.stage.state import LayerView, Thing

UNREAD = "not read until opened"


def is_looked_at(view: LayerView, number: int, selection: Thing | None) -> bool:
    """Whether somebody looks at a layer: it is open, or selected. number : as `selection` has it."""
    return view.is_open or view.opening > 0.0 or (selection is not None and selection.layer == number)


def is_waiting(run: Run, parameter: int | None, epochs: Iterable[int]) -> bool:
    """Whether a parameter is not to be read unless somebody looks at it."""
    return parameter is not None and any(run.is_waiting(parameter, e) for e in epochs)
