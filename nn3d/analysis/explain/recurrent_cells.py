"""One step of a recurrent cell that is called by itself: its gates are worked out from x and h, none is recorded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.functions import applied, sigmoid
from nn3d.analysis.explain.geometry import flat_of
from nn3d.analysis.explain.recurrent import beside, product, through
from nn3d.analysis.explain.terms import F64, I64, Reading, Ref, Terms, Unknown, exactly, weighted_sum
from nn3d.run.model import Node

Halves = tuple[Reading, Reading]


def single_step(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """lstm_cell, gru_cell and rnn_cell: one step of a unit, its gates worked out from x and h."""
    ref = context.only(node)
    h, c = context.argument(node, "hx[0]", "hx"), context.argument(node, "hx[1]")
    hh = node.parameters.get("weight_hh")
    if h is None or hh is None or "weight_ih" not in node.parameters:
        raise Unknown(f"what {node.name} reads was not recorded")
    unit, hidden = cells[:, -1], context.run.parameter_info(hh).shape[1]
    gates = [
        _cell_sum(context, node, ref, h, k * hidden + unit)
        for k in range({"lstm_cell": 4, "gru_cell": 3}.get(node.op, 1))
    ]
    if node.op == "rnn_cell":
        joined = _cell_terms(context, node, ref, h, unit)
        is_relu = node.attributes.get("nonlinearity") == "relu"
        return through(joined, (lambda x: np.maximum(x, 0.0)) if is_relu else np.tanh, "relu" if is_relu else "tanh")
    if node.op == "gru_cell":
        return _gru_cell(context, h, unit, gates)
    if c is None:
        raise Unknown(f"the cell state that {node.name} reads was not recorded")
    return _lstm_cell(context, c, unit, gates, output)


def _cell_terms(context: Context, node: Node, ref: Ref, h: Ref, row: I64) -> Terms:
    n_in, n_back = context.shape(ref)[-1], context.shape(h)[-1]
    at = [np.broadcast_to(np.arange(n), (len(row), n)) for n in (n_in, n_back)]
    w = [
        context.parameter(node.parameters[f"weight_{k}"], row[:, None] * a.shape[1] + a)
        for k, a in zip(("ih", "hh"), at, strict=True)
    ]
    bias = [context.role(node, f"bias_{k}", row) for k in ("ih", "hh")]
    total = None
    if bias[0] is not None and bias[1] is not None:
        total = Reading(bias[0].values + bias[1].values, bias[0].slack + bias[1].slack)
    return weighted_sum(
        [ref, h], np.array([0] * n_in + [1] * n_back), np.concatenate(at, 1),
        beside([context.read(ref, at[0]), context.read(h, at[1])]), beside(w), bias=total, formula="Σ w·x + Σ w·h",
    )  # fmt: skip


def _cell_sum(context: Context, node: Node, ref: Ref, h: Ref, row: I64) -> Halves:
    """Σ W_ih·x + b and Σ W_hh·h + b, each (n,)."""
    found = []
    for kind, source in (("ih", ref), ("hh", h)):
        size = context.shape(source)[-1]
        at = np.broadcast_to(np.arange(size), (len(row), size))
        w = context.parameter(node.parameters[f"weight_{kind}"], row[:, None] * size + at)
        parts = product(w, context.read(source, at))
        b = context.role(node, f"bias_{kind}", row) or exactly(np.zeros(len(row)))
        found.append(Reading(parts.values.sum(1) + b.values, parts.slack.sum(1) + b.slack))
    return found[0], found[1]


def _total(halves: Halves) -> Reading:
    return Reading(halves[0].values + halves[1].values, halves[0].slack + halves[1].slack)


def _column(reading: Reading) -> Reading:
    return Reading(reading.values[:, None], reading.slack[:, None])


def _lstm_cell(context: Context, c: Ref, unit: I64, gates: list[Halves], output: int) -> Terms:
    i, f, o = (applied(sigmoid, _total(gates[k])) for k in (0, 1, 3))
    g = applied(np.tanh, _total(gates[2]))
    added = product(i, g)
    at = flat_of([unit], context.shape(c))[:, None]
    extras: dict[str, F64] = {"i": i.values, "f": f.values, "g": g.values, "o": o.values}
    state = weighted_sum(
        [c], np.zeros(1, np.int64), at, context.read(c, at), _column(f), bias=added, formula="f · c", extras=extras
    )
    if output:
        return replace(state, formula="f · c + i · g")
    made = product(o, applied(np.tanh, Reading(state.computed, state.slack)))
    return replace(
        state, computed=made.values, slack=made.slack, is_sum=False, formula="o · tanh(f · c + i · g)",
        extras={**extras, "c": state.computed},
    )  # fmt: skip


def _gru_cell(context: Context, h: Ref, unit: I64, gates: list[Halves]) -> Terms:
    r, z = (applied(sigmoid, _total(gates[k])) for k in (0, 1))
    through = product(r, gates[2][1])
    n = applied(np.tanh, Reading(gates[2][0].values + through.values, gates[2][0].slack + through.slack))
    at = flat_of([unit], context.shape(h))[:, None]
    added = product(Reading(1.0 - z.values, z.slack), n)
    terms = weighted_sum(
        [h], np.zeros(1, np.int64), at, context.read(h, at), _column(z), bias=added, formula="z · h",
        extras={"r": r.values, "z": z.values, "n": n.values},
    )  # fmt: skip
    return replace(terms, formula="z · h + (1 − z) · n")
