"""How much of a matrix its clusters keep: R² of the picture that draws one rope a pair of clusters.

R² = 1 − |M − blockmean(M)|² / |M − mean(M)|², for the matrix and, as a check of meaning, for the same entries shuffled
(weights at random places keep as little as the number of blocks alone explains).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.amounts import Moment
from nn3d.analysis.clusters import clusters_of, shuffled
from nn3d.analysis.comparison.difference import Difference
from nn3d.analysis.contribution import WeightedLink, gradient_sums, input_sums, weighted_link, weights
from nn3d.analysis.sampling import I64
from nn3d.run.model import FloatArray, LayerLink
from nn3d.run.run import Run

F64 = NDArray[np.float64]

MAX_ENTRIES = 1 << 20


@dataclass(frozen=True, slots=True)
class Fidelity:
    """R² of the clusters, and of clusters made the same way of the same weights shuffled."""

    share: float
    shuffled: float


def block_means(m: F64, rows: I64, columns: I64) -> F64:
    """(O, I) the mean of the block of each entry of `m` (O, I); rows (O,) and columns (I,) are cluster numbers."""
    r = (rows[:, None] == np.arange(rows.max() + 1)).astype(np.float64)
    c = (columns[:, None] == np.arange(columns.max() + 1)).astype(np.float64)
    sums = r.T @ m @ c
    means = sums / np.maximum(np.outer(r.sum(0), c.sum(0)), 1.0)
    return np.asarray(means[rows][:, columns])


def r_squared(m: F64, rows: I64, columns: I64) -> float:
    """1 − |M − blockmean|²/|M − mean|²; 1 for a constant matrix."""
    spread = float(((m - m.mean()) ** 2).sum())
    return 1.0 - float(((m - block_means(m, rows, columns)) ** 2).sum()) / spread if spread > 0 else 1.0


def fidelity(run: Run, target: int, link: LayerLink, moment: Moment) -> Fidelity | None:
    """Of a linear link's amounts with the clusters of its two layers, and of its weights shuffled, clustered likewise.

    None where the link has no such matrix, or one of more than 1,048,576 entries, or the mode was not recorded; and of
    a difference of two moments, which no clusters were made for.
    """
    weighted = None if isinstance(run, Difference) else weighted_link(run, target, link)
    if weighted is None or len(weighted.shape) != 2 or np.prod(weighted.shape) > MAX_ENTRIES:
        return None
    if moment.mode == "contribution" and not run.has_values(*weighted.source, moment.epoch):
        moment = replace(moment, mode="weight")
    w = weights(run, weighted, moment.epoch)
    factor = _factor(run, weighted, moment)
    if factor is None:
        return None
    found = []
    for is_shuffled in (False, True):
        m = np.nan_to_num(np.asarray((shuffled(w) if is_shuffled else w) * factor, np.float64), posinf=0.0, neginf=0.0)
        ends = zip((target, link.source), w.shape, strict=True)
        labels = [_units(run, i, n, is_shuffled=is_shuffled) for i, n in ends]
        found.append(r_squared(m, *labels))
    return Fidelity(found[0], found[1])


def _factor(run: Run, link: WeightedLink, moment: Moment) -> FloatArray | float | None:
    if moment.mode == "weight":
        return 1.0
    if moment.mode == "contribution":
        return input_sums(run, link, moment.epoch, moment.sample)
    known = run.activation_gradient(link.node.id, 0, moment.epoch, moment.sample) is not None
    known = known or run.parameter_gradient(link.parameter, moment.epoch) is not None
    return gradient_sums(run, link, moment.epoch, moment.sample) if known else None


def _units(run: Run, layer: int, n_units: int, *, is_shuffled: bool) -> I64:
    """(n_units,) cluster of each unit of a layer: of its tile."""
    shape = run.layers[layer].shape
    n_tiles = shape[0] if len(shape) in (1, 3) and n_units % shape[0] == 0 else n_units
    return np.repeat(clusters_of(run, layer, n_tiles, is_shuffled=is_shuffled), n_units // n_tiles)
