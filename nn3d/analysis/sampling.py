"""Which edges are drawn when not all can be: honest modes, the same edge always with the same chance number.

sampled: edge e shows while u(e) < π(e) = min(1, τ|c|); |c|/π is what a shown strand stands for, so that sums over
shown strands are unbiased (Horvitz and Thompson 1952). top: the strongest. Flat edge numbers run in C order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.run.model import FloatArray

I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Chosen:
    """index : (m,) int64 flat edge numbers, ascending. stands : (m,) float32, the magnitude each one stands for.

    unit : what one strand of the sampled many stands for, 1/τ (0 when nothing was left out).
    share : of Σ|c| that the chosen edges themselves carry.
    """

    index: I64
    stands: FloatArray
    unit: float
    share: float


def chance(edge: I64) -> FloatArray:
    """A fixed number in [0, 1) for each edge: the finaliser of SplitMix64 (Steele et al. 2014), upper 24 bits."""
    z = edge.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.float64) / float(1 << 24)).astype(np.float32)


def threshold(magnitude: FloatArray, n: int) -> float:
    """τ with Σ min(1, τ·magnitude) = n; infinite when n or fewer edges carry anything."""
    m = magnitude.astype(np.float64)
    if int((m > 0).sum()) <= n:
        return float("inf")
    n_certain, rest = 0, float(m.sum())
    tau = n / rest
    for _ in range(60):
        certain = m >= 1.0 / tau
        count = int(certain.sum())
        if count == n_certain or count >= n:
            break
        n_certain, rest = count, float(m[~certain].sum())
        tau = (n - n_certain) / rest
    return tau


def sampled(c: FloatArray, n: int, edges: I64 | None = None) -> Chosen:
    """About n edges of `c` (any shape), each with chance min(1, τ|c|). `edges`: their numbers when not 0 … size−1."""
    magnitude = finite_magnitude(c)
    number = np.arange(magnitude.size) if edges is None else edges
    tau = threshold(magnitude, n)
    total = float(magnitude.sum(dtype=np.float64)) or 1.0
    if np.isinf(tau):
        at = np.flatnonzero(magnitude > 0)
        return Chosen(number[at], magnitude[at], 0.0, 1.0)
    pi = np.minimum(1.0, tau * magnitude)
    at = np.flatnonzero(chance(number) < pi)
    stands = np.maximum(magnitude[at], np.float32(1.0 / tau))
    return Chosen(number[at], stands, 1.0 / tau, float(magnitude[at].sum(dtype=np.float64)) / total)


def top(c: FloatArray, n: int) -> Chosen:
    """The n strongest edges of `c`, each standing for itself."""
    magnitude = finite_magnitude(c)
    total = float(magnitude.sum(dtype=np.float64)) or 1.0
    at = np.flatnonzero(magnitude > 0)
    if at.size > n:
        at = np.sort(np.argpartition(magnitude, -n)[-n:])
    return Chosen(at.astype(np.int64), magnitude[at], 0.0, float(magnitude[at].sum(dtype=np.float64)) / total)


def every(c: FloatArray) -> Chosen:
    """All edges of `c`, zero ones too."""
    magnitude = finite_magnitude(c)
    return Chosen(np.arange(magnitude.size), magnitude, 0.0, 1.0)


def batches(n_edges: int, n: int) -> tuple[I64, tuple[int, ...]]:
    """(order, starts): all edge numbers sorted by batch 0 … n−1, and where each batch starts, with the end.

    A batch takes one of every n consecutive edges, at a place turned by the block's chance number: an even sample of
    all edges that depends on their numbers alone.
    """
    edge = np.arange(n_edges)
    turn = (chance(edge // n) * n).astype(np.int64)
    batch = (edge + turn) % n
    starts = np.searchsorted(np.sort(batch), np.arange(n + 1))
    return np.argsort(batch, kind="stable"), tuple(int(s) for s in starts)


def finite_magnitude(c: FloatArray) -> FloatArray:
    """|c| flattened; Inf becomes the largest finite magnitude, NaN zero (both are marked on the tiles)."""
    m = np.abs(np.asarray(c, np.float32)).ravel()
    if np.isfinite(m).all():
        return m
    finite = m[np.isfinite(m)]
    return np.nan_to_num(m, nan=0.0, posinf=float(finite.max()) if finite.size else 1.0)
