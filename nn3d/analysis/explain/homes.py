"""Owns where values live: the layer of a node, and the output that its layer shows with the same values."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from nn3d.analysis.explain.terms import Ref
from nn3d.run.model import Layer
from nn3d.run.ops import op_of
from nn3d.run.run import Run


def owners(run: Run) -> dict[int, Layer]:
    """Node id → its layer."""
    return {node: layer for layer in run.layers for node in layer.nodes}


def placed(run: Run, ref: Ref, owner: Mapping[int, Layer]) -> Ref:
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
