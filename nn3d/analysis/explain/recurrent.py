"""Recurrent layers, one step of one unit: gates, cell state, hidden state, from the recorded ones around it.

LSTM after Hochreiter and Schmidhuber 1997, GRU after Cho et al. 2014, as PyTorch orders their gates: i f g o and r z n.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.functions import applied, sigmoid
from nn3d.analysis.explain.geometry import flat_of
from nn3d.analysis.explain.terms import I64, Reading, Ref, Terms, Unknown, exactly, weighted_sum
from nn3d.run.model import Node

# What is read, at which cells (n, k), and the values there.
Part = tuple[Ref, I64, Reading]


@dataclass(frozen=True, slots=True)
class _Lane:
    """One direction of one layer. suffix : as torch names it, "l0", "l1_reverse". hidden : width of its state."""

    node: Node
    suffix: str
    hidden: int
    is_reverse: bool

    def output(self, name: str) -> Ref:
        """The recorded output of this lane. Raises Unknown where there is none."""
        for number, output in enumerate(self.node.outputs):
            if output.name in (f"{name}_{self.suffix}", name):
                return Ref(self.node.id, number)
        raise Unknown(f"the {_WORDS.get(name, name)} of {self.node.name} were not recorded")


_WORDS = {"gates": "gates", "c": "cell states", "h": "hidden states"}


def layer(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Any output of lstm, gru or rnn: the sequence, last states, gates, cell and hidden states of every step."""
    name = node.outputs[output].name
    kind, _, suffix = name.partition("_l")
    hidden = int(node.attributes.get("hidden_size") or node.outputs[output].shape[-1])
    if name in ("h_n", "c_n"):
        return _last(context, node, name[0], hidden, cells)
    if name == "":
        return _sequence(context, node, hidden, cells)
    lane = _Lane(node, "l" + suffix if suffix else "l0", hidden, suffix.endswith("reverse"))
    return _step(context, lane, kind, cells)


def _n_directions(node: Node) -> int:
    return 2 if node.attributes.get("bidirectional") is True else 1


def _lane_of(node: Node, number: int, hidden: int) -> _Lane:
    n = _n_directions(node)
    is_reverse = number % n == 1
    return _Lane(node, f"l{number // n}" + ("_reverse" if is_reverse else ""), hidden, is_reverse)


def _sequence(context: Context, node: Node, hidden: int, cells: I64) -> Terms:
    """Hidden states of the last layer, both directions side by side, or (step, direction, unit) as ONNX has them."""
    n = _n_directions(node)
    if cells.shape[1] == 3:
        cells = np.stack([cells[:, 0], cells[:, 1] * hidden + cells[:, 2]], 1)
    top = (int(node.attributes.get("num_layers") or 1) - 1) * n
    inner = np.stack([cells[:, 0], cells[:, -1] % hidden], 1)
    return _merged(context, [_lane_of(node, top + d, hidden) for d in range(n)], "h", inner, cells[:, -1] // hidden)


def _last(context: Context, node: Node, kind: str, hidden: int, cells: I64) -> Terms:
    """The state that each layer and direction ends with."""
    steps = node.outputs[0].shape[0]
    n = _n_directions(node)
    last = np.where((n == 2) & (cells[:, 0] % n == 1), 0, steps - 1)
    lanes = [_lane_of(node, k, hidden) for k in range(int(cells[:, 0].max()) + 1)]
    return _merged(context, lanes, kind, np.stack([last, cells[:, -1]], 1), cells[:, 0])


def _merged(context: Context, lanes: list[_Lane], kind: str, cells: I64, which: I64) -> Terms:
    """Terms of cells in several lanes: all in one table, each with its own columns."""
    found = [(k, _step(context, lanes[k], kind, cells[which == k])) for k in np.unique(which)]
    if len(found) == 1:
        return found[0][1]
    width = max(t.at.shape[1] for _, t in found) * len(found)
    refs = tuple(ref for _, t in found for ref in t.refs)
    n = len(cells)
    at, weight_at = (np.full((n, width), -1, np.int64) for _ in range(2))
    inputs, weights, products = (np.zeros((n, width)) for _ in range(3))
    source, totals, first, shift = np.zeros(width, np.int64), np.zeros((3, n)), 0, 0
    bias = np.zeros(n)
    for k, t in found:
        rows, columns = np.flatnonzero(which == k), slice(first, first + t.at.shape[1])
        for whole, part in ((at, t.at), (inputs, t.inputs), (weights, t.weights), (products, t.products)):
            whole[rows, columns] = part
        source[columns] = t.source + shift
        totals[:, rows] = t.computed, t.scale, t.slack
        bias[rows] = 0.0 if t.bias is None else t.bias
        first, shift = first + t.at.shape[1], shift + len(t.refs)
    has_bias = any(t.bias is not None for _, t in found)
    one = found[0][1]
    return Terms(
        refs, source, at, inputs, weights, products, totals[0], totals[1], totals[2], one.formula, weight_at, None,
        bias if has_bias else None, one.is_sum,
    )  # fmt: skip


def _step(context: Context, lane: _Lane, kind: str, cells: I64) -> Terms:
    """One step: cells (n, 2) of (step, unit), or (n, 3) of (gate, step, unit)."""
    op = lane.node.op
    if kind == "gates":
        return _gate(context, lane, cells)
    if kind == "c":
        return _cell_state(context, lane, cells)
    if op == "lstm":
        return _lstm_state(context, lane, cells)
    return _gru_state(context, lane, cells) if op == "gru" else _plain_state(context, lane, cells)


def _at(context: Context, ref: Ref, *coords: I64) -> tuple[I64, Reading]:
    """Flat cells (n, 1) and their values."""
    at = flat_of(list(coords), context.shape(ref))[:, None]
    return at, context.read(ref, at)


def _before(context: Context, lane: _Lane, kind: str, step: I64, unit: I64) -> list[Part]:
    """The state one step earlier in the lane's own direction; at its first step the one it began with, or none.

    unit : (n, k). Cells that a part does not have are −1.
    """
    ref = lane.output(kind)
    earlier = step[:, None] + (1 if lane.is_reverse else -1)
    at = flat_of([earlier, unit], context.shape(ref))
    found = [(ref, at, context.read(ref, at))]
    start = context.argument(lane.node, "hx[0]" if kind == "h" else "hx[1]")
    if start is not None and (at < 0).any():
        number = int(lane.suffix[1:].split("_")[0]) * _n_directions(lane.node) + lane.is_reverse
        begun = np.where(at < 0, number * lane.hidden + unit, -1)
        found.append((start, begun, context.read(start, begun)))
    return found


def _sums(context: Context, lane: _Lane, row: I64, step: I64, back: Reading | None = None) -> Terms:
    """Σ W_ih·x(t) + Σ W_hh·h(t−1) + b of rows (n,) of the weights; `back` multiplies what comes from h (n,)."""
    below = _below(context, lane)
    width = sum(context.shape(ref)[-1] for ref in below)
    refs, source = [*below], [k for k, ref in enumerate(below) for _ in range(context.shape(ref)[-1])]
    at = [flat_of([step[:, None], np.arange(context.shape(ref)[-1])], context.shape(ref)) for ref in below]
    values = [context.read(ref, cell) for ref, cell in zip(below, at, strict=True)]
    ih, hh = lane.node.parameters.get(f"weight_ih_{lane.suffix}"), lane.node.parameters.get(f"weight_hh_{lane.suffix}")
    if ih is None or hh is None:
        raise Unknown(f"the weights of {lane.node.name} were not recorded")
    units = np.broadcast_to(np.arange(lane.hidden), (len(row), lane.hidden))
    factor = exactly(np.ones(len(row))) if back is None else back
    hidden = context.parameter(hh, row[:, None] * lane.hidden + units)
    scaled = product(hidden, Reading(factor.values[:, None], factor.slack[:, None]))
    w = [context.parameter(ih, row[:, None] * width + np.arange(width))]
    for ref, cell, state in _before(context, lane, "h", step, units):
        source += [len(refs)] * lane.hidden
        refs.append(ref)
        at.append(cell)
        values.append(state)
        w.append(scaled)
    return weighted_sum(
        refs, np.array(source), np.concatenate(at, 1), beside(values), beside(w),
        bias=_bias(context, lane, row, factor), formula="Σ w·x(t) + Σ w·h(t−1)",
    )  # fmt: skip


def _below(context: Context, lane: _Lane) -> list[Ref]:
    """What a lane reads: the layer's input, or the states of both directions of the layer below."""
    level = int(lane.suffix[1:].split("_")[0])
    if not level:
        return [context.only(lane.node)]
    n = _n_directions(lane.node)
    return [_lane_of(lane.node, (level - 1) * n + d, lane.hidden).output("h") for d in range(n)]


def _bias(context: Context, lane: _Lane, row: I64, factor: Reading) -> Reading | None:
    ih, hh = (context.role(lane.node, f"bias_{kind}_{lane.suffix}", row) for kind in ("ih", "hh"))
    if ih is None or hh is None:
        return None
    back = product(hh, factor)
    return Reading(ih.values + back.values, ih.slack + back.slack)


def product(a: Reading, b: Reading) -> Reading:
    """a · b."""
    moved = np.abs(a.values) * b.slack + (np.abs(b.values) + b.slack) * a.slack
    return Reading(a.values * b.values, moved)


def beside(readings: list[Reading]) -> Reading:
    """(n, T) readings one beside the other."""
    return Reading(np.concatenate([r.values for r in readings], 1), np.concatenate([r.slack for r in readings], 1))


def through(terms: Terms, function: object, name: str) -> Terms:
    """Terms whose sum goes through a function of one number."""
    made = applied(function, Reading(terms.computed, terms.slack))  # type: ignore[arg-type]
    return replace(
        terms, computed=made.values, slack=made.slack, formula=f"{name}({terms.formula})", is_sum=False,
        extras={**terms.extras, "sum": terms.computed},
    )  # fmt: skip


def _gate(context: Context, lane: _Lane, cells: I64) -> Terms:
    """One gate of one unit at one step. n of a GRU sees h through its own r: n = tanh(W x + b + r · (W h + b))."""
    gate, step, unit = cells[:, 0], cells[:, 1], cells[:, 2]
    row = gate * lane.hidden + unit
    curved = 2  # g of an LSTM, n of a GRU; the others are sigmoids
    back = None
    if lane.node.op == "gru":
        r = _at(context, lane.output("gates"), np.zeros_like(gate), step, unit)[1].column(0)
        own = gate == curved
        back = Reading(np.where(own, r.values, 1.0), np.where(own, r.slack, 0.0))
    terms = _sums(context, lane, row, step, back)
    is_curved = gate == curved
    if is_curved.all() or not is_curved.any():
        return through(terms, np.tanh if is_curved.all() else sigmoid, "tanh" if is_curved.all() else "sigmoid")
    return through(terms, lambda x: np.where(is_curved, np.tanh(x), sigmoid(x)), "tanh or sigmoid")


def _mixed(parts: list[Part], weights: list[Reading], formula: str) -> Terms:
    """Terms of values (n, 1) with a weight (n, 1) each."""
    at = np.concatenate([part[1] for part in parts], 1)
    values, w = beside([part[2] for part in parts]), beside(weights)
    return weighted_sum([part[0] for part in parts], np.arange(len(parts)), at, values, w, formula=formula)


def _cell_state(context: Context, lane: _Lane, cells: I64) -> Terms:
    """c(t) = f · c(t−1) + i · g."""
    step, unit = cells[:, 0], cells[:, 1]
    gates = lane.output("gates")
    i, f, g = (_at(context, gates, np.full_like(step, k), step, unit) for k in (0, 1, 2))
    earlier = _before(context, lane, "c", step, unit[:, None])
    return _mixed([(gates, *g), *earlier], [i[1], *[f[1]] * len(earlier)], "f · c(t−1) + i · g")


def _lstm_state(context: Context, lane: _Lane, cells: I64) -> Terms:
    """h(t) = o · tanh(c(t)). Rounding is counted on what c sums up, since that may cancel."""
    step, unit = cells[:, 0], cells[:, 1]
    gates, states = lane.output("gates"), lane.output("c")
    at, o = _at(context, gates, np.full_like(step, 3), step, unit)
    _, c = _at(context, states, step, unit)
    summed = _cell_state(context, lane, cells).scale
    terms = weighted_sum([gates, states], np.zeros(1, np.int64), at, o, applied(np.tanh, c), formula="o · tanh(c)")
    box = np.stack([cells, cells + 1], 2)
    scale = np.maximum(terms.scale, np.abs(o.values[:, 0]) * summed)
    return replace(terms, scale=scale, reach={1: box}, extras={"c": c.values[:, 0]})


def _gru_state(context: Context, lane: _Lane, cells: I64) -> Terms:
    """h(t) = (1 − z) · n + z · h(t−1)."""
    step, unit = cells[:, 0], cells[:, 1]
    gates = lane.output("gates")
    z = _at(context, gates, np.full_like(step, 1), step, unit)[1]
    n = _at(context, gates, np.full_like(step, 2), step, unit)
    rest = Reading(1.0 - z.values, z.slack)
    earlier = _before(context, lane, "h", step, unit[:, None])
    return _mixed([(gates, *n), *earlier], [rest, *[z] * len(earlier)], "(1 − z) · n + z · h(t−1)")


def _plain_state(context: Context, lane: _Lane, cells: I64) -> Terms:
    """h(t) = tanh(W x(t) + W h(t−1) + b), or relu of it."""
    terms = _sums(context, lane, cells[:, 1], cells[:, 0])
    is_relu = lane.node.attributes.get("nonlinearity") == "relu"
    return through(terms, (lambda x: np.maximum(x, 0.0)) if is_relu else np.tanh, "relu" if is_relu else "tanh")
