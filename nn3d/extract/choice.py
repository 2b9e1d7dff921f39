"""Owns which layers of a model are recorded: names and patterns → nodes and parameters, and words for what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from nn3d.errors import TraceError
from nn3d.extract.recording import Moment
from nn3d.extract.sharding import only
from nn3d.run.layers import layers_of
from nn3d.run.model import Graph, Node


@dataclass(frozen=True, slots=True)
class Choice:
    """What is recorded. nodes, parameters : ids. left_out : what a run says of the rest, one line each."""

    nodes: frozenset[int]
    parameters: frozenset[int]
    left_out: tuple[str, ...]

    def of(self, moment: Moment) -> Moment:
        """A moment without what was not chosen."""
        return Moment(
            moment.epoch,
            {key: a for key, a in moment.activations.items() if key[0] in self.nodes},
            only(moment.parameters, self.parameters),
            {k: a for k, a in moment.parameter_gradients.items() if k in self.parameters},
            {key: a for key, a in moment.activation_gradients.items() if key[0] in self.nodes},
        )


def chosen(graph: Graph, patterns: Sequence[str]) -> Choice:
    """Layers that match a pattern by their name, or by a module that they lie in; inputs and outputs always.

    patterns : as in file names ("conv*", "features", "layer4.*"). Raises TraceError for one that matches nothing.
    """
    known = {n.id: n for n in graph.nodes}
    layers = [(_names(known[layer.nodes[0]], layer.name), layer) for layer in layers_of(graph)]
    for pattern in patterns:
        if not any(_matches(pattern, names) for names, _ in layers):
            some = ", ".join(layer.name for _, layer in layers)
            raise TraceError(f"layers: expected names or patterns of this model ({some[:300]}), got {pattern!r}")
    ends = {node for _, node, _ in graph.outputs}
    taken = [layer for names, layer in layers if any(_matches(pattern, names) for pattern in patterns)]
    nodes = {i for layer in taken for i in layer.nodes} | ends | {n.id for n in graph.nodes if n.op == "input"}
    parameters = frozenset(p for i in nodes for p in known[i].parameters.values())
    rest = len(layers) - sum(1 for _, layer in layers if set(layer.nodes) <= nodes)
    said = f"of {len(layers)} layers {rest} were not recorded: layers={list(patterns)}"
    return Choice(frozenset(nodes), parameters, (said,) if rest else ())


def _names(node: Node, layer: str) -> tuple[str, ...]:
    """Names of a layer that begins with a node: its own, the node's, and every module that it lies in."""
    parts = node.module.split(".") if node.module else []
    return (layer, node.name, *(".".join(parts[:n]) for n in range(1, len(parts) + 1)))


def _matches(pattern: str, names: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)
