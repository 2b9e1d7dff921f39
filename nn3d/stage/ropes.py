"""Fully connected layers at the level of clusters: one rope a pair of clusters and sign, its ends spread by share.

Of a rope with Σ|c| = T, each of m equal strands stands for T/m; a strand starts at a member of the source cluster and
ends at a member of the target cluster with chance ~ their own shares of the rope (systematic, so that ends of many
strands are these shares). Clusters and ends are fixed over a window of epochs; what strands stand for is each epoch's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.amounts import Amounts, Moment, WholeAmounts, amounts_of
from nn3d.analysis.clusters import clusters_of
from nn3d.analysis.fidelity import fidelity
from nn3d.analysis.sampling import I64
from nn3d.layout.bundle import GOLDEN, GOLDEN_ANGLE, centroids, cluster_radius, rope, strands
from nn3d.run.run import Run
from nn3d.stage.plan import LayerPlan, LinkPlan, Plan
from nn3d.stage.strands import THICKEST, THIN, Looks, StrandHistory, StrandsNeed, StrandTable

F64 = NDArray[np.float64]

SAMPLE = 20_000
SPREAD = 1.3
HEIGHT_SHARE = 0.8
LEVEL = "clusters"


@dataclass(frozen=True, slots=True)
class _Sums:
    """Σ|c| by sign 0 for, 1 against. into : (2, kb, I) of each source unit. out : (2, ka, O) of each target unit."""

    into: F64
    out: F64
    signs: tuple[float, float]

    def ropes(self, source: I64, ka: int) -> F64:
        """(2, kb, ka) of each rope."""
        return np.asarray(self.into @ (source[:, None] == np.arange(ka)).astype(np.float64))


@dataclass(frozen=True, slots=True)
class _Ropes:
    """Ropes that carry anything: sign, target cluster, source cluster (r,), and how many strands each has."""

    sign: I64
    target: I64
    source: I64
    n: I64

    @property
    def of_strand(self) -> I64:
        """(m,) rope of each strand."""
        return np.repeat(np.arange(self.n.size), self.n)

    @property
    def place(self) -> I64:
        """(m,) number of each strand within its rope."""
        return np.arange(int(self.n.sum())) - np.repeat(np.cumsum(self.n) - self.n, self.n)


def has_clusters(link: LinkPlan, plan: Plan) -> bool:
    """Whether a link's units gather in clusters: fully connected, its tiles whole numbers of units."""
    wires = link.wiring
    if wires is None or wires.kernel or wires.is_token:
        return False
    ends = (plan.layers[link.source], plan.layers[link.target])
    return all(n % p.tiles.n == 0 for n, p in zip(reversed(wires.link.shape), ends, strict=True))


def cluster_strands(run: Run, plan: Plan, link: LinkPlan, need: StrandsNeed, per_sign: int) -> StrandHistory | None:
    """The ropes of a link with clusters, or None where the mode was not recorded."""
    wires = link.wiring
    assert wires is not None
    a, b = plan.layers[link.source], plan.layers[link.target]
    labels = [clusters_of(run, p.layer.index, p.tiles.n) for p in (a, b)]
    n_out, n_in = wires.link.shape
    source, target = np.repeat(labels[0], n_in // a.tiles.n), np.repeat(labels[1], n_out // b.tiles.n)
    sums = {}
    for epoch in need.epochs:
        found = amounts_of(run, wires, "kernels", Moment(epoch, need.sample, need.mode))
        if found is None:
            return None
        sums[epoch] = _sums(found, source, target, (n_out, n_in))
    ropes, units = _laid(list(sums.values()), source, target, need.n)
    ka, looks = int(source.max()) + 1, {}
    rows = _rows(link, (a, b), labels, ropes, units, {e: s.ropes(source, ka) for e, s in sums.items()})
    for epoch, s in sums.items():
        words = _words(run, link, labels, Moment(epoch, need.sample, need.mode))
        looks[epoch] = _looks(ropes, s.ropes(source, ka), s.signs, need.n, words)
    return StrandHistory(_table(link, (a, b), labels, rows, need, per_sign), looks)


def _sums(amounts: Amounts, source: I64, target: I64, shape: tuple[int, int]) -> _Sums:
    ka, kb = int(source.max()) + 1, int(target.max()) + 1
    if isinstance(amounts, WholeAmounts):
        c = np.nan_to_num(amounts.values.reshape(shape).astype(np.float64), posinf=0.0, neginf=0.0)
        parts = np.stack([np.maximum(c, 0.0), np.maximum(-c, 0.0)])
        into = np.einsum("ob,soi->sbi", (target[:, None] == np.arange(kb)).astype(np.float64), parts, optimize=True)
        out = np.einsum("ia,soi->sao", (source[:, None] == np.arange(ka)).astype(np.float64), parts, optimize=True)
        return _Sums(into, out, amounts.signs)
    chosen = amounts.pick("sampled", SAMPLE)
    o, i = chosen.index // shape[1], chosen.index % shape[1]
    sign = (amounts.at(chosen.index) < 0).astype(np.int64)
    into = np.bincount((sign * kb + target[o]) * shape[1] + i, chosen.stands, 2 * kb * shape[1])
    out = np.bincount((sign * ka + source[i]) * shape[0] + o, chosen.stands, 2 * ka * shape[0])
    parted = [np.asarray(v, np.float64).reshape(2, -1, n) for v, n in ((into, shape[1]), (out, shape[0]))]
    return _Sums(parted[0], parted[1], amounts.signs)


def _laid(sums: list[_Sums], source: I64, target: I64, n: int) -> tuple[_Ropes, tuple[I64, I64]]:
    """The ropes of a window of epochs, and (source unit, target unit) of each of their strands."""
    shares = [1.0 / (s.into.sum() or 1.0) / len(sums) for s in sums]
    into = np.sum([s.into * w for s, w in zip(sums, shares, strict=True)], axis=0)
    out = np.sum([s.out * w for s, w in zip(sums, shares, strict=True)], axis=0)
    mean = into @ (source[:, None] == np.arange(int(source.max()) + 1)).astype(np.float64)
    sign, b, a = np.nonzero(mean)
    ropes = _Ropes(sign, b, a, np.maximum(1, np.round(n * mean[sign, b, a]).astype(np.int64)))
    at, k = ropes.of_strand, ropes.place
    step = np.asarray((k + 0.5) / ropes.n[at], np.float64)
    into, out = np.asarray(into, np.float64), np.asarray(out, np.float64)
    first = _members(into, source, sign[at], b[at], a[at], step)
    second = _members(out, target, sign[at], a[at], b[at], np.asarray((k + 0.5) * GOLDEN % 1.0, np.float64))
    return ropes, (first, second)


def _members(mass: F64, label: I64, sign: I64, other: I64, own: I64, step: F64) -> I64:
    """(m,) unit of cluster `own` that stands at share `step` of its mass toward cluster `other`.

    mass : (2, k other, units).
    """
    order = np.argsort(label, kind="stable")
    starts = np.searchsorted(label[order], np.arange(int(label.max()) + 2))
    total = np.concatenate([[0.0], np.cumsum(mass[:, :, order].ravel())])
    row = (sign * mass.shape[1] + other) * label.size
    low, high = total[row + starts[own]], total[row + starts[own + 1]]
    found = np.searchsorted(total, low + (high - low) * step, side="right") - 1 - row
    return np.asarray(order[np.clip(found, starts[own], starts[own + 1] - 1)])


def _rows(
    link: LinkPlan, ends: tuple[LayerPlan, LayerPlan], labels: list[I64], ropes: _Ropes, units: tuple[I64, I64],
    carried: dict[int, F64],
) -> NDArray[np.void]:  # fmt: skip
    """(m,) STRAND without looks: gathered by cluster, in a bundle whose cross-section is the rope's share."""
    wires = link.wiring
    assert wires is not None
    where = wires.ends(units[1] * wires.link.shape[1] + units[0], "kernels")
    tiles = np.minimum(where.source_tile, ends[0].tiles.n - 1), where.target_tile
    rows, _ = strands(ends[0].tiles, ends[1].tiles, tiles, (where.source_uv, where.target_uv))
    rows["clusters"] = np.stack([labels[0][tiles[0]], labels[1][tiles[1]]], 1)
    whole = np.mean([t / (t.sum() or 1.0) for t in carried.values()], axis=0)[ropes.sign, ropes.target, ropes.source]
    radius = SPREAD * np.sqrt(whole / whole.max())[ropes.of_strand] if whole.size else np.zeros(0)
    k = ropes.place
    r = radius * 0.92 * np.sqrt((k + 0.5) / ropes.n[ropes.of_strand])
    disc = np.stack([r * np.sin(k * GOLDEN_ANGLE), r * np.cos(k * GOLDEN_ANGLE)], 1)
    rows["spread"] = np.concatenate([disc, disc], 1)
    return rows


def _looks(ropes: _Ropes, carried: F64, signs: tuple[float, float], n: int, words: str) -> Looks:
    total = carried[ropes.sign, ropes.target, ropes.source]
    stands = (total / ropes.n)[ropes.of_strand]
    unit = float(carried.sum()) / max(1, n)
    area = np.minimum(1.0, (THIN / THICKEST) ** 2 * stands / (unit or 1.0))
    strength = total / (float(total.max(initial=0.0)) or 1.0)
    amount = np.where(ropes.sign == 0, 1.0, -1.0) * np.maximum(strength, 1e-3)
    return Looks(
        amount[ropes.of_strand].astype(np.float32), area.astype(np.float32), stands > 0, stands.astype(np.float32),
        int((total > 0).sum()), 1.0, unit, signs, words=words,
    )  # fmt: skip


def _words(run: Run, link: LinkPlan, labels: list[I64], moment: Moment) -> str:
    sizes = " × ".join(str(int(label.max()) + 1) for label in labels)
    kept = fidelity(run, link.target, link.link, moment)
    return f"{sizes} clusters" + (f", R² {kept.share:.2f} (shuffled {kept.shuffled:.2f})" if kept is not None else "")


def anchors(plan: LayerPlan, label: I64) -> NDArray[np.void]:
    """(k,) TILE of the clusters: their centroids; in the open grid, where members mix, one height a cluster."""
    table = centroids(plan.table, label)
    k, (height, _) = len(table), plan.tiles.extents[2]
    if k > 1 and plan.tiles.cells == (1, 1):
        table["grid"][:, 0] = np.linspace(0.5, -0.5, k) * height * HEIGHT_SHARE
        table["grid"][:, 1] = 0.0
    return table


def _table(
    link: LinkPlan, ends: tuple[LayerPlan, LayerPlan], labels: list[I64], rows: NDArray[np.void], need: StrandsNeed,
    per_sign: int,
) -> StrandTable:  # fmt: skip
    trunk = rope(np.zeros((2, 2), np.float32), per_sign, is_signed=True)
    none = np.full(len(rows), -1, np.int64)
    radii = [cluster_radius(p.tiles, label) for p, label in zip(ends, labels, strict=True)]
    total = 2 * int(labels[0].max() + 1) * int(labels[1].max() + 1)
    key = (need.link, LEVEL, need.epochs, need.sample, need.mode, need.n, len(rows))
    return StrandTable(
        np.concatenate([trunk, rows]), len(trunk), per_sign, anchors(ends[0], labels[0]), anchors(ends[1], labels[1]),
        (radii[0], radii[1]), "sign", THICKEST, LEVEL, need.selection, 0, total, 1.0, 0.0, None, none,
        np.zeros(len(rows), np.float32), none, none, key,
    )  # fmt: skip
