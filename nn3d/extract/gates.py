"""Owns gates and states of recurrent layers that a file's own run does not give: computed from inputs and weights.

They are added where the sequence that comes with them is the one that was recorded, and marked as recomputed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nn3d.analysis.forward.recurrent import RULES
from nn3d.analysis.forward.step import ForwardError, Step
from nn3d.run.model import Array, Node, Output

_GATES = {"lstm": ["i", "f", "g", "o"], "gru": ["r", "z", "n"]}
_UNFIT = (ForwardError, ValueError, TypeError, KeyError, IndexError)
At = tuple[int, int]


def with_gates(
    nodes: Sequence[Node], values: Mapping[At, Array], parameters: Mapping[int, Array]
) -> tuple[tuple[Node, ...], dict[At, Array]]:
    """Nodes and values with the gates, cell and hidden states of every step of LSTM, GRU and RNN.

    values : (node id, output) → (N, *shape). parameters : id → array, by torch's roles.
    """
    found, held = [], dict(values)
    for node in nodes:
        wide, more = _widened(node, values, parameters) if node.op in RULES and node.outputs else (node, {})
        found.append(wide)
        held |= more
    return tuple(found), held


def _widened(
    node: Node, values: Mapping[At, Array], parameters: Mapping[int, Array]
) -> tuple[Node, Mapping[At, Array]]:
    recorded = values.get((node.id, 0))
    read = [values.get((s.node, s.output)) for s in node.inputs]
    if recorded is None or any(o.recomputed for o in node.outputs) or any(r is None for r in read):
        return node, {}
    more = _outputs(node)
    attributes = {**node.attributes, **({"gates": _GATES[node.op]} if node.op in _GATES else {})}
    wide = replace(node, outputs=(*node.outputs, *more), attributes=attributes)
    inputs = tuple((s.argument, r) for s, r in zip(node.inputs, read, strict=True) if r is not None)
    try:
        step = Step(wide, inputs, len(recorded), lambda p: np.asarray(parameters[p], np.float32))
        made = RULES[node.op](step)
        is_so = np.allclose(made[0], recorded, rtol=1e-3, atol=1e-4)
    except _UNFIT:
        return node, {}
    n = len(node.outputs)
    if not is_so:
        return node, {}
    return wide, {(node.id, n + i): np.ascontiguousarray(made[n + i], np.float32) for i in range(len(more))}


def _outputs(node: Node) -> tuple[Output, ...]:
    """Gates, cell and hidden states of each direction; without a suffix where there is one."""
    n_steps, hidden = node.outputs[0].shape[0], int(node.attributes.get("hidden_size") or 0)
    found = []
    for suffix in ("_l0", "_l0_reverse") if node.attributes.get("bidirectional") else ("",):
        if node.op in _GATES:
            shape = (len(_GATES[node.op]), n_steps, hidden)
            found.append(Output(shape, ("gate", "T", "F"), name=f"gates{suffix}", recomputed=True))
        for name in ("c", "h") if node.op == "lstm" else ("h",):
            found.append(Output((n_steps, hidden), ("T", "F"), name=f"{name}{suffix}", recomputed=True))
    return tuple(found)
