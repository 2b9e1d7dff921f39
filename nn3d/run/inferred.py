"""Owns what an inferred graph says of its wires: each joint with its reason and how certain it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from nn3d.run.model import Graph, Node

CERTAIN: Final = "shapes agree"
LIKELY: Final = "names and shapes agree"
GUESSED: Final = "fits, not certain"
# Attributes of a node that hold them.
WHY: Final = "inferred"
CERTAINTY: Final = "certainty"


@dataclass(frozen=True, slots=True)
class Joint:
    """Where a node seems to read. sources : names of nodes, () where no joint was found."""

    sources: tuple[str, ...]
    name: str
    why: str
    certainty: str


def joints(graph: Graph, nodes: Iterable[Node] | None = None) -> tuple[Joint, ...]:
    """The joints of some nodes of an inferred graph, or of all of them."""
    names = {node.id: node.name for node in graph.nodes}
    return tuple(
        Joint(
            tuple(names[s.node] for s in n.inputs), n.name, str(n.attributes[WHY]), str(n.attributes.get(CERTAINTY, ""))
        )
        for n in (graph.nodes if nodes is None else nodes)
        if WHY in n.attributes and n.op != "embedding"
    )


def words(graph: Graph) -> str:
    """How the wires of an inferred graph are known, for the title."""
    counted = next((note for note in graph.notes if " joint: " in note or " joints: " in note), "")
    return f"wires inferred, {counted.rstrip('.')}" if counted else "wires inferred from order and shapes"
