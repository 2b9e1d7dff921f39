"""Owns in which layer's own cells a reading lies, so that a box can be drawn on what the layer shows."""

from __future__ import annotations

from math import prod

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.explanation import Box
from nn3d.analysis.explain.geometry import coords_of
from nn3d.analysis.explain.terms import I64, Ref, Terms
from nn3d.run.model import Layer
from nn3d.run.ops import op_of
from nn3d.run.run import Run


def owners(run: Run) -> dict[int, Layer]:
    """Node id → its layer."""
    return {node: layer for layer in run.layers for node in layer.nodes}


def placed(run: Run, ref: Ref, owner: dict[int, Layer]) -> Ref:
    """The output that holds the same values in the same flat order and is what its layer shows, else `ref` itself.

    So the cells of a flattened map are named by channel, row and column.
    """
    here = ref
    while here != Ref(owner[here.node].shown, owner[here.node].shown_output):
        node = run.node(here.node)
        if here.output or len(node.inputs) != 1 or not op_of(node.op).keeps_order:
            return ref
        before = Ref(node.inputs[0].node, node.inputs[0].output)
        if prod(run.output(*before).shape) != prod(run.output(*here).shape):
            return ref
        here = before
    return here


def box_of(at: I64, shape: tuple[int, ...]) -> Box:
    """From and to (exclusive) an axis of all flat cells ≥ 0; () where there is none."""
    inside = at[at >= 0]
    if not inside.size:
        return ()
    return tuple((int(c.min()), int(c.max()) + 1) for c in coords_of(inside, shape))


def union(one: Box, other: Box) -> Box:
    """The smallest box that holds both."""
    if not one or not other:
        return one or other
    return tuple((min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(one, other, strict=True))


def read_boxes(context: Context, terms: Terms, row: int, owner: dict[int, Layer]) -> dict[str, Box]:
    """Layer → box of everything that cell `row` of the terms looks at."""
    found: dict[str, Box] = {}
    for number, ref in enumerate(terms.refs):
        home = placed(context.run, ref, owner)
        shape = context.shape(home)
        if number in terms.reach and home == ref:
            box: Box = tuple((int(a), int(b)) for a, b in terms.reach[number][row])
        else:
            columns = np.flatnonzero(np.broadcast_to(terms.source, terms.at.shape[1:]) == number)
            box = box_of(terms.at[row, columns], shape)
        name = owner[home.node].name
        if box:
            found[name] = union(found[name], box) if len(found.get(name, ())) == len(box) else box
    return found
