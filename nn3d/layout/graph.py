"""From layers and their sizes to places: x along the network, y by lane, and how each link runs. World units u.

The topology (columns, lanes, paths of links) is found once a run; `positions` and `apexes` are cheap and run every
frame, so that neighbours make room while a layer opens. Rules: the main line lies straight at y = 0, branches in
lanes of height around it, a branch around an identity above it; layers equally far along share a column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn3d.layout.bus import is_bus
from nn3d.layout.lanes import Lanes, assign_lanes
from nn3d.layout.levels import Levels, find_levels, level_heights, spans_levels
from nn3d.run.model import Layer

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]

PATHS = ("route", "direct", "arc", "stave")
# Gap before a layer, u: (collapsed, open), with weights and without.
WEIGHTED_GAP = (5.2, 6.5)
PLAIN_GAP = (2.6, 2.8)
# The same where 18 columns or more share the width of a picture; from 9 columns on they draw nearer.
CROWDED_WEIGHTED_GAP = (2.8, 5.0)
CROWDED_PLAIN_GAP = (1.7, 2.2)
ROOMY_COLUMNS, CROWDED_COLUMNS = 9, 18
# Between plates of neighbouring lanes, and above an identity that runs alone, u.
LANE_GAP = 4.4
IDENTITY_GAP = 4.5
ARC_BASE = 1.9
ARC_LEVEL = 0.9
_SUMS = frozenset(("add",))


@dataclass(frozen=True, slots=True)
class Topology:
    """What does not change while layers open and close. Links are numbered by layer, then by place in Layer.links.

    column, lane : (n,) int32, see nn3d.layout.lanes. main : layers of the main line. is_weighted : (n,) bool.
    paths : by link, "route" (through weights, to a neighbour), "direct" (1:1), "arc" (over layers in the way) or
    "stave" (straight, at its own level of a U). levels : of a U, else None.
    links : (m, 2) int32, source and target layer. arc_level : (m,) int32, raises arcs that would coincide.
    """

    column: I32
    lane: I32
    main: tuple[int, ...]
    is_weighted: NDArray[np.bool_]
    paths: tuple[str, ...]
    links: I32
    arc_level: I32
    _cells: _Cells
    _spans: _Spans
    levels: Levels | None = None


@dataclass(frozen=True, slots=True)
class _Cells:
    """Lanes by section of branches: which layers stand in which (section, lane), for heights by lane.

    shape : sections, lanes. zero : column of lane 0. layer, cell : pairs. of_layer : (n,) cell, 0 for the main line.
    gap : (sections, lanes) from the next lane inward.
    """

    shape: tuple[int, int]
    zero: int
    layer: I64
    cell: I64
    of_layer: I64
    gap: F64


@dataclass(frozen=True, slots=True)
class _Spans:
    """Layers that each arc clears: `layer[start[k]:start[k + 1]]` for arc k, which is link `link[k]`.

    rise : by how much, u. sign : 1 for an arc that stands on its lane, −1 for one that hangs.
    """

    link: I64
    start: I64
    layer: I64
    rise: F64
    sign: F64


@dataclass(frozen=True, slots=True)
class Footprints:
    """Sizes of n layers as they are now: full width (z) and height (y), and the gap before each; float64, u."""

    widths: F64
    heights: F64
    gaps: F64


@dataclass(frozen=True, slots=True)
class Placement:
    """Where everything stands: x, y (n,) of layers; apex (m,) absolute height of each link's arc, NaN for others."""

    topology: Topology
    x: F64
    y: F64
    apex: F64


def place_layers(layers: Sequence[Layer], sizes: Footprints, yaw_rad: float) -> Placement:
    """Topology, positions and arcs in one call."""
    top = topology(layers)
    x, y = positions(top, sizes.widths, sizes.heights, sizes.gaps, yaw_rad)
    return Placement(top, x, y, apexes(top, y, sizes.heights))


def topology(layers: Sequence[Layer]) -> Topology:
    """Columns, lanes and paths of a run's layers (in topological order, as in Run.layers); no layer is left out.

    A link from a layer to itself or to an earlier one (recurrence) does not count for columns; it is an arc.
    """
    number = {layer.index: at for at, layer in enumerate(layers)}
    ends = [(number[link.source], at) for at, layer in enumerate(layers) for link in layer.links]
    kinds = [link.kind for layer in layers for link in layer.links]
    forward = sorted({(s, t) for s, t in ends if s < t})
    lanes = assign_lanes(len(layers), forward, [_is_joint(layers, k) for k in range(len(layers))])
    links = np.array(ends, np.int32).reshape(-1, 2)
    found = find_levels(layers, links, lanes)
    level_links = () if found is None else found.links
    straight = (_path(lanes, s, t, kind) for (s, t), kind in zip(ends, kinds, strict=True))
    paths = tuple("stave" if k in level_links else path for k, path in enumerate(straight))
    level = _arc_levels(lanes, links, paths)
    weighted = [layer.weight is not None or any(link.kind == "weight" for link in layer.links) for layer in layers]
    spans = _spans(lanes, links, paths, level)
    is_weighted = np.array(weighted, np.bool_)
    cells = _cells(lanes)
    return Topology(lanes.column, lanes.lane, lanes.main, is_weighted, paths, links, level, cells, spans, found)


def _is_joint(layers: Sequence[Layer], at: int) -> bool:
    """Whether a way into a layer beside a longer one is an identity: sums and buses, but not the skips of a U."""
    return (layers[at].op in _SUMS and not spans_levels(layers, at)) or is_bus(layers[at])


def positions(
    topology: Topology, widths: ArrayLike, heights: ArrayLike, gaps: ArrayLike, yaw_rad: float,
    depths: ArrayLike = 0.0, half_field_rad: float = 0.0,
) -> tuple[F64, F64]:  # fmt: skip
    """Centres of the layers, x (n,) and y (n,) in u.

    widths, heights : (n,) full extents in z and y as they are now. gaps : (n,) wanted before each layer.
    depths : (n,) half extents along x of what is not a thin plate: blocks and decks of closed groups.
    yaw_rad : the view from which no plate shall cover its neighbour: Δx = (W_a + W_b)/2·cot φ + gap / sin φ.
    half_field_rad : half of the angle over which the network is seen. A plate at share u of the way from the middle to
    the far end is seen from cot φ(u) = cot φ + u·tan(half field) / sin²φ, so that its step is wider; never narrower.
    """
    column = topology.column
    n_columns = int(column.max()) + 1 if len(column) else 0
    width, gap = np.zeros(n_columns), np.zeros(n_columns)
    np.maximum.at(width, column, np.asarray(widths, np.float64))
    np.maximum.at(gap, column, np.asarray(gaps, np.float64))
    depth = np.zeros(n_columns)
    np.maximum.at(depth, column, np.broadcast_to(np.asarray(depths, np.float64), column.shape))
    at = np.zeros(n_columns)
    for far in (0.0, math.tan(half_field_rad) / math.sin(yaw_rad) ** 2):
        beyond = np.maximum(0.0, (at[1:] + at[:-1]) / max(at[-1], 1e-9) - 1.0) if n_columns else at
        cot = 1.0 / math.tan(yaw_rad) + far * beyond
        steps = (width[1:] + width[:-1]) / 2.0 * cot + gap[1:] * np.sqrt(1.0 + cot * cot) + depth[1:] + depth[:-1]
        at = np.concatenate([np.zeros(min(1, n_columns)), np.cumsum(steps)])
    high = np.asarray(heights, np.float64)
    y = _heights_of_lanes(topology._cells, high)
    return at[column], y if topology.levels is None else level_heights(topology.levels, y, high)


def gaps(topology: Topology, openings: ArrayLike) -> F64:
    """The gap before each layer (n,), from how open it is, 0 collapsed … 1 open, (n,); smaller with many columns."""
    opened = np.asarray(openings, np.float64)
    n_columns = int(topology.column.max()) + 1 if len(topology.column) else 0
    crowd = min(1.0, max(0.0, (n_columns - ROOMY_COLUMNS) / (CROWDED_COLUMNS - ROOMY_COLUMNS)))
    weighted = (1.0 - crowd) * np.array(WEIGHTED_GAP) + crowd * np.array(CROWDED_WEIGHTED_GAP)
    plain = (1.0 - crowd) * np.array(PLAIN_GAP) + crowd * np.array(CROWDED_PLAIN_GAP)
    low, high = np.where(topology.is_weighted[:, None], weighted, plain).T
    return np.asarray(low + (high - low) * opened)


def apexes(topology: Topology, y: ArrayLike, heights: ArrayLike) -> F64:
    """Absolute height (m,) of the top of each link's arc in u; NaN for a link that is no arc.

    The tallest plate spanned + 1.9·(1 + log2 span), and .9 more for each arc of the same span that it would meet.
    Arcs of lanes below the main line hang: the same, downward.
    """
    apex = np.full(len(topology.paths), np.nan)
    spans = topology._spans
    if len(spans.link):
        sign = np.repeat(spans.sign, np.diff([*spans.start, len(spans.layer)]))
        edges = sign * np.asarray(y, np.float64)[spans.layer] + np.asarray(heights, np.float64)[spans.layer] / 2.0
        apex[spans.link] = spans.sign * (np.maximum.reduceat(edges, spans.start) + spans.rise)
    return apex


def turns(topology: Topology, x: ArrayLike) -> F64:
    """Where along its way each link may change its height, (m, 2) shares of x from source to target.

    A link into a branch's lane rises before the next column; one out of it keeps its height until the last.
    """
    at = np.asarray(x, np.float64)
    share = np.tile(np.array([0.0, 1.0]), (len(topology.links), 1))
    if len(share) == 0:
        return share
    source, target = topology.links[:, 0], topology.links[:, 1]
    columns = np.zeros(int(topology.column.max()) + 1)
    columns[topology.column] = at
    length = np.where(at[target] > at[source], at[target] - at[source], 1.0)
    is_far = topology.column[target] - topology.column[source] > 1
    inner, outer = np.abs(topology.lane[source]), np.abs(topology.lane[target])
    first = columns[np.minimum(topology.column[source] + 1, len(columns) - 1)]
    last = columns[np.maximum(topology.column[target] - 1, 0)]
    share[:, 1] = np.where(is_far & (outer > inner), (first - at[source]) / length, 1.0)
    share[:, 0] = np.where(is_far & (inner > outer), (last - at[source]) / length, 0.0)
    return share


def _heights_of_lanes(cells: _Cells, heights: F64) -> F64:
    """y of each layer: lanes are stacked outward from lane 0 by their tallest plates, section by section."""
    if cells.shape[0] == 0:
        return np.zeros(len(cells.of_layer))
    half = np.zeros(cells.shape[0] * cells.shape[1])
    np.maximum.at(half, cells.cell, heights[cells.layer] / 2.0)
    table = half.reshape(cells.shape)
    pitch = table[:, 1:] + table[:, :-1] + cells.gap
    y = np.zeros(cells.shape)
    y[:, cells.zero + 1 :] = np.cumsum(pitch[:, cells.zero :], axis=1)
    y[:, : cells.zero] = -np.cumsum(pitch[:, : cells.zero][:, ::-1], axis=1)[:, ::-1]
    flat: F64 = np.where(cells.of_layer >= 0, y.ravel()[np.maximum(cells.of_layer, 0)], 0.0)
    return flat


def _cells(lanes: Lanes) -> _Cells:
    """The main line's plates count in their own section and in those that they split into or join."""
    lane, column = lanes.lane.astype(np.int64), lanes.column.astype(np.int64)
    n_sections = len(lanes.has_identity)
    zero = int(-lane.min()) if len(lane) else 0
    n_lanes = zero + (int(lane.max()) if len(lane) else 0) + 1
    padded = np.concatenate([[-1], lanes.section, [-1]]).astype(np.int64)
    layers, cells = [], []
    for shift in (-1, 0, 1):
        section = padded[column + 1 + shift]
        wanted = (section >= 0) & ((lane == 0) | (shift == 0))
        layers.append(np.flatnonzero(wanted))
        cells.append(section[wanted] * n_lanes + lane[wanted] + zero)
    own = np.where(lane == 0, -1, padded[column + 1] * n_lanes + lane + zero)
    gap = np.full((n_sections, max(n_lanes - 1, 0)), LANE_GAP)
    if zero < n_lanes - 1:
        gap[lanes.has_identity, zero] = IDENTITY_GAP
    return _Cells((n_sections, n_lanes), zero, np.concatenate(layers), np.concatenate(cells), own, gap)


def _in_the_way(lanes: Lanes, source: int, target: int) -> bool:
    """Whether a layer stands between two layers in the lane that their link runs in, the outer one of their two."""
    own, other = int(lanes.lane[source]), int(lanes.lane[target])
    lane = own if abs(own) > abs(other) else other
    low, high = sorted((int(lanes.column[source]), int(lanes.column[target])))
    return bool(((lanes.column > low) & (lanes.column < high) & (lanes.lane == lane)).any())


def _under(lanes: Lanes, source: int, target: int) -> I64:
    """What an arc has to clear: its two ends and all between, from its lane outward (downward for lanes below 0)."""
    ends = (source, target)
    low, high = (pick(int(lanes.column[i]) for i in ends) for pick in (min, max))
    inner = min((int(lanes.lane[i]) for i in ends), key=abs)
    outward = lanes.lane <= inner if _hangs(lanes, source, target) else lanes.lane >= inner
    between = (lanes.column > low) & (lanes.column < high) & outward
    return np.concatenate([np.array(ends, np.int64), np.flatnonzero(between)])


def _hangs(lanes: Lanes, source: int, target: int) -> bool:
    """Whether an arc hangs under its lane rather than standing on it: below the main line."""
    return int(lanes.lane[source]) + int(lanes.lane[target]) < 0


def _path(lanes: Lanes, source: int, target: int, kind: str) -> str:
    if source >= target or _in_the_way(lanes, source, target):
        return "arc"
    return "route" if kind == "weight" else "direct"


def _arc_levels(lanes: Lanes, links: I32, paths: tuple[str, ...]) -> I32:
    """A level for each arc by interval colouring, so that overlapping arcs of equal span get different heights."""
    level = np.zeros(len(links), np.int32)
    busy: dict[tuple[int, int], list[int]] = {}
    ends = np.sort(lanes.column[links], axis=1) if len(links) else links
    for k in np.lexsort((ends[:, 1], ends[:, 0])).tolist():
        if paths[k] != "arc":
            continue
        first, last = int(ends[k, 0]), int(ends[k, 1])
        free_from = busy.setdefault((int(lanes.lane[links[k, 1]]), last - first), [])
        at = next((i for i, until in enumerate(free_from) if until <= first), len(free_from))
        free_from[at : at + 1] = [last]
        level[k] = at
    return level


def _spans(lanes: Lanes, links: I32, paths: tuple[str, ...], level: I32) -> _Spans:
    arcs = [k for k, path in enumerate(paths) if path == "arc"]
    ends = [(int(links[k, 0]), int(links[k, 1])) for k in arcs]
    groups = [_under(lanes, source, target) for source, target in ends]
    start = np.cumsum([0, *(len(group) for group in groups)])[:-1].astype(np.int64)
    across = np.array([abs(int(lanes.column[t]) - int(lanes.column[s])) for s, t in ends], np.float64)
    rise = ARC_BASE * (1.0 + np.log2(np.maximum(across, 1.0))) + ARC_LEVEL * level[arcs]
    sign = np.array([-1.0 if _hangs(lanes, source, target) else 1.0 for source, target in ends])
    layer = np.concatenate(groups) if groups else np.zeros(0, np.int64)
    return _Spans(np.array(arcs, np.int64), start, layer, rise, sign)
