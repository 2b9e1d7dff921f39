"""Parts of the module tree while it is built: layers and what holds them, and which of them lie on a circle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Part:
    """A group while the tree is built: parts of `units` are layers (int) or parts."""

    name: str
    path: str
    type: str
    units: list[Unit]
    layers: list[int]
    note: str = ""
    digest: str = field(default="")


Unit = int | Part


def members_of(unit: Unit) -> list[int]:
    """The layers of a layer or a part."""
    return unit.layers if isinstance(unit, Part) else [unit]


def circles(edges: set[tuple[int, int]], n: int) -> set[int]:
    """Numbers 0 … n − 1 that lie on a circle: what is left when ends are taken away again and again."""
    after: list[set[int]] = [set() for _ in range(n)]
    before: list[set[int]] = [set() for _ in range(n)]
    for s, t in edges:
        after[s].add(t)
        before[t].add(s)
    left = set(range(n))
    for inward, outward in ((before, after), (after, before)):
        free = [k for k in left if not inward[k] & left]
        while free:
            k = free.pop()
            left.discard(k)
            free += [m for m in outward[k] if m in left and not inward[m] & left]
    return left


def flattened(units: Sequence[Unit]) -> list[Unit]:
    """Units with inferred runs taken apart: the module's own parts."""
    out: list[Unit] = []
    for unit in units:
        out += flattened(unit.units) if isinstance(unit, Part) and unit.note and not unit.path else [unit]
    return out
