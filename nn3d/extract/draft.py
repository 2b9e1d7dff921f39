"""Owns a graph while it is being traced: nodes that still grow, and their outputs in torch's own layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

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
    """One forward pass: nodes in the order they ran, the model's outputs, and lines about what could not be had.

    transposed : parameters kept as (in, out). spatial_first : kernels kept as (space…, in, out).
    """

    drafts: tuple[Draft, ...]
    outputs: tuple[tuple[str, int, int], ...]
    inputs: tuple[int, ...]
    notes: tuple[str, ...]
    transposed: frozenset[int]
    parameter_names: Mapping[int, str]
    spatial_first: frozenset[int] = frozenset()


def without_dead_ends(
    drafts: Sequence[Draft], outputs: Sequence[tuple[str, int, int]]
) -> tuple[tuple[Draft, ...], tuple[tuple[str, int, int], ...]]:
    """Drop what no output and no parameter hangs on (an index read to steer a loop), and number the rest anew."""
    is_read = [d.op == "input" or (bool(d.parameters) and d.op != "parameter") for d in drafts]
    for _, node, _ in outputs:
        is_read[node] = True
    for draft in reversed(drafts):
        if is_read[draft.index]:
            for source in draft.inputs:
                is_read[source.node] = True
    kept = [d for d in drafts if is_read[d.index]]
    place = {d.index: i for i, d in enumerate(kept)}
    for i, draft in enumerate(kept):
        draft.index = i
        draft.inputs = [replace(s, node=place[s.node]) for s in draft.inputs]
    return tuple(kept), tuple((name, place[node], output) for name, node, output in outputs)
