"""Owns nodes that only move values, once samples stand first: axes counted anew, a mark where a run cannot say them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nn3d.extract.draft import Draft
from nn3d.run.model import JSON, Array, Node
from nn3d.run.ops import op_of

_DIMS = ("dim", "dims", "start_dim")
_WHY = "in the file its samples stand on another axis, and a run cannot say how it moves them"


def lift(drafts: Sequence[Draft], value_at: Mapping[tuple[int, int], str], lifted: frozenset[str]) -> None:
    """Count axes anew where an axis of samples was put in front of what a node reads and gives."""
    for draft in drafts:
        if not draft.inputs or not draft.outputs:
            continue
        first = draft.inputs[0]
        before = value_at.get((first.node, first.output), "") in lifted
        after = value_at.get((draft.index, 0), "") in lifted
        if before and after:
            draft.attributes |= _shifted(draft)
        elif (before or after) and not _is_move(draft.op):
            draft.attributes["unreproducible"] = _WHY


def _is_move(op: str) -> bool:
    """Whether `checked` finds out by the values."""
    return op in ("permute", "transpose") or op_of(op).keeps_order


def _shifted(draft: Draft) -> dict[str, JSON]:
    found: dict[str, JSON] = {}
    for name in _DIMS:
        value = draft.attributes.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            found[name] = value + 1 if value >= 0 else value
        elif isinstance(value, list):
            found[name] = [v + 1 if v >= 0 else v for v in value]
    if draft.op == "permute" and "dims" in found:
        found["dims"] = [0, *found["dims"]]
    index = draft.attributes.get("index")
    if isinstance(index, str):
        found["index"] = "[:, " + index[1:]
    return found


def checked(nodes: Sequence[Node], values: Mapping[tuple[int, int], Array]) -> tuple[Node, ...]:
    """Nodes that reshape or turn, marked where what they read, so moved, is not what they gave."""
    return tuple(node if _is_so(node, values) else _marked(node) for node in nodes)


def _marked(node: Node) -> Node:
    """A reshape that changes the order of one sample's values is a turn, of axes that cannot be told."""
    kept = {k: v for k, v in node.attributes.items() if k not in (*_DIMS, "dim0", "dim1")}
    return replace(node, op="permute", attributes={**kept, "unreproducible": _WHY})


def _is_so(node: Node, values: Mapping[tuple[int, int], Array]) -> bool:
    is_turn = node.op in ("permute", "transpose")
    if not node.inputs or not _is_move(node.op):
        return True
    given, made = values.get((node.inputs[0].node, node.inputs[0].output)), values.get((node.id, 0))
    if given is None or made is None:
        return True
    if not is_turn:
        return given.size == made.size and np.array_equal(given.reshape(made.shape), made, equal_nan=True)
    dims = node.attributes.get("dims", [])
    if node.op == "transpose":
        dims = list(range(given.ndim))
        a, b = node.attributes.get("dim0"), node.attributes.get("dim1")
        if not isinstance(a, int) or not isinstance(b, int) or max(a, b) >= given.ndim:
            return False
        dims[a], dims[b] = b, a
    if sorted(dims) != list(range(given.ndim)):
        return False
    turned = given.transpose(dims)
    return turned.shape == made.shape and np.array_equal(turned, made, equal_nan=True)
