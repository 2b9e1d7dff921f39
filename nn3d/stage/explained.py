"""The arithmetic of one cell as it is held in memory: asked for while a picture is composed, read by the loader."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.explain import Explanation, explain
from nn3d.analysis.explain.patch import Patch, patch
from nn3d.run.run import Run

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ExplainNeed:
    """What one cell of layer index `layer` is made of at an epoch and sample index. node : id of the stage shown."""

    layer: int
    node: int
    cell: tuple[int, ...]
    epoch: int
    sample: int


@dataclass(frozen=True, slots=True)
class Pictures:
    """Patch × kernel = products, one picture a source map (and slice of depth), the largest |sum| first.

    source : name of the layer that is read. names : ("map 3", …). inputs, weights, products : (n, R, C) float64.
    is_inside : (n, R, C) False in the padding. sums : (n,) of the products.
    """

    source: str
    names: tuple[str, ...]
    inputs: F64
    weights: F64
    products: F64
    is_inside: NDArray[np.bool_]
    sums: F64


@dataclass(frozen=True, slots=True)
class Explained:
    """An explanation in memory, with its pictures where a kernel lies on maps."""

    explanation: Explanation
    pictures: Pictures | None = None

    @property
    def nbytes(self) -> int:
        """Memory of the terms."""
        e, p = self.explanation, self.pictures
        terms = (e.source, e.cells, e.inputs, e.weights, e.products, e.weight_index)
        return 1024 + sum(a.nbytes for a in terms) + (0 if p is None else 4 * p.inputs.nbytes)


def explained(run: Run, need: ExplainNeed) -> Explained:
    """Read what a cell is made of."""
    found = explain(run, need.layer, need.cell, node=need.node, epoch=need.epoch, sample=need.sample)
    laid = patch(run, need.layer, need.cell, node=need.node, epoch=need.epoch, sample=need.sample)
    return Explained(found, None if laid is None else pictures_of(laid))


def pictures_of(laid: Patch) -> Pictures | None:
    """The pictures of a patch; None where it has one number a channel."""
    n, kernel = laid.inputs.shape[0], laid.inputs.shape[1:]
    if not kernel or not laid.inputs.size:
        return None
    rows, cols = (1, *kernel)[-2:]
    n_slices = int(np.prod(kernel[:-2], dtype=np.int64)) if len(kernel) > 2 else 1
    a, w, p = (v.reshape(n * n_slices, rows, cols) for v in (laid.inputs, laid.weights, laid.products))
    inside: NDArray[np.bool_] = np.asarray((laid.cells >= 0).all(-1)).reshape(a.shape)
    sums = p.sum((1, 2))
    order = np.argsort(-np.abs(np.nan_to_num(sums, nan=np.inf)), kind="stable")
    names = tuple(
        f"map {laid.channels[k // n_slices]}" + (f", slice {k % n_slices}" if n_slices > 1 else "")
        for k in order.tolist()
    )
    return Pictures(laid.source, names, a[order], w[order], p[order], inside[order], sums[order])
