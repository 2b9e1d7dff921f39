"""The terms of one cell in the geometry of what it looks at: a patch of the source times a kernel, by channel."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.contribution import CONV_DIMS, TRANSPOSED_DIMS
from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import Shape, coords_of, flat_of
from nn3d.analysis.explain.table import terms_of
from nn3d.analysis.explain.target import checked_cells, target_of
from nn3d.analysis.explain.terms import Ref, Terms, Unknown
from nn3d.analysis.windows import each
from nn3d.run.model import Node
from nn3d.run.run import Run


@dataclass(frozen=True, slots=True)
class Patch:
    """What a cell of a convolution, pool or linear layer reads, as the kernel lies on its source.

    source : name of the layer that is read. channels : (I,) int64, which of its channels. cells : (I, *kernel, axes)
    int64 indices in what that layer shows, −1 in the padding. inputs, weights, products : (I, *kernel) float64, 0 in
    the padding; the weights of a max pool are 1 for the winner and 0 for the others.
    """

    source: str
    channels: NDArray[np.int64]
    cells: NDArray[np.int64]
    inputs: NDArray[np.float64]
    weights: NDArray[np.float64]
    products: NDArray[np.float64]


def patch(
    run: Run, which: str | int, cell: tuple[int, ...], *, epoch: int = -1, sample: int = 0, node: int | None = None
) -> Patch | None:
    """The patch of a cell, or None where its operation has no kernel or its values are not known.

    Arguments and errors as of `explain`.
    """
    epoch = run.epoch_index(epoch)
    sample = run.sample_index(sample) if run.samples else sample
    target = target_of(run, which, epoch, node=node)
    where = checked_cells(target.output.shape, target.output.axes, cell, target.layer.name)
    context = Context(run, epoch, sample, terms_of, target.forced)
    first = run.node(target.chain[0])
    if first.op not in {*CONV_DIMS, *TRANSPOSED_DIMS, "linear"} and "_pool" not in first.op:
        return None
    flat = flat_of([np.array([i]) for i in where], target.output.shape)
    try:
        context.evaluate(target.ref, flat, keep=True)
    except Unknown:
        return None
    terms = context.made[Ref(first.id, 0) if len(target.chain) > 1 else target.ref]
    return _laid_out(context, first, terms)


def _laid_out(context: Context, node: Node, terms: Terms) -> Patch | None:
    home = context.home(terms.refs[0])
    shape = context.shape(home)
    kernel = _kernel(context, node, terms.at.shape[1], shape)
    n_terms = terms.at.shape[1]
    if not prod(kernel) or not n_terms or n_terms % prod(kernel):
        return None
    n_channels = n_terms // prod(kernel)
    coords = coords_of(terms.at[0], shape)
    cells = np.stack(coords, -1).reshape(n_channels, *kernel, len(shape))
    at = max(0, len(shape) - 1 - len(kernel))
    channels = cells[..., at].reshape(n_channels, -1).max(1)
    return Patch(
        context.owner[home.node].name,
        channels,
        cells,
        *(array[0].reshape(n_channels, *kernel) for array in (terms.inputs, terms.weights, terms.products)),
    )


def _kernel(context: Context, node: Node, n_terms: int, shape: Shape) -> Shape:
    """Extents of the kernel; of a linear layer the space of the maps that it reads flattened."""
    if node.op == "linear":
        return shape[1:] if len(shape) > 1 and prod(shape) == n_terms else ()
    if "_pool" in node.op:
        n = int(node.op[-2])
        if not node.op.startswith("adaptive"):
            return each(node.attributes.get("kernel_size"), n)
        sizes = zip(shape[-n:], node.outputs[0].shape[-n:], strict=True)
        return tuple(-(-a // b) + (a % b != 0) for a, b in sizes)
    return context.run.parameter_info(node.parameters["weight"]).shape[2:]
