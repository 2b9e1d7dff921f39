"""Owns the values of an ONNX graph that are the same at every run: initializers, constants and what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract import factory
from nn3d.extract.readers.onnx.file import MOST_VALUES, Opened, array_of, as_known
from nn3d.extract.readers.onnx.session import NotRunError, run_bytes
from nn3d.extract.readers.onnx.values import Values, subgraphs
from nn3d.run.model import Array

_MOST_STEPS = 10_000


class NotFixedError(Exception):
    """Why a value cannot be computed before the model runs."""


class Fixed:
    """Fixed values by name, each computed when it is first asked for. shaped : values as a run gave them."""

    def __init__(self, opened: Opened, values: Values) -> None:
        model = opened.model
        self._values, self._folder = values, opened.folder
        self._opsets, self._ir = list(model.opset_import), int(model.ir_version)
        self._held: dict[str, Array] = {}
        self.shaped: dict[str, Array] = {}

    def get(self, name: str) -> Array | None:
        """A value's array where it does not depend on what the inputs hold; None where it does, or is not known."""
        if not name or name in self._values.moving:
            return None
        if name in self._values.shaped:
            return self.shaped.get(name)
        try:
            return self._value(name, 0)
        except NotFixedError:
            return None

    def is_there(self, name: str) -> bool:
        """Whether a value is fixed, without computing it."""
        return self._values.is_fixed(name)

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a fixed value; of initializers without reading them."""
        held = self._values.initializers.get(name)
        if held is not None:
            return tuple(held.dims)
        found = self.get(name)
        return None if found is None else found.shape

    def _value(self, name: str, depth: int) -> Array:
        if name in self._held:
            return self._held[name]
        tensor = self._values.initializers.get(name)
        if tensor is not None:
            found = self._tensor(tensor)
        else:
            node = self._values.made_by.get(name)
            if node is None or depth > _MOST_STEPS:
                raise NotFixedError(name)
            found = self._made(node, name, depth)
        self._held[name] = found
        return found

    def _tensor(self, tensor: Any) -> Array:
        try:
            return array_of(tensor, self._folder)
        except (ValueError, TypeError, KeyError, AttributeError, OSError, SourceError) as error:
            raise NotFixedError(str(error)) from error

    def _made(self, node: Any, name: str, depth: int) -> Array:
        if node.op_type == "ConstantOfShape":
            return self._filled(node, depth)
        try:
            read = {n: self._value(n, depth + 1) for n in node.input if n}
        except RecursionError as error:
            raise NotFixedError(name) from error
        if subgraphs(node):
            raise NotFixedError(name)
        return self._evaluated(node, read)[list(node.output).index(name)]

    def _filled(self, node: Any, depth: int) -> Array:
        """One number everywhere: a view, so that it takes no memory however large it is."""
        shape = tuple(int(s) for s in self._value(node.input[0], depth + 1).ravel())
        if any(s < 0 for s in shape) or int(np.prod(shape, dtype=np.float64)) > MOST_VALUES:
            raise NotFixedError("a constant too large to be one")
        given = next((a.t for a in node.attribute if a.name == "value"), None)
        value = np.zeros(1, np.float32) if given is None else self._tensor(given)
        return np.broadcast_to(value.reshape(-1)[0], shape)

    def _evaluated(self, node: Any, read: dict[str, Array]) -> list[Array]:
        """One node alone, by onnxruntime, else by onnx's own reference implementation."""
        onnx = factory.require("onnx", "onnx")
        helper, names = onnx.helper, [n for n in node.output if n]
        inputs = [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in read.items()
        ]
        graph = helper.make_graph([node], "fixed", inputs, [onnx.ValueInfoProto(name=n) for n in names])
        model = helper.make_model(graph, opset_imports=self._opsets, ir_version=self._ir)
        try:
            found = run_bytes(model.SerializeToString(), names, read)
        except NotRunError:
            found = self._by_reference(model, names, read)
        return [found[n] if n else np.zeros(0) for n in node.output]

    def _by_reference(self, model: Any, names: list[str], read: dict[str, Array]) -> dict[str, Array]:
        reference = factory.require("onnx.reference", "onnx")
        try:
            made = reference.ReferenceEvaluator(model).run(None, read)
        except Exception as error:  # whatever onnx's reference raises, the value is not known
            raise NotFixedError(str(error)) from error
        return {n: as_known(np.asarray(a)) for n, a in zip(names, made, strict=True)}
