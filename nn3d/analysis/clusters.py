"""Clusters of a layer's neurons (or maps): which of them do alike, by the weights that enter and leave them.

A sketch of at most 8 epochs (64 columns of the weights in, 64 rows of the weights out, drawn with chance ~ their mass,
columns times the typical input that they meet) is reduced by SVD and parted by k-means (Lloyd 1982, seeds as Arthur and
Vassilvitskii 2007). No random numbers but the fixed chance of each number: the same run has the same clusters. They are
made once a run and then frozen, so that they do not hop while a live run grows.
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.comparison.difference import Difference
from nn3d.analysis.contribution import WeightedLink, weighted_link
from nn3d.analysis.sampling import I64, chance
from nn3d.run.model import Array, FloatArray
from nn3d.run.run import Run

F64 = NDArray[np.float64]

MAX_EPOCHS = 8
SKETCH = 64
MAX_SAMPLES = 16
COMPONENTS = 16
FEWEST, MOST = 6, 10
ROUNDS = 30

_FROZEN: WeakKeyDictionary[Run, dict[tuple[int, int, bool], I64]] = WeakKeyDictionary()


def clusters_of(run: Run, layer: int, n_tiles: int, *, is_shuffled: bool = False) -> I64:
    """(n_tiles,) cluster of each tile of a layer, 0 … k−1 in the order of their first members; frozen once made.

    Up to 10 tiles are clusters of their own. Without weights in or out, runs of equal length in index order.
    is_shuffled : made the same way of the same weights at other places, as a control.
    """
    run = run.after if isinstance(run, Difference) else run  # of B: a comparison moves no tile
    made = _FROZEN.setdefault(run, {})
    key = (layer, n_tiles, is_shuffled)
    if key not in made:
        labels = np.arange(n_tiles) if n_tiles <= MOST else _parted(run, layer, n_tiles, is_shuffled=is_shuffled)
        labels.setflags(write=False)
        made[key] = labels
    return made[key]


def n_clusters(n: int) -> int:
    """How many clusters n neurons get."""
    return n if n <= MOST else min(MOST, max(FEWEST, round(float(np.sqrt(n)) * 0.75)))


def _parted(run: Run, layer: int, n_tiles: int, *, is_shuffled: bool) -> I64:
    parts = list(_features(run, layer, n_tiles, is_shuffled=is_shuffled))
    k = n_clusters(n_tiles)
    if not parts:
        return np.arange(n_tiles) * k // n_tiles
    features = np.nan_to_num(np.concatenate(parts, 1).astype(np.float64), posinf=0.0, neginf=0.0)
    return ordered(k_means(reduced(features), k))


def epochs_of(n: int) -> list[int]:
    """At most 8 epoch indices, evenly spaced, the last among them."""
    return sorted({round(v) for v in np.linspace(max(0, n - 1), 0, max(1, min(n, MAX_EPOCHS)))})


def _features(run: Run, layer: int, n_tiles: int, *, is_shuffled: bool) -> Iterator[FloatArray]:
    """(n_tiles, f) sketches: columns of the weights in, rows of the weights out, each with the same say."""
    for link, is_in in _weights_around(run, layer):
        for epoch in epochs_of(len(run.epochs)):
            if not run.has_parameter(link.parameter, epoch):
                continue
            found = _sketch(run, link, epoch, is_in=is_in, is_shuffled=is_shuffled)
            if found.shape[0] % n_tiles == 0:
                part = found.reshape(n_tiles, -1, found.shape[1]).mean(1)
                yield np.asarray(part / (float(np.linalg.norm(part)) or 1.0), np.float32)


def _weights_around(run: Run, layer: int) -> Iterator[tuple[WeightedLink, bool]]:
    for target in run.layers:
        for link in target.links:
            if target.index != layer and link.source != layer:
                continue
            found = weighted_link(run, target.index, link)
            if found is not None and (target.index == layer or len(found.shape) == 2):
                yield found, target.index == layer


def _sketch(run: Run, link: WeightedLink, epoch: int, *, is_in: bool, is_shuffled: bool) -> FloatArray:
    """(units, at most 64): columns of the weight for the layer it makes, rows for the layer it reads."""
    stats = run.computed_parameter_stats(link.parameter, epoch)
    w = run.parameter(link.parameter, epoch)
    w = w.reshape(w.shape[0], -1)
    size = _typical_inputs(run, link, epoch)
    if is_in:
        mass = size if stats is None else size * (stats.col_pos - stats.col_neg)
        at = drawn(mass, SKETCH)
        part = np.asarray(w[:, at], np.float32)
        return np.asarray((shuffled(part) if is_shuffled else part) * size[at], np.float32)
    mass = np.ones(w.shape[0]) if stats is None else stats.row_pos - stats.row_neg
    part = np.asarray(w[drawn(mass, SKETCH)], np.float32)
    return np.asarray((shuffled(part) if is_shuffled else part) * size, np.float32).T


def _typical_inputs(run: Run, link: WeightedLink, epoch: int) -> FloatArray:
    """(J,) root mean square over the samples of the input that each column of a linear weight meets; else ones."""
    n = int(np.prod(link.shape[1:]))
    if link.node.op != "linear" or not run.has_values(*link.source, epoch):
        return np.ones(n, np.float32)
    values = [run.values(*link.source, epoch, s).reshape(-1, n) for s in range(min(MAX_SAMPLES, len(run.samples)))]
    a = np.nan_to_num(np.concatenate(values) if values else np.ones((1, n), np.float32), posinf=0.0, neginf=0.0)
    return np.asarray(np.sqrt((a.astype(np.float64) ** 2).mean(0)), np.float32)


def shuffled(m: Array) -> Array:
    """The entries of `m` at other places, always the same ones."""
    return m.reshape(-1)[np.argsort(chance(np.arange(m.size)), kind="stable")].reshape(m.shape)


def drawn(mass: NDArray[np.floating], n: int) -> I64:
    """n numbers with chance ~ mass, without replacement (Efraimidis and Spirakis 2006), by their fixed chance."""
    if mass.size <= n:
        return np.arange(mass.size)
    key = np.log(np.maximum(chance(np.arange(mass.size)).astype(np.float64), 1e-9)) / np.maximum(mass, 1e-30)
    return np.sort(np.argpartition(key, -n)[-n:])


def reduced(features: F64) -> F64:
    """(n, ≤ 16) the principal components of (n, f) features."""
    centred = features - features.mean(0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    return np.asarray(u[:, :COMPONENTS] * s[:COMPONENTS])


def k_means(points: F64, k: int) -> I64:
    """(n,) part of each of (n, d) points, every part with a member."""
    centres = _seeds(points, k)
    label = np.zeros(len(points), np.int64)
    for _ in range(ROUNDS):
        away = (points**2).sum(1)[:, None] - 2.0 * points @ centres.T + (centres**2).sum(1)
        new = away.argmin(1)
        empty = np.setdiff1d(np.arange(k), new)
        if empty.size:
            new[np.argsort(-away.min(1), kind="stable")[: empty.size]] = empty
        if np.array_equal(new, label):
            break
        label = new
        onehot = (label[:, None] == np.arange(k)).astype(np.float64)
        centres = onehot.T @ points / np.maximum(onehot.sum(0), 1)[:, None]
    return label


def _seeds(points: F64, k: int) -> F64:
    """k of the points, each drawn with chance ~ its squared distance from those before, by fixed chances."""
    at = [int(((points - points.mean(0)) ** 2).sum(1).argmin())]
    away = np.full(len(points), np.inf)
    for number, u in enumerate(chance(np.arange(1, k))):
        away = np.minimum(away, ((points - points[at[-1]]) ** 2).sum(1))
        total = np.cumsum(away)
        found = int(np.searchsorted(total, float(u) * total[-1])) if total[-1] > 0 else number + 1
        at.append(min(found, len(points) - 1))
    return points[at]


def ordered(label: I64) -> I64:
    """The same parts, numbered by the mean index of their members."""
    parts, label = np.unique(label, return_inverse=True)
    mean = np.bincount(label, np.arange(label.size)) / np.bincount(label)
    rank = np.empty(parts.size, np.int64)
    rank[np.argsort(mean, kind="stable")] = np.arange(parts.size)
    return rank[label]
