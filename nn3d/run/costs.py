"""Owns what each operation of a network costs for one sample: parameters, multiply-accumulates, memory of its output.

Conventions are those of docs/formats.md: a shared parameter counts where it is used first, an operation that only gives
another shape to what it reads takes no memory, and multiply-accumulates are those of `nn3d.run.kinds.macs_of`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from nn3d.run.kinds import macs_of
from nn3d.run.model import Graph, Node, Output
from nn3d.run.ops import op_of

_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one operation. n_bytes : of its outputs, in the types the model has them in (bfloat16 counts two)."""

    node: int
    n_params: int
    macs: int
    n_bytes: int


def costs_of(graph: Graph) -> tuple[Cost, ...]:
    """One entry a node, in the graph's order."""
    parameters = {p.id: p for p in graph.parameters}
    nodes = {node.id: node for node in graph.nodes}
    counted: set[int] = set()
    found = []
    for node in graph.nodes:
        own = [p for p in dict.fromkeys(node.parameters.values()) if p in parameters and p not in counted]
        counted.update(own)
        shapes = [_shape(nodes[s.node].outputs, s.output) for s in node.inputs if s.node in nodes]
        n_params = sum(prod(parameters[p].shape) for p in own if parameters[p].kind == "parameter")
        found.append(Cost(node.id, n_params, macs_of(node, parameters, shapes), _n_bytes(node)))
    return tuple(found)


def _shape(outputs: Sequence[Output], output: int) -> tuple[int, ...]:
    return outputs[output].shape if output < len(outputs) else ()


def _n_bytes(node: Node) -> int:
    if op_of(node.op).keeps_order or node.op in ("parameter", "constant"):
        return 0
    return sum(prod(output.shape) * _size(output.dtype) for output in node.outputs)


def _size(dtype: str) -> int:
    """Bytes of one element; float32 where numpy does not know the type."""
    if dtype == "bfloat16":
        return 2
    try:
        return np.dtype(dtype).itemsize
    except TypeError:
        return _FLOAT_BYTES
