"""Owns joining what TensorBoard recorded of a training to the run of the same training, by step."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path

from nn3d.extract.formats.tensorboard import events_of
from nn3d.run.run import Run


def join_events(run: Run, path: Path) -> None:
    """Give a run the scalars of event files: at each epoch the last value since the epoch before it.

    Epochs without a step are joined by their id. Metrics that the run has itself stay as they are. Raises SourceError.
    """
    scalars = events_of(path).scalars
    by_step = bool(run.epochs) and all(e.step is not None for e in run.epochs)
    places = [(e.step if by_step and e.step is not None else e.id) for e in run.epochs]
    columns = {tag: _at(places, steps) for tag, steps in scalars.items()}
    found = [{tag: value for tag, values in columns.items() if (value := values[k]) is not None}
             for k in range(len(places))]  # fmt: skip
    n = sum(any(v is not None for v in values) for values in columns.values())
    how = "step" if by_step else "epoch, since the run knows no steps"
    run.add_metrics(found, f"{n} of {len(scalars)} scalars of {path.name} joined by {how}")


def _at(places: Sequence[int], steps: Mapping[int, float]) -> list[float | None]:
    """At each place the last value after the place before, up to it."""
    known, out, before = sorted(steps), [], -1
    for place in places:
        at = bisect_right(known, place) - 1
        out.append(steps[known[at]] if at >= 0 and known[at] > before else None)
        before = place
    return out
