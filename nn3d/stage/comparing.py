"""A comparison in the picture: which difference a state shows, what of it is asked for, and its words.

The picture shows B − A: B is the run on screen at its playhead, A is what it is compared with, one epoch of the same
run or of another.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.comparison.difference import Difference
from nn3d.errors import Nn3dError
from nn3d.run.model import FloatArray, Layer
from nn3d.run.run import Run
from nn3d.stage.own import own_inputs
from nn3d.stage.state import Compare, ViewState

if TYPE_CHECKING:
    from nn3d.stage.resident import Resident

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ComparedNeed:
    """A need of the difference of a run and what it is compared with."""

    against: Compare
    need: Hashable


@dataclass(frozen=True, slots=True)
class OtherNeed:
    """A need of the other run, as that run names it."""

    need: Hashable


@dataclass(frozen=True, slots=True)
class OutcomeNeed:
    """What both say of a sample at an epoch index of B: the last values of output layer `layer`."""

    layer: int
    epoch: int
    sample: int


@dataclass(frozen=True, slots=True)
class Outcomes:
    """(n classes,) values of the output layer, of B and of A; of a text those after its last token."""

    after: FloatArray
    before: FloatArray

    @property
    def nbytes(self) -> int:
        """Memory of both."""
        return self.after.nbytes + self.before.nbytes


def partner_of(run: Run, state: ViewState) -> Run | None:
    """The run that a state compares with; None without a comparison, and where that run was not given."""
    if state.compare is None or not run.epochs:
        return None
    other = run.other if state.compare.is_other else run
    return other if other is not None and other.epochs else None


def difference_of(run: Run, against: Compare) -> Difference:
    """The run whose values are B − A. Raises Nn3dError when there is nothing to compare with."""
    other = run.other if against.is_other else run
    if other is None:
        raise Nn3dError("compare: the view compares with another run. Give it with --against FILE.")
    found = Difference(run, other, against.epoch)
    if found.before is not run:
        own_inputs(found.before)
    return found


def check_compare(run: Run, state: ViewState) -> None:
    """Raise Nn3dError when a state compares with what is not there."""
    if state.compare is None:
        return
    other = run.other if state.compare.is_other else run
    if other is None:
        raise Nn3dError("compare: the view compares with another run. Give it with --against FILE.")
    if state.compare.epoch >= len(other.epochs):
        raise Nn3dError(f"compare: epoch should be below {len(other.epochs)}, got {state.compare.epoch}")


def outcomes(found: Difference, layer: Layer, need: OutcomeNeed) -> Outcomes:
    """Read what both say; NaN where one of them was not recorded."""
    n = layer.shape[-1] if len(layer.shape) == 2 else int(np.prod(layer.shape, dtype=np.int64))
    rows = []
    for run, epoch, sample in (
        (found.after, need.epoch, need.sample), (found.before, found.epoch, found.sample_before(need.sample)),
    ):  # fmt: skip
        if run.has_values(layer.shown, layer.shown_output, epoch):
            values = run.values(layer.shown, layer.shown_output, epoch, sample)
            rows.append(np.array(values.reshape(-1, n)[-1], np.float32))
        else:
            rows.append(np.full(n, np.nan, np.float32))
    return Outcomes(rows[0], rows[1])


def alone(found: Difference, sample: int) -> dict[int, str]:
    """Layers that are not compared, index → why; all where A has no such sample. Inputs are shown as they are."""
    n = len(found.against.samples)
    if sample >= n and sample < len(found.after.samples):
        return {la.index: f"A has {n} samples" for la in found.layers if la.op != "input"}
    return {k: why for k, why in found.alone.items() if found.layers[k].op != "input"}


@dataclass(frozen=True, slots=True)
class Compared:
    """What a picture says of its comparison. alone : see above. after, before : shares of the classes where known."""

    difference: Difference
    alone: dict[int, str]
    after: F64 | None = None
    before: F64 | None = None

    @property
    def is_other(self) -> bool:
        """A is of another run."""
        return self.difference.against is not self.difference.after

    @property
    def baseline(self) -> str:
        """A, for people: "epoch 0", or with the name of the other run."""
        found = self.difference
        said = f"epoch {found.against.epochs[found.epoch].id}"
        return f"{name_of(found.against)} {said}" if self.is_other else said


def begun(run: Run, state: ViewState, resident: Resident) -> Compared | None:
    """The comparison of a picture; None where there is none, or the other run was not given."""
    if state.compare is None or partner_of(run, state) is None:
        return None
    found = resident.compared(state.compare).run
    assert isinstance(found, Difference)
    return Compared(found, alone(found, state.sample))


def told(compared: Compared | None, after: F64 | None, before: F64 | None) -> Compared | None:
    """The comparison with what both say of the sample."""
    return None if compared is None else replace(compared, after=after, before=before)


def name_of(run: Run) -> str:
    """What a run is called where two are told apart: its file, else its model."""
    return run.path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or run.name or "the other run"
