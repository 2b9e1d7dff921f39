"""Operations that only move values: reshapes, permutations, slices, splits, concatenations, repeats.

Each cell has one term of weight 1. Dimensions in a run count the samples; here they are those of one sample.
"""

from __future__ import annotations

from math import prod

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import broadcast, flat_of
from nn3d.analysis.explain.terms import I64, Ref, Terms, Unknown, exactly, weighted_sum
from nn3d.run.model import Node


def moved(context: Context, ref: Ref, at: I64) -> Terms:
    """Terms of values that come from the flat cells `at` (n,) of a source as they are."""
    column = at.reshape(-1, 1)
    ones = exactly(np.ones(column.shape))
    return weighted_sum([ref], np.zeros(1, np.int64), column, context.read(ref, column), ones, formula="{x}")


def same_order(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Reshapes, flattening and the like: the same flat order, in another shape."""
    ref = context.only(node)
    out = context.shape(Ref(node.id, output))
    if prod(context.shape(ref)) != prod(out):
        raise Unknown(f"{node.name} should hold as many values as its source {context.shape(ref)}, but has {out}")
    return moved(context, ref, flat_of([cells[:, k] for k in range(len(out))], out))


def permuted(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Transposed or permuted axes."""
    ref = context.only(node)
    source = context.shape(ref)
    order = list(range(len(source)))
    found = node.attributes
    if node.op == "transpose":
        a, b = (context.axis(ref, int(found.get(name, d))) for name, d in (("dim0", -1), ("dim1", -2)))
        if min(a, b) < 0:
            raise Unknown(f"{node.name} moves the samples")
        order[a], order[b] = order[b], order[a]
    else:
        dims = found.get("dims")
        if not isinstance(dims, list) or not all(isinstance(d, int) for d in dims):
            raise Unknown(f"how {node.name} permutes its axes was not recorded")
        order = [context.axis(ref, d) for d in dims]
        order = [d for d in order if d >= 0]
    if sorted(order) != list(range(len(source))):
        raise Unknown(f"{node.name} does not permute the axes of one sample")
    coords = [cells[:, order.index(axis)] for axis in range(len(source))]
    return moved(context, ref, flat_of(coords, source))


def expanded(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Values that are repeated along axes of 1, or tiled."""
    ref = context.only(node)
    return moved(context, ref, broadcast(cells, context.shape(Ref(node.id, output)), context.shape(ref)))
