"""Owns the way through a tree of boxes: each box reads a value and gives one; special blocks are asked first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from nn3d.extract.inference import blocks, names, sequence, transformer
from nn3d.extract.inference.draft import CERTAIN, GUESSED, LIKELY, Draft, Value
from nn3d.extract.inference.tree import Box, is_stack
from nn3d.extract.inference.units import Fit, Unit, fit

# Whether what follows could read so many channels; None where nothing is known of what follows.
Demand = Callable[[Value], bool] | None
_PICTURE_CHANNELS = 4


@dataclass(slots=True)
class Walker:
    """Walks boxes and writes nodes. families : signatures of blocks that elsewhere have a shortcut.

    is_sorted : the file's order is that of names. trials : nodes thrown away while orders of lists were tried.
    following : path → the next unit of the file; around : path → its box.
    """

    root: Box
    draft: Draft = field(default_factory=Draft)
    families: frozenset[tuple[str, ...]] = frozenset()
    has_inverted: bool = False
    is_sorted: bool = False
    trials: int = 0
    following: dict[str, Unit] = field(default_factory=dict)
    around: dict[str, Box] = field(default_factory=dict)

    def __post_init__(self) -> None:
        order = list(self.root.units())
        self.following = {a.path: b for a, b in pairwise(order)}
        waiting = [self.root]
        while waiting:
            box = waiting.pop()
            self.around.update({c.path: box for c in box.children})
            waiting += box.children

    def walk(self, box: Box, x: Value | None, after: Demand) -> Value | None:
        """What a box gives when it reads x. after : whether the next one could read a value."""
        if box.is_leaf:
            return self.leaf(box, x)
        if names.DECODER.search(box.path) and transformer.has_cross(box):
            self.draft.memory, x = x, self.draft.embedding
        y = None
        for block in (transformer.attention, transformer.block, blocks.excitation, blocks.shortcut, blocks.identity):
            found = block(self, box, x, after)
            if found is not None:
                y = found
                break
        else:
            y = sequence.walk(self, box, box.children if box.unit is None else _with_own(box), x, after)
        if names.ENCODER.search(box.path):
            self.draft.memory = y
        return y

    def leaf(self, box: Box, x: Value | None) -> Value | None:
        """One unit on its own."""
        unit = box.unit
        if unit is None:
            return x
        if unit.op == "parameter":
            return self.bare(unit, x)
        if unit.op == "embedding":
            return self.embed(unit, x)
        return self.apply(unit, x)

    def apply(self, unit: Unit, x: Value | None, why: str = "", certainty: str = "") -> Value:
        """A unit that reads x; the first of all reads the input."""
        d = self.draft
        if x is None:
            if not d.nodes or not any(n.inputs or n.op in ("input", "embedding") for n in d.nodes):
                x = d.join("input", "", (), unit.n_in, "", "")
                n = f"{unit.n_in} channel{'' if unit.n_in == 1 else 's'}"
                return self.apply(unit, x, f"first in the file, {n} in", LIKELY)
            said = why or f"reads {unit.n_in} channels, and no joint is certain"
            return self.attach(d.unit(unit, (), said, GUESSED, _form(unit, None)))
        found = self.fit(unit, x)
        if found is None:
            source = self.earlier(unit)
            if source is None and self.is_entry(unit):
                source = d.join("input", unit.path, (), unit.n_in, "", "")
            if source is None:
                said = f"reads {unit.n_in} channels, the last gives {x.channels}, and no other is certain"
                return self.attach(d.unit(unit, (), said, GUESSED, _form(unit, None)))
            found = self.fit(unit, source)
            x, why, certainty = source, "the only open output with as many channels", GUESSED
        fits = found or Fit(unit, "", False)
        level = certainty or (CERTAIN if fits.is_exact else GUESSED)
        return self.attach(d.unit(fits.unit, (x,), why or fits.why, level, _form(unit, x)))

    def fit(self, unit: Unit, x: Value) -> Fit | None:
        """How a unit reads a value."""
        return fit(unit, x.channels, x.form)

    def is_entry(self, unit: Unit) -> bool:
        """Whether a unit looks like one that reads a picture of its own."""
        return unit.op.startswith("conv") and unit.n_in <= _PICTURE_CHANNELS and unit.weight[1] > 1

    def earlier(self, unit: Unit) -> Value | None:
        """The only output that nothing reads and that has as many channels as a unit reads, else None."""
        open_ends = [v for v in self.draft.unread() if v.channels == unit.n_in]
        return open_ends[0] if len(open_ends) == 1 else None

    def embed(self, unit: Unit, x: Value | None) -> Value:
        """An embedding: of positions it is added to x, of tokens it begins anew."""
        d = self.draft
        value = d.unit(unit, (), "an embedding reads tokens", CERTAIN, "rows")
        is_same = x is not None and x.channels == unit.n_out
        if x is not None and is_same and names.POSITION.search(unit.path):
            return d.join("add", unit.path, (x, value), x.channels, f"embeddings of {x.channels} are added", LIKELY)
        if not is_same or d.embedding is None or unit.path.startswith(("decoder", "encoder", "model.")):
            d.embedding = value
        return self.attach(value)

    def bare(self, unit: Unit, x: Value | None) -> Value | None:
        """A parameter of its own: added, put before the tokens or multiplied where its name and width say so."""
        d = self.draft
        if x is not None and names.SCALE.search(unit.path) and x.channels == unit.n_out:
            scale = d.unit(unit, (), "", "", x.form)
            return d.join("mul", unit.path, (x, scale), x.channels, f"one factor a channel, {x.channels}", LIKELY)
        is_position = "pos" in unit.path.lower() and not names.BIAS_TABLE.search(unit.path)
        if names.CLASS_TOKEN.search(unit.path) or is_position:
            d.pending.append(unit)
            return self.attach(x) if x is not None else None
        d.unit(unit, (), "", "", "rows")
        d.unjoined[unit.path] = "a parameter of its own: neither name nor shape says who reads it"
        return x

    def attach(self, x: Value) -> Value:
        """Add positions and put class tokens before x, where their width is that of x."""
        d = self.draft
        for unit in [u for u in d.pending if u.n_out == x.channels]:
            d.pending.remove(unit)
            own = d.unit(unit, (), "", "", "rows")
            if names.CLASS_TOKEN.search(unit.path):
                x = d.join("concat", unit.path, (own, x), x.channels, f"a token of {x.channels}, put before", LIKELY)
            else:
                x = d.join("add", unit.path, (x, own), x.channels, f"positions of {x.channels} are added", LIKELY)
        return x

    def enters(self, box: Box, x: Value | None) -> Fit | None:
        """How the first operation of a box reads a value, None where it cannot."""
        if x is None:
            return None
        first = entry(box)
        if first is None or first.op == "embedding":
            return Fit(first, "", False) if first is not None else None
        if self.is_entry(first) and x.form == "rows":
            return None
        return self.fit(first, x)

    def demand(self, box: Box) -> Demand:
        """Whether the first operation of a box reads a value by equality."""
        first = entry(box)
        if first is None:
            return None
        return lambda x: (found := self.enters(box, x)) is not None and found.is_exact

    def enters_convolution(self, box: Box) -> bool:
        """Whether a box reads first by a convolution: only these read glued maps."""
        first = entry(box)
        return first is not None and first.op.startswith("conv")

    def begins_with_embedding(self, box: Box) -> bool:
        """Whether a box reads tokens, not what comes before it."""
        first = entry(box)
        return first is not None and first.op == "embedding"

    def next_after_stack(self, box: Box) -> Unit | None:
        """What comes after the stack of equal blocks that a block stands in, in the file's order."""
        stack = box
        while (around := self.around.get(stack.path)) is not None and is_stack(around):
            stack = around
        last = list(stack.units())[-1].path
        return self.following.get(last)


def entry(box: Box) -> Unit | None:
    """The operation of a box that reads first: in a block that has an attention, its norm or its query."""
    return next((u for u in box.units() if u.op not in ("parameter", "prelu")), None)


def _with_own(box: Box) -> list[Box]:
    return [Box(box.path, box.name, box.unit), *box.children]


def _form(unit: Unit, x: Value | None) -> str:
    if unit.op.startswith("conv"):
        return "maps"
    if unit.is_norm or unit.op == "prelu":
        return x.form if x is not None else "maps" if unit.op == "batch_norm" else "rows"
    return "rows"
