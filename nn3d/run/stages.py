"""Owns which neighbours of one level of the module tree are inferred groups: repeats, one class, one resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nn3d.run.groups import CONTAINERS
from nn3d.run.model import Layer
from nn3d.run.parts import Unit, members_of

Found = tuple[list[Unit], str]

# Layers in a row, without modules among them, from which on stages of one resolution are inferred; and units of any
# kind, which are too many to stand side by side.
MANY, TOO_MANY = 10, 32


def inferred_runs(
    units: Sequence[Unit], edges: set[tuple[int, int]], digest: Callable[[Unit], str], layers: Sequence[Layer]
) -> list[Found]:
    """Units cut into runs with a note: "" for what stays as it is, else what the run is grouped by.

    A run is a chain, each unit read by the next; runs are intervals of the topological order in which the units come,
    so that contracting them leaves no circle.
    """
    is_chained = [(k, k + 1) in edges for k in range(len(units) - 1)]
    cuts = _repeats(units, is_chained, digest) or _classes(units, is_chained)
    if not cuts:
        cuts = _resolutions(units, is_chained, layers)
    out: list[Found] = []
    at = 0
    for first, last, note in cuts:
        out += [([u], "") for u in units[at:first]]
        out.append((list(units[first:last]), note))
        at = last
    return out + [([u], "") for u in units[at:]]


def _spans(n: int, joins: Callable[[int], bool]) -> list[tuple[int, int]]:
    """Maximal runs [first, last) of neighbours k, k + 1 that join."""
    out, start = [], 0
    for k in range(1, n + 1):
        if k == n or not joins(k - 1):
            out.append((start, k))
            start = k
    return out


def _repeats(
    units: Sequence[Unit], is_chained: list[bool], digest: Callable[[Unit], str]
) -> list[tuple[int, int, str]]:
    """Runs of three or more equal parts; of a level that is one such run, all but the first."""
    digests = [digest(u) for u in units]
    spans = _spans(len(units), lambda k: is_chained[k] and digests[k] == digests[k + 1])
    out = []
    for first, last in spans:
        if not all(not isinstance(u, int) for u in units[first:last]):
            continue
        if last - first == len(units):
            first += 1
        if last - first >= 3:
            out.append((first, last, "repeats"))
    return out


def _classes(units: Sequence[Unit], is_chained: list[bool]) -> list[tuple[int, int, str]]:
    """Runs of two or more modules of one class, beside others."""
    types = ["" if isinstance(u, int) else u.type for u in units]
    spans = _spans(len(units), lambda k: is_chained[k] and types[k] == types[k + 1] and types[k] not in CONTAINERS)
    return [(a, b, "one class") for a, b in spans if b - a >= 2 and b - a < len(units)]


def _resolutions(
    units: Sequence[Unit], is_chained: list[bool], layers: Sequence[Layer]
) -> list[tuple[int, int, str]]:
    """Stages of one resolution in a long chain of plain layers, or in a very long one of layers and modules."""
    if len(units) < TOO_MANY and not all(isinstance(u, int) for u in units):
        return []
    shapes = [layers[members_of(u)[-1]].shape for u in units]
    sizes = [shape[-2:] if len(shape) == 3 else () for shape in shapes]
    if sum(1 for s in sizes if s) < MANY or len(set(sizes)) < 3:
        return []
    spans = _spans(len(units), lambda k: is_chained[k] and sizes[k] == sizes[k + 1] and sizes[k] != ())
    return [(a, b, f"{'×'.join(map(str, sizes[a]))} stage") for a, b in spans if b - a >= 2]
