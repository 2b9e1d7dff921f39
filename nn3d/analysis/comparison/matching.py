"""Which layers, parameters and operations of two runs belong together: by name first, then by shape.

A pair has one shape, so that its values can be subtracted; what has no partner is named with the reason.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from nn3d.run.model import Layer, Node
from nn3d.run.run import Run


@dataclass(frozen=True, slots=True)
class Pair:
    """Two layers, by their indices. how : "name" or "shape"."""

    after: int
    before: int
    how: str


@dataclass(frozen=True, slots=True)
class Matching:
    """Partners between a run `after` and a run `before`; ids and indices of the one → those of the other.

    alone_after, alone_before : layers without a partner, index → why.
    """

    pairs: tuple[Pair, ...]
    parameters: dict[int, int]
    nodes: dict[int, int]
    alone_after: dict[int, str] = field(default_factory=dict)
    alone_before: dict[int, str] = field(default_factory=dict)

    @property
    def before_of(self) -> dict[int, Pair]:
        """The pair of each layer of `after`."""
        return {pair.after: pair for pair in self.pairs}


def matched(after: Run, before: Run) -> Matching:
    """The partners of two runs; of a run with itself everything."""
    if after is before:
        pairs = tuple(Pair(k, k, "name") for k in range(len(after.layers)))
        return Matching(
            pairs, {p.id: p.id for p in after.graph.parameters}, {n.id: n.id for n in after.graph.nodes}
        )
    pairs, reasons = _by_name(after, before)
    pairs = tuple(sorted((*pairs, *_by_shape(after, before, pairs)), key=lambda pair: pair.after))
    nodes = _nodes(after, before, pairs)
    with_after, with_before = {p.after for p in pairs}, {p.before for p in pairs}
    alone = {la.index: reasons.get(la.name, "") for la in after.layers if la.index not in with_after}
    other = {la.index: reasons.get(la.name, "") for la in before.layers if la.index not in with_before}
    return Matching(pairs, _parameters(after, before, pairs), nodes, alone, other)


def _by_name(after: Run, before: Run) -> tuple[tuple[Pair, ...], dict[str, str]]:
    """Pairs of one name and one shape, and by name why layers of one name are no pair."""
    known = {layer.name: layer for layer in before.layers}
    pairs, reasons = [], {}
    for layer in after.layers:
        other = known.get(layer.name)
        if other is None:
            continue
        if layer.shape == other.shape and _weight_shape(after, layer) == _weight_shape(before, other):
            pairs.append(Pair(layer.index, other.index, "name"))
        else:
            is_values = layer.shape != other.shape
            ends = (after, layer), (before, other)
            a, b = (la.shape if is_values else _weight_shape(run, la) for run, la in ends)
            reasons[layer.name] = f"{'shape' if is_values else 'weight'} {times(a)} against {times(b)}"
    return tuple(pairs), reasons


def _by_shape(after: Run, before: Run, pairs: tuple[Pair, ...]) -> list[Pair]:
    """Of the layers left over, the first with the first of the same operation, shape and weights, and so on."""
    with_after, with_before = {p.after for p in pairs}, {p.before for p in pairs}
    waiting: dict[Hashable, list[int]] = {}
    for layer in before.layers:
        if layer.index not in with_before:
            waiting.setdefault(_signature(before, layer), []).append(layer.index)
    out = []
    for layer in after.layers:
        others = waiting.get(_signature(after, layer), []) if layer.index not in with_after else []
        if others:
            out.append(Pair(layer.index, others.pop(0), "shape"))
    return out


def _signature(run: Run, layer: Layer) -> Hashable:
    return layer.op, layer.shape, _weight_shape(run, layer), layer.axes


def _weight_shape(run: Run, layer: Layer) -> tuple[int, ...]:
    return () if layer.weight is None else run.parameter_info(layer.weight).shape


def _parameters(after: Run, before: Run, pairs: tuple[Pair, ...]) -> dict[int, int]:
    """By name; else those of the same part in two layers that belong together. Of one shape only."""
    by_name = {p.name: p for p in before.graph.parameters}
    out = {}
    for info in after.graph.parameters:
        other = by_name.get(info.name)
        if other is not None and other.shape == info.shape:
            out[info.id] = other.id
    for pair in pairs:
        ours = _roles(after, after.layers[pair.after])
        theirs = _roles(before, before.layers[pair.before])
        for role, ids in ours.items():
            for mine, other_id in zip(ids, theirs.get(role, ()), strict=False):
                if after.parameter_info(mine).shape == before.parameter_info(other_id).shape:
                    out.setdefault(mine, other_id)
    return out


def _roles(run: Run, layer: Layer) -> dict[tuple[str, str], list[int]]:
    """(operation, role) → ids of a layer's parameters, in the order of its nodes."""
    out: dict[tuple[str, str], list[int]] = {}
    for node in (run.node(n) for n in layer.nodes):
        for role, parameter in node.parameters.items():
            out.setdefault((node.op, role), []).append(parameter)
    return out


def _nodes(after: Run, before: Run, pairs: tuple[Pair, ...]) -> dict[int, int]:
    """By name; else by their place in two layers that belong together. Of one operation and shape only."""
    by_name = {node.name: node for node in before.graph.nodes}
    out = {}
    for pair in pairs:
        ours, theirs = after.layers[pair.after], before.layers[pair.before]
        waiting = [before.node(n) for n in theirs.nodes]
        for node in (after.node(n) for n in ours.nodes):
            found = next((other for other in waiting if _is_alike(node, other)), None)
            if found is not None:
                out[node.id] = found.id
                waiting.remove(found)
        out.setdefault(ours.shown, theirs.shown)
    for node in after.graph.nodes:
        other = by_name.get(node.name)
        if other is not None and _is_alike(node, other):
            out.setdefault(node.id, other.id)
    return out


def _is_alike(a: Node, b: Node) -> bool:
    return a.op == b.op and tuple(o.shape for o in a.outputs) == tuple(o.shape for o in b.outputs)


def times(shape: tuple[int, ...]) -> str:
    """A shape for people: "6 × 28 × 28"."""
    return " × ".join(f"{n:,}" for n in shape) or "1"
