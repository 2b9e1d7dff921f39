"""Owns ONNX's recurrent layers in torch's terms: W, R, B of all directions → weight_ih_l0 … in torch's order of gates.

ONNX has an LSTM's gates as i o f c and a GRU's as z r h; torch as i f g o and r z n.
"""

from __future__ import annotations

import numpy as np

from nn3d.extract.readers.onnx.seen import Seen
from nn3d.run.model import Array

_ORDER = {"lstm": (0, 2, 3, 1), "gru": (1, 0, 2), "rnn": (0,)}
_ACTIVATIONS = {"lstm": ["Sigmoid", "Tanh", "Tanh"], "gru": ["Sigmoid", "Tanh"], "rnn": ["Tanh"]}


def is_torchs(seen: Seen, op: str) -> bool:
    """Whether a layer computes what torch's does: usual activations, no peepholes or clip, reset after the product."""
    usual = _ACTIVATIONS[op] * (2 if seen.get("direction", "forward") == "bidirectional" else 1)
    return (
        seen.get("direction", "forward") in ("forward", "bidirectional")
        and list(seen.get("activations", usual)) in (usual, [])
        and not seen.get("clip", 0)
        and not seen.get("layout", 0)
        and not seen.get("input_forget", 0)
        and (op != "gru" or bool(seen.get("linear_before_reset", 0)))
        and not seen.name(4)
        and not (op == "lstm" and seen.name(7))
        and seen.fixed(seen.name(1))
        and seen.fixed(seen.name(2))
    )


def split_parameters(op: str, role: str, array: Array) -> dict[str, Array]:
    """Torch's role → array. W (directions, gates·H, F), R (directions, gates·H, H), B (directions, 2·gates·H)."""
    found: dict[str, Array] = {}
    for direction, part in enumerate(array):
        suffix = "l0" + ("_reverse" if direction else "")
        if role == "B":
            into, back = np.split(part, 2)
            found[f"bias_ih_{suffix}"], found[f"bias_hh_{suffix}"] = _turned(op, into), _turned(op, back)
        else:
            found[f"weight_{'ih' if role == 'W' else 'hh'}_{suffix}"] = _turned(op, part)
    return found


def _turned(op: str, part: Array) -> Array:
    order = _ORDER[op]
    return np.ascontiguousarray(np.concatenate([np.split(part, len(order))[k] for k in order]))
