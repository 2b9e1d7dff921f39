"""The single strands of a weighted link over a window of epochs: which edges, where they end, how they look.

An edge's presence depends only on its own chance number and its amount (nn3d.analysis.sampling); a strand's thickness
at an epoch depends on that epoch alone, so that mixing two epochs is continuous from one pair to the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis import sampling
from nn3d.analysis.amounts import Amounts, Moment, amounts_of
from nn3d.analysis.sampling import Chosen
from nn3d.analysis.wiring import Ends, Wiring
from nn3d.layout.bundle import centroids, rope, source_places, strands, target_clusters
from nn3d.run.model import FloatArray
from nn3d.run.run import Run
from nn3d.stage import small
from nn3d.stage.plan import LinkPlan, Plan
from nn3d.stage.ropes import cluster_strands, has_clusters
from nn3d.stage.state import EXACT_PASSES
from nn3d.stage.strands import I64, THICKEST, THIN, Looks, StrandHistory, StrandsNeed, StrandTable

EVERY = ("all", "exact")
MAX_EVERY = 5_000_000
STRENGTH_QUANTILE = 0.998
SUM_UNITS = 150.0


def edge_strands(run: Run, plan: Plan, link: LinkPlan, need: StrandsNeed, per_sign: int) -> StrandHistory | None:
    """The single strands of a link and its rope, or None where the mode was not recorded at one of the epochs."""
    wires = link.wiring
    assert wires is not None
    if need.level == "maps" and has_clusters(link, plan) and not small.joins_columns(plan, link):
        return cluster_strands(run, plan, link, need, per_sign)
    level = wires.level_for(need.level)
    selection = need.selection
    if selection in EVERY and wires.n_edges(level) > MAX_EVERY:
        selection = "sampled"
    if small.draws_every(plan, link, selection):
        selection = "all"
    found = {e: amounts_of(run, wires, level, Moment(e, need.sample, need.mode)) for e in need.epochs}
    amounts = {e: a for e, a in found.items() if a is not None}
    if len(amounts) < len(found):
        return None
    picks = {e: a.pick(selection, need.n) for e, a in amounts.items()}
    index = np.unique(np.concatenate([p.index for p in picks.values()])) if len(picks) > 1 else _only(picks).index
    batches: tuple[int, ...] = ()
    if selection == "exact":
        index, batches = sampling.batches(index.size, EXACT_PASSES)
    ends = wires.ends(index, level)
    looks = {e: _looks(run, wires, amounts[e], picks[e], index, ends.weight, e, selection) for e in picks}
    if small.joins_columns(plan, link) and selection != "exact":
        looks = {
            e: small.scaled(run, plan, k, picks[e], index, Moment(e, need.sample, need.mode)) for e, k in looks.items()
        }
    return _history(plan, link, need, (level, selection), ends, looks, per_sign, batches)


def _only(picks: dict[int, Chosen]) -> Chosen:
    return next(iter(picks.values()))


def _history(
    plan: Plan, link: LinkPlan, need: StrandsNeed, what: tuple[str, str], ends: Ends, looks: dict[int, Looks],
    per_sign: int, batches: tuple[int, ...],
) -> StrandHistory:  # fmt: skip
    wires = link.wiring
    assert wires is not None
    level, selection = what
    n = ends.weight.size
    a, b = plan.layers[link.source], plan.layers[link.target]
    from_tile = np.minimum(ends.source_tile, a.tiles.n - 1)  # the three channels of a picture are drawn as one tile
    by_region = not small.is_wire(plan, link)
    tiles, uv = (from_tile, ends.target_tile), (ends.source_uv, ends.target_uv)
    single, radii = strands(a.tiles, b.tiles, tiles, uv, by_region=by_region)
    single = small.placed_on_edges(plan, link, single)
    trunk = rope(np.zeros((2, 2), np.float32), per_sign, is_signed=True)
    is_fixed = selection in EVERY
    shape_key = (need.link, level, selection, n) if is_fixed else (*_identity(need), level, n)
    table = StrandTable(
        np.concatenate([trunk, single]), len(trunk), per_sign, source_places(a.tiles, a.table, by_region=by_region),
        centroids(b.table, target_clusters(b.tiles)), radii, "sign", THICKEST, level, selection, 0,
        wires.n_edges(level), 1.0, 0.0, None, ends.weight, np.zeros(n, np.float32), ends.source_cell,
        ends.target_cell, shape_key, batches=batches,
    )  # fmt: skip
    return StrandHistory(table, looks)


def _identity(need: StrandsNeed) -> tuple[object, ...]:
    return need.link, need.epochs, need.sample, need.mode, need.selection, need.n


def _looks(
    run: Run, wires: Wiring, amounts: Amounts, pick: Chosen, index: I64, weight: I64, epoch: int, selection: str
) -> Looks:
    c = amounts.at(index)
    if selection == "exact":
        amount, area, is_drawn = sums_of(c)
    else:
        amount, area, is_drawn = looks_of(c, pick, index)
    own = _weights_at(run, wires, weight, c, epoch)
    return Looks(amount, area, is_drawn, own, pick.index.size, pick.share, pick.unit, amounts.signs)


def _weights_at(run: Run, wires: Wiring, weight: I64, c: FloatArray, epoch: int) -> FloatArray:
    """(m,) the weight of each strand where it has one of its own, else its amount."""
    if not (weight >= 0).any():
        return c.astype(np.float32)
    w = run.parameter(wires.link.parameter, epoch).reshape(-1)
    return np.where(weight >= 0, np.asarray(w[np.maximum(weight, 0)], np.float32), c).astype(np.float32)


def sums_of(c: FloatArray) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """The same of edges that add up: area is a share of the link's Σ|c|, which is 150 in all, and every edge counts."""
    magnitude = sampling.finite_magnitude(c)
    share = magnitude / (float(magnitude.max(initial=0.0)) or 1.0)
    area = magnitude * (SUM_UNITS / (float(magnitude.sum(dtype=np.float64)) or 1.0))
    return (np.sign(np.nan_to_num(c)) * share).astype(np.float32), area.astype(np.float32), np.ones(c.size, np.bool_)


def looks_of(c: FloatArray, pick: Chosen, index: I64) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """(amount, area, is drawn) of the edges `index` with amounts `c`, (m,) each, at the epoch that `pick` was made of.

    amount : signed share of the strongest picked, for colour. area : cross-section as a share of the thickest there is.
    """
    at = np.searchsorted(index, pick.index)
    is_drawn = np.zeros(index.size, np.bool_)
    is_drawn[at] = True
    magnitude = sampling.finite_magnitude(c)
    full = float(np.quantile(magnitude[at], STRENGTH_QUANTILE)) if at.size else 1.0
    amount = np.sign(np.nan_to_num(c)) * np.minimum(1.0, magnitude / (full or 1.0))
    area = np.zeros(index.size, np.float32)
    if at.size:
        thick = float(np.quantile(pick.stands, STRENGTH_QUANTILE)) or 1.0
        thin = float(np.sqrt(pick.unit / float(pick.stands.max()))) if pick.unit > 0 else 0.0
        hw = THICKEST if thin == 0.0 else min(THICKEST, THIN / thin)
        area[at] = np.minimum(1.0, pick.stands / thick) * (hw / THICKEST) ** 2
    return amount.astype(np.float32), area, is_drawn
