"""Owns what each ONNX operator is in a run: canonical operation, attributes by torch's names, parameters by role.

After the operators' specification (onnx.ai/onnx/operators); what torch has no equal of keeps its name, "other:<name>".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nn3d.extract.readers.onnx import functions as onnx_functions
from nn3d.extract.readers.onnx import products as onnx_products
from nn3d.extract.readers.onnx import shaping as onnx_shaping
from nn3d.extract.readers.onnx import windows as onnx_windows
from nn3d.extract.readers.onnx.seen import Mapped, Rule, Seen
from nn3d.run.model import Array

RULES: dict[str, Rule] = {
    **onnx_windows.RULES, **onnx_products.RULES, **onnx_functions.RULES, **onnx_shaping.RULES
}  # fmt: skip
# The kinds of attributes that are numbers, text, or lists of them (onnx.AttributeProto.AttributeType).
_PLAIN_KINDS = frozenset((1, 2, 3, 6, 7, 8))


def mapped(seen: Seen) -> Mapped:
    """What a node becomes; operators that nobody knows keep their name and all their inputs."""
    node = seen.node
    rule = RULES.get(node.op_type) if node.domain in ("", "ai.onnx", "com.microsoft") else None
    if rule is None:
        plain = {k: v for k, v in seen.attributes.items() if isinstance(v, int | float | str)}
        return Mapped(f"other:{node.op_type}", plain, ())
    return rule(seen)


def attributes_of(node: Any, text: Callable[[Any], Any]) -> dict[str, Any]:
    """Attributes by name: numbers, lists, text; graphs and tensors left out. text : onnx.helper.get_attribute_value."""
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        if attribute.type in _PLAIN_KINDS:
            found[attribute.name] = _plain(text(attribute))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, int | float | str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else [_plain(v) for v in value]


def canonical_array(values: Array, how: str, groups: int = 1, scale: float = 1.0) -> Array:
    """A parameter as a run has it. how : see Mapped.turned."""
    found = values
    if how == "IO":
        found = values.T
    elif how == "transposed":
        parts = values.reshape(groups, values.shape[0] // groups, *values.shape[1:])
        found = np.swapaxes(parts, 1, 2).reshape(values.shape[1] * groups, values.shape[0] // groups, *values.shape[2:])
    elif how == "flat":
        found = values.reshape(-1)
    return found * np.float32(scale) if scale != 1.0 else found
