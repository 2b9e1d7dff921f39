"""Patches of a picture as columns (channels · kernel, places), and columns added up to a picture: unfold and fold."""

from __future__ import annotations

from math import prod

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import Shape, columns, coords_of, flat_of, grid
from nn3d.analysis.explain.moves import moved
from nn3d.analysis.explain.terms import I64, Ref, Terms, Unknown, exactly, weighted_sum
from nn3d.analysis.windows import each, padding_of, window
from nn3d.run.model import Node


def _kernel(node: Node, picture: Shape, rows: int) -> tuple[Shape, Shape]:
    """Extents of the kernel, and how many places it takes along each axis."""
    kernel = each(node.attributes.get("kernel_size"), 2)
    if len(picture) != 3 or rows != picture[0] * prod(kernel):
        raise Unknown(f"{node.name} should lay patches {kernel} of {picture} in columns, but has {rows} rows")
    stride, dilation = each(node.attributes.get("stride"), 2), each(node.attributes.get("dilation"), 2)
    pads = padding_of(node.attributes, kernel)
    reach = [picture[1 + d] + sum(pads[d]) - dilation[d] * (kernel[d] - 1) - 1 for d in range(2)]
    return kernel, tuple(r // s + 1 for r, s in zip(reach, stride, strict=True))


def unfolded(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """One value of the picture, or of its padding."""
    ref = context.only(node)
    picture = context.shape(ref)
    kernel, places = _kernel(node, picture, context.shape(Ref(node.id, output))[0])
    channel, *k = coords_of(cells[:, 0], (picture[0], *kernel))
    return moved(
        context, ref, flat_of([channel, *window(node.attributes, kernel, coords_of(cells[:, 1], places), k)], picture)
    )


def folded(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Σ of what every patch that covers the cell holds there."""
    ref, picture = context.only(node), context.shape(Ref(node.id, output))
    kernel, places = _kernel(node, picture, context.shape(ref)[0])
    stride, dilation = each(node.attributes.get("stride"), 2), each(node.attributes.get("dilation"), 2)
    pads, k = padding_of(node.attributes, kernel), grid(kernel)
    channel, *at = columns(cells)
    shifted = [at[d] + pads[d][0] - k[d] * dilation[d] for d in range(2)]
    lies = [np.where(s % step == 0, s // step, -1) for s, step in zip(shifted, stride, strict=True)]
    column = flat_of(lies, places)
    row = channel * prod(kernel) + np.arange(prod(kernel))
    number = np.where(column >= 0, flat_of([row, np.maximum(column, 0)], context.shape(ref)), -1)
    ones = exactly(np.ones(number.shape))
    return weighted_sum(
        [ref], np.zeros(prod(kernel), np.int64), number, context.read(ref, number), ones, formula="Σ a"
    )  # fmt: skip
