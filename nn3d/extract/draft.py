"""Owns a graph while it is being traced: nodes that still grow, and their outputs in torch's own layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nn3d.run.model import JSON, Array, Source


@dataclass(slots=True)
class DraftOutput:
    """One output as torch made it: shape with the sample axis wherever it is. `value` is a copy, never a view."""

    shape: tuple[int, ...]
    dtype: str
    value: Array
    name: str = ""
    recomputed: bool = False


@dataclass(slots=True)
class Draft:
    """A node of the trace; `index` is its id and its place."""

    index: int
    op: str
    name: str
    module: str
    attributes: dict[str, JSON] = field(default_factory=dict)
    inputs: list[Source] = field(default_factory=list)
    outputs: list[DraftOutput] = field(default_factory=list)
    parameters: dict[str, int] = field(default_factory=dict)

    def signature(self) -> tuple[object, ...]:
        """What two traces of one model must share for their nodes to be the same."""
        return self.op, self.module, tuple(self.inputs), len(self.outputs)


@dataclass(frozen=True, slots=True)
class Traced:
    """One forward pass: nodes in the order they ran, the model's outputs, and lines about what could not be had."""

    drafts: tuple[Draft, ...]
    outputs: tuple[tuple[str, int, int], ...]
    inputs: tuple[int, ...]
    notes: tuple[str, ...]
    transposed: frozenset[int]
    parameter_names: Mapping[int, str]
