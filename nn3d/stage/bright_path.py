"""The bright path of the selected cell as strands and frames: its strongest contributions, layer by layer.

Colour is the sign of a contribution, cross-section its share among those of the same step. Through a closed group and
along arcs and staves no single strand is drawn: the whole rope keeps its light.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nn3d.analysis.path import Hop, Path, Place, path_of
from nn3d.layout.bundle import centroids, source_clusters, strands, target_clusters
from nn3d.run.run import Run
from nn3d.stage import small
from nn3d.stage.folding import Folded
from nn3d.stage.microscope import Patch, thing_at
from nn3d.stage.plan import LinkPlan
from nn3d.stage.state import Thing
from nn3d.stage.strands import THICKEST, StrandTable

SINGLE_PATHS = ("route", "direct", "wire")
THINNEST = 0.12
EVERY_LIT = -2


@dataclass(frozen=True, slots=True)
class PathNeed:
    """The path of one cell of layer index `layer`, n layers back and onward, at an epoch and sample index."""

    layer: int
    cell: tuple[int, ...]
    n: int
    epoch: int
    sample: int


@dataclass(frozen=True, slots=True)
class BrightPath:
    """A path in memory."""

    path: Path

    @property
    def nbytes(self) -> int:
        """About what the hops take."""
        return 256 * (1 + len(self.path.hops))


def bright_path(run: Run, need: PathNeed) -> BrightPath:
    """Read what a path needs."""
    return BrightPath(path_of(run, need.layer, need.cell, need.n, epoch=need.epoch, sample=need.sample))


def path_tables(folded: Folded, path: Path) -> dict[int, StrandTable]:
    """By link between visible rows: the path's hops as single strands."""
    largest = {s: max(h.share for h in path.hops if h.step == s) for s, _ in path.covered}
    by_link: dict[int, list[tuple[Hop, Thing, Thing]]] = {}
    for link, hop, ends in _placed(folded, path.hops):
        if link.path in SINGLE_PATHS and ends is not None:
            by_link.setdefault(link.index, []).append((hop, *ends))
    return {k: _table(folded, folded.plan.links[k], found, largest) for k, found in by_link.items()}


def lit_ropes(folded: Folded, path: Path) -> set[int]:
    """Links between visible rows that the path takes as a whole."""
    found = _placed(folded, path.hops)
    return {link.index for link, _, ends in found if ends is None or link.path not in SINGLE_PATHS}


def path_patches(folded: Folded, path: Path) -> tuple[Patch, ...]:
    """Frames of the path: each cell of it, or the block of the closed group it lies in."""
    places: dict[Place, int] = {}
    for hop in path.hops:
        end = hop.source if hop.step < 0 else hop.target
        places[end] = min(abs(hop.step), places.get(end, abs(hop.step)))
    out: dict[object, Patch] = {}
    for place, step in places.items():
        row, thing = _seen(folded, place)
        if thing is None:
            out.setdefault(row, Patch(row, np.zeros(0, np.int32), (0, 0, 0, 0), step, is_inside=True))
        else:
            rect = (thing.row, thing.row + 1, thing.col, thing.col + 1)
            out[row, thing] = Patch(row, np.array([thing.tile], np.int32), rect, step)
    return tuple(out.values())


def _placed(folded: Folded, hops: Sequence[Hop]) -> Iterator[tuple[LinkPlan, Hop, tuple[Thing, Thing] | None]]:
    """Each hop with the visible link that it goes along, and its ends; None for those of which one is hidden."""
    links = {(k.source, k.target): k for k in folded.plan.links}
    for hop in hops:
        (a, s), (b, t) = _seen(folded, hop.source), _seen(folded, hop.target)
        link = links.get((a, b))
        if a != b and link is not None:
            yield link, hop, None if s is None or t is None else (s, t)


def _seen(folded: Folded, place: Place) -> tuple[int, Thing | None]:
    """The row that shows a cell, and the cell there; None where a closed group stands for its layer."""
    layer, flat = place
    row = folded.stands[layer]
    if folded.items[row] != layer:
        return row, None
    plan = folded.plan.layers[row]
    cell = tuple(int(i) for i in np.unravel_index(flat, plan.layer.shape)) if plan.layer.shape else ()
    return row, thing_at(plan, row, cell)


def _table(
    folded: Folded, link: LinkPlan, found: list[tuple[Hop, Thing, Thing]], largest: dict[int, float]
) -> StrandTable:
    plan = folded.plan
    a, b = plan.layers[link.source], plan.layers[link.target]
    ends = [s for _, s, _ in found], [t for _, _, t in found]
    tiles = tuple(np.array([t.tile for t in things], np.int64) for things in ends)
    uv = tuple(_uv(things, p.tiles.cells) for things, p in zip(ends, (a, b), strict=True))
    rows, radii = strands(a.tiles, b.tiles, (tiles[0], tiles[1]), (uv[0], uv[1]))
    rows = small.placed_on_edges(plan, link, rows)
    amount = np.array([np.sign(hop.amount) for hop, _, _ in found], np.float32)
    area = np.array([max(THINNEST, hop.share / (largest[hop.step] or 1.0)) for hop, _, _ in found], np.float32)
    rows["amount"], rows["area"] = amount[:, None], area[:, None]
    cells = [
        np.array([t.row * p.tiles.cells[1] + t.col for t in things], np.int64)
        for things, p in zip(ends, (a, b), strict=True)
    ]
    key = ("path", link.index, tuple((h.source, h.target, h.amount, h.share) for h, _, _ in found))
    none = np.full(len(found), -1, np.int64)
    return StrandTable(
        rows, 0, 0, centroids(a.table, source_clusters(a.tiles)), centroids(b.table, target_clusters(b.tiles)), radii,
        "sign", THICKEST, "path", "all", len(found), len(found), 1.0, 0.0, None, none,
        np.array([hop.amount for hop, _, _ in found], np.float32), cells[0], cells[1], key,
    )  # fmt: skip


def _uv(things: list[Thing], cells: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    rows, cols = cells
    return np.array([((t.col + 0.5) / cols, (t.row + 0.5) / rows) for t in things], np.float32).reshape(-1, 2)
