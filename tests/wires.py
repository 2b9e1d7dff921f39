"""Compares two graphs of one model by what their parameters read: the measure of inferred wires.

A graph is contracted to *units*, nodes that hold parameters: an edge goes from unit A to unit B where B is reachable
from A through nodes without parameters. Units are the same in both graphs when they hold the same parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from nn3d.run.model import Graph, Node

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


def unit_names(graph: Graph, same: Mapping[str, str]) -> dict[str, str]:
    """Parameter → its unit, in `graph`: the first name of what is held by the same nodes, buffers alone left away."""
    names = {p.id: same.get(p.name, p.name) for p in graph.parameters}
    kinds = {same.get(p.name, p.name): p.kind for p in graph.parameters}
    unit: dict[str, str] = {}
    for node in graph.nodes:
        held = sorted({names[p] for p in node.parameters.values()})
        if not any(kinds[name] == "parameter" for name in held):
            continue
        known = next((unit[name] for name in held if name in unit), held[0])
        unit.update({name: known for name in held if name not in unit})
    return unit


def contracted(graph: Graph, unit: Mapping[str, str], same: Mapping[str, str]) -> Edges:
    """Edges between units of `unit`, those of a unit with itself left away."""
    names = {p.id: same.get(p.name, p.name) for p in graph.parameters}
    by_id = {node.id: node for node in graph.nodes}

    def of(node: Node) -> str | None:
        return next((unit[names[p]] for p in node.parameters.values() if names[p] in unit), None)

    known: dict[int, frozenset[str]] = {}

    def behind(start: int) -> frozenset[str]:
        stack = [start]
        while stack:
            node = by_id[stack[-1]]
            waiting = [s.node for s in node.inputs if s.node not in known and of(by_id[s.node]) is None]
            if waiting:
                stack += waiting
                continue
            found: set[str] = set()
            for source in node.inputs:
                own = of(by_id[source.node])
                found |= {own} if own is not None else known[source.node]
            known[stack.pop()] = frozenset(found)
        return known[start]

    return {(a, b) for node in graph.nodes if (b := of(node)) is not None for a in behind(node.id) if a != b}


def score(true: Edges, said: Edges) -> Score:
    """Compare contracted edges."""
    return Score(len(true), len(said), len(true & said))
