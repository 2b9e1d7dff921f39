"""Operations of one value each: activations, and dropout and casts as they are at inference."""

from __future__ import annotations

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.functions import applied, function_of_op
from nn3d.analysis.explain.geometry import number
from nn3d.analysis.explain.terms import I64, Terms, Unknown, exactly, function_of, weighted_sum
from nn3d.run.model import Node


def same_cell(context: Context, node: Node, cells: I64) -> I64:
    """(n,) flat cells of the source where the target's are, for operations that keep the shape. Raises Unknown."""
    source = context.shape(context.only(node))
    if len(source) != cells.shape[1]:
        raise Unknown(f"{node.name} should keep the shape of its source {source}")
    return number(cells, source)


def activation(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """f(a) of an activation."""
    ref = context.only(node)
    at = same_cell(context, node, cells)
    function, formula = function_of_op(node.op, node.attributes)
    found = context.read(ref, at[:, None]).column(0)
    return function_of(ref, at, found, applied(function, found), formula=formula)


def prelu(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """a where it is positive, else a times the slope that was trained for its channel."""
    ref = context.only(node)
    at = same_cell(context, node, cells)
    parameter = node.parameters.get("weight")
    if parameter is None:
        raise Unknown(f"the slope of {node.name} was not recorded")
    n_slopes = int(np.prod(context.run.parameter_info(parameter).shape))
    slope = context.parameter(parameter, cells[:, 0] if n_slopes > 1 else np.zeros(len(cells), np.int64))
    found = context.read(ref, at[:, None]).column(0)
    value = np.where(found.values >= 0, found.values, slope.values * found.values)
    slack = found.slack * np.maximum(1.0, np.abs(slope.values)) + np.abs(found.values) * slope.slack
    made = type(found)(value, slack)
    return function_of(ref, at, found, made, formula="prelu({x})", extras={"slope": slope.values})


def identity(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """The value itself: dropout and casts, as they are when nothing is trained."""
    ref = context.only(node)
    at = same_cell(context, node, cells)[:, None]
    ones = exactly(np.ones(at.shape))
    return weighted_sum([ref], np.zeros(1, np.int64), at, context.read(ref, at), ones, formula="{x}")
