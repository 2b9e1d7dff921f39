"""Compares two graphs of one model by what their parameters read: the measure of inferred wires.

A graph is contracted to *units*, nodes that hold parameters: an edge goes from unit A to unit B where B is reachable
from A through nodes without parameters. Units are the same in both graphs when they hold the same parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from nn3d.run.model import Graph
from nn3d.run.ops import op_of

# Families of operations that hold parameters; in others a parameter is a value that is read.
HOLDING = frozenset(("conv", "linear", "embedding", "norm", "attention", "recurrent", "other"))
Edges = set[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Score:
    """How well edges were found. n_true : edges that there are; n_said : edges that were inferred; n_right : both."""

    n_true: int
    n_said: int
    n_right: int

    @property
    def precision(self) -> float:
        """Share of the inferred edges that are true, 1 where nothing was said."""
        return self.n_right / self.n_said if self.n_said else 1.0

    @property
    def recall(self) -> float:
        """Share of the true edges that were inferred."""
        return self.n_right / self.n_true if self.n_true else 1.0


def stripped(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    """What a state_dict tells without its values: name → shape, in its order."""
    return {name: tuple(tensor.shape) or (1,) for name, tensor in model.state_dict().items()}


def aliases(model: torch.nn.Module) -> dict[str, str]:
    """Every name of a tied parameter → the first one."""
    first: dict[tuple[int, tuple[int, ...]], str] = {}
    return {n: first.setdefault((t.data_ptr(), tuple(t.shape)), n) for n, t in model.state_dict(keep_vars=True).items()}


@dataclass(frozen=True, slots=True)
class Units:
    """The units of a true graph. of : parameter → its unit. loose : units that are values of their own there.

    A parameter that no operation holds (a factor a channel, a token, a norm computed by hand) is only ever read; in a
    graph that has it inside an operation, that operation is passed through and the parameter is read beside it.
    """

    of: Mapping[str, str]
    loose: frozenset[str]


def units_of(graph: Graph, same: Mapping[str, str]) -> Units:
    """Units of a true graph: what one operation holds, named by the first of its parameters; buffers are left away."""
    names = {p.id: same.get(p.name, p.name) for p in graph.parameters}
    kept = {same.get(p.name, p.name) for p in graph.parameters if p.kind == "parameter"}
    unit: dict[str, str] = {}
    held: set[str] = set()
    for node in graph.nodes:
        own = sorted({names[p] for p in node.parameters.values()})
        if not kept.intersection(own):
            continue
        known = next((unit[name] for name in own if name in unit), own[0])
        unit.update({name: known for name in own if name not in unit})
        held |= {known} if op_of(node.op).family in HOLDING or node.op == "prelu" else set()
    return Units(unit, frozenset(unit.values()) - held)


def contracted(graph: Graph, units: Units, same: Mapping[str, str]) -> Edges:
    """Edges between units, those of a unit with itself left away."""
    names = {p.id: same.get(p.name, p.name) for p in graph.parameters}
    by_id = {node.id: node for node in graph.nodes}
    held = {n.id: {units.of[names[p]] for p in n.parameters.values() if names[p] in units.of} for n in graph.nodes}
    own = {i: next(iter(sorted(u - units.loose)), None) for i, u in held.items()}
    known: dict[int, frozenset[str]] = {}

    def behind(start: int) -> frozenset[str]:
        """Units that a node reads, its own loose ones among them."""
        stack = [start]
        while stack:
            node = by_id[stack[-1]]
            waiting = [s.node for s in node.inputs if s.node not in known and own[s.node] is None]
            if waiting:
                stack += waiting
                continue
            found = held[node.id] & units.loose
            for source in node.inputs:
                unit = own[source.node]
                found |= {unit} if unit is not None else known[source.node]
            known[stack.pop()] = frozenset(found)
        return known[start]

    return {(a, unit) for i, unit in own.items() if unit is not None for a in behind(i) if a != unit}


def score(true: Edges, said: Edges) -> Score:
    """Compare contracted edges."""
    return Score(len(true), len(said), len(true & said))


def scored(true: Graph, said: Graph, same: Mapping[str, str]) -> Score:
    """An inferred graph against the true one of the same parameters. same : tied names, as `aliases` gives them."""
    units = units_of(true, same)
    return score(contracted(true, units, same), contracted(said, units, same))
