"""Answers the two questions: what is this cell, and are these thousand cells what their sources make them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn3d.analysis.explain import fields, receptive
from nn3d.analysis.explain.context import ENCODED, Context
from nn3d.analysis.explain.explanation import Box, Errors, Explanation, Step
from nn3d.analysis.explain.geometry import coords_of, flat_of
from nn3d.analysis.explain.table import terms_of
from nn3d.analysis.explain.target import Target, checked_cells, target_of
from nn3d.analysis.explain.terms import F64, I64, Reading, Ref, Terms, Unknown
from nn3d.run.model import Array
from nn3d.run.run import Run

# Terms that are held at once while many cells are explained.
_BATCH = 1 << 21
_NOT_RECORDED = "its values were not recorded, so there is nothing to compare with"


def explain(
    run: Run,
    which: str | int,
    cell: tuple[int, ...],
    *,
    epoch: int = -1,
    sample: int = 0,
    node: int | None = None,
    output: int | None = None,
    alone: bool = False,
) -> Explanation:
    """What one cell of a layer (by name or index), or of a node (by its full name), is made of.

    cell : an index an axis of the array of one sample. node : id of the operation of the layer to stop at, e.g. before
    its activation. output : of a node with several. alone : `which` is a node, even where a layer has that name.

    Raises Nn3dError for a layer, cell, epoch or sample that there is not. What cannot be explained is an answer:
    `known` is False and `reason` says why.
    """
    epoch, sample = run.epoch_index(epoch), _sample(run, sample)
    target = target_of(run, which, epoch, node=node, output=output, alone=alone)
    where = checked_cells(target.output.shape, target.output.axes, cell, target.layer.name)
    context = Context(run, epoch, sample, terms_of, target.forced)
    flat = flat_of([np.array([i]) for i in where], target.output.shape) if where else np.zeros(1, np.int64)
    try:
        stored = context.stored(target.ref, flat)
        value = context.evaluate(target.ref, flat, keep=True)
    except Unknown as why:
        return _unknown(context, target, where, flat, str(why))
    return _explained(context, target, where, stored, value)


def check_cells(
    run: Run,
    which: str | int,
    cells: I64,
    *,
    epoch: int = -1,
    sample: int = 0,
    node: int | None = None,
    output: int | None = None,
    alone: bool = False,
) -> Errors:
    """Many cells (n, axes) of a layer or node at once: stored, computed, and how far off they may be and are.

    Arguments and errors as of `explain`.
    """
    epoch, sample = run.epoch_index(epoch), _sample(run, sample)
    target = target_of(run, which, epoch, node=node, output=output, alone=alone)
    shape, axes, name = target.output.shape, target.output.axes, target.layer.name
    inside = (
        ((cells >= 0) & (cells < np.array(shape, np.int64))).all(1) if cells.shape[1] == len(shape) else np.zeros(1)
    )
    if not inside.all():
        checked_cells(shape, axes, tuple(cells[int(np.argmin(inside))].tolist()), name)
    flat = flat_of([cells[:, k] for k in range(len(shape))], shape) if shape else np.zeros(len(cells), np.int64)
    try:
        stored, computed = _in_slices(run, target, flat, epoch, sample)
    except Unknown as why:
        nothing = np.full(len(flat), np.nan)
        return Errors(nothing, nothing, nothing, nothing, str(why))
    reason = _told_reason(run, target)
    if not reason and not run.has_values(*target.ref, epoch):
        reason = _NOT_RECORDED
    error = _distance(stored.values, computed.values)
    return Errors(stored.values, computed.values, error, _tolerance(stored, computed), reason)


def _in_slices(run: Run, target: Target, flat: I64, epoch: int, sample: int) -> tuple[Reading, Reading]:
    """Stored (NaN where not) and computed values of flat cells (n,), so many at once that their terms fit."""
    n_each, at = 1, 0
    stored: list[Reading] = []
    computed: list[Reading] = []
    while at < len(flat):
        context = Context(run, epoch, sample, terms_of, target.forced)
        part = flat[at : at + n_each]
        stored.append(_or_nan(context.stored(target.ref, part), len(part)))
        computed.append(context.evaluate(target.ref, part, keep=True))
        at, n_each = at + n_each, max(1, _BATCH // max(1, *(t.at.shape[1] for t in context.made.values())))
    return _put_together(stored), _put_together(computed)


def _put_together(parts: list[Reading]) -> Reading:
    none = np.zeros(0)
    return Reading(
        np.concatenate([none, *(r.values for r in parts)]), np.concatenate([none, *(r.slack for r in parts)])
    )


def _sample(run: Run, sample: int) -> int:
    return run.sample_index(sample) if run.samples else sample


def _or_nan(reading: Reading | None, n: int) -> Reading:
    return Reading(np.full(n, np.nan), np.zeros(n)) if reading is None else reading


def _tolerance(stored: Reading, computed: Reading) -> F64:
    """What encoding the cell itself and computing it may be off by; rounding of the stored value too."""
    rounding = np.where(stored.slack > 0, ENCODED * np.abs(np.nan_to_num(stored.values)), 0.0)
    return np.asarray(stored.slack + computed.slack + rounding)


def _distance(one: F64, other: F64) -> F64:
    """|a − b|; 0 where both are the same infinity or both are NaN."""
    with np.errstate(invalid="ignore"):
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        return np.where(same, 0.0, np.abs(one - other))


def _told_reason(run: Run, target: Target) -> str:
    """What the run itself says about nodes that cannot be reproduced."""
    found = [run.node(n).attributes.get("unreproducible") for n in target.chain]
    return next((str(reason) for reason in found if reason), "")


def _explained(
    context: Context, target: Target, cell: tuple[int, ...], stored: Reading | None, value: Reading
) -> Explanation:
    terms = context.made[Ref(target.chain[0], 0) if len(target.chain) > 1 else target.ref]
    held = _or_nan(stored, 1)
    computed = float(value.values[0])
    error, tolerance = float(_distance(held.values, value.values)[0]), float(_tolerance(held, value)[0])
    reason = _told_reason(context.run, target)
    if not reason and stored is None:
        reason = _NOT_RECORDED
    elif not reason and not error <= tolerance:
        reason = f"computed {computed:.6g}, stored {float(held.values[0]):.6g}: something in between was not recorded"
    steps, formula = _steps(context, target, terms, stored)
    return Explanation(
        layer=target.layer.name,
        node=context.run.node(target.ref.node).name,
        cell=cell,
        op=context.run.node(target.chain[0]).op,
        stored=None if stored is None else float(held.values[0]),
        computed=computed,
        abs_error=error,
        tolerance=tolerance,
        known=not reason,
        reason=reason,
        formula=formula,
        is_sum=terms.is_sum,
        bias=None if terms.bias is None else float(terms.bias[0]),
        before=float(terms.computed[0]),
        steps=steps,
        receptive_field=_field(context, target, cell, terms),
        extras={name: _plain(numbers[0]) for name, numbers in terms.extras.items()},
        **_arrays(context, terms),
    )


def _field(context: Context, target: Target, cell: tuple[int, ...], terms: Terms) -> dict[str, Box]:
    """What is read, one step back: of a layer on what the layers before it show, of an operation on its sources."""
    if target.chain[0] != target.layer.nodes[0]:
        return fields.read_boxes(context, terms, 0)
    return receptive.field_of(context.run, target, cell, 1)


def _plain(numbers: F64) -> F64 | float:
    return float(numbers) if np.ndim(numbers) == 0 else np.asarray(numbers)


def _steps(context: Context, target: Target, terms: Terms, held_last: Reading | None) -> tuple[tuple[Step, ...], str]:
    """What follows the terms in the layer, and the formula of all of it."""
    formula, steps = terms.formula.replace("{x}", "a"), []
    refs = [*(Ref(number, 0) for number in target.chain[:-1]), target.ref]
    for here, after in zip(refs[1:], [*refs[2:], None], strict=False):
        made, node = context.made[here], context.run.node(here.node)
        if made.formula == "{x}":
            continue
        held = held_last if after is None else context.stored(here, context.made[after].at[:1, 0])
        stored = None if held is None else float(held.values[0])
        numbers = {name: float(values[0]) for name, values in made.extras.items() if values.ndim == 1}
        words, value = made.formula.replace("{x}", "x"), float(made.computed[0])
        steps.append(Step(node.name, node.op, words, value, stored, numbers))
        formula = made.formula.replace("{x}", formula if made.formula.endswith("({x})") else f"({formula})")
    return tuple(steps), formula


def _arrays(context: Context, terms: Terms) -> dict[str, Any]:
    """The terms of the first cell as an Explanation has them: without those of no cell, largest first."""
    n = terms.at.shape[1]
    source = np.broadcast_to(terms.source, n)
    kept = np.flatnonzero(terms.at[0] >= 0)
    size = np.nan_to_num(np.abs(terms.products[0, kept]), nan=np.inf)
    kept = kept[np.argsort(-size, kind="stable")]
    homes = [context.home(ref) for ref in terms.refs]
    has_weight = terms.weight_at[0, kept] >= 0
    name = () if terms.parameter is None else (context.run.parameter_info(terms.parameter).name,)
    return {
        "sources": tuple(context.owner[home.node].name for home in homes),
        "source_nodes": tuple((home.node, home.output) for home in homes),
        "source": _fixed(source[kept]),
        "cells": _fixed(_coordinates(terms.at[0, kept], source[kept], [context.shape(home) for home in homes])),
        "inputs": _fixed(terms.inputs[0, kept]),
        "weights": _fixed(terms.weights[0, kept]),
        "products": _fixed(terms.products[0, kept]),
        "weight_names": name,
        "weight_param": _fixed(np.where(has_weight, 0, -1)),
        "weight_index": _fixed(terms.weight_at[0, kept]),
    }


def _coordinates(at: I64, source: I64, shapes: list[tuple[int, ...]]) -> I64:
    """(k, axes) coordinates in each term's own source, −1 where it has fewer axes."""
    found = np.full((len(at), max((len(shape) for shape in shapes), default=0)), -1, np.int64)
    for number, shape in enumerate(shapes):
        rows = np.flatnonzero(source == number)
        for axis, coord in enumerate(coords_of(at[rows], shape)):
            found[rows, axis] = coord
    return found


def _fixed(array: Array) -> Array:
    found = np.ascontiguousarray(array)
    found.setflags(write=False)
    return found


def _unknown(context: Context, target: Target, cell: tuple[int, ...], flat: I64, why: str) -> Explanation:
    """An answer without terms: the stored value, and why there is no more."""
    run = context.run
    try:
        stored = context.stored(target.ref, flat)
    except Unknown:
        stored = None
    if stored is None:
        why = f"its values were not recorded, and {why}"
    none, numbers = np.zeros(0), np.zeros(0, np.int64)
    return Explanation(
        layer=target.layer.name, node=run.node(target.ref.node).name, cell=cell, op=run.node(target.chain[0]).op,
        stored=None if stored is None else float(stored.values[0]), computed=np.nan, abs_error=np.nan,
        tolerance=np.nan, known=False, reason=why, formula="", is_sum=False, bias=None, before=np.nan, steps=(),
        sources=(), source_nodes=(), source=numbers, cells=np.zeros((0, 0), np.int64), inputs=none, weights=none,
        products=none, weight_names=(), weight_param=numbers, weight_index=numbers, receptive_field={},
    )  # fmt: skip
