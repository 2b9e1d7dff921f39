"""Pooling: the mean of a window, or its largest value; windows as torch lays them, adaptive ones too.

Adaptive windows begin at ⌊i·in/out⌋ and end at ⌈(i + 1)·in/out⌉ (PyTorch, AdaptivePooling.h).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import Shape, columns, flat_of, grid
from nn3d.analysis.explain.terms import F64, I64, Reading, Ref, Terms, Unknown, exactly, weighted_sum
from nn3d.analysis.windows import each, padding_of, window
from nn3d.run.model import Node


def chosen(
    refs: Sequence[Ref], source: I64, at: I64, inputs: Reading, pick: I64, formula: str, extras: dict[str, F64]
) -> Terms:
    """Terms of which one is taken: number `pick` (n,) of them has weight 1, the others 0.

    How far the taken value may be off: the most that any of them may, since a neighbour could have been taken.
    """
    weights = (np.arange(at.shape[1]) == pick[:, None]).astype(np.float64)
    found = weighted_sum(refs, source, at, inputs, exactly(weights), formula=formula, extras=extras)
    taken = np.take_along_axis(inputs.values, pick[:, None], 1)[:, 0]
    products = np.where(weights > 0, inputs.values, 0.0)
    slack = np.where(at >= 0, inputs.slack, 0.0).max(axis=1, initial=0.0)
    return type(found)(
        found.refs, source, at, inputs.values, weights, products, taken, np.abs(taken), slack, formula,
        found.weight_at, None, None, True, extras,
    )  # fmt: skip


def largest(
    refs: Sequence[Ref], source: I64, at: I64, inputs: Reading, formula: str = "max", sign: float = 1.0
) -> Terms:
    """Terms of a maximum (sign 1) or minimum (−1); the number of the winning term is an extra."""
    if not at.shape[1] or not (at >= 0).any(axis=1).all():
        raise Unknown("a window of it holds no cell at all")
    ranked = np.where(at >= 0, sign * inputs.values, -np.inf)
    is_nan = np.isnan(ranked) & (at >= 0)
    pick = np.where(is_nan.any(1), is_nan.argmax(1), np.where(at >= 0, ranked, -np.inf).argmax(1))
    lonely = np.take_along_axis(at, pick[:, None], 1)[:, 0] < 0  # all of them are −inf: the first that is a cell
    pick = np.where(lonely, (at >= 0).argmax(1), pick)
    winner = np.take_along_axis(at, pick[:, None], 1)[:, 0].astype(np.float64)
    return chosen(refs, source, at, inputs, pick, formula, {"winner": winner})


def _rank(op: str) -> int:
    return int(op[-2])


def _windows(context: Context, node: Node, ref: Ref, cells: I64, output: int) -> tuple[I64, list[I64]]:
    """(n, T) flat cells of each window, −1 outside; and per axis of space the coordinates before they were cut."""
    n = _rank(node.op)
    source, coords = context.shape(ref), columns(cells)
    lead = len(source) - n
    if lead < 0 or len(source) != cells.shape[1]:
        raise Unknown(f"{node.name} reads {source}, which has no {n} axes of space")
    if node.op.startswith("adaptive"):
        spaces = _adaptive(source[lead:], context.shape(Ref(node.id, output))[lead:], coords[lead:])
    else:
        kernel = each(node.attributes.get("kernel_size"), n)
        found = {**node.attributes, "stride": node.attributes.get("stride") or list(kernel)}
        spaces = window(found, kernel, coords[lead:], grid(kernel))
    at = flat_of([*coords[:lead], *spaces], source)
    return np.ascontiguousarray(np.broadcast_to(at, (len(cells), at.shape[1]))), spaces


def _adaptive(source: Shape, out: Shape, coords: list[I64]) -> list[I64]:
    sizes = tuple(-(-a // b) + (a % b != 0) for a, b in zip(source, out, strict=True))
    found = []
    for size, to, coord, k in zip(source, out, coords, grid(sizes), strict=True):
        first, last = coord * size // to, -(-(coord + 1) * size // to)
        found.append(np.where(first + k < last, first + k, -1))
    return found


def max_pool(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """The largest value of a window."""
    if output:
        raise Unknown(f"output {output} of {node.name} holds places, not values")
    ref = context.only(node)
    at, _ = _windows(context, node, ref, cells, output)
    return largest([ref], np.zeros(at.shape[1], np.int64), at, context.read(ref, at))


def avg_pool(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """The mean of a window: every weight is one over the number of cells that count."""
    ref = context.only(node)
    at, spaces = _windows(context, node, ref, cells, output)
    count = _counted(context, node, ref, at, spaces)
    weights = exactly(np.where(at >= 0, 1.0 / count[:, None], 0.0))
    return weighted_sum(
        [ref], np.zeros(at.shape[1], np.int64), at, context.read(ref, at), weights,
        formula="Σ a / n", extras={"n": count.astype(np.float64)},
    )  # fmt: skip


def _counted(context: Context, node: Node, ref: Ref, at: I64, spaces: list[I64]) -> I64:
    """(n,) what the sum is divided by: with `count_include_pad` the padding counts, but not what lies beyond it."""
    divisor = node.attributes.get("divisor_override")
    if isinstance(divisor, int) and not isinstance(divisor, bool) and divisor:
        return np.full(len(at), divisor, np.int64)
    inside = (at >= 0).sum(1)
    if node.op.startswith("adaptive") or not node.attributes.get("count_include_pad", True):
        return np.asarray(np.maximum(inside, 1))
    n = _rank(node.op)
    pads = padding_of(node.attributes, each(node.attributes.get("kernel_size"), n))
    sizes = context.shape(ref)[-n:]
    counts = np.ones(at.shape, bool)
    for space, pad, size in zip(spaces, pads, sizes, strict=True):
        counts &= (space >= -pad[0]) & (space < size + pad[1])
    return np.asarray(np.maximum(counts.sum(1), 1))


def power_pool(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """(Σ a^p)^(1/p) of a window (PyTorch, lp_pool): a product is a^p."""
    ref, p = context.only(node), float(node.attributes.get("norm_type") or 2)
    at, _ = _windows(context, node, ref, cells, output)
    read = context.read(ref, at)
    powers = np.where(at >= 0, np.power(read.values, p), 0.0)
    value = np.power(np.maximum(powers.sum(1), 0.0), 1 / p)
    moved = np.power(np.power(np.where(at >= 0, read.slack, 0.0), p).sum(1), 1 / p)
    none = np.full(at.shape, np.nan)
    return Terms(
        (ref,), np.zeros(at.shape[1], np.int64), at, read.values, none, powers, value, np.abs(value), moved,
        "(Σ a^p)^(1/p)", np.full(at.shape, -1, np.int64), None, None, False, {"p": np.full(len(at), p)},
    )  # fmt: skip


def reduced(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """mean, sum, max and min along axes."""
    ref = context.only(node)
    at = along(context, node, ref, cells)
    source = np.zeros(at.shape[1], np.int64)
    if node.op in ("max", "min"):
        if output:
            raise Unknown(f"output {output} of {node.name} holds places, not values")
        return largest([ref], source, at, context.read(ref, at), node.op, 1.0 if node.op == "max" else -1.0)
    weight = 1.0 / at.shape[1] if node.op == "mean" else 1.0
    formula = "Σ a / n" if node.op == "mean" else "Σ a"
    return weighted_sum([ref], source, at, context.read(ref, at), exactly(np.full(at.shape, weight)), formula=formula)


def along(context: Context, node: Node, ref: Ref, cells: I64) -> I64:
    """(n, T) flat cells that a reduction runs over: all along the axes of its attribute `dim`."""
    source = context.shape(ref)
    dims = node.attributes.get("dim", node.attributes.get("axis"))
    listed = dims if isinstance(dims, list) else [dims]
    gone = sorted({context.axis(ref, int(d)) for d in listed if isinstance(d, int) and not isinstance(d, bool)})
    if not gone and not context.output(ref).per_sample:
        gone = list(range(len(source)))
    if not gone or gone[0] < 0:
        raise Unknown(f"{node.name} runs over the samples, or over what was not recorded")
    keeps = bool(node.attributes.get("keepdim")) and cells.shape[1] == len(source)
    if not keeps and cells.shape[1] != len(source) - len(gone):
        if prod(source) // max(1, prod(source[d] for d in gone)) != 1:
            raise Unknown(f"{node.name} reads {source}, which does not fit its axes")
        cells = np.zeros((len(cells), len(source) - len(gone)), np.int64)
    axes, k, left = columns(cells), grid(tuple(source[d] for d in gone)), 0
    coords = []
    for axis in range(len(source)):
        if axis in gone:
            coords.append(k[gone.index(axis)])
            left += keeps
        else:
            coords.append(axes[left])
            left += 1
    at = flat_of(coords, source)
    return np.ascontiguousarray(np.broadcast_to(at, (len(cells), at.shape[-1])))
