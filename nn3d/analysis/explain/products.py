"""Products of two values of the network: matrix products and einsum. The second operand is the weights.

Axes before the matrices are broadcast as torch does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import Shape, columns, coords_of, flat_of, grid
from nn3d.analysis.explain.terms import I64, Reading, Ref, Terms, Unknown, exactly, weighted_sum
from nn3d.run.model import Node


def matrix_product(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Σ_k a[…, i, k] · b[…, k, j]; a vector on either side has no i or no j."""
    refs = context.inputs(node)
    if len(refs) != 2:
        raise Unknown(f"{node.name} should read two values, but {len(refs)} were recorded")
    a, b = (context.shape(ref) for ref in refs)
    n_own = (len(a) > 1) + (len(b) > 1)
    lead, tail = cells.shape[1] - n_own, columns(cells)
    size = a[-1]
    if not a or not b or lead < 0 or size != (b[-2] if len(b) > 1 else b[0]):
        raise Unknown(f"{node.name} multiplies {a} by {b}, which do not fit")
    k = np.arange(size)
    row = [tail[lead]] if len(a) > 1 else []
    col = [tail[-1]] if len(b) > 1 else []
    left = flat_of([*_lead(tail[:lead], a[:-2]), *row, k], a)
    right = flat_of([*_lead(tail[:lead], b[:-2]), k, *col], b)
    return _summed(context, refs, left, right, (len(cells), size))


def _lead(coords: list[I64], shape: Shape) -> list[I64]:
    """Coordinates of axes that are broadcast to the cells' first ones, aligned at the last."""
    if len(shape) > len(coords):
        shape = shape[len(shape) - len(coords) :] if len(coords) else ()
    return [coords[len(coords) - len(shape) + i] % size for i, size in enumerate(shape)]


def _summed(context: Context, refs: list[Ref], left: I64, right: I64, shape: tuple[int, int]) -> Terms:
    left, right = (np.ascontiguousarray(np.broadcast_to(at, shape)) for at in (left, right))
    terms = weighted_sum(
        refs, np.zeros(shape[1], np.int64), left, context.read(refs[0], left), context.read(refs[1], right),
        formula="Σ a·b",
    )  # fmt: skip
    coords = np.stack(coords_of(right, context.shape(refs[1])), 2)
    return replace(terms, reach={1: np.stack([coords.min(1), coords.max(1) + 1], 2)})


def bilinear(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Σ_i a_i · (Σ_j W[o, i, j] · b_j) + bias: a term an entry of the first value."""
    first, second = context.argument(node, "input1"), context.argument(node, "input2")
    weight = node.parameters.get("weight")
    if first is None or second is None or weight is None:
        raise Unknown(f"what {node.name} multiplies was not recorded")
    _, n, m = context.run.parameter_info(weight).shape
    lead, i, j = columns(cells)[:-1], np.arange(n), np.arange(m)
    at = np.broadcast_to(flat_of([*lead, i], context.shape(first)), (len(cells), n))
    there = np.broadcast_to(flat_of([*lead, j], context.shape(second)), (len(cells), m))
    w = context.parameter(weight, (cells[:, -1:, None] * n + i[:, None]) * m + j)
    b = context.read(second, there)
    gain = np.einsum("nij,nj->ni", w.values, b.values)
    loose = np.einsum("nij,nj->ni", np.abs(w.values) + w.slack, b.slack)
    loose += np.einsum("nij,nj->ni", w.slack, np.abs(b.values))
    terms = weighted_sum(
        [first, second], np.zeros(n, np.int64), at, context.read(first, at), Reading(gain, loose),
        formula="Σ a · Σ W·b", bias=context.role(node, "bias", cells[:, -1]),
    )  # fmt: skip
    gross = np.einsum("ni,nij,nj->n", np.abs(terms.inputs), np.abs(w.values), np.abs(b.values))
    coords = np.stack(coords_of(there, context.shape(second)), 2)
    reach = {1: np.stack([coords.min(1), coords.max(1) + 1], 2)}
    return replace(terms, scale=np.maximum(terms.scale, gross), reach=reach)


def einsum(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """An Einstein sum of one or two values, the letter of the samples left out."""
    refs = context.inputs(node)
    text = str(node.attributes.get("equation", "")).replace(" ", "")
    sides, arrow, result = text.partition("->")
    names = sides.split(",")
    shapes = [context.shape(ref) for ref in refs]
    if not arrow or "." in text or len(names) != len(refs) or len(refs) > 2:
        raise Unknown(f"the einsum {text!r} of {node.name} cannot be told apart")
    rid = _without_samples(context, refs, names, result, cells.shape[1])
    if rid is None:
        raise Unknown(f"on which axes of the einsum {text!r} the samples are cannot be told")
    names, result = rid
    sizes = {
        letter: size
        for name, shape in zip(names, shapes, strict=True)
        for letter, size in zip(name, shape, strict=True)
    }
    inner = [letter for letter in sizes if letter not in result]
    k = dict(zip(inner, grid(tuple(sizes[letter] for letter in inner)), strict=True))
    own = dict(zip(result, columns(cells), strict=True))
    n_terms = int(np.prod([sizes[letter] for letter in inner], dtype=np.int64))
    at = [
        flat_of([own[x] if x in own else k[x] for x in name], shape) if name else np.zeros(1, np.int64)
        for name, shape in zip(names, shapes, strict=True)
    ]
    if len(refs) == 2:
        return _summed(context, refs, at[0], at[1], (len(cells), n_terms))
    only = np.ascontiguousarray(np.broadcast_to(at[0], (len(cells), n_terms)))
    ones = exactly(np.ones(only.shape))
    return weighted_sum(refs, np.zeros(n_terms, np.int64), only, context.read(refs[0], only), ones, formula="Σ a")


def _without_samples(
    context: Context, refs: list[Ref], names: list[str], result: str, n_axes: int
) -> tuple[list[str], str] | None:
    """The letters of each operand and of the result as the run holds them, or None where they do not fit."""
    for letter in dict.fromkeys("".join(names)):
        left = [n.replace(letter, "") if context.output(r).per_sample else n for n, r in zip(names, refs, strict=True)]
        rest = result.replace(letter, "")
        sizes: dict[str, int] = {}
        fits = len(rest) == n_axes
        for name, ref in zip(left, refs, strict=True):
            shape = context.shape(ref)
            fits = fits and len(name) == len(shape)
            if fits:
                fits = all(sizes.setdefault(x, size) == size for x, size in zip(name, shape, strict=True))
        if fits:
            return left, rest
    return None
