"""What a cell looks at, back through the graph: a box of every layer on the way. Needs no values, only shapes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.explanation import Box
from nn3d.analysis.explain.fields import box_of, union
from nn3d.analysis.explain.geometry import Shape
from nn3d.analysis.explain.spans import has_window, window_box
from nn3d.analysis.explain.table import UNFIT, terms_of
from nn3d.analysis.explain.target import Target, checked_cells, target_of
from nn3d.analysis.explain.terms import I64, Reading, Ref, Unknown
from nn3d.run.layers import topological
from nn3d.run.model import Layer, Node
from nn3d.run.ops import op_of
from nn3d.run.run import Run

_CUT = {"concat", "rearrange", "select", "resize"}


class _Shapes(Context):
    """Reads nothing: every value is 0, so that terms tell only where they come from."""

    def read(self, ref: Ref, at: I64) -> Reading:
        """Zeros."""
        return Reading(np.zeros(at.shape), np.zeros(at.shape))

    def parameter(self, parameter: int, at: I64) -> Reading:
        """Zeros."""
        return Reading(np.zeros(at.shape), np.zeros(at.shape))


def receptive_field(
    run: Run, which: str | int, cell: tuple[int, ...], *, depth: int | None = None, node: int | None = None
) -> dict[str, Box]:
    """Layer → from and to (exclusive) an axis of the cells that can change this one, nearest layers first.

    Back through `depth` layers, or all of them to the inputs. Boxes hold every cell that is looked at, in the indices
    of what the layer shows; of several ways they hold all. Operations that are not known look at everything.

    Raises Nn3dError for a layer or a cell that there is not.
    """
    target = target_of(run, which, -1 if run.epochs else 0, node=node)
    where = checked_cells(target.output.shape, target.output.axes, cell, target.layer.name)
    return field_of(run, target, where, depth)


def field_of(run: Run, target: Target, where: tuple[int, ...], depth: int | None) -> dict[str, Box]:
    """The same of a target that is known, and of a cell that it has."""
    context = _Shapes(run, -1, 0, terms_of)
    owner = context.owner
    boxes: dict[Ref, Box] = {target.ref: tuple((i, i + 1) for i in where)}
    level: dict[Ref, int] = {target.ref: 0}
    found: dict[str, Box] = {}
    for here in reversed(topological(run.graph.nodes)):
        for ref in [r for r in boxes if r.node == here.id]:
            layer = owner[here.id]
            drawn = _as_shown(context, layer, ref, boxes[ref])
            if layer is not target.layer and drawn:
                found[layer.name] = drawn
            for source, box in _back(context, here, ref, boxes[ref]):
                steps = level[ref] + (owner[source.node] is not layer)
                if depth is None or steps <= depth:
                    boxes[source] = union(boxes[source], box) if source in boxes else box
                    level[source] = min(level.get(source, steps), steps)
    return found


def _as_shown(context: Context, layer: Layer, ref: Ref, box: Box) -> Box:
    """A box of one of a layer's outputs on what the layer shows; () where it has no place there.

    Of what attention mixes: the rows of its weights.
    """
    if ref == Ref(layer.shown, layer.shown_output):
        return box
    node = context.run.node(ref.node)
    if node.op != "attention":
        return box if context.shape(ref) == layer.shape else ()
    n_keys = layer.shape[-1]
    last = min(n_keys, box[-2][1]) if node.attributes.get("is_causal") is True else n_keys
    return (*box[:-1], (0, last)) if layer.shown == ref.node else ()


def _back(context: Context, node: Node, ref: Ref, box: Box) -> list[tuple[Ref, Box]]:
    """What a box of one output reads, by source; everything, where that cannot be told."""
    if not node.inputs or not box:
        return []
    try:
        return list(_read(context, node, ref, box))
    except (Unknown, *UNFIT):
        return [(source, tuple((0, n) for n in context.shape(source))) for source in context.inputs(node)]


def _read(context: Context, node: Node, ref: Ref, box: Box) -> Iterator[tuple[Ref, Box]]:
    if op_of(node.op).keeps_order and len(node.inputs) == 1:
        source = context.only(node)
        yield source, reshaped(box, context.shape(ref), context.shape(source))
        return
    if op_of(node.op).family == "recurrent" and len(context.shape(Ref(node.id, 0))) == 2:
        yield from _steps_seen(context, node, ref, box)
        return
    if has_window(node):
        source, found = window_box(context, node, box)
        if found:
            yield source, found
        return
    terms = terms_of(context, node, ref.output, _probes(node, box))
    numbers = np.broadcast_to(terms.source, terms.at.shape[1:])
    for number, source in enumerate(terms.refs):
        found = box_of(terms.at[:, numbers == number], context.shape(source))
        if number in terms.reach:
            reach = terms.reach[number]
            found = tuple((int(reach[:, k, 0].min()), int(reach[:, k, 1].max())) for k in range(reach.shape[1]))
        if found:
            yield source, found


def _steps_seen(context: Context, node: Node, ref: Ref, box: Box) -> Iterator[tuple[Ref, Box]]:
    """Of a recurrent layer: every step up to the cell's, or from it on in reverse; all where both directions mix."""
    first, *begun = context.inputs(node)
    n_steps, width = context.shape(first)
    name, hidden = node.outputs[ref.output].name, int(node.attributes.get("hidden_size") or 0)
    is_both, levels = node.attributes.get("bidirectional") is True, int(node.attributes.get("num_layers") or 1)
    steps = (0, n_steps)
    if len(box) >= 2 and not name.endswith("_n") and not (is_both and levels > 1):
        seen = {True} if name.endswith("reverse") else {False}
        if is_both and not name:
            seen = {unit >= hidden for unit in (box[-1][0], box[-1][1] - 1)}
        steps = (box[-2][0] if True in seen else 0, n_steps) if len(seen) == 1 and True in seen else steps
        steps = (0, box[-2][1]) if seen == {False} else steps
    yield first, (steps, (0, width))
    for ref in begun:
        yield ref, tuple((0, n) for n in context.shape(ref))


def _probes(node: Node, box: Box) -> I64:
    """(n, axes) cells of a box that reach as far as all of them do.

    Its corners, where an operation keeps the order along each axis; of a shuffle of pixels those beside them too; where
    axes are cut and put together, each axis as a whole.
    """
    near = int(node.attributes.get("upscale_factor") or 1) if node.op == "pixel_shuffle" else 1
    found = [_corners(box, near)]
    if op_of(node.op).family in _CUT:
        for axis, (a, b) in enumerate(box):
            rest = _corners((*box[:axis], (a, a + 1), *box[axis + 1 :]), 1)
            every = np.repeat(rest, b - a, 0)
            every[:, axis] = np.tile(np.arange(a, b), len(rest))
            found.append(every)
    return np.concatenate(found)


def _corners(box: Box, n_near: int) -> I64:
    """(n, axes) the cells at the corners of a box, and up to n_near − 1 beside them along each axis."""
    sides = [sorted({*range(a, min(a + n_near, b)), *range(max(a, b - n_near), b)}) for a, b in box]
    return np.array(list(product(*sides)), np.int64).reshape(-1, len(box))


def reshaped(box: Box, old: Shape, new: Shape) -> Box:
    """The smallest box in another shape of the same flat order that holds all cells of a box.

    Axes are paired off in groups of equal size, so that a channel of a flattened map is a channel of the map.
    """
    found: list[tuple[int, int]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        a, b = min(i + 1, len(old)), min(j + 1, len(new))
        while prod(old[i:a]) != prod(new[j:b]) and (a < len(old) or b < len(new)):
            if b >= len(new) or (a < len(old) and prod(old[i:a]) < prod(new[j:b])):
                a += 1
            else:
                b += 1
        if a < len(old) and b == len(new):
            a = len(old)
        if b < len(new) and a == len(old):
            b = len(new)
        found += _piece(box[i:a], old[i:a], new[j:b])
        i, j = a, b
    return tuple(found)


def _piece(box: Box, old: Shape, new: Shape) -> list[tuple[int, int]]:
    """One group of axes: the range of flat numbers that the box spans, as a box."""
    if old == new:
        return list(box)
    low = high = 0
    for (start, stop), size in zip(box, old, strict=True):
        low, high = low * size + start, high * size + stop - 1
    found: list[tuple[int, int]] = []
    is_whole = False
    for k, size in enumerate(new):
        step = prod(new[k + 1 :])
        a, b = low // step % size, high // step % size
        found.append((0, size) if is_whole else (a, b + 1))
        is_whole = is_whole or a != b
    return found
