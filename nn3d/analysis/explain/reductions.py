"""Figures of a row of values: variance, deviation, norms, log-sum-exp, products, running sums, places of the largest.

For what is no sum, products are the terms' own values, and `computed` is the figure.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import columns, flat_of
from nn3d.analysis.explain.pooling import along, chosen
from nn3d.analysis.explain.terms import F64, I64, Reading, Ref, Terms, Unknown, exactly, weighted_sum
from nn3d.run.model import Node


def _row(context: Context, node: Node, cells: I64) -> tuple[Ref, I64, Reading]:
    ref = context.only(node)
    at = along(context, node, ref, cells)
    return ref, at, context.read(ref, at)


def _figure(ref: Ref, at: I64, read: Reading, computed: Reading, formula: str, scale: F64 | None = None) -> Terms:
    """Terms of a figure that is not the sum of its terms."""
    none = np.full(at.shape, np.nan)
    size = np.abs(read.values).sum(1) if scale is None else scale
    return Terms(
        (ref,), np.zeros(at.shape[1], np.int64), at, read.values, none, read.values, computed.values, size,
        computed.slack, formula, np.full(at.shape, -1, np.int64), None, None, False,
    )  # fmt: skip


def spread(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Variance and standard deviation, of a sample of n unless `correction` says otherwise."""
    ref, at, read = _row(context, node, cells)
    given = node.attributes.get("correction")
    unbiased = node.attributes.get("unbiased", True)
    correction = given if isinstance(given, int | float) else float(bool(unbiased))
    n = at.shape[1]
    away = read.values - read.values.mean(1, keepdims=True)
    ratio = n / max(n - float(correction), 1e-12)
    std = np.sqrt((away**2).mean(1) * ratio)
    moved = np.sqrt((read.slack**2).mean(1) * ratio)
    size = np.abs(read.values).max(1)
    if node.op == "std":
        return _figure(ref, at, read, Reading(std, moved), "√var", size)
    return _figure(ref, at, read, Reading(std**2, (2 * std + moved) * moved), "var", size * np.maximum(size, std))


def length(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """The p-norm of a row; it moves by no more than the p-norm of what its values move."""
    ref, at, read = _row(context, node, cells)
    given = node.attributes.get("p", node.attributes.get("ord", 2))
    p = 2.0 if given == "fro" else float(given) if isinstance(given, int | float) or given == "inf" else 0.0
    if p <= 0:
        raise Unknown(f"the norm {given!r} of {node.name} is not known")
    found = [np.linalg.norm(values, ord=p, axis=1) for values in (read.values, read.slack)]
    return _figure(ref, at, read, Reading(found[0], found[1]), f"{p:g}-norm")


def log_sum(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """log Σ e^a, which moves by no more than the most that any of them does."""
    ref, at, read = _row(context, node, cells)
    highest = read.values.max(1)
    value = highest + np.log(np.exp(read.values - highest[:, None]).sum(1))
    return _figure(ref, at, read, Reading(value, read.slack.max(1)), "log Σ e^a", np.abs(highest) + 1.0)


def product_of(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Π a."""
    ref, at, read = _row(context, node, cells)
    value = read.values.prod(1)
    most = (np.abs(read.values) + read.slack).prod(1)
    return _figure(ref, at, read, Reading(value, most - np.abs(value)), "Π a", np.abs(value))


def running_sum(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Σ of what stands up to and with the cell along an axis."""
    ref = context.only(node)
    shape, axis = context.shape(ref), context.axis(ref, int(node.attributes.get("dim", 0)))
    if axis < 0:
        raise Unknown(f"{node.name} runs over the samples")
    coords: list[I64] = list(columns(cells))
    k = np.arange(shape[axis])
    coords[axis] = np.where(k <= cells[:, axis : axis + 1], k, -1)
    at = flat_of(coords, shape)
    ones = exactly(np.ones(at.shape))
    return weighted_sum([ref], np.zeros(len(k), np.int64), at, context.read(ref, at), ones, formula="Σ a")


def place(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """argmax and argmin. Where several lie within the encoding's step of the best, any of them may be stored."""
    ref, at, read = _row(context, node, cells)
    sign = 1.0 if node.op == "argmax" else -1.0
    ranked = sign * read.values
    best = ranked.argmax(1)
    highest = np.take_along_axis(ranked - read.slack, best[:, None], 1)
    is_close = ranked + read.slack >= highest
    where = np.arange(at.shape[1])
    loose = np.where(is_close, np.abs(where - best[:, None]), 0).max(1).astype(np.float64)
    return _figure(ref, at, read, Reading(best.astype(np.float64), loose), f"{node.op} of the row")


def top(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """The k-th largest of a row (or smallest, where `largest` is false)."""
    if output:
        raise Unknown(f"output {output} of {node.name} holds places, not values")
    ref = context.only(node)
    shape, axis = context.shape(ref), context.axis(ref, int(node.attributes.get("dim", -1)))
    if axis < 0 or node.attributes.get("sorted") is False:
        raise Unknown(f"{node.name} runs over the samples, or its order is open")
    coords: list[I64] = list(columns(cells))
    coords[axis] = np.arange(shape[axis])
    at = np.ascontiguousarray(np.broadcast_to(flat_of(coords, shape), (len(cells), shape[axis])))
    read = context.read(ref, at)
    sign = 1.0 if node.attributes.get("largest") is False else -1.0
    pick = np.argsort(sign * read.values, axis=1, kind="stable")[np.arange(len(cells)), cells[:, axis]]
    return chosen([ref], np.zeros(shape[axis], np.int64), at, read, pick, "the k-th largest", {})


def one_hot(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """1 where the number is the cell's last index, else 0."""
    ref = context.only(node)
    shape = context.shape(ref)
    at = flat_of([cells[:, k] for k in range(len(shape))], shape) if shape else np.zeros(len(cells), np.int64)
    read = context.read(ref, at[:, None])
    value = (np.rint(read.values[:, 0]) == cells[:, -1]).astype(np.float64)
    terms = _figure(ref, at[:, None], read, exactly(value), "1 if a is the index, else 0", value)
    return replace(terms, products=value[:, None])
