"""Owns an ONNX graph with the values of a run → drafts of nodes, and its fixed values → parameters by role."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from nn3d.extract import factory
from nn3d.extract.draft import Draft, DraftOutput
from nn3d.extract.readers.onnx.file import type_name
from nn3d.extract.readers.onnx.fixed import Fixed
from nn3d.extract.readers.onnx.names import Names
from nn3d.extract.readers.onnx.ops import attributes_of, canonical_array, mapped
from nn3d.extract.readers.onnx.quantised import dequantised
from nn3d.extract.readers.onnx.recurrent import is_torchs, split_parameters
from nn3d.extract.readers.onnx.seen import SETTING, Mapped, Seen
from nn3d.extract.readers.onnx.values import Values, captured, n_inner
from nn3d.run.model import Array, Parameter, Source

_BUFFERS = frozenset(("running_mean", "running_var"))
_KERNEL = {3: ("kL",), 4: ("kH", "kW"), 5: ("kD", "kH", "kW")}
_OPERANDS = frozenset(("add", "sub", "mul", "div", "pow", "maximum", "minimum", "where", "compare"))


class Builder:
    """Drafts in the file's order. shapes : raw shape of each value; types : element type of each."""

    def __init__(
        self, model: Any, values: Values, fixed: Fixed, shapes: Mapping[str, tuple[int, ...]], types: Mapping[str, str]
    ) -> None:
        self.drafts: list[Draft] = []
        self.value_at: dict[tuple[int, int], str] = {}
        self.parameters: list[Parameter] = []
        self.arrays: dict[int, Array] = {}
        self.n_inner = 0
        self.unknown: list[str] = []
        moving = [node for node in model.graph.node if any(name in values.moving for name in node.output)]
        self.drawn = [node for node in moving if any(name in shapes for name in node.output)]
        self.n_without_numbers = len(moving) - len(self.drawn)
        self._values, self._fixed, self._shapes, self._types = values, fixed, shapes, types
        self._opsets = {o.domain: int(o.version) for o in model.opset_import}
        self._sources: dict[str, Source] = {}
        self._ids: dict[tuple[str, str, str], int] = {}
        self._text = factory.require("onnx", "onnx").helper.get_attribute_value
        self._names = Names(self.drawn, values)
        self._taken = set(self._names.names)
        self.types_of_modules = self._names.types
        self.used_roots: set[str] = set()

    def build(self) -> None:
        """All inputs, then all nodes that move with them."""
        for given in self._values.inputs:
            self._holder("input", given.name)
        for i, node in enumerate(self.drawn):
            self._node(node, self._names.names[i], self._names.modules[i])

    def source(self, name: str) -> Source | None:
        """Where a value of the graph is, as an output of a draft; of words and tables, what they were made of."""
        found, node = self._sources.get(name), self._values.made_by.get(name)
        if found is None and node is not None and node not in self.drawn and name in self._values.moving:
            return next((self._sources[n] for n in node.input if n in self._sources), None)
        return found

    def _seen(self, node: Any) -> Seen:
        opset = self._opsets.get(node.domain, self._opsets.get("", 1))
        return Seen(
            node, attributes_of(node, self._text), opset, self._shape, self._fixed.get, self._fixed.is_there
        )  # fmt: skip

    def _shape(self, name: str) -> tuple[int, ...] | None:
        if not name:
            return None
        return self._fixed.shape(name) if self._fixed.is_there(name) else self._shapes.get(name)

    def _node(self, node: Any, name: str, module: str) -> None:
        seen = self._seen(node)
        found = mapped(seen)
        draft = Draft(len(self.drafts), found.op, name, module, dict(found.attributes))
        inner = n_inner(node)
        self.n_inner += inner
        if inner:
            draft.attributes["inside"] = f"{inner} operations, not recorded"
        if found.op in ("lstm", "gru", "rnn"):
            self._bind_recurrent(draft, node, found, seen)
        else:
            for position, value in enumerate(node.input):
                self._bind(draft, found, position, value, seen)
        for value in captured(node):
            if value in self._values.moving:
                self._bind_moving(draft, value, f"captured {value}")
        draft.index = len(self.drafts)
        for number, value in enumerate(node.output):
            if value and value in self._shapes:
                self._sources[value] = Source(draft.index, len(draft.outputs), "")
                self.value_at[draft.index, len(draft.outputs)] = value
                label = {1: "h_n", 2: "c_n"}.get(number, "") if draft.op in ("lstm", "gru", "rnn") else ""
                draft.outputs.append(self._output(value, label))
        self.drafts.append(draft)

    def _output(self, value: str, label: str = "") -> DraftOutput:
        shape = self._shapes[value]
        return DraftOutput(shape, self._types.get(value, "float32"), np.broadcast_to(np.float32(0), shape), label)

    def _bind(self, draft: Draft, found: Mapped, position: int, value: str, seen: Seen) -> None:
        if not value:
            return
        arguments = found.arguments
        argument = arguments[position] if position < len(arguments) else f"input {position + 1}"
        is_fixed = self._fixed.is_there(value)
        if position in found.roles and is_fixed:
            self._parameter(draft, found, found.roles[position], value, seen)
        elif argument == SETTING and value not in self._values.moving:
            return
        elif value in self._values.moving:
            self._bind_moving(draft, value, argument or f"setting {position + 1}")
        else:
            self._bind_still(draft, value, argument)

    def _bind_moving(self, draft: Draft, value: str, argument: str) -> None:
        source = self._sources.get(value)
        if source is not None:
            draft.inputs.append(Source(source.node, source.output, argument))

    def _bind_still(self, draft: Draft, value: str, argument: str) -> None:
        """An operand that does not move: a number, a small parameter of the operation, or a node that holds it."""
        array = self._fixed.get(value)
        if array is None or array.dtype.kind not in "fiub":
            self.unknown.append(value)
            return
        if draft.op in _OPERANDS and array.size == 1:
            draft.attributes[argument] = array.reshape(-1)[0].item()
        elif draft.op in _OPERANDS and draft.op != "where" and sum(n > 1 for n in array.shape) <= 1 and _is_real(array):
            draft.parameters[argument] = self._id(value, "", array, (argument, draft.op), "")
        else:
            source = self._sources.get(value) or self._holder(self._kind(value, array), value)
            draft.inputs.append(Source(source.node, source.output, argument))

    def _kind(self, value: str, array: Array) -> str:
        is_held = self._values.root(value) in self._values.initializers and value not in self._values.shaped
        return "parameter" if is_held and _is_real(array) else "constant"

    def _holder(self, op: str, value: str) -> Source:
        """A node without inputs that holds a value."""
        array = None if op == "input" else self._fixed.get(value)
        if array is not None:
            self._shapes = {**self._shapes, value: array.shape}
            self._types = {**self._types, value: array.dtype.name}
        name = self._free(value if op == "input" else self._values.root(value))
        draft = Draft(len(self.drafts), op, name, "")
        if op == "parameter" and array is not None:
            draft.parameters["value"] = self._id(value, "", array, ("value", op), "")
        draft.outputs.append(self._output(value))
        self.value_at[draft.index, 0] = value
        self.drafts.append(draft)
        self._sources[value] = Source(draft.index, 0, "")
        return self._sources[value]

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    # Parameters

    def _parameter(self, draft: Draft, found: Mapped, role: str, value: str, seen: Seen) -> None:
        how, scale = found.turned.get(role, ""), found.scales.get(role, 1.0)
        key = (value, how, f"{scale:g} {found.attributes.get('groups', 1) if how == 'transposed' else ''}")
        if key not in self._ids:
            array = self._fixed.get(value)
            if array is None:
                self.unknown.append(value)
                return
            quantised = dequantised(seen, role, array)
            array = array if quantised is None else quantised
            array = canonical_array(array, how, int(found.attributes.get("groups", 1)), scale)
            layout = {"IO": "IO", "transposed": f"IO{'DHW'[5 - array.ndim :]}"}.get(how, "") if array.ndim > 1 else ""
            layout += f" × {scale:g}" if scale != 1.0 else ""
            self._add(key, value, array, role, draft.op, layout, is_dequantised=quantised is not None)
        draft.parameters[role] = self._ids[key]

    def _id(self, value: str, how: str, array: Array, use: tuple[str, str], layout: str) -> int:
        key = (value, how, "")
        if key not in self._ids:
            self._add(key, value, array, use[0], use[1], layout)
        return self._ids[key]

    def _add(
        self, key: tuple[str, str, str], value: str, array: Array, role: str, op: str, layout: str, *,
        is_dequantised: bool = False,
    ) -> None:  # fmt: skip
        root = self._values.root(value)
        self.used_roots.add(root)
        tensor = self._values.initializers.get(root)
        told = type_name(tensor.data_type) if tensor is not None else array.dtype.name
        is_dequantised |= "DequantizeLinear" in self._values.through(value)
        told = f"{told}, dequantised" if is_dequantised else "" if told == "float32" else told
        held = array.reshape(1) if not array.ndim else array
        number = len(self.parameters)
        kind = "buffer" if role in _BUFFERS or not _is_real(array) else "parameter"
        name = self._parameter_name(root)
        self.parameters.append(Parameter(number, name, held.shape, _axes(held.shape, op, role), kind, layout, told))
        self.arrays[number] = held
        self._ids[key] = number

    def _parameter_name(self, root: str) -> str:
        taken = {p.name for p in self.parameters}
        name, n = root, 2
        while name in taken:
            name, n = f"{root} #{n}", n + 1
        return name

    def _bind_recurrent(self, draft: Draft, node: Any, found: Mapped, seen: Seen) -> None:
        """W, R and B as torch names and orders them; where torch has no such network, as the file has them."""
        if not is_torchs(seen, draft.op):
            draft.op = f"other:{node.op_type}"
            for position, value in enumerate(node.input):
                self._bind(draft, found, position, value, seen)
            return
        for position, value in enumerate(node.input):
            if not value or position == 4:
                continue
            array = self._fixed.get(value) if position in found.roles else None
            if array is None:
                argument = {5: "hx[0]", 6: "hx[1]"}.get(position, found.arguments[position])
                if value in self._values.moving:
                    self._bind_moving(draft, value, argument)
                elif argument.startswith("hx") and (held := self._fixed.get(value)) is not None and held.any():
                    self._bind_still(draft, value, argument)
                continue
            for role, part in split_parameters(draft.op, found.roles[position], array).items():
                draft.parameters[role] = self._id(value, role, part, (role, draft.op), "ONNX's order of gates")


def _is_real(array: Array) -> bool:
    return array.dtype.kind == "f"


def _axes(shape: tuple[int, ...], op: str, role: str) -> tuple[str, ...]:
    if role == "weight" and op.startswith("conv") and len(shape) in _KERNEL:
        return ("out", "in", *_KERNEL[len(shape)])
    if len(shape) == 2 and role.startswith("weight"):
        return ("token", "F") if op == "embedding" else ("out", "in")
    if len(shape) == 1:
        return ("out",)
    return tuple(f"axis{i}" for i in range(len(shape)))


def n_values(shape: tuple[int, ...]) -> int:
    """How many values an array of this shape has."""
    return prod(shape)
