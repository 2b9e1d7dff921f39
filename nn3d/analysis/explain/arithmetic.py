"""Arithmetic of several values: add, subtract, multiply, divide, powers, larger and smaller, choices.

Shapes are broadcast as torch does. An operand is another value, a parameter, or a plain number.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.functions import applied, sigmoid
from nn3d.analysis.explain.geometry import broadcast, coords_of, flat_of
from nn3d.analysis.explain.pooling import chosen, largest
from nn3d.analysis.explain.terms import I64, Reading, Ref, Terms, Unknown, exactly, function_of, weighted_sum
from nn3d.run.model import Node


class _Operand:
    """One operand at n cells: where it comes from (ref and at, or None) and its values."""

    def __init__(self, reading: Reading, ref: Ref | None = None, at: I64 | None = None) -> None:
        self.reading, self.ref, self.at = reading, ref, at


def _operands(context: Context, node: Node, output: int, cells: I64, names: tuple[str, ...]) -> list[_Operand]:
    out = context.shape(Ref(node.id, output))
    found = []
    for name in names:
        ref, number = context.argument(node, name), node.attributes.get(name)
        if ref is not None:
            at = broadcast(cells, out, context.shape(ref))
            found.append(_Operand(context.read(ref, at[:, None]).column(0), ref, at))
        elif name in node.parameters:
            parameter = node.parameters[name]
            at = broadcast(cells, out, context.run.parameter_info(parameter).shape)
            found.append(_Operand(context.parameter(parameter, at)))
        elif isinstance(number, int | float) or number in ("inf", "-inf"):
            found.append(_Operand(exactly(np.full(len(cells), float(number)))))
        else:
            raise Unknown(f"the operand {name!r} of {node.name} was not recorded")
    return found


def added(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """a + α·b or a − α·b: a term each; a number or parameter is the bias."""
    operands = _operands(context, node, output, cells, ("input", "other"))
    alpha = node.attributes.get("alpha", 1)
    second = float(alpha if isinstance(alpha, int | float) else 1) * (-1.0 if node.op == "sub" else 1.0)
    bias = exactly(np.zeros(len(cells)))
    is_read = [o for o in operands if o.ref is not None]
    for operand, weight in zip(operands, (1.0, second), strict=True):
        if operand.ref is None:
            bias = Reading(bias.values + weight * operand.reading.values, bias.slack + operand.reading.slack)
    weights = [w for o, w in zip(operands, (1.0, second), strict=True) if o.ref is not None]
    if len(is_read) == 1:
        sign = "" if weights[0] == 1 else "−"
        number = bias if operands[0].ref is None or operands[1].ref is None else None
        formula, b = f"{sign}{{x}} + c", number
    else:
        formula, b = ("a + b", "a − b")[node.op == "sub"] if abs(second) == 1 else f"a + {second:g}·b", None
    terms = _joined(is_read, np.array(weights), formula)
    if b is None:
        return terms
    return replace(
        terms, computed=terms.computed + b.values, bias=b.values, slack=terms.slack + b.slack,
        scale=terms.scale + np.abs(b.values),
    )  # fmt: skip


def _joined(
    operands: list[_Operand], weights: np.ndarray[tuple[int, ...], np.dtype[np.float64]], formula: str
) -> Terms:
    """Terms of values that are read, one each, with fixed weights (T,)."""
    refs = [o.ref for o in operands if o.ref is not None]
    at = np.stack([o.at for o in operands if o.at is not None], 1)
    values = Reading(
        np.stack([o.reading.values for o in operands], 1), np.stack([o.reading.slack for o in operands], 1)
    )
    wide = exactly(np.broadcast_to(weights, at.shape).astype(np.float64))
    return weighted_sum(refs, np.arange(len(refs)), at, values, wide, formula=formula)


def multiplied(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """a · b or a / b: one term, whose weight is the other operand."""
    a, b = _operands(context, node, output, cells, ("input", "other"))
    factor = b.reading
    if node.op == "div":
        if node.attributes.get("rounding_mode"):
            raise Unknown(f"{node.name} divides with rounding")
        if a.ref is None:
            return _function(b, applied_over(a.reading, b.reading), "c / {x}")
        with np.errstate(divide="ignore", invalid="ignore"):
            least = np.maximum(np.abs(factor.values) - factor.slack, 1e-3 * np.abs(factor.values))
            factor = Reading(1.0 / factor.values, 1.0 / least - 1.0 / np.abs(factor.values))
    elif a.ref is None:
        a, b, factor = b, a, a.reading
    assert a.ref is not None
    assert a.at is not None
    formula = ("{x} · c" if node.op == "mul" else "{x} / c") if b.ref is None else ("a · b", "a / b")[node.op == "div"]
    column = Reading(a.reading.values[:, None], a.reading.slack[:, None])
    weight = Reading(factor.values[:, None], factor.slack[:, None])
    refs = [a.ref] if b.ref is None else [a.ref, b.ref]
    terms = weighted_sum(refs, np.zeros(1, np.int64), a.at[:, None], column, weight, formula=formula)
    return terms if b.ref is None or b.at is None else replace(terms, reach={1: _points(context, b.ref, b.at)})


def _points(context: Context, ref: Ref, at: I64) -> I64:
    """(n, axes, 2) boxes of one cell each."""
    coords = np.stack(coords_of(at, context.shape(ref)), 1)
    return np.stack([coords, coords + 1], 2)


def _function(operand: _Operand, computed: Reading, formula: str) -> Terms:
    assert operand.ref is not None
    assert operand.at is not None
    return function_of(operand.ref, operand.at, operand.reading, computed, formula=formula)


def applied_over(number: Reading, x: Reading) -> Reading:
    """c / x."""
    return applied(lambda v: number.values / v, x)


def power(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """a^p, of a number p; or p^a."""
    second = "other" if context.argument(node, "other") is not None else "exponent"
    a, p = _operands(context, node, output, cells, ("input", second))
    if a.ref is not None and p.ref is None:
        return _function(a, applied(lambda v: np.power(v, p.reading.values), a.reading), "{x}^p")
    if p.ref is not None and a.ref is None:
        return _function(p, applied(lambda v: np.power(a.reading.values, v), p.reading), "p^{x}")
    raise Unknown(f"both base and exponent of {node.name} are values of the network")


def extreme(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """The larger or the smaller of two."""
    operands = _operands(context, node, output, cells, ("input", "other"))
    if any(o.ref is None for o in operands):
        raise Unknown(f"{node.name} compares with a number that was not recorded as a value")
    found = _joined(operands, np.ones(2), "")
    values = Reading(found.inputs, np.stack([o.reading.slack for o in operands], 1))
    is_max = node.op == "maximum"
    return largest(found.refs, found.source, found.at, values, "max" if is_max else "min", 1.0 if is_max else -1.0)


def choice(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """where(condition, a, b), and masked_fill: the one that is taken has weight 1."""
    is_fill = node.op == "masked_fill"
    (condition,) = _operands(context, node, output, cells, ("mask" if is_fill else "condition",))
    names = ("value", "input") if is_fill else ("input", "other")
    options = _operands(context, node, output, cells, names)
    taken = np.where(condition.reading.values != 0, 0, 1)
    refs = [o.ref for o in options if o.ref is not None]
    if not refs:
        raise Unknown(f"{node.name} chooses between two numbers")
    at = np.stack([o.at if o.at is not None else np.full(len(cells), -1, np.int64) for o in options], 1)
    source = np.array([refs.index(o.ref) if o.ref is not None else 0 for o in options])
    values = Reading(np.stack([o.reading.values for o in options], 1), np.stack([o.reading.slack for o in options], 1))
    extras = {"condition": condition.reading.values}
    return chosen(refs, source, at, values, taken, "a if condition else b", extras)


_RELATIONS = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "gt": np.greater, "le": np.less_equal, "ge": np.greater_equal,
}  # fmt: skip


def compared(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """1 where a relation holds, else 0. Equal to the encoding's step cannot be told: then either may be stored."""
    relation = _RELATIONS.get(str(node.attributes.get("relation", "")))
    if relation is None:
        raise Unknown(f"which relation {node.name} tests was not recorded")
    a, b = _operands(context, node, output, cells, ("input", "other"))
    value = relation(a.reading.values, b.reading.values).astype(np.float64)
    is_close = np.abs(a.reading.values - b.reading.values) <= a.reading.slack + b.reading.slack
    loose = np.where(is_close & (a.reading.slack + b.reading.slack > 0), 1.0, 0.0)
    operand = a if a.ref is not None else b
    return _function(operand, Reading(value, loose), str(node.attributes["relation"]))


def gated(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """glu: the first half times the sigmoid of the second."""
    ref = context.only(node)
    shape, axis = context.shape(ref), context.axis(ref, int(node.attributes.get("dim", -1)))
    coords = [cells[:, k] for k in range(cells.shape[1])]
    at = flat_of(coords, shape)
    coords[axis] = coords[axis] + shape[axis] // 2
    gate = context.read(ref, flat_of(coords, shape)[:, None]).column(0)
    weight = applied(sigmoid, gate)
    values = context.read(ref, at[:, None])
    return weighted_sum(
        [ref], np.zeros(1, np.int64), at[:, None], values, Reading(weight.values[:, None], weight.slack[:, None]),
        formula="a · sigmoid(gate)", extras={"gate": gate.values},
    )  # fmt: skip
