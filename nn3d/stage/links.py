"""The strands of one link: ropes, ribbons, 1:1 threads, and through nn3d.stage.edges each single edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.comparison.difference import Difference
from nn3d.analysis.contribution import trunk_sums
from nn3d.layout.bundle import centroids, ribbon, rope, source_clusters, strands, target_clusters
from nn3d.layout.staves import strand_rows
from nn3d.run.model import FloatArray
from nn3d.run.run import Run
from nn3d.stage import small
from nn3d.stage.cell_strands import cell_strands
from nn3d.stage.edges import edge_strands
from nn3d.stage.plan import LinkPlan, Plan, drawn_link
from nn3d.stage.strands import THIN, StrandHistory, StrandsNeed, StrandTable
from nn3d.stage.waiting import UNREAD, is_waiting

RIBBON = 26
MAX_PAIRS = 64
NOT_RECORDED = "gradient not recorded"
NOT_YET = "not known yet"
NO_VALUES = "no values"
NO_PARTNER = "not compared, no partner"


def rope_size(n_links: int) -> int:
    """Strands a sign in a collapsed pair's rope: fewer where there are many ropes."""
    return 64 if n_links <= 12 else 28 if n_links <= 40 else 14


def choose_strands(run: Run, plan: Plan, need: StrandsNeed) -> StrandTable | StrandHistory:
    """The strands of a link. Raises nothing for odd shapes: a link that cannot be drawn edge by edge is a rope."""
    link = drawn_link(plan, need.link, need.path)
    per_sign = need.per_sign or rope_size(len(plan.links))
    has_weight = _has_weight(run, plan, link, need)
    if need.cell is not None and has_weight:
        return cell_strands(run, plan, link, need)
    if link.weighted is None:
        return _keyed(_plain(plan, link, need, per_sign), need)
    if not has_weight and not isinstance(run, Difference):
        return _keyed(_unknown(plan, link, per_sign, NO_VALUES), need)
    if isinstance(run, Difference) and not all(_is_compared(run, plan, link, need, e) for e in need.epochs):
        return _keyed(_unknown(plan, link, per_sign, NO_PARTNER), need)
    if not need.is_known:
        waits = is_waiting(run, link.weighted.parameter, need.epochs)
        return _keyed(_unknown(plan, link, per_sign, UNREAD if waits else NOT_YET), need)
    if need.single and link.wiring is not None and link.path != "arc":
        found = edge_strands(run, plan, link, need, per_sign)
        if found is not None:
            return found
    if need.mode == "gradient":
        return _keyed(_unknown(plan, link, per_sign, NOT_RECORDED), need)
    under = [plan.links[k] for k in need.under]
    sums = [_all_signs(run, [link, *under], e, need) for e in need.epochs]
    return _keyed(_rope_only(plan, link, per_sign, need, sums), need)


def _has_weight(run: Run, plan: Plan, link: LinkPlan, need: StrandsNeed) -> bool:
    """Whether a weight of the link, or of those under its rope, was recorded at all epochs; also where it has none."""
    weighted = [k.weighted for k in (link, *(plan.links[k] for k in need.under)) if k.weighted is not None]
    return all(run.has_parameter(w.parameter, e) for w in weighted for e in need.epochs)


def _is_compared(run: Difference, plan: Plan, link: LinkPlan, need: StrandsNeed, epoch: int) -> bool:
    """Whether both runs have a weight of the link, or of those under its rope."""
    weighted = [k.weighted for k in (link, *(plan.links[k] for k in need.under)) if k.weighted is not None]
    return any(run.has_parameter(w.parameter, epoch) for w in weighted)


def _keyed(table: StrandTable, need: StrandsNeed) -> StrandTable:
    """Ropes and threads keep one geometry over all epochs and samples."""
    shape = (table.colour, table.level, len(table.strands), table.n_trunk)
    return replace(table, shape_key=(need.link, need.path, need.under, *shape))


def _unknown(plan: Plan, link: LinkPlan, per_sign: int, note: str) -> StrandTable:
    """A thin grey rope: what the link carries in this mode was not recorded, or is not known yet."""
    trunk = rope(np.array([[0.2, 0.2], [0.0, 0.0]], np.float32), max(7, per_sign // 4), is_signed=False)
    table = _table(plan, link, trunk, len(trunk), "neutral", None, 0, "trunk")
    return replace(table, note=note)


def _has_input(run: Run, link: LinkPlan, epoch: int) -> bool:
    return link.weighted is not None and run.has_values(*link.weighted.source, epoch)


def _signs(run: Run, link: LinkPlan, epoch: int, need: StrandsNeed) -> tuple[float, float]:
    assert link.weighted is not None
    by_input = need.mode == "contribution" and _has_input(run, link, epoch)
    return trunk_sums(run, link.weighted, epoch, need.sample if by_input else None)


def _all_signs(run: Run, links: list[LinkPlan], epoch: int, need: StrandsNeed) -> tuple[float, float]:
    """Sums over all links under one rope, those with weights."""
    pairs = [_signs(run, link, epoch, need) for link in links if link.weighted is not None]
    return sum(p[0] for p in pairs), sum(p[1] for p in pairs)


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
        rows, hw = strand_rows(link.stave, float(min(p.tiles.extents[3, 0] for p in (a, b))))
        ink = "identity" if link.stave.is_copy else "neutral"
        return replace(_table(plan, link, rows, len(rows), ink, None, 0, "trunk"), hw=hw)
    is_identity = b.layer.op in ("add", "concat", "identity")
    colour = "identity" if is_identity else "neutral"
    if link.path == "arc":
        return _table(plan, link, ribbon(RIBBON), per_sign, colour, None, 0, "trunk")
    m = max(7, per_sign // 4)
    trunk = rope(np.array([[0.2, 0.2], [0.0, 0.0]], np.float32), m, is_signed=False)
    table = _table(plan, link, trunk, m, colour, None, 0, "trunk")
    pairs = small.one_to_one(plan, link)
    if not need.single or pairs is None or a.tiles.n > MAX_PAIRS or link.path != "direct":
        return table
    k, to = pairs
    middle = np.full((k.size, 2), 0.5, np.float32)
    one = np.ones((k.size, 2), np.float32)
    single, radii = strands(a.tiles, b.tiles, pairs, (middle, middle))
    single["amount"], single["area"] = one, one
    single = small.at_edges(plan, link, single)
    cols = b.tiles.grid[1]
    single["dock_lane"][:, 0] = 0.0
    single["dock_lane"][:, 1] = (to % cols - (cols - 1) / 2.0) / max(1, cols - 1) * 1.6
    none = np.full(k.size, -1, np.int64)
    return StrandTable(
        np.concatenate([trunk, single]), len(trunk), m, table.source_clusters, table.target_clusters, radii, colour,
        0.075, small.ONE_TO_ONE, small.ONE_TO_ONE, k.size, k.size, 1.0, 0.0, None, none,
        np.full(k.size, np.nan, np.float32), none, none,
    )  # fmt: skip
