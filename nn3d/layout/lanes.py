"""Which layer stands in which column (x) and lane (y) of a graph: ranks, the main line, and branches around it.

Columns count from 0 along the network, lanes from 0, the main line, upward (+) and downward (−). Edges are pairs
(source, target) of layer numbers with source before target; nothing here knows sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

I32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Lanes:
    """Columns and lanes of n layers.

    column, lane : (n,) int32. section : (n_columns,) int32, the run of columns that belong to the same branches, −1
    where the main line is alone. has_identity : (n_sections,) bool, the main line passes there without a plate.
    main : the layers of the main line, in order.
    """

    column: I32
    lane: I32
    section: I32
    has_identity: NDArray[np.bool_]
    main: tuple[int, ...]


@dataclass(slots=True)
class _Dag:
    """Neighbours by layer, ranks, and the links of residual additions that count for what they bypass."""

    n: int
    before: list[list[int]]
    after: list[list[int]]
    rank: list[int] = field(default_factory=list)
    identity: set[tuple[int, int]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Box:
    """A branch laid out on its own: lanes around its own line, and the columns and lanes it needs."""

    lanes: dict[int, int]
    first: int
    last: int
    up: int
    down: int


def assign_lanes(n: int, edges: Sequence[tuple[int, int]], is_sum: Sequence[bool]) -> Lanes:
    """Columns by longest path, the main line in lane 0, branches stacked above and below it.

    is_sum : (n,) whether a layer is an addition; a direct way into it beside a longer one is an identity.
    """
    dag = _build(n, edges, is_sum)
    if n == 0:
        empty = np.zeros(0, np.int32)
        return Lanes(empty, empty, empty, np.zeros(0, np.bool_), ())
    everything = list(range(n))
    main = _main_line(dag, everything)
    _draw_near(dag, main[0])
    columns = {rank: at for at, rank in enumerate(sorted(set(dag.rank)))}
    dag.rank = [columns[r] for r in dag.rank]
    boxes: list[_Box] = []
    box = _lay_out(dag, everything, main, boxes)
    lane = np.array([box.lanes[i] for i in everything], np.int32)
    section, has_identity = _sections(dag, main, boxes, len(columns))
    return Lanes(np.array(dag.rank, np.int32), lane, section, has_identity, tuple(main))


def _build(n: int, edges: Sequence[tuple[int, int]], is_sum: Sequence[bool]) -> _Dag:
    """Neighbours and ranks. A layer without any link is tied to the one before it, so that it stays in its place."""
    dag = _Dag(n, [[] for _ in range(n)], [[] for _ in range(n)])
    linked = {end for edge in edges for end in edge}
    loose = [(i - 1, i) for i in range(1, n) if i not in linked]
    for source, target in sorted({*edges, *loose}):
        dag.before[target].append(source)
        dag.after[source].append(target)
    dag.rank = [0] * n
    for i in range(n):
        dag.rank[i] = max((dag.rank[p] + 1 for p in dag.before[i]), default=0)
    reach = [0] * n
    for i in range(n):
        for p in dag.before[i]:
            reach[i] |= reach[p] | (1 << p)
    for target in range(n):
        if is_sum[target]:
            dag.identity |= _identities(dag, target, reach)
    return dag


def _identities(dag: _Dag, target: int, reach: list[int]) -> set[tuple[int, int]]:
    """Ways into a sum that bypass another one: the identity itself, or a single layer on it (a projection)."""
    found = set()
    for p in dag.before[target]:
        longer = [q for q in dag.before[target] if dag.rank[q] > dag.rank[p]]
        start = dag.before[p][0] if len(dag.before[p]) == 1 else p
        if any(reach[q] >> p & 1 or reach[q] >> start & 1 for q in longer):
            found.add((p, target))
    return found


def _main_line(dag: _Dag, members: list[int]) -> list[int]:
    """The longest chain, where an identity is as long as what it bypasses and wins against it; ties go to the middle.

    So it is the chain with the most residual additions where there are any.
    """
    inside = set(members)
    unit = dag.n + 1
    best: dict[int, int] = {}
    came: dict[int, int] = {}
    for i in sorted(members, key=lambda m: (dag.rank[m], m)):
        ways = {p: best[p] + _length(dag, p, i, unit) for p in dag.before[i] if p in inside}
        best[i] = max(ways.values(), default=0)
        if ways:
            came[i] = _middle([p for p, length in ways.items() if length == best[i]])
    longest = max(best.values())
    chain = [_middle([i for i, length in best.items() if length == longest])]
    while chain[-1] in came:
        chain.append(came[chain[-1]])
    return chain[::-1]


def _length(dag: _Dag, source: int, target: int, unit: int) -> int:
    is_identity = (source, target) in dag.identity
    return (dag.rank[target] - dag.rank[source]) * unit + 1 if is_identity else unit


def _middle(ties: list[int]) -> int:
    return sorted(ties)[(len(ties) - 1) // 2]


def _draw_near(dag: _Dag, start: int) -> None:
    """Move what does not come from `start` (a second input, say) as close as it can be to where it is used."""
    from_start = {start}
    for i in range(start, dag.n):
        if any(p in from_start for p in dag.before[i]):
            from_start.add(i)
    for i in reversed(range(dag.n)):
        if i not in from_start and dag.after[i]:
            dag.rank[i] = min(dag.rank[t] for t in dag.after[i]) - 1


def _lay_out(dag: _Dag, members: list[int], line: list[int], boxes: list[_Box] | None = None) -> _Box:
    """Lanes of `members` around their line; branches are laid out first, then stacked. `boxes` collects them."""
    lanes = dict.fromkeys(line, 0)
    above: list[tuple[int, _Box]] = []
    below: list[tuple[int, _Box]] = []
    for branch in _components(dag, members, lanes):
        box = _span(dag, branch, _lay_out(dag, branch, _main_line(dag, branch)))
        is_above = _goes_above(dag, line, box, min(branch), n_above=len(above), n_below=len(below))
        (above if is_above else below).append((min(branch), box))
        if boxes is not None:
            boxes.append(box)
    up = _stack(lanes, [box for _, box in sorted(above, key=lambda b: -b[0])], dag, sign=1)
    down = _stack(lanes, [box for _, box in sorted(below, key=lambda b: b[0])], dag, sign=-1)
    ranks = [dag.rank[i] for i in members]
    return _Box(lanes, min(ranks), max(ranks), up, down)


def _components(dag: _Dag, members: list[int], line: dict[int, int]) -> list[list[int]]:
    """What stays connected when the line is taken away: the branches, in module order."""
    left = set(members) - set(line)
    found = []
    for seed in sorted(left):
        if seed not in left:
            continue
        left.discard(seed)
        branch, front = [], [seed]
        while front:
            i = front.pop()
            branch.append(i)
            near = [j for j in (*dag.before[i], *dag.after[i]) if j in left]
            left.difference_update(near)
            front += near
        found.append(sorted(branch))
    return found


def _span(dag: _Dag, branch: list[int], box: _Box) -> _Box:
    """The box with all columns between its split and its join, which its ropes cross at its own height."""
    inside = set(branch)
    first, last = box.first, box.last
    for i in branch:
        first = min([first, *(dag.rank[p] + 1 for p in dag.before[i] if p not in inside)])
        last = max([last, *(dag.rank[t] - 1 for t in dag.after[i] if t not in inside)])
    return _Box(box.lanes, first, last, box.up, box.down)


def _goes_above(dag: _Dag, line: list[int], box: _Box, number: int, *, n_above: int, n_below: int) -> bool:
    """A branch around an identity lies above; else the module order beside the line's own layers decides."""
    beside = [i for i in line if box.first <= dag.rank[i] <= box.last]
    if not beside:
        return True
    if number < min(beside):
        return True
    return number < max(beside) and n_above < n_below


def _stack(lanes: dict[int, int], boxes: list[_Box], dag: _Dag, *, sign: int) -> int:
    """Put boxes into the nearest free lanes on one side, in order; returns how many lanes that side takes."""
    used: dict[int, int] = {}
    tallest = 0
    for box in boxes:
        inner, outer = (box.down, box.up) if sign > 0 else (box.up, box.down)
        columns = range(box.first, box.last + 1)
        base = 1 + max((used.get(c, 0) for c in columns), default=0) + inner
        used.update(dict.fromkeys(columns, base + outer))
        tallest = max(tallest, base + outer)
        for i, lane in box.lanes.items():
            lanes[i] = sign * base + lane
    return tallest


def _sections(dag: _Dag, main: list[int], boxes: list[_Box], n_columns: int) -> tuple[I32, NDArray[np.bool_]]:
    """Runs of columns that share branches, and whether the main line is without a plate in them."""
    section = np.full(n_columns, -1, np.int32)
    ends: list[tuple[int, int]] = []
    for first, last in sorted((b.first, b.last) for b in boxes):
        if ends and first <= ends[-1][1]:
            ends[-1] = (ends[-1][0], max(last, ends[-1][1]))
        else:
            ends.append((first, last))
    plates = {dag.rank[i] for i in main}
    for number, (first, last) in enumerate(ends):
        section[first : last + 1] = number
    has_identity = np.array([not plates.intersection(range(a, b + 1)) for a, b in ends], np.bool_)
    return section, has_identity
