"""Owns the parts of a model that names of its layers tell: "conv2_block1_1_conv" stands in conv2, in its block1."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

_LEAST = 3
_DEEPEST = 2
# A part's name ends in a number, and perhaps a letter; "conv2d" does not count.
_PART = re.compile(r"(?:[a-z]+\d{1,3}[a-c]?|\d{1,3})", re.IGNORECASE)
_KIND = re.compile(r"\dd$", re.IGNORECASE)


def parts_of(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Name → names of the parts around it, outermost first, where at least three layers share each."""
    listed = list(names)
    starts = {name: _starts(name) for name in listed}
    shared = Counter(start for found in starts.values() for start in found)
    kept = {name: [s for s in found if shared[s] >= _LEAST][:_DEEPEST] for name, found in starts.items()}
    return {name: _short(found) for name, found in kept.items() if found}


def kind_of(part: str) -> str:
    """What a part is called without its number: block1 → block."""
    return re.sub(r"[_\d]+[a-c]?$", "", part) or part


def _starts(name: str) -> list[str]:
    """Beginnings that may name a part: up to a token with a number that is followed by more."""
    tokens = re.split(r"[_/]", name)
    found = []
    at = 0
    for i, token in enumerate(tokens[:-1]):
        at += len(token) + (1 if i else 0)
        is_bare = token.isdecimal() and (i == 0 or tokens[i - 1][-1:].isdecimal())
        if _PART.fullmatch(token) and not _KIND.search(token) and not is_bare:
            found.append(name[:at])
    return found


def _short(starts: list[str]) -> tuple[str, ...]:
    """Each without what the one around it says already."""
    found, before = [], ""
    for start in starts:
        found.append(start.removeprefix(before).strip("_/").replace(".", "_").replace("/", "_"))
        before = start
    return tuple(found)
