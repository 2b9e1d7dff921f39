"""What groups and the layers inside them are called beside each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nn3d.run.groups import Group
from nn3d.run.model import Layer
from nn3d.run.parts import Part, Unit


def run_name(run: Sequence[Unit], note: str, layers: Sequence[Layer]) -> str:
    """Of an inferred group: what it is grouped by, or its first and its last part."""
    if note.endswith("stage"):
        return note
    first, last = (u.name if isinstance(u, Part) else layers[u].name for u in (run[0], run[-1]))
    return f"{first} – {_tail(first, last)}"


def _tail(first: str, last: str) -> str:
    """The part of a name that differs, from a dot or a change to digits on: "h.1 – 11", "inception4a – 4e"."""
    n = next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    while n and not (last[n - 1] in "._" or (last[n - 1].isalpha() and last[n : n + 1].isdigit())):
        n -= 1
    return last[n:]


def short_names(layers: Sequence[Layer], table: Sequence[Group], parent: Sequence[int]) -> tuple[str, ...]:
    """Names without the path of the group around an item, and without what only one layer stands under.

    A name that would begin with a number keeps the part before it.
    """
    held = Counter(path for layer in layers for path in _prefixes(layer.module))
    out = []
    for item, above in enumerate(parent):
        whole = layers[item].name if item < len(layers) else table[item - len(layers)].name
        around = next((g.path for g in _upward(table, above) if g.path), "")
        name = whole
        if item < len(layers) and "." in whole and held[whole.rsplit(".", 1)[0]] == 1 and whole.startswith(around):
            name = whole.rsplit(".", 1)[0]
        parts = name.split(".")
        start = len(around.split(".")) if around and name.startswith(f"{around}.") else 0
        while start and parts[start][:1].isdigit():
            start -= 1
        out.append(".".join(parts[start:]))
    return tuple(out)


def _prefixes(path: str) -> list[str]:
    parts = path.split(".") if path else []
    return [".".join(parts[: k + 1]) for k in range(len(parts))]


def _upward(table: Sequence[Group], index: int) -> list[Group]:
    found = []
    while index >= 0:
        found.append(table[index])
        index = table[index].parent
    return found
