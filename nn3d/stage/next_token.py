"""The distribution over a vocabulary behind an output that has a row a token: what comes after the last one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nn3d.run.model import FloatArray
from nn3d.run.run import Run
from nn3d.stage.plan import LayerPlan

MIN_WORDS = 25


@dataclass(frozen=True, slots=True)
class LastRowNeed:
    """The numbers after the last token of layer `layer` at one epoch index, for one sample index."""

    layer: int
    epoch: int
    sample: int


@dataclass(frozen=True, slots=True)
class LastRow:
    """(V,) float32, one number a word."""

    values: FloatArray

    @property
    def nbytes(self) -> int:
        """Memory of the numbers."""
        return self.values.nbytes


def is_vocabulary(run: Run, plan: LayerPlan) -> bool:
    """Whether each row of an output holds one number for every word: as many as named, or as tokens can be."""
    if not (plan.is_output and plan.is_token and plan.shows == "values" and len(plan.layer.shape) == 2):
        return False
    words = plan.layer.shape[1]
    if run.classes:
        return words == len(run.classes)
    return words >= MIN_WORDS and any(info.kind == "tokens" for info in run.graph.inputs)


def last_row(run: Run, plan: LayerPlan, need: LastRowNeed) -> LastRow:
    """The last row as it is stored; NaN where the epoch does not hold it."""
    layer = plan.layer
    if not run.has_values(layer.shown, layer.shown_output, need.epoch):
        return LastRow(np.full(layer.shape[1], np.nan, np.float32))
    found = run.values(layer.shown, layer.shown_output, need.epoch, need.sample)
    return LastRow(np.array(found[-1], np.float32))
