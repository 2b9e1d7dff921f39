"""Owns the nodes of an inferred graph while it is made: values, joints with their reasons, and going back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nn3d.extract.inference.units import Unit
from nn3d.run.inferred import CERTAIN, CERTAINTY, GUESSED, LIKELY, WHY
from nn3d.run.memory import axes_of
from nn3d.run.model import JSON, Node, Output, Source

MOST_OPEN = 64


@dataclass(frozen=True, slots=True)
class Value:
    """What a node gives. form : "maps" where its channels may have places, "rows" where they are features."""

    node: int
    channels: int
    form: str = "maps"


@dataclass(slots=True)
class Draft:
    """Nodes so far. unjoined : path → why a unit reads nothing; open : values that nothing reads, by node.

    taps : outputs that a later one may be glued to; pending : class tokens and positions before their stream is known;
    memory : what a cross attention reads; embedding : of the last tokens; taken : names of nodes.
    """

    nodes: list[Node] = field(default_factory=list)
    unjoined: dict[str, str] = field(default_factory=dict)
    values: dict[int, Value] = field(default_factory=dict)
    taps: list[Value] = field(default_factory=list)
    pending: list[Unit] = field(default_factory=list)
    open: dict[int, Value] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    memory: Value | None = None
    embedding: Value | None = None

    def mark(self) -> tuple[int, dict[str, str], list[Value], list[Unit], Value | None, Value | None]:
        """Where to go back to."""
        return (
            len(self.nodes), dict(self.unjoined), list(self.taps), list(self.pending), self.memory, self.embedding,
        )  # fmt: skip

    def back(self, mark: tuple[int, dict[str, str], list[Value], list[Unit], Value | None, Value | None]) -> None:
        """Forget everything since a mark."""
        n, self.unjoined, self.taps, self.pending, self.memory, self.embedding = (
            mark[0], dict(mark[1]), list(mark[2]), list(mark[3]), mark[4], mark[5],
        )  # fmt: skip
        for node in self.nodes[n:]:
            self.values.pop(node.id, None)
        del self.nodes[n:]
        read = {s.node for node in self.nodes for s in node.inputs}
        self.open = {k: v for k, v in self.values.items() if k not in read and self.nodes[k].op != "parameter"}
        self.taken = {node.name: 1 for node in self.nodes}

    def unit(
        self, unit: Unit, sources: Sequence[Value], why: str, certainty: str, form: str, attributes: JSON = None
    ) -> Value:
        """A node of a unit, reading `sources` (none where it is not joined)."""
        roles = {r: p for r, p in unit.roles.items() if r != "num_batches_tracked"}
        said = {**unit.attributes, **(attributes or {})}
        if not sources and unit.op not in ("embedding", "parameter"):
            self.unjoined[unit.path] = why
        name = self._named(unit.path or unit.op)
        outputs = (_held(unit),) if unit.op == "parameter" else ()
        return self._add(unit.op, name, unit.path, sources, unit.n_out, form, said, why, certainty, roles, outputs)

    def _named(self, base: str) -> str:
        """A name that no node has yet."""
        name, k = base, self.taken.get(base, 1)
        while name in self.taken:
            k += 1
            name = f"{base}_{k}"
        self.taken[base] = k
        self.taken.setdefault(name, 1)
        return name

    def join(self, op: str, where: str, sources: Sequence[Value], channels: int, why: str, certainty: str) -> Value:
        """A node without parameters: an addition, a concatenation, attention, an input."""
        name = self._named(f"{where}.{op}" if where else op)
        form = sources[0].form if sources else "maps"
        return self._add(op, name, where, sources, channels, form, {}, why, certainty, {})

    def _add(
        self, op: str, name: str, module: str, sources: Sequence[Value], channels: int, form: str,
        attributes: JSON, why: str, certainty: str, roles: dict[str, int], outputs: tuple[Output, ...] = (),
    ) -> Value:  # fmt: skip
        arguments = ("query", "key", "value") if op == "attention" else ("input", "other")
        inputs = tuple(
            Source(v.node, 0, arguments[i] if i < len(arguments) else f"input{i}") for i, v in enumerate(sources)
        )
        if why:
            attributes = {**attributes, WHY: why, CERTAINTY: certainty}
        node = len(self.nodes)
        outputs = outputs or (Output((max(1, channels),), ("C",)),)
        self.nodes.append(Node(node, op, name, module, attributes, inputs, outputs, roles))
        self.values[node] = Value(node, max(1, channels), form)
        for source in inputs:
            self.open.pop(source.node, None)
        if op != "parameter":
            self.open[node] = self.values[node]
        return self.values[node]

    def unread(self) -> list[Value]:
        """Values that nothing reads yet, in order."""
        return list(self.open.values())[-MOST_OPEN:]


def _held(unit: Unit) -> Output:
    """What a bare parameter gives: itself, the same for every sample, without leading axes of one."""
    shape = next(iter(unit.shapes.values()), (1,))
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    return Output(shape, axes_of(len(shape)), per_sample=False)


__all__ = ["CERTAIN", "GUESSED", "LIKELY", "Draft", "Value"]
