"""Owns transformers: attention from queries, keys and values, and the residual stream that blocks read and add to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nn3d.extract.inference import names
from nn3d.extract.inference.draft import CERTAIN, GUESSED, LIKELY, Value
from nn3d.extract.inference.sections import Core, Sections, core_paths, sections_of
from nn3d.extract.inference.tree import Box
from nn3d.extract.inference.units import Unit

if TYPE_CHECKING:
    from nn3d.extract.inference.walker import Demand, Walker

# Attentions that one block has at the most: its own, one to the encoder, and what is left to those nobody met yet.
MOST_CORES = 4


def has_cross(box: Box) -> bool:
    """Whether some attention in a box reads keys and values from elsewhere."""
    return any(names.CROSS.search(path) for path in core_paths(box))


def attention(w: Walker, box: Box, x: Value | None, after: Demand) -> Value | None:
    """An attention that stands outside of a block that is understood."""
    paths = core_paths(box)
    if x is None or len(paths) != 1 or paths[0] != box.path:
        return None
    made = sections_of(box, x.channels)
    if len(made.branches) != 1 or made.odd or len(made.norms) > 1 or not made.cores[0].is_complete:
        return None
    h = w.apply(made.norms[0], x) if made.norms and made.is_norm_first else x
    y = attend(w, made.cores[0], h)
    return w.apply(made.norms[0], y) if made.norms and not made.is_norm_first else y


def block(w: Walker, box: Box, x: Value | None, after: Demand) -> Value | None:
    """A block of a transformer: branches that read a stream through norms and are added to it."""
    if x is None or not _is_block(box, x.channels) or any(_is_block(c, x.channels) for c in box.children):
        return None
    made = sections_of(box, x.channels)
    style = _style(w, box, made)
    if not style or not all(c.is_complete for c in made.cores):
        return None
    if style == "parallel":
        return _parallel(w, box, made, x)
    x = Value(x.node, x.channels, "rows")
    per_branch = 2 if style == "sandwich" else 1
    for k, branch in enumerate(made.branches):
        own = made.norms[per_branch * k : per_branch * (k + 1)]
        y = _branch(w, branch, w.apply(own[0], x) if style != "post" else x)
        if style == "sandwich":
            y = w.apply(own[1], y)
        if len(made.scales) == len(made.branches):
            y = w.bare(made.scales[k], y) or y
        x = w.draft.join("add", box.path, (x, y), x.channels, _why(branch, x.channels, style), LIKELY)
        if style == "post":
            x = w.apply(own[0], x)
    for unit in made.odd:
        w.bare(unit, x) if unit.op == "parameter" else w.apply(unit, None)
    return x


def _why(branch: Core | list[Unit], channels: int, style: str) -> str:
    what = "attention" if isinstance(branch, Core) else "matrices"
    return f"{what} of a block with a norm a branch ({style}): added to the stream of {channels}"


def _is_block(box: Box, width: int) -> bool:
    """Whether a box holds branches with norms of the stream's width: attention and matrices, or two of matrices."""
    if box.is_leaf:
        return False
    n_norms = sum(1 for u in box.units() if u.is_norm and u.op != "batch_norm" and u.n_in == width)
    if not n_norms or len(core_paths(box)) > MOST_CORES:
        return False
    made = sections_of(box, width)
    closed = [c for c in made.chains if len(c) > 1 and c[-1].n_out == c[0].n_in and _is_matrix(c)]
    if len(closed) != len(made.chains):
        return False
    return bool(made.cores and closed) or (len(closed) == 2 == n_norms and not made.cores)


def _is_matrix(chain: Sequence[Unit]) -> bool:
    return chain[0].is_pointwise and chain[-1].is_pointwise


def _style(w: Walker, box: Box, made: Sections) -> str:
    """Where the norms of a block stand: pre, post, sandwich or parallel; "" where their number says nothing."""
    n, b = len(made.norms), len(made.branches)
    if n == 2 * b and b > 1:
        return "sandwich"
    if n == 1 and b == 2:
        return "parallel"
    if n != b:
        return ""
    last = w.next_after_stack(box)
    is_final = last is not None and last.is_norm and last.n_in == made.norms[0].n_in and "emb" not in last.path.lower()
    is_said = names.PRE_NORM.search(made.norms[0].path.rpartition(".")[2]) is not None
    if w.is_sorted and made.norms[0].path.endswith("norm1"):  # all but torch's own layer are so
        is_said = not any(c.name == "linear1" for c in box.children)
    return "pre" if is_final or is_said or (made.is_norm_first and not w.is_sorted) else "post"


def _parallel(w: Walker, box: Box, made: Sections, x: Value) -> Value:
    h = w.apply(made.norms[0], x)
    parts = [_branch(w, branch, h) for branch in made.branches]
    why = f"one norm for both branches: both are added to the stream of {x.channels}"
    return w.draft.join("add", box.path, (x, *parts), x.channels, why, LIKELY)


def _branch(w: Walker, branch: Core | list[Unit], h: Value) -> Value:
    return attend(w, branch, h) if isinstance(branch, Core) else feed(w, branch, h)


def attend(w: Walker, core: Core, h: Value) -> Value:
    """Queries, keys and values of h, and the projection; a cross attention takes keys and values of the encoder."""
    d, whole = w.draft, core.parts.get("whole")
    memory = d.memory if core.is_cross else None
    other = memory if memory is not None else h
    if whole is not None:
        sources = (h, other, other) if core.is_cross and memory is not None else (h,)
        y = d.unit(whole, sources, f"{h.channels} outputs = {whole.n_in} inputs", CERTAIN, "rows")
    else:
        y = _scores(w, core, h, other)
    if core.out is None:
        return y
    return w.apply(core.out, Value(y.node, core.out.n_in, "rows"))


def _scores(w: Walker, core: Core, h: Value, other: Value) -> Value:
    d = w.draft
    for unit in core.reduce:
        other = w.apply(unit, other)
    made: list[Value] = []
    for role, unit in core.parts.items():
        source = h if role in ("q", "qkv") else other
        made.append(_projected(w, core, unit, role, source))
    tables = [d.unit(t, (), "", "", "rows") for t in core.tables]
    width = core.out.n_in if core.out is not None else core.width or made[-1].channels
    why = f"queries, keys and values by their names, {' and '.join(str(v.channels) for v in made)} channels"
    return d.join("attention", core.path, (*made, *tables), width, why, LIKELY)


def _projected(w: Walker, core: Core, unit: Unit, role: str, source: Value) -> Value:
    biases = [b for b in core.biases if role == "qkv" or b.path.rpartition(".")[2].startswith(role)]
    fits = w.fit(unit, source)
    if not biases or fits is None:
        y = w.apply(unit, source)
    else:
        own = [w.draft.unit(b, (), "", "", "rows") for b in biases]
        y = w.draft.unit(fits.unit, (source, *own), fits.why, CERTAIN, "rows")
    norm = core.norms.get(role)
    if norm is None:
        return y
    why = f"a norm of {norm.n_in} channels a head, by its name"
    normed = w.draft.unit(norm, (y,), why, LIKELY, "rows")
    return Value(normed.node, y.channels, "rows")


def feed(w: Walker, units: Sequence[Unit], h: Value) -> Value:
    """A chain of matrices, with gates where two of one shape read the same, over tokens where widths say so."""
    d, y, i = w.draft, h, 0
    is_over_tokens = w.fit(units[0], h) is None
    if is_over_tokens:
        why = f"{units[0].n_in} is not {h.channels}: it mixes {units[0].n_in} tokens, not channels"
        y = d.join("transpose", units[0].path, (h,), units[0].n_in, why, GUESSED)
    while i < len(units):
        unit, following = units[i], units[i + 1] if i + 1 < len(units) else None
        if following is not None and _are_gates(unit, following):
            parts = (w.apply(unit, y), w.apply(following, y))
            why = f"two of {unit.n_out} channels from the same {unit.n_in}: one weighs the other (gate)"
            y, i = d.join("mul", unit.path, parts, unit.n_out, why, LIKELY), i + 2
            continue
        y, i = w.apply(unit, y), i + 1
        if following is not None and y.channels == 2 * following.n_in and w.fit(following, y) is None:
            why = f"{y.channels} = 2 × {following.n_in}: one half weighs the other (gate)"
            y = d.join("mul", unit.path, (y,), following.n_in, why, LIKELY)
    if is_over_tokens:
        y = d.join("transpose", units[-1].path, (y,), h.channels, f"back to {h.channels} channels", GUESSED)
    return y


def _are_gates(unit: Unit, following: Unit) -> bool:
    return unit.weight == following.weight and unit.n_in == following.n_in != unit.n_out
