"""Owns the step from dotted module paths to groups: which layers fold into one block, and which blocks repeat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from nn3d.run.group_names import run_name, short_names
from nn3d.run.groups import CONTAINERS, FEW_LAYERS, Group, Groups
from nn3d.run.model import Graph, Layer, Node
from nn3d.run.parts import Part, Unit, circles, flattened, members_of
from nn3d.run.stages import inferred_runs

# What parts without a class of their own are called where all are equal.
EQUAL = "equal parts"
# Layers that only hold an array: one operation with such arrays is no group.
HELD = frozenset(("constant", "parameter"))


def groups_of(layers: Sequence[Layer], graph: Graph) -> Groups:
    """The groups of a network's layers. Layers are in topological order, as in Run.layers."""
    types = {m.path: m.type for m in graph.modules}
    shapes = {p.id: p.shape for p in graph.parameters}
    nodes = {n.id: n for n in graph.nodes}
    builder = _Builder(layers, types, [_leaf(layer, nodes, shapes) for layer in layers])
    units = builder.parts(list(range(len(layers))), ())
    units = builder.with_runs(units, is_whole=True)
    if len(units) == 1 and isinstance(units[0], Part):
        units = units[0].units
    return _numbered(units, layers, builder)


def _leaf(layer: Layer, nodes: Mapping[int, Node], shapes: Mapping[int, tuple[int, ...]]) -> str:
    """Digest of one layer: what it does and how large, not how it is called.

    Stages of a module further out do not count: a norm after the last block would make that block another one.
    """
    own = [n for n in (nodes[i] for i in layer.nodes) if f"{n.module}.".startswith(f"{layer.module}.")]
    found = [
        (n.op, [(o.shape, o.axes) for o in n.outputs], sorted((r, shapes.get(p, ())) for r, p in n.parameters.items()))
        for n in own
    ]
    return blake2b(repr(found).encode(), digest_size=12).hexdigest()


@dataclass(slots=True)
class _Builder:
    """Recursion over module paths; `leaf` is the digest of each layer."""

    all: Sequence[Layer]
    types: Mapping[str, str]
    leaf: list[str]

    def parts(self, members: list[int], prefix: tuple[str, ...]) -> list[Unit]:
        """Members as layers and parts, so that contracting the parts leaves no circle."""
        buckets: dict[str, list[int]] = {}
        units: list[Unit] = []
        for i in members:
            rest = self._below(i, len(prefix))
            if rest:
                buckets.setdefault(rest[0], []).append(i)
            else:
                units.append(i)
        for name, inside in buckets.items():
            calls = self._calls(inside)
            for number, call in enumerate(calls):
                units += self._part((*prefix, name), call, f" #{number + 1}" if number else "")
        return self._ordered(self._acyclic(units))

    def _below(self, layer: int, depth: int) -> list[str]:
        path = self.all[layer].module
        return path.split(".")[depth:] if path else []

    def _part(self, path: tuple[str, ...], members: list[int], suffix: str) -> list[Unit]:
        if sum(self.all[i].op not in HELD for i in members) < 2:
            return list(members)
        dotted = ".".join(path)
        inside, kind = self.parts(members, path), self.types.get(dotted, "")
        if len(inside) == 1 and isinstance(inside[0], Part):
            kind = inside[0].type if kind in CONTAINERS else kind
            inside = inside[0].units
        part = Part(dotted + suffix, dotted, kind, inside, members)
        part.units = self.with_runs(inside, is_whole=True)
        self._seal(part)
        return [part]

    def _calls(self, members: list[int]) -> list[list[int]]:
        """Members call by call, where each weighted layer of a module runs the same number of times, twice or more."""
        keys = [(self.all[i].module, self.all[i].weight) for i in members]
        weighted = [k for k in keys if k[1] is not None]
        counts = {weighted.count(k) for k in set(weighted)}
        if len(counts) != 1 or counts == {1} or len(set(weighted)) == len(members):
            return [members]
        calls: list[list[int]] = [[]]
        seen: set[tuple[str, int | None]] = set()
        for i, key in zip(members, keys, strict=True):
            if key[1] is not None and key in seen:
                calls.append([])
                seen = set()
            seen.add(key)
            calls[-1].append(i)
        return calls if len(calls) == counts.pop() else [members]

    def _acyclic(self, units: list[Unit]) -> list[Unit]:
        """Parts that lie on a circle of the contracted graph are dissolved into what they hold, until none does.

        Those that are not convex go first; of parts that only together make a circle, the largest.
        """
        while True:
            round_ = [k for k in circles(self.edges(units), len(units)) if isinstance(units[k], Part)]
            if not round_:
                return units
            alone = {k for k in round_ if not self._is_convex(units, k)}
            bad = alone or {max(round_, key=lambda k: (len(members_of(units[k])), k))}
            kept: list[Unit] = []
            for k, unit in enumerate(units):
                kept += unit.units if k in bad and isinstance(unit, Part) else [unit]
            units = kept

    def _is_convex(self, units: Sequence[Unit], k: int) -> bool:
        """Whether no way leads out of a part and back into it, all others taken apart."""
        single = [units[k], *(i for j, unit in enumerate(units) if j != k for i in members_of(unit))]
        return 0 not in circles(self.edges(single), len(single))

    def edges(self, units: Sequence[Unit]) -> set[tuple[int, int]]:
        """Edges between units, (source, target) by their places; recurrence is left out."""
        place = {i: k for k, unit in enumerate(units) for i in members_of(unit)}
        return {
            (place[link.source], place[i])
            for i in place
            for link in self.all[i].links
            if link.source < i and link.source in place and place[link.source] != place[i]
        }

    def _ordered(self, units: list[Unit]) -> list[Unit]:
        """Units in a topological order, the first by their first layers."""
        edges = self.edges(units)
        waiting = {k: {s for s, t in edges if t == k} for k in range(len(units))}
        out: list[Unit] = []
        while waiting:
            k = min((k for k, before in waiting.items() if not before), key=lambda k: members_of(units[k])[0])
            del waiting[k]
            for before in waiting.values():
                before.discard(k)
            out.append(units[k])
        return out

    def is_residual(self, index: int) -> bool:
        """Whether a layer is a sum of which one input, or what that projects, leads to another one."""
        sources = {link.source for link in self.all[index].links if link.source < index}
        if self.all[index].op != "add" or len(sources) < 2:
            return False
        first = min(sources)
        roots = {first, *(link.source for link in self.all[first].links)}
        seen: set[int] = set()
        front = [s for s in sources if s != first]
        while front:
            for link in self.all[front.pop()].links:
                if link.source in roots:
                    return True
                if link.source > min(roots) and link.source not in seen:
                    seen.add(link.source)
                    front.append(link.source)
        return False

    def _seal(self, part: Part) -> None:
        """The Merkle digest: of the units' digests and of the edges between the layers inside, by their places."""
        at = {i: k for k, i in enumerate(part.layers)}
        inner = sorted(
            (at[link.source], at[i], link.kind, link.argument, link.output)
            for i in part.layers for link in self.all[i].links if link.source in at
        )  # fmt: skip
        found = ([self.digest(u) for u in part.units], inner)
        part.digest = blake2b(repr(found).encode(), digest_size=12).hexdigest()

    def digest(self, unit: Unit) -> str:
        """Of a layer or a part."""
        return unit.digest if isinstance(unit, Part) else self.leaf[unit]

    def with_runs(self, units: list[Unit], *, is_whole: bool) -> list[Unit]:
        """Units with runs of repeats, and stages of one resolution, as inferred parts of their own."""
        if len(self.all) <= FEW_LAYERS:
            return units
        edges = self.edges(units)
        out: list[Unit] = []
        for run, note in inferred_runs(units, edges, self.digest, self.all):
            if note == "":
                out += run
                continue
            layers = sorted(i for unit in run for i in members_of(unit))
            part = Part(run_name(run, note, self.all), "", "", list(run), layers, note)
            self._seal(part)
            out.append(part)
        return out


def _numbered(units: list[Unit], layers: Sequence[Layer], builder: _Builder) -> Groups:
    """The tree as a flat table, parents before children."""
    n = len(layers)
    table: list[Group] = []
    parent = [-1] * n
    read_by: dict[int, list[int]] = {}
    for layer in layers:
        for link in layer.links:
            read_by.setdefault(link.source, []).append(layer.index)

    def add(part: Part, above: int, depth: int) -> int:
        index = len(table)
        table.append(_group(part, index, above, depth, builder, read_by))
        parent.append(above)
        items = []
        for unit in part.units:
            if isinstance(unit, Part):
                items.append(n + add(unit, index, depth + 1))
            else:
                parent[unit] = index
                items.append(unit)
        table[index] = replace(table[index], children=tuple(items))
        return index

    for unit in units:
        if isinstance(unit, Part):
            add(unit, -1, 0)
    return Groups(n, tuple(table), tuple(parent), short_names(layers, table, parent))


def _group(
    part: Part, index: int, parent: int, depth: int, builder: _Builder, read_by: Mapping[int, list[int]]
) -> Group:
    inside = set(part.layers)
    leaving = [i for i in part.layers if any(t not in inside for t in read_by.get(i, [])) or not read_by.get(i)]
    flat = flattened(part.units)
    types = {u.type if isinstance(u, Part) else "" for u in flat}
    kind = types.pop() if len(types) == 1 and len(flat) > 1 else ""
    if kind in CONTAINERS:
        kind = ""
    digests = [builder.digest(u) for u in flat]
    if not kind and len(flat) > 1 and len(set(digests)) == 1 and all(isinstance(u, Part) for u in flat):
        kind = EQUAL
    return Group(
        index, part.name, part.path, part.type, depth, parent, tuple(part.layers), (),
        leaving[-1] if leaving else part.layers[-1], len(flat) if kind else 0, kind,
        _equal(digests), part.digest, part.note,
        sum(builder.is_residual(i) for i in part.layers),
    )  # fmt: skip


def _equal(digests: Sequence[str]) -> tuple[int, ...]:
    """Places of the longest run of equal neighbours, () when none are."""
    best: tuple[int, ...] = ()
    start = 0
    for k in range(1, len(digests) + 1):
        if k == len(digests) or digests[k] != digests[start]:
            if k - start > max(1, len(best)):
                best = tuple(range(start, k))
            start = k
    return best
