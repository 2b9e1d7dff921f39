"""Owns which values of an ONNX graph move with its inputs; the rest are parameters, settings, arithmetic on shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

# They make something new at each run, though they may read nothing.
_RANDOM = frozenset(
    ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial")
)
# What comes out depends on the shape of what goes in alone.
_OF_SHAPES = frozenset(("Shape", "Size"))
# A parameter keeps its name through these: they only place, type or scale what it holds.
_THROUGH = frozenset(
    ("Unsqueeze", "Squeeze", "Reshape", "Transpose", "Identity", "Cast", "Flatten", "DequantizeLinear", "Expand")
)


@dataclass(slots=True)
class Values:
    """How each value of the main graph comes about.

    moving : values that depend on what the inputs hold. shaped : those that depend on the inputs' shapes alone.
    made_by : value → the node that makes it. readers : value → how many nodes (or outputs) read it.
    """

    inputs: tuple[Any, ...]
    initializers: dict[str, Any]
    moving: set[str] = field(default_factory=set)
    shaped: set[str] = field(default_factory=set)
    made_by: dict[str, Any] = field(default_factory=dict)

    def is_fixed(self, name: str) -> bool:
        """Whether a value is the same at every run, whatever the inputs."""
        return bool(name) and name not in self.moving and name not in self.shaped

    def root(self, name: str) -> str:
        """The initializer whose values a fixed value holds, in another place, type or scale; else itself."""
        for _ in range(len(self.made_by) + 1):
            node = self.made_by.get(name)
            if node is None or node.op_type not in _THROUGH or not node.input:
                return name
            name = node.input[0]
        return name

    def through(self, name: str) -> tuple[str, ...]:
        """The operations between a fixed value and its root, outermost last."""
        found: list[str] = []
        while (node := self.made_by.get(name)) is not None and node.op_type in _THROUGH and node.input:
            found.append(node.op_type)
            name = node.input[0]
            if len(found) > len(self.made_by):
                break
        return tuple(reversed(found))


def values_of(graph: Any) -> Values:
    """Follow what depends on the inputs through a graph in its own (topological) order."""
    held = {t.name: t for t in graph.initializer}
    inputs = tuple(i for i in graph.input if i.name not in held)
    found = Values(inputs, held)
    found.moving |= {i.name for i in inputs}
    for node in graph.node:
        read = reads(node)
        for name in node.output:
            found.made_by[name] = node
        if node.op_type in _RANDOM or (node.op_type not in _OF_SHAPES and any(name in found.moving for name in read)):
            found.moving |= {name for name in node.output if name}
        elif any(name in found.shaped or name in found.moving for name in read):
            found.shaped |= {name for name in node.output if name}
    return found


def reads(node: Any) -> list[str]:
    """Names of all values that a node reads; those that its subgraphs take from outside come last."""
    return [*node.input, *captured(node)]


def captured(node: Any) -> list[str]:
    """What the subgraphs of a node read from outside of them, each once."""
    found: dict[str, None] = {}
    for graph in subgraphs(node):
        own = {i.name for i in graph.input} | {t.name for t in graph.initializer}
        for inner in graph.node:
            for name in reads(inner):
                if name and name not in own:
                    found[name] = None
            own |= set(inner.output)
        for output in graph.output:
            if output.name not in own:
                found[output.name] = None
    return [name for name in found if name not in node.input]


def subgraphs(node: Any) -> Sequence[Any]:
    """The bodies of If, Loop and Scan."""
    found = []
    for attribute in node.attribute:
        if attribute.HasField("g"):
            found.append(attribute.g)
        found.extend(attribute.graphs)
    return found


def n_inner(node: Any) -> int:
    """How many nodes stand in the subgraphs of a node, at any depth."""
    return sum(1 + n_inner(inner) for graph in subgraphs(node) for inner in graph.node)
