"""Owns the boxes of what terms read, in the cells that layers show."""

from __future__ import annotations

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.explanation import Box
from nn3d.analysis.explain.geometry import coords_of
from nn3d.analysis.explain.terms import I64, Terms


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


def read_boxes(context: Context, terms: Terms, row: int) -> dict[str, Box]:
    """Layer → box of everything that cell `row` of the terms looks at."""
    found: dict[str, Box] = {}
    for number, ref in enumerate(terms.refs):
        home = context.home(ref)
        shape = context.shape(home)
        if number in terms.reach and home == ref:
            box: Box = tuple((int(a), int(b)) for a, b in terms.reach[number][row])
        else:
            columns = np.flatnonzero(np.broadcast_to(terms.source, terms.at.shape[1:]) == number)
            box = box_of(terms.at[row, columns], shape)
        name = context.owner[home.node].name
        if box:
            found[name] = union(found[name], box) if len(found.get(name, ())) == len(box) else box
    return found
