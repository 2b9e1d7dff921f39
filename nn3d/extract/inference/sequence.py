"""Owns boxes one after another: which one reads the last, which ones stand side by side, what is joined in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from nn3d.extract.inference import names, zipped
from nn3d.extract.inference.draft import CERTAIN, GUESSED, LIKELY, Value
from nn3d.extract.inference.tree import Box, is_stack

if TYPE_CHECKING:
    from nn3d.extract.inference.walker import Demand, Walker

# Earlier outputs that are looked at for what a later one is glued to.
MOST_TAPS = 24


@dataclass(slots=True)
class Stream:
    """Where a sequence stands. now : the last value. before : what the last box read. outs : of boxes side by side.

    fork : what those side by side read; start : what the first box read; last : name of the last box.
    """

    now: Value | None
    before: Value | None = None
    fork: Value | None = None
    outs: list[Value] = field(default_factory=list)
    last: str = ""
    start: Value | None = None


def walk(w: Walker, box: Box, boxes: Sequence[Box], x: Value | None, after: Demand) -> Value | None:
    """All boxes of a module in order, or in the order in which lists beside each other fit."""
    found = zipped.walk(w, box, boxes, x, after)
    return found if found is not None else in_order(w, box, boxes, x, after)


def in_order(w: Walker, box: Box, boxes: Sequence[Box], x: Value | None, after: Demand) -> Value | None:
    """All boxes in the given order."""
    s = Stream(x, start=x)
    for i, child in enumerate(boxes):
        demand = next((d for c in islice(boxes, i + 1, i + 9) if (d := w.demand(c)) is not None), after)
        n_taps = len(w.draft.taps)
        if child.unit is not None and child.is_leaf and child.unit.op in ("parameter", "embedding", "prelu"):
            s.now = w.leaf(child, s.now)
            continue
        y = _half(w, child, s, demand)
        if y is not None:
            s.before, s.now = s.now, y
        else:
            source = _source(w, box, child, s)
            y = w.walk(child, source, demand)
            if y is None:
                continue
            _advance(s, source, y)
        s.last = child.name
        if not is_stack(child):
            del w.draft.taps[n_taps:]
        if y not in w.draft.taps[-MOST_TAPS:]:
            w.draft.taps.append(y)
    return _finish(w, box, s, x, after)


def _advance(s: Stream, source: Value | None, y: Value) -> None:
    """The stream after a box read `source` and gave y."""
    if s.fork is not None and s.outs and source is not None:
        if source == s.now:
            s.outs[-1] = y
        elif source in (s.fork, s.before, s.start):
            s.outs.append(y)
        else:
            s.fork, s.outs = None, []
    s.before, s.now = source, y


def _source(w: Walker, box: Box, child: Box, s: Stream) -> Value | None:
    """What a box reads: the last value, what those side by side give together, their input, or an earlier value."""
    if s.now is None or w.begins_with_embedding(child):
        return s.now
    if _is_beside(s, child) and (beside := _beside(w, child, s)) is not None:
        return beside
    found = w.enters(child, s.now)
    is_next = names.BRANCH.match(s.last) is not None and names.stem(s.last) == names.stem(child.name)
    if is_next and found is not None and found.is_exact:
        return s.now
    joined = _together(w, box, child, s)
    if joined is not None:
        s.fork, s.outs = None, []
        return joined
    if found is not None and found.is_exact:
        return s.now
    is_up = w.draft.nodes[s.now.node].op.startswith("conv_transpose")
    for other in (_tap, _beside) if is_up else (_beside, _dense, _merged_patches, _tap):
        value = other(w, child, s)
        if value is not None:
            return value
    return s.now if found is not None or w.enters(child, s.now) is not None else _outside(w, child, s)


def _outside(w: Walker, child: Box, s: Stream) -> Value | None:
    """The last value still: the unit itself looks for an earlier one, or stays without a joint."""
    open_ends = [v for v in w.draft.unread() if v is not s.now]
    total = sum(v.channels for v in open_ends) + (s.now.channels if s.now else 0)
    if s.now is not None and open_ends and total == _wanted(child):
        why = f"{' + '.join(str(v.channels) for v in (*open_ends, s.now))} = {total}: all outputs that nothing reads"
        return w.draft.join("concat", child.path, (*open_ends, s.now), total, why, LIKELY)
    return s.now


def _wanted(box: Box) -> int:
    first = next((u for u in box.units() if u.op not in ("parameter", "prelu", "embedding")), None)
    return first.n_in if first is not None else 0


def _is_beside(s: Stream, child: Box) -> bool:
    """Whether names say that two boxes are branches of one split."""
    a, b = names.stem(s.last), names.stem(child.name)
    is_named = bool(names.BRANCH.match(a)) and bool(names.BRANCH.match(b))
    return is_named and (a != b or names.is_twin(s.last, child.name))


def _beside(w: Walker, child: Box, s: Stream) -> Value | None:
    """The input of the boxes before, where a box reads that by equality: they stand side by side."""
    for source in (s.fork, s.before, s.start):
        if source is None or s.now is None or source == s.now:
            continue
        found = w.enters(child, source)
        if found is not None and found.is_exact:
            if s.fork is None:
                s.fork, s.outs = source, [s.now]
            return source
    return None


def _together(w: Walker, box: Box, child: Box, s: Stream) -> Value | None:
    """Boxes side by side, glued or added, where that is what a box reads."""
    if len(s.outs) < 2:
        return None
    return _joined(w, box, s, lambda v: (f := w.enters(child, v)) is not None and f.is_exact)


def _joined(w: Walker, box: Box, s: Stream, demand: Demand) -> Value | None:
    sizes = [v.channels for v in s.outs]
    total = sum(sizes)
    if demand is None:
        return None
    form = s.outs[0].form
    if demand(Value(-1, total, form)) and (len(set(sizes)) > 1 or not demand(Value(-1, sizes[0], form))):
        why = f"{' + '.join(map(str, sizes))} = {total} channels, side by side"
        return w.draft.join("concat", box.path, s.outs, total, why, CERTAIN)
    if s.fork is not None and demand(Value(-1, total + s.fork.channels, form)) and not demand(s.outs[-1]):
        glued, most = (*s.outs, s.fork), total + s.fork.channels
        why = f"{' + '.join(map(str, sizes))} + {s.fork.channels} = {most} channels, side by side with what they read"
        return w.draft.join("concat", box.path, glued, most, why, LIKELY)
    if len(set(sizes)) == 1 and demand(s.outs[0]):
        why = f"both give {sizes[0]} channels, and {sizes[0]} are read"
        return w.draft.join("add", box.path, s.outs, sizes[0], why, LIKELY)
    return None


def _dense(w: Walker, child: Box, s: Stream) -> Value | None:
    """The last value glued to what it was made from (DenseNet), where a box reads as many channels."""
    if s.before is None or s.now is None:
        return None
    return _glued(w, child, (s.before, s.now), "kept and glued to what was made from it")


def _glued(w: Walker, child: Box, values: Sequence[Value], how: str) -> Value | None:
    total = sum(v.channels for v in values)
    found = w.enters(child, Value(-1, total, values[-1].form))
    if found is None or not found.is_exact:
        return None
    why = f"{' + '.join(str(v.channels) for v in values)} = {total} channels, {how}"
    return w.draft.join("concat", child.path, values, total, why, CERTAIN)


def _merged_patches(w: Walker, child: Box, s: Stream) -> Value | None:
    """2 × 2 neighbours side by side (patch merging): a norm or matrix that reads four times the channels of rows."""
    if s.now is None or s.now.form != "rows" or not w.enters(child, Value(-1, 4 * s.now.channels, "rows")):
        return None
    why = f"4 × {s.now.channels} = {4 * s.now.channels} channels: 2 × 2 neighbours side by side"
    return w.draft.join("concat", child.path, (s.now,), 4 * s.now.channels, why, GUESSED)


def _half(w: Walker, child: Box, s: Stream, demand: Demand) -> Value | None:
    """A block that reads and gives half of the channels, glued to the other half (a split, as in ShuffleNet)."""
    if s.now is None or s.now.channels % 2 or child.is_leaf or w.enters(child, s.now) is not None:
        return None
    half, operations = s.now.channels // 2, child.operations()
    if not operations or operations[0].n_in != half or operations[-1].n_out != half or not operations[0].is_pointwise:
        return None
    why = f"{half} of {s.now.channels} channels are read, and {half} come back: the other half goes by"
    part = w.draft.join("chunk", child.path, (s.now,), half, why, LIKELY)
    y = w.walk(child, part, lambda v: v.channels == half)
    return None if y is None else w.draft.join("concat", child.path, (s.now, y), s.now.channels, why, LIKELY)


def _tap(w: Walker, child: Box, s: Stream) -> Value | None:
    """The last value with an earlier one of its stage (U-Net), where their channels add up exactly."""
    if s.now is None or not w.enters_convolution(child):
        return None
    taps = w.draft.taps
    for k in range(len(taps) - 1, max(-1, len(taps) - 1 - MOST_TAPS), -1):
        value = _glued(w, child, (taps[k], s.now), "the last that fits from before") if taps[k] != s.now else None
        if value is not None:
            del taps[k]
            return value
    return None


def _finish(w: Walker, box: Box, s: Stream, x: Value | None, after: Demand) -> Value | None:
    """What a sequence gives: its last value, or what was side by side, as what follows reads it."""
    if s.now is None:
        return x
    if len(s.outs) > 1:
        total = sum(v.channels for v in s.outs)
        is_named = all(names.BRANCH.match(c.name) for c in box.children)
        if is_named and (after is None or after(Value(-1, s.outs[0].channels)) or after(Value(-1, total // 2))):
            return w.draft.join("concat", box.path, s.outs, total, f"branches by their names, {total} channels", LIKELY)
        return _joined(w, box, s, after) or s.now
    is_kept = box.children and not box.children[-1].is_leaf
    if is_kept and after is not None and not after(s.now) and s.before is not None:
        total = s.before.channels + s.now.channels
        if after(Value(-1, total, s.now.form)):
            why = f"{s.before.channels} + {s.now.channels} = {total} channels, kept and glued to what was made from it"
            return w.draft.join("concat", box.path, (s.before, s.now), total, why, CERTAIN)
    return s.now
