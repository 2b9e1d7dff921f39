"""Owns Keras layers that move, join or add cells: shapes, merging, and arithmetic between layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from nn3d.extract.readers.keras.activations import function
from nn3d.extract.readers.keras.build import Sym
from nn3d.extract.readers.keras.cells import scaled
from nn3d.extract.readers.keras.rules import Applied, NoRuleError, Rule


def _flatten(a: Applied) -> Sym:
    sym = a.x
    n = prod(sym.shape)
    if len(sym.shape) == 1:
        return a.same("identity", "", sym)
    if not a.is_last() and not a.builder.keeps_first and len(sym.shape) > 2:
        raise NoRuleError("channels first among layers with channels last")
    made = a.add("flatten", "", [(sym, "input")], (n,), attributes={"start_dim": 1})
    is_mixed = sym.is_first and sym.shape[-1] > 1 and prod(sym.shape[:-1]) > 1
    return replace(made, flat=sym.shape) if is_mixed else made


def _reshape(a: Applied) -> Sym:
    target = a.config.get("target_shape")
    target = list(target) if isinstance(target, list | tuple) else [target]
    n = prod(a.x.shape)
    if not all(isinstance(t, int) for t in target) or target.count(-1) > 1:
        raise NoRuleError(f"to {target}")
    rest = prod(t for t in target if t != -1)
    shape = tuple(n // max(1, rest) if t == -1 else t for t in target)
    if prod(shape) != n or not shape:
        raise NoRuleError(f"from {a.x.shape} to {shape}")
    is_picture = len(shape) > 2 and not a.builder.keeps_first
    if is_picture and prod(shape[:-1]) == 1 and (not a.x.is_first or prod(a.x.shape[:-1]) == 1) and not a.x.flat:
        return a.add("reshape", "", [(a.x, "input")], shape, is_first=True)
    return a.add("reshape", "", [(a.builder.last(a.x), "input")], shape)


def _permute(a: Applied) -> Sym:
    dims = a.config.get("dims")
    sym = a.builder.last(a.x)
    if not isinstance(dims, list) or sorted(dims) != list(range(1, len(sym.shape) + 1)):
        raise NoRuleError(f"by {dims}")
    shape = tuple(sym.shape[d - 1] for d in dims)
    return a.add("permute", "", [(sym, "input")], shape, attributes={"dims": [0, *dims]})


def _repeat(a: Applied) -> Sym:
    sym, n = a.builder.last(a.x), a.whole("n")
    if not 0 < n < 1 << 20:
        raise NoRuleError(f"{n} times")
    single = a.add("unsqueeze", "unsqueeze", [(sym, "input")], (1, *sym.shape), attributes={"dim": 1})
    return a.add("expand", "", [(single, "input")], (n, *sym.shape))


def _merged(op: str) -> Rule:
    """Two by two, in order."""

    def rule(a: Applied) -> Sym:
        if len(a.tensors) < 2:
            raise NoRuleError("of one tensor")
        made, *rest = a.builder.alike(a.tensors)
        for i, sym in enumerate(rest):
            made = pair(a, op, made, sym, "" if i == len(rest) - 1 else f"{op}{i + 1}")
        return made

    return rule


def pair(a: Applied, op: str, one: Sym, other: Sym, name: str) -> Sym:
    """An element-wise operation of two tensors, broadcast."""
    shape = np.broadcast_shapes(one.shape, other.shape)
    made = a.add(op, name, [(one, "input"), (other, "other")], shape, is_first=one.is_first)
    return replace(made, flat=one.flat)


def _average(a: Applied) -> Sym:
    made, *rest = a.builder.alike(a.tensors)
    for i, sym in enumerate(rest):
        made = pair(a, "add", made, sym, f"add{i + 1}")
    return a.same("mul", "", made, attributes={"other": 1.0 / len(a.tensors)})


def _concatenate(a: Applied) -> Sym:
    syms = [a.builder.last(s) if s.flat else s for s in a.tensors]
    syms = a.builder.alike(syms)
    axis = a.config.get("axis", -1)
    axis = a.kwargs.get("axis", axis) if not isinstance(axis, int) else axis
    rank = len(syms[0].shape) + 1
    if not isinstance(axis, int) or not -rank < axis < rank or axis == 0:
        raise NoRuleError(f"along {axis}")
    place = axis % rank - 1
    shape = list(syms[0].shape)
    shape[place] = sum(s.shape[place] for s in syms)
    if any(len(s.shape) != len(shape) for s in syms):
        raise NoRuleError("of other ranks")
    return a.add("concat", "", [(s, f"tensors[{i}]") for i, s in enumerate(syms)], tuple(shape),
                 attributes={"dim": syms[0].axis(axis)}, is_first=syms[0].is_first)  # fmt: skip


def _still(op: str) -> Rule:
    return lambda a: a.same(op, "", a.x)


def _operation(op: str) -> Rule:
    """Arithmetic of a tensor and a tensor or number, as keras.ops, tf.math and tf.__operators__ write it."""

    def rule(a: Applied) -> Sym:
        one, other = _operands(a)
        if isinstance(one, Sym) and isinstance(other, Sym):
            first, second = a.builder.alike([one, other])
            return pair(a, op, first, second, "")
        if isinstance(one, Sym):
            return scaled(a, a.builder.last(one) if one.flat else one, op, "", other)
        if isinstance(other, Sym) and op in ("add", "mul", "maximum", "minimum"):
            return scaled(a, a.builder.last(other) if other.flat else other, op, "", one)
        if isinstance(other, Sym) and op == "sub":
            minus = a.same("neg", "neg", other)
            return scaled(a, minus, "add", "", one)
        raise NoRuleError("of such operands")

    return rule


def _operands(a: Applied) -> tuple[Any, Any]:
    given = list(a.args)
    if len(given) == 1 and isinstance(given[0], list) and len(given[0]) == 2:
        given = list(given[0])
    for name in ("x1", "x2", "x", "y"):
        if name in a.kwargs and len(given) < 2:
            given.append(a.kwargs[name])
    if len(given) < 2:
        raise NoRuleError("of one operand")
    return given[0], given[1]


def _merge_or(op: str) -> Rule:
    """Layers Add, Multiply, … and the functions of the same names."""
    merged, operation = _merged(op), _operation(op)

    def rule(a: Applied) -> Sym | list[Sym]:
        return merged(a) if len(a.tensors) > 1 and isinstance(a.args[0], list) else operation(a)

    return rule


def _getting(a: Applied) -> Sym:
    """x[:, 0], x[..., 1:3]: whole numbers and slices."""
    raw = a.args[1] if len(a.args) > 1 else a.kwargs.get("slice_spec", a.kwargs.get("key"))
    sym = a.builder.last(a.x)
    entries = [_index(e) for e in (raw if isinstance(raw, list | tuple) and not _is_slice(raw) else [raw])]
    index: tuple[Any, ...] = tuple(entries)
    shape = np.broadcast_to(np.zeros(1, bool), (3, *sym.shape))[index].shape
    if not index or index[0] != slice(None) or not shape or shape[0] != 3:
        raise NoRuleError("that picks samples")
    return a.add("slice", "", [(sym, "input")], shape[1:], attributes={"index": _index_text(index)})


def _is_slice(value: Any) -> bool:
    return isinstance(value, Mapping)


def _index(given: Any) -> Any:
    if isinstance(given, Mapping):
        config = given.get("config", given)
        if isinstance(config, list) and len(config) == 3:
            return slice(*[None if v is None else int(v) for v in config])
        if isinstance(config, Mapping) and {"start", "stop"} <= set(config):
            return slice(*[None if config.get(k) is None else int(config[k]) for k in ("start", "stop", "step")])
        if given.get("class_name") in ("__ellipsis__", "ellipsis"):
            return Ellipsis
    if isinstance(given, int):
        return given
    raise NoRuleError(f"by {str(given)[:40]}")


def _index_text(index: Sequence[Any]) -> str:
    def one(entry: Any) -> str:
        if entry is Ellipsis:
            return "..."
        if isinstance(entry, slice):
            ends = ["" if v is None else str(v) for v in (entry.start, entry.stop)]
            return ":".join(ends) + (f":{entry.step}" if entry.step is not None else "")
        return str(entry)

    return f"[{', '.join(one(e) for e in index)}]"


_TENSORFLOW = {
    "math.add": "add", "__operators__.add": "add", "math.multiply": "mul", "math.subtract": "sub",
    "math.truediv": "div", "math.divide": "div", "math.maximum": "maximum", "math.minimum": "minimum",
}  # fmt: skip


def _tensorflow(a: Applied) -> Sym | list[Sym]:
    """TFOpLambda of Keras 2."""
    name = str(a.config.get("function", ""))
    if name in _TENSORFLOW:
        return _operation(_TENSORFLOW[name])(a)
    plain = name.removeprefix("nn.").removeprefix("math.")
    return function(a, a.x, plain, "")


RULES: dict[str, Rule] = {
    "Flatten": _flatten, "Reshape": _reshape, "Permute": _permute, "RepeatVector": _repeat, "Average": _average,
    "Concatenate": _concatenate, "Subtract": _merge_or("sub"), "Add": _merge_or("add"), "Multiply": _merge_or("mul"),
    "Maximum": _merge_or("maximum"), "Minimum": _merge_or("minimum"), "Divide": _operation("div"),
    "TrueDivide": _operation("div"), "GetItem": _getting, "SlicingOpLambda": _getting, "Identity": _still("identity"),
    **dict.fromkeys(
        ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout", "GaussianNoise"),
        _still("dropout"),
    ),
    "AlphaDropout": _still("alpha_dropout"), "StochasticDepth": _still("drop_path"),
    "ActivityRegularization": _still("identity"), "InputLayer": _still("identity"), "TFOpLambda": _tensorflow,
}  # fmt: skip
