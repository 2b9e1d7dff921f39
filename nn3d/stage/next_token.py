"""The distribution over a vocabulary behind an output that has a row a token: what comes after the last one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn3d.run.run import Run
from nn3d.stage.plan import LayerPlan

MIN_WORDS = 25


def is_vocabulary(run: Run, plan: LayerPlan) -> bool:
    """Whether each row of an output holds one number for every word: as many as named, or as tokens can be."""
    if not (plan.is_output and plan.is_token and plan.shows == "values" and plan.pool == (1, 1)):
        return False
    words = plan.tiles.cells[1]
    if run.classes:
        return words == len(run.classes)
    return words >= MIN_WORDS and any(info.kind == "tokens" for info in run.graph.inputs)


def last_row(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """(V,) numbers after the last token, of cells (1, T, V)."""
    return np.asarray(cells[-1, -1])
