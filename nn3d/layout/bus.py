"""One bus with taps for concatenations that grow: DenseNet's quadratically many copies as one copy a step.

A concatenation of (a, b, c) holds the concatenation of (a, b) as its first part. Where that one was computed, the parts
are copied from there: the same values, and one link instead of many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from nn3d.run.model import Layer, LayerLink, Node

PREFIX = "tensors[:"


def with_buses(layers: Sequence[Layer], nodes: Mapping[int, Node]) -> tuple[Layer, ...]:
    """The layers; links into a concatenation that an earlier one has copied already are one link from that one."""
    known: dict[tuple[object, ...], Layer] = {}
    out = []
    for layer in layers:
        if layer.op != "concat" or not all(link.target == layer.nodes[0] for link in layer.links):
            out.append(layer)
            continue
        dim = nodes[layer.nodes[0]].attributes.get("dim")
        parts = tuple((link.node, link.output) for link in layer.links)
        found = next((k for k in range(len(parts) - 1, 0, -1) if (dim, *parts[:k]) in known), 0)
        known.setdefault((dim, *parts), layer)
        out.append(replace(layer, links=_joined(layer, found, known[dim, *parts[:found]])) if found else layer)
    return tuple(out)


def is_bus(layer: Layer) -> bool:
    """Whether a layer takes its first parts from an earlier concatenation."""
    return any(link.argument.startswith(PREFIX) for link in layer.links)


def _joined(layer: Layer, n: int, source: Layer) -> tuple[LayerLink, ...]:
    bus = LayerLink(source.index, source.nodes[0], 0, f"{PREFIX}{n}]", "map", layer.nodes[0])
    return (bus, *layer.links[n:])
