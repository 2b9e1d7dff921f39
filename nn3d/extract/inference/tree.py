"""Owns the module tree of a file's names: boxes of boxes, with units at the leaves, in the file's order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from nn3d.extract.inference import names
from nn3d.extract.inference.units import Unit

# Modules in modules, at the most: what lies deeper is one name.
MOST_DEPTH = 48


@dataclass(slots=True, eq=False)
class Box:
    """A module as names tell it. unit : what it holds itself. name : the last part of its path."""

    path: str
    name: str
    unit: Unit | None = None
    children: list[Box] = field(default_factory=list)

    @property
    def is_leaf(self) -> bool:
        """Whether it is one unit and nothing else."""
        return not self.children

    @property
    def is_list(self) -> bool:
        """Whether its children are numbered."""
        return len(self.children) > 1 and all(c.name.isdigit() for c in self.children)

    def units(self) -> Iterator[Unit]:
        """All units in it, in order."""
        if self.unit is not None:
            yield self.unit
        for child in self.children:
            yield from child.units()

    def operations(self) -> list[Unit]:
        """Its units without bare parameters."""
        return [u for u in self.units() if u.op != "parameter"]


def tree_of(units: Sequence[Unit]) -> Box:
    """The root of all boxes; a unit's path may have boxes below it, too (attention with its projection)."""
    root = Box("", "")
    known = {"": root}
    for unit in units:
        parts = unit.path.split(".", MOST_DEPTH) if unit.path else []
        box = root
        for k in range(1, len(parts) + 1):
            path = ".".join(parts[:k])
            if path not in known:
                known[path] = Box(path, parts[k - 1])
                box.children.append(known[path])
            box = known[path]
        if box.unit is None:
            box.unit = unit
        else:
            box.children.append(Box(unit.path, unit.path.rpartition(".")[2], unit))
    return root


def tidy(root: Box) -> None:
    """Put units that are registered away from where they run to their places, in each box."""
    waiting = [root]
    while waiting:
        box = waiting.pop()
        _interleave(box)
        _scales_last(box)
        _norms_first(box)
        waiting += box.children


def is_stack(box: Box) -> bool:
    """Whether a box's children are of one kind by their names: numbers, or a word with a number."""
    stems = {c.name.rstrip("0123456789") for c in box.children}
    is_numbered = len(box.children) == 1 or all(c.name[-1:].isdigit() for c in box.children)
    return bool(box.path) and len(stems) == 1 and is_numbered


def _scales_last(box: Box) -> None:
    """A single factor a channel that a block holds weighs what the block gives."""
    bare = [c for c in box.children if c.is_leaf and c.unit and c.unit.op == "parameter"]
    scales = [c for c in bare if names.SCALE.search(c.path)]
    if len(scales) == 1 and len(box.children) > 1:
        box.children = [*(c for c in box.children if c is not scales[0]), scales[0]]


def _norms_first(box: Box) -> None:
    """Norms that are registered elsewhere: a matrix's input norm after it, those of embeddings, the final one."""
    two = [c.unit for c in box.children if c.is_leaf and c.unit]
    is_pair = len(two) == 2 == len(box.children) and two[0].is_weighted and two[1].is_norm
    if is_pair and two[0].n_in == two[1].n_in != two[0].n_out:
        box.children.reverse()
    leaves = [c for c in box.children if c.is_leaf and c.unit]
    norms = [c for c in leaves if c.unit and c.unit.is_norm]
    if len(leaves) == len(box.children) and {c.unit.op for c in leaves if c.unit and c not in norms} == {"embedding"}:
        box.children = [*(c for c in leaves if c not in norms), *norms]
        return
    stacks = [c for c in box.children if is_stack(c)]
    for norm in norms if stacks else []:
        rest = [c for c in box.children if c is not norm]
        if "emb" in norm.name.lower():
            at = min(rest.index(stacks[0]), box.children.index(norm))
            box.children = [*rest[:at], norm, *rest[at:]]
        elif "final" in norm.name.lower() or norm.name.lower() in ("ln_f", "norm_f"):
            at = max(rest.index(stacks[-1]) + 1, box.children.index(norm))
            box.children = [*rest[:at], norm, *rest[at:]]


def _interleave(box: Box) -> None:
    """conv1, conv2, bn1, bn2 → conv1, bn1, conv2, bn2: norms that carry the numbers of their convolutions."""
    leaves = box.children
    half = len(leaves) // 2
    if len(leaves) < 4 or len(leaves) % 2 or not all(c.is_leaf and c.unit for c in leaves):
        return
    first, second = leaves[:half], leaves[half:]
    is_sorted = all(c.unit and c.unit.is_weighted for c in first) and all(c.unit and c.unit.is_norm for c in second)
    numbers = [[_number(c.name) for c in part] for part in (first, second)]
    fits = all(a.unit and b.unit and a.unit.n_out == b.unit.n_in for a, b in zip(first, second, strict=True))
    if is_sorted and fits and numbers[0] == numbers[1] and all(n is not None for n in numbers[0]):
        box.children = [c for pair in zip(first, second, strict=True) for c in pair]


def _number(name: str) -> str | None:
    digits = "".join(c for c in name if c.isdigit())
    return digits or None
