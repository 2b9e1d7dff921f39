"""How the value of one neuron of a small network is made: inputs × weights + bias → stages → what is stored."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nn3d.run.ops import op_of
from nn3d.stage.frame import Colour
from nn3d.stage.overlay.facts import Facts
from nn3d.stage.overlay.neurons import value_text
from nn3d.stage.plan import LinkPlan
from nn3d.stage.small import joins_columns
from nn3d.stage.stages import node_of

F64 = NDArray[np.float64]
Words = tuple[str, float, str, Colour]

MAX_TERMS = 8
TOLERANCE = 1e-4
STAGES: dict[str, Callable[[float], float]] = {
    "relu": lambda v: max(v, 0.0),
    "tanh": math.tanh,
    "sigmoid": lambda v: 1.0 / (1.0 + math.exp(-v)) if v > -700.0 else 0.0,
    "identity": lambda v: v,
    "dropout": lambda v: v,
}


def sum_lines(f: Facts, row: int, tile: int) -> list[Words]:
    """The products, strongest first, their sum, and the stored value; () where it is not one sum of weights, or moving.

    Where a stage after the sum is not one of STAGES, the sum is given and the stage named, without a result of our own.
    """
    link = next((k for k in f.plan.links if k.target == row and joins_columns(f.plan, k)), None)
    stored, is_resting = f.values.get(row), f.state.time.epoch == int(f.state.time.epoch)
    is_one_sum = sum(k.target == row for k in f.plan.links) == 1 and f.state.edges.mode != "gradient"
    if link is None or stored is None or not (is_resting and is_one_sum):
        return []
    found = terms(f, link, tile)
    if found is None:
        return []
    a, w, b = found
    k, dim = f.k, f.ink("text2")
    order = np.argsort(-np.abs(a * w), kind="stable")
    names = _names(f, link)
    lines = [_term(f, names[i], float(a[i]), float(w[i])) for i in order[:MAX_TERMS].tolist()]
    rest = order[MAX_TERMS:]
    if rest.size:
        lines.append((f"{rest.size} more   {_signed(float((a * w)[rest].sum()))}", 10.5 * k, "regular", dim))
    if b is not None:
        lines.append((f"bias   {_signed(b)}", 10.5 * k, "regular", _hue(f, b)))
    total = float((a * w).sum()) + (b or 0.0)
    held = float(stored.values.cells.reshape(-1)[tile])
    head = f"{f.plan.layers[row].layer.name}.{tile}   how this number is made"
    result = (_result(f, row, total, held), 11 * k, "medium", f.ink("text"))
    return [(head, 12 * k, "semibold", f.ink("text")), *lines, result]


def terms(f: Facts, link: LinkPlan, tile: int) -> tuple[F64, F64, float | None] | None:
    """(inputs, weights, bias) of a neuron at the epoch on screen, or None while one of them is not in memory."""
    table, source = f.tables.get(link.index), f.values.get(link.source)
    n = f.plan.layers[link.source].tiles.n
    if table is None or source is None or source.values.cells.size != n or f.neurons is None:
        return None
    weights = np.full(n, np.nan)
    mine = (table.weight_index >= tile * n) & (table.weight_index < (tile + 1) * n)
    weights[table.weight_index[mine] - tile * n] = table.weight[mine]
    bias = f.neurons.biases.get(f.plan.layers[link.target].layer.index)
    if not np.isfinite(weights).all():
        return None
    return source.values.cells.reshape(-1).astype(np.float64), weights, None if bias is None else float(bias[tile, 0])


def _names(f: Facts, link: LinkPlan) -> list[str]:
    source = f.plan.layers[link.source]
    known = source.input.names if source.input is not None else ()
    return [known[i] if i < len(known) else f"{source.layer.name}.{i}" for i in range(source.tiles.n)]


def _term(f: Facts, name: str, a: float, w: float) -> Words:
    return f"{name}   {value_text(a)} × {_signed(w)} = {_signed(a * w)}", 10.5 * f.k, "regular", _hue(f, a * w)


def _hue(f: Facts, v: float) -> Colour:
    return f.ink("text3") if v == 0.0 else f.ink("positive" if v > 0.0 else "negative")


def _signed(v: float) -> str:
    return ("+" if v > 0.0 else "") + f"{v:.3f}".replace("-", "−")


def _result(f: Facts, row: int, total: float, held: float) -> str:
    """The sum, what the shown stages make of it, and the stored value, with the difference where there is one."""
    layer = f.plan.layers[row].layer
    node, _ = node_of(f.run, layer, f.state.layers[row].stage, int(f.state.time.epoch))
    ops = [f.run.node(n).op for n in layer.nodes[1 : layer.nodes.index(node) + 1]]
    said, value = [f"Σ {_signed(total)}"], total
    for op in ops:
        step = STAGES.get(op)
        if step is None:
            return "   →   ".join([*said, op_of(op).label]) + f"      stored {held:.3f}".replace("-", "−")
        value = step(value)
        said.append(op_of(op).label)
    ends = said if not ops else [*said, f"{value:.3f}".replace("-", "−")]
    away = abs(value - held)
    off = "" if away <= TOLERANCE * max(1.0, abs(held)) else f", {away:.2g} apart"
    return "   →   ".join(ends) + f"      stored {held:.3f}".replace("-", "−") + off
