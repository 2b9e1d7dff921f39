"""Chosen strands of one link at the two epochs that are mixed: which edges, how strong, how thick, how many of all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis import sampling
from nn3d.analysis.contribution import contributions, input_sums, sign_sums, trunk_sums, weights
from nn3d.analysis.sampling import Chosen
from nn3d.layout.bundle import centroids, ribbon, rope, source_clusters, strands, target_clusters
from nn3d.layout.staves import strand_rows
from nn3d.run.model import FloatArray
from nn3d.run.run import Run
from nn3d.stage.plan import LinkPlan, Plan

I64 = NDArray[np.int64]
RIBBON = 26
MAX_PAIRS = 64
EVERY = ("all", "exact")
MAX_EVERY = 5_000_000
STRENGTH_QUANTILE = 0.998
THICKEST = 0.13
THIN = 0.06


@dataclass(frozen=True, slots=True)
class StrandsNeed:
    """The strands of link `link` at epoch indices `epochs` for sample index `sample`.

    single : each edge, not only the rope. n : strands at most where `selection` is sampled or top.
    """

    link: int
    epochs: tuple[int, int]
    sample: int
    mode: str
    level: str
    selection: str
    n: int
    single: bool


@dataclass(frozen=True, slots=True)
class StrandTable:
    """Strands of a link.

    strands : (m,) STRAND, the first n_trunk the rope. hw : half width of the thickest single strand in u.
    level, selection : what is drawn (coarser than asked where that would be too many).
    shown, total, share : edges drawn, in all, and their share of Σ|amount|, at the first epoch. unit : what a thin
    strand stands for. signs : (for, against) at the first epoch.
    weight_index, weight, source_cell, target_cell : (m − n_trunk,) of the single strands, in their order; −1 none.
    """

    strands: NDArray[np.void]
    n_trunk: int
    per_sign: int
    source_clusters: NDArray[np.void]
    target_clusters: NDArray[np.void]
    radii: tuple[float, float]
    colour: str
    hw: float
    level: str
    selection: str
    shown: int
    total: int
    share: float
    unit: float
    signs: tuple[float, float] | None
    weight_index: I64
    weight: FloatArray
    source_cell: I64
    target_cell: I64

    @property
    def nbytes(self) -> int:
        """Memory of the strands and what they stand for."""
        return self.strands.nbytes + 28 * self.weight.size


def rope_size(n_links: int) -> int:
    """Strands a sign in a collapsed pair's rope: fewer where there are many ropes."""
    return 64 if n_links <= 12 else 28 if n_links <= 40 else 14


def choose_strands(run: Run, plan: Plan, need: StrandsNeed) -> StrandTable:
    """The strands of a link. Raises nothing for odd shapes: a link that cannot be drawn edge by edge is a rope."""
    link = plan.links[need.link]
    per_sign = rope_size(len(plan.links))
    if link.weighted is None:
        return _plain(plan, link, need, per_sign)
    epochs = (need.epochs[0],) if need.epochs[0] == need.epochs[1] else need.epochs
    if not need.single or link.wiring is None or link.path == "arc":
        sums = [_signs(run, link, e, need) for e in epochs]
        return _rope_only(plan, link, per_sign, need, sums)
    return _edges(run, plan, link, need, epochs, per_sign)


def _has_input(run: Run, link: LinkPlan, epoch: int) -> bool:
    return link.weighted is not None and run.has_values(*link.weighted.source, epoch)


def _signs(run: Run, link: LinkPlan, epoch: int, need: StrandsNeed) -> tuple[float, float]:
    assert link.weighted is not None
    by_input = need.mode == "contribution" and _has_input(run, link, epoch)
    return trunk_sums(run, link.weighted, epoch, need.sample if by_input else None)


def _shares(sums: list[tuple[float, float]]) -> FloatArray:
    """(2 signs, 2 epochs) shares of the whole."""
    pairs = [sums[0], sums[-1]]
    out = np.zeros((2, 2), np.float32)
    for e, (up, down) in enumerate(pairs):
        total = up + down
        out[:, e] = (up / total, down / total) if total > 0 else (0.0, 0.0)
    return out


def _table(
    plan: Plan, link: LinkPlan, trunk: NDArray[np.void], per_sign: int, colour: str,
    signs: tuple[float, float] | None, total: int, level: str,
) -> StrandTable:  # fmt: skip
    a, b = plan.layers[link.source], plan.layers[link.target]
    none = np.zeros(0, np.int64)
    return StrandTable(
        trunk, len(trunk), per_sign, centroids(a.table, source_clusters(a.tiles)),
        centroids(b.table, target_clusters(b.tiles)), (1.0, 1.0), colour, THIN, level, "trunk", 0, total,
        1.0, 0.0, signs, none, np.zeros(0, np.float32), none, none,
    )  # fmt: skip


def _rope_only(
    plan: Plan, link: LinkPlan, per_sign: int, need: StrandsNeed, sums: list[tuple[float, float]]
) -> StrandTable:
    assert link.weighted is not None
    total = link.wiring.n_edges("kernels") if link.wiring is not None else int(np.prod(link.weighted.shape))
    if link.path == "arc":
        trunk = ribbon(RIBBON)
        n_for = round(RIBBON * float(_shares(sums)[0, 0]))
        trunk["amount"][np.argsort((np.arange(RIBBON) * 0.618) % 1.0)[n_for:]] = -1.0
    else:
        trunk = rope(_shares(sums), per_sign, is_signed=True)
    return _table(plan, link, trunk, per_sign, "sign", sums[0], total, "trunk")


def _plain(plan: Plan, link: LinkPlan, need: StrandsNeed, per_sign: int) -> StrandTable:
    """A link without weights: 1:1 where the tiles match, a grey rope elsewhere, a ribbon for a skip."""
    a, b = plan.layers[link.source], plan.layers[link.target]
    if link.stave is not None:
        heights = [p.tiles.extents[3, 0] / max(1, p.tiles.grid[0] * p.tiles.cells[0]) for p in (a, b)]
        rows, hw = strand_rows(link.stave, float(min(heights)))
        ink = "identity" if link.stave.is_copy else "neutral"
        return replace(_table(plan, link, rows, len(rows), ink, None, 0, "trunk"), hw=hw)
    is_identity = b.layer.op in ("add", "concat", "identity") and link.path == "arc"
    colour = "identity" if is_identity else "neutral"
    if link.path == "arc":
        return _table(plan, link, ribbon(RIBBON), per_sign, colour, None, 0, "trunk")
    m = max(7, per_sign // 4)
    trunk = rope(np.array([[0.2, 0.2], [0.0, 0.0]], np.float32), m, is_signed=False)
    table = _table(plan, link, trunk, m, colour, None, 0, "trunk")
    if not need.single or a.tiles.n != b.tiles.n or a.tiles.n > MAX_PAIRS or link.path != "direct":
        return table
    k = np.arange(a.tiles.n)
    middle = np.full((k.size, 2), 0.5, np.float32)
    one = np.ones((k.size, 2), np.float32)
    single, radii = strands(a.tiles, b.tiles, (k, k), (middle, middle), one, one)
    cols = b.tiles.grid[1]
    single["dock_lane"][:, 0] = 0.0
    single["dock_lane"][:, 1] = (k % cols - (cols - 1) / 2.0) / max(1, cols - 1) * 1.6
    none = np.full(k.size, -1, np.int64)
    return StrandTable(
        np.concatenate([trunk, single]), len(trunk), m, table.source_clusters, table.target_clusters, radii, colour,
        0.075, "1 : 1", "1 : 1", k.size, k.size, 1.0, 0.0, None, none, np.full(k.size, np.nan, np.float32), none, none,
    )  # fmt: skip


def _edges(
    run: Run, plan: Plan, link: LinkPlan, need: StrandsNeed, epochs: tuple[int, ...], per_sign: int
) -> StrandTable:
    assert link.wiring is not None
    level = link.wiring.level_for(need.level)
    amounts = [_amounts(run, link, level, e, need) for e in epochs]
    selection = need.selection
    if selection in EVERY and link.wiring.n_edges(level) > MAX_EVERY:
        selection = "sampled"
    picks = [_pick(a, selection, need.n) for a in amounts]
    index = picks[0].index if len(picks) == 1 else np.union1d(picks[0].index, picks[1].index)
    amount, area = _looks(amounts, picks, index)
    ends = link.wiring.ends(index, level)
    a, b = plan.layers[link.source], plan.layers[link.target]
    from_tile = np.minimum(ends.source_tile, a.tiles.n - 1)  # the three channels of a picture are drawn as one tile
    order = np.argsort(np.abs(amount).max(1), kind="stable")
    single, radii = strands(
        a.tiles, b.tiles, (from_tile, ends.target_tile), (ends.source_uv, ends.target_uv), amount, area
    )
    sums = [sign_sums(x) for x in amounts]
    trunk = rope(_shares(sums), per_sign, is_signed=True)
    stands = max(float(p.stands.max()) if p.stands.size else 0.0 for p in picks)
    thin = float(np.sqrt(picks[0].unit / stands)) if stands > 0 and picks[0].unit > 0 else 0.0
    thickest = THICKEST if thin == 0.0 else min(THICKEST, THIN / thin)
    first = weights(run, link.weighted, epochs[0]).ravel() if link.weighted is not None else np.zeros(0, np.float32)
    chosen = np.where(ends.weight >= 0, first[np.maximum(ends.weight, 0)], amounts[0][index])[order]
    return StrandTable(
        np.concatenate([trunk, single]), len(trunk), per_sign, centroids(a.table, source_clusters(a.tiles)),
        centroids(b.table, target_clusters(b.tiles)), radii, "sign", thickest, level, selection,
        picks[0].index.size, link.wiring.n_edges(level), picks[0].share, picks[0].unit, sums[0], ends.weight[order],
        chosen.astype(np.float32), ends.source_cell[order], ends.target_cell[order],
    )  # fmt: skip


def _amounts(run: Run, link: LinkPlan, level: str, epoch: int, need: StrandsNeed) -> FloatArray:
    """(n_edges,) signed amounts of a level: weights, or contributions where the input was recorded."""
    assert link.weighted is not None
    assert link.wiring is not None
    w = weights(run, link.weighted, epoch)
    by_input = need.mode == "contribution" and _has_input(run, link, epoch)
    if level == "all" and link.wiring.kernel:
        a = run.values(*link.weighted.source, epoch, need.sample) if by_input else None
        return link.wiring.products(w, a)
    c = contributions(w, input_sums(run, link.weighted, epoch, need.sample), link.weighted.groups) if by_input else w
    return link.wiring.amounts(c, level)


def _pick(amounts: FloatArray, selection: str, n: int) -> Chosen:
    if selection in EVERY:
        return sampling.every(amounts)
    return sampling.top(amounts, n) if selection == "top" else sampling.sampled(amounts, n)


def _looks(amounts: list[FloatArray], picks: list[Chosen], index: I64) -> tuple[FloatArray, FloatArray]:
    """Colour strength and cross-section of the strands `index`, (m, 2) each: see STRAND."""
    amount = np.zeros((index.size, 2), np.float32)
    area = np.zeros((index.size, 2), np.float32)
    for e in range(2):
        c, pick = amounts[min(e, len(amounts) - 1)], picks[min(e, len(picks) - 1)]
        magnitude = sampling.finite_magnitude(c[index])
        full = float(np.quantile(magnitude, STRENGTH_QUANTILE)) if magnitude.size else 1.0
        amount[:, e] = np.sign(np.nan_to_num(c[index])) * np.minimum(1.0, magnitude / (full or 1.0))
        at = np.searchsorted(index, pick.index)
        thick = float(np.quantile(pick.stands, STRENGTH_QUANTILE)) if pick.stands.size else 1.0
        area[at, e] = np.minimum(1.0, pick.stands / (thick or 1.0))
    return amount, area


