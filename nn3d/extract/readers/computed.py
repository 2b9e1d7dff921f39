"""Owns computing a graph's activations here, in numpy, for files whose own framework is not asked.

Every node whose operation is known, and whose inputs are, is computed; what is not is said, one line for each place
where it begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from nn3d.analysis.forward.network import RULES
from nn3d.analysis.forward.step import ForwardError, Step, as_float
from nn3d.run.layers import topological
from nn3d.run.model import Array, Graph, Node

_MOST_LINES = 8
# As many as a child process that reads a file may hold (nn3d.extract.formats.isolation).
MOST_VALUES, MOST_VALUES_A_SAMPLE = 1 << 27, 1 << 26


@dataclass(frozen=True, slots=True)
class Computed:
    """activations : (node id, output) → (N, *shape). left_out : why others are missing, a line each."""

    activations: Mapping[tuple[int, int], Array]
    left_out: tuple[str, ...]


def computed(graph: Graph, parameters: Mapping[int, Array], inputs: Sequence[Array]) -> Computed:
    """Activations of a graph from its parameters; inputs : (N, *shape) one an input node, in the graph's order.

    Ids of nodes and parameters are their places in the graph.
    """
    n = len(inputs[0]) if inputs else 1
    total = n * sum(prod(o.shape) for node in graph.nodes for o in node.outputs)
    if total > MOST_VALUES + n * MOST_VALUES_A_SAMPLE:
        text = f"activations: {total * 4 >> 20:,} MB for {n} samples are more than is computed here"
        return Computed({}, (f"{text}. Pass --samples 1, or a smaller input.",))
    given = iter(inputs)
    values: dict[tuple[int, int], Array] = {}
    lost: set[int] = set()
    reasons: list[str] = []
    with np.errstate(all="ignore"):
        for node in topological(graph.nodes):
            if node.op == "input":
                values[node.id, 0] = next(given)
            elif any(s.node in lost for s in node.inputs):
                lost.add(node.id)
            else:
                reason = _compute(node, graph, parameters, values, n)
                if reason:
                    lost.add(node.id)
                    reasons.append(f"activations from {node.name} on: {reason}")
    if len(reasons) > _MOST_LINES:
        reasons[_MOST_LINES:] = [f"activations from {len(reasons) - _MOST_LINES} more layers on"]
    return Computed(values, tuple(reasons))


def _compute(
    node: Node, graph: Graph, parameters: Mapping[int, Array], values: dict[tuple[int, int], Array], n: int
) -> str:
    """Why a node cannot be computed; "" when its outputs are among the values."""
    if node.op not in RULES:
        return f"{node.op.removeprefix('other:')} is not known"
    if any((s.node, s.output) not in values for s in node.inputs):
        return "what it reads is not known"
    lost = next((p for p in node.parameters.values() if p not in parameters), None)
    if lost is not None:
        return f"{graph.parameters[lost].name} is not in the file"
    read = tuple((s.argument, values[s.node, s.output]) for s in node.inputs)
    names = tuple(graph.nodes[s.node].outputs[s.output].name for s in node.inputs)
    step = Step(node, read, n, lambda p: as_float(parameters[p]), names)
    try:
        made = RULES[node.op](step)
    except (ForwardError, ValueError, IndexError, TypeError, KeyError) as error:
        return " ".join(str(error).split())[:120] or type(error).__name__
    outputs = made if isinstance(made, tuple) else (made,)
    for i, found in enumerate(outputs[: len(node.outputs)]):
        if found.shape != step.shape(i):
            return f"gave {found.shape} where {step.shape(i)} was expected"
        values[node.id, i] = found if found.dtype.kind == "i" else as_float(found)
    return ""
