"""Owns shapes of an ONNX model that does not run: as onnx infers them, one sample, open sizes as one."""

from __future__ import annotations

from typing import Any

from nn3d.extract import factory
from nn3d.extract.readers.onnx.file import type_name
from nn3d.extract.readers.onnx.session import dims_of
from nn3d.extract.readers.onnx.values import Values


def inferred_shapes(model: Any, values: Values) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Raw shape and element type of every value that moves; () where nobody knows."""
    inference = factory.require("onnx.shape_inference", "onnx")
    try:
        graph = inference.infer_shapes(model).graph
    except Exception:  # whatever onnx raises, shapes stay unknown
        graph = model.graph
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(values.moving, (1,))
    types: dict[str, str] = {}
    for given in [*graph.input, *graph.value_info, *graph.output]:
        tensor = given.type.tensor_type
        if given.name in values.moving and given.type.HasField("tensor_type"):
            types[given.name] = type_name(tensor.elem_type)
            if tensor.HasField("shape"):
                shapes[given.name] = tuple(d if isinstance(d, int) else 1 for d in dims_of(given))
    return shapes, types
