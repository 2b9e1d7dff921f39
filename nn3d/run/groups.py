"""What the groups of a network are: the parts that fold into one block, with their repeats.

A group is what a person would call a part of the network: a module that holds several layers, or (inferred) a run of
repeats or of layers of one resolution. Items are layers and groups under one numbering: layer i is item i, group g is
item n_layers + g. Contracting the parts of any group gives a graph without circles, so any choice of open groups does.
"""

from __future__ import annotations

from dataclasses import dataclass

# Classes that only hold others: several of them in a row are no repeat.
CONTAINERS = frozenset(("Sequential", "ModuleList", "ModuleDict", ""))
# Below this number of layers nothing is inferred: such a network is one picture as it is.
FEW_LAYERS = 16


@dataclass(frozen=True, slots=True)
class Group:
    """One part of a network.

    index : place in Groups.all; its item number is n_layers + index. depth : 0 for the outermost.
    name : for people ("layer3", "encoder #2", "h.1 – h.11"). path : of the module, "" when inferred. type : its class.
    parent : index of the group around it, −1 at the top. layers : all of its layers, ascending. children : items,
    in order. last : the layer whose values its closed block shows, the last that is read from outside.
    count : how many children are of one class, where all are (0 where not); kind : that class, or
    "equal parts" where they have none but are all equal.
    equal : numbers of its children, from 0, whose operations, shapes and wires are the same (the longest run).
    digest : Merkle hash of operations, shapes, parameter shapes and inner edges.
    note : what an inferred group is grouped by, "" for a module. skips : sums inside that add what bypasses layers.
    """

    index: int
    name: str
    path: str
    type: str
    depth: int
    parent: int
    layers: tuple[int, ...]
    children: tuple[int, ...]
    last: int
    count: int
    kind: str
    equal: tuple[int, ...]
    digest: str
    note: str
    skips: int


@dataclass(frozen=True, slots=True)
class Groups:
    """All groups of a network, parents before their children.

    parent : group around each item, −1 at the top. short : name of each item beside the group around it.
    """

    n_layers: int
    all: tuple[Group, ...]
    parent: tuple[int, ...]
    short: tuple[str, ...] = ()

    def of_item(self, item: int) -> Group | None:
        """The group that an item is, None for a layer."""
        return self.all[item - self.n_layers] if item >= self.n_layers else None

    def around(self, item: int) -> list[int]:
        """Groups that an item stands in, innermost first."""
        found = []
        at = self.parent[item]
        while at >= 0:
            found.append(at)
            at = self.all[at].parent
        return found

    def shown_as(self, item: int, opened: frozenset[int]) -> int:
        """The visible item that stands for this one: itself, or the outermost closed group around it."""
        for group in reversed(self.around(item)):
            if group not in opened:
                return self.n_layers + group
        return item

    def parts(self, group: int) -> tuple[int, ...]:
        """Items that a group is made of, inferred runs taken apart."""
        out: list[int] = []
        for item in self.all[group].children:
            inner = self.of_item(item)
            out += self.parts(inner.index) if inner is not None and not inner.path else [item]
        return tuple(out)

    def visible(self, opened: frozenset[int]) -> tuple[int, ...]:
        """Items that are drawn when these groups are open, in the order of their first layers."""
        return tuple(dict.fromkeys(self.shown_as(i, opened) for i in range(self.n_layers)))
