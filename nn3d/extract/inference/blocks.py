"""Owns blocks of convolutions whose shapes leave no choice: shortcuts, identities, squeeze and excitation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nn3d.extract.inference import names, sequence
from nn3d.extract.inference.draft import CERTAIN, LIKELY, Value
from nn3d.extract.inference.tree import Box
from nn3d.extract.inference.units import Unit

if TYPE_CHECKING:
    from nn3d.extract.inference.walker import Demand, Walker

# A block has a handful of parts: what has more is a list or a stage.
MOST_PARTS = 32


def excitation(w: Walker, box: Box, x: Value | None, after: Demand) -> Value | None:
    """Squeeze and excitation: c → r → c by two matrices without a norm, whose result weighs the channels of x."""
    if x is None or not is_excitation(box, x.channels):
        return None
    y: Value | None = x
    for unit in box.operations():
        y = w.apply(unit, y)
    if y is None:
        return None
    why = f"{x.channels} → {box.operations()[0].n_out} → {y.channels}: one factor a channel (squeeze and excitation)"
    return w.draft.join("mul", box.path, (x, y), x.channels, why, LIKELY)


def is_excitation(box: Box, channels: int = 0) -> bool:
    """Whether a box holds the two matrices c → r → c, by their shapes and names."""
    units = [u for u in box.operations() if not u.is_norm]
    if len(units) != 2 or not all(u.is_pointwise for u in units) or any(u.op == "parameter" for u in box.units()):
        return False
    first, second = units
    closes = first.n_in == second.n_out and first.n_out == second.n_in < first.n_in
    pair = tuple(u.path.rpartition(".")[2] for u in units)
    is_named = names.EXCITATION.search(box.path) is not None or pair in names.EXCITE_PAIR
    return closes and is_named and (not channels or channels == first.n_in) and first.op.startswith(("conv", "linear"))


def shortcut(w: Walker, box: Box, x: Value | None, after: Demand) -> Value | None:
    """A block with a branch beside it that gives the same channels: their sum."""
    beside = find_shortcut(box)
    if beside is None or x is None or w.enters(beside, x) is None:
        return None
    rest = [c for c in box.children if c is not beside]
    y = sequence.walk(w, box, rest, x, lambda v: v.channels == _exit(beside))
    skip = w.walk(beside, x, None)
    if y is None or skip is None or y.channels != skip.channels:
        return y
    why = f"{beside.name} gives the {skip.channels} channels of the block: they are added"
    return w.draft.join("add", box.path, (y, skip), y.channels, why, CERTAIN)


def find_shortcut(box: Box) -> Box | None:
    """The child that reads what the others read and gives what they give, of convolutions and norms alone."""
    if len(box.children) > MOST_PARTS:
        return None
    for child in box.children:
        rest = [u for c in box.children if c is not child for u in c.operations() if not _in_excitation(box, u)]
        own = child.operations()
        weighted = [u for u in own if u.is_weighted]
        if not rest or len(weighted) != 1 or not all(u.is_weighted or u.is_norm for u in own):
            continue
        main = [u for u in rest if u.is_weighted]
        if len(main) < 2 or not weighted[0].op.startswith("conv") or not weighted[0].is_pointwise:
            continue
        if _reads(main[0]) != weighted[0].n_in or main[-1].n_out != weighted[0].n_out:
            continue
        is_forced = weighted[0].n_in != weighted[0].n_out and _reads(main[-1]) != weighted[0].n_in
        is_named = names.SHORTCUT.match(child.name) is not None
        is_end = child is box.children[0] or child is box.children[-1]
        if is_named or (is_forced and is_end and child is box.children[0] and _reads(main[0]) != weighted[0].n_out):
            return child
    return None


def _reads(unit: Unit) -> int:
    return unit.n_out if unit.is_depthwise else unit.n_in


def _in_excitation(box: Box, unit: Unit) -> bool:
    parts = unit.path.split(".")
    return any(names.EXCITATION.search(".".join(parts[:k])) for k in range(box.path.count(".") + 2, len(parts)))


def _exit(box: Box) -> int:
    operations = box.operations()
    return operations[-1].n_out if operations else 0


def identity(w: Walker, box: Box, x: Value | None, after: Demand) -> Value | None:
    """A block without a shortcut that returns to its own channels, where its kind is known to add its input."""
    if x is None or box.is_list or len(box.children) > MOST_PARTS:
        return None
    why = why_identity(w, box, x.channels)
    if not why:
        return None
    y = sequence.walk(w, box, box.children, x, lambda v: v.channels == x.channels)
    if y is None or y.channels != x.channels:
        return y
    return w.draft.join("add", box.path, (y, x), x.channels, why, LIKELY)


def why_identity(w: Walker, box: Box, channels: int) -> str:
    """Why a block's input seems to be added to what it gives; "" where it does not."""
    main = main_path(box)
    is_wrapper = len(box.children) == 1 and box.children[0].name == "fn" and not box.children[0].is_leaf
    if is_wrapper and main and _reads(main[0]) == channels == main[-1].n_out:
        return f"{channels} channels in and out of a wrapper's one part, fn"
    if len(main) < 2 or _reads(main[0]) != channels or main[-1].n_out != channels:
        return ""
    if signature(box) in w.families:
        return f"{channels} channels in and out, and blocks of these names have a shortcut where channels change"
    if is_inverted(main):
        return f"{channels} channels in and out around a depthwise convolution: an inverted residual"
    if w.has_inverted and _is_fused(main):
        return f"{channels} → {main[0].n_out} → {channels} in a network of inverted residuals"
    if names.RESIDUAL.search(box.path) and not _has_blocks(box):
        return f"{channels} channels in and out of what is named residual"
    return ""


def _has_blocks(box: Box) -> bool:
    return any(names.RESIDUAL.search(c.path.removeprefix(box.path)) for c in box.children) or box.is_list


def main_path(box: Box) -> list[Unit]:
    """Weighted units of a box that lie on its way, those of squeeze and excitation left away."""
    found: list[Unit] = []
    for child in box.children:
        if is_excitation(child):
            continue
        if child.is_leaf:
            found += [child.unit] if child.unit is not None and child.unit.is_weighted else []
        else:
            found += main_path(child)
    return found


def is_inverted(main: list[Unit]) -> bool:
    """Narrow → wide → narrow with one depthwise convolution, as MobileNetV2 and ConvNeXt have it."""
    deep = [u for u in main if u.is_depthwise]
    if len(deep) != 1 or len(main) < 3 or _reads(main[0]) != main[-1].n_out:
        return False
    return max(u.n_out for u in main[:-1]) > main[-1].n_out


def _is_fused(main: list[Unit]) -> bool:
    return len(main) == 2 and main[0].n_out > main[0].n_in == main[1].n_out and main[1].is_pointwise


def signature(box: Box) -> tuple[str, ...]:
    """Names and kinds of a block's operations, its shortcut left away: equal for blocks of one kind."""
    beside = find_shortcut(box)
    kept = [u for c in box.children if c is not beside for u in c.operations()]
    return tuple(sorted(f"{u.path.removeprefix(box.path)}:{u.op}:{len(u.weight)}" for u in kept))


def families(root: Box) -> frozenset[tuple[str, ...]]:
    """Signatures of all blocks that have a shortcut."""
    found: set[tuple[str, ...]] = set()
    waiting = [root]
    while waiting:
        box = waiting.pop()
        waiting += box.children
        if box.children and not box.is_list and find_shortcut(box) is not None:
            found.add(signature(box))
    return frozenset(found)


def has_inverted(root: Box) -> bool:
    """Whether some block is an inverted residual."""
    waiting = [root]
    while waiting:
        box = waiting.pop()
        waiting += box.children
        if box.children and is_inverted(main_path(box)):
            return True
    return False
