"""What one operation adds up for a batch of its cells: the terms, their sum, and how far rounding may have moved it.

n cells, T terms a cell. Cells of a source are flat C-order numbers in its array of one sample; −1 is no cell (padding).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]


class Unknown(Exception):  # noqa: N818  (not an error: an answer)
    """Why a cell cannot be explained, in words; never leaves this package."""


class Ref(NamedTuple):
    """One output of a node of the graph."""

    node: int
    output: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Values, and the largest distance `slack` ≥ 0 of each from what the network computed with; same shapes."""

    values: F64
    slack: F64

    def column(self, k: int) -> Reading:
        """(n,) of (n, T)."""
        return Reading(self.values[:, k], self.slack[:, k])


def exactly(values: F64) -> Reading:
    """Numbers that are known as they are."""
    return Reading(values, np.zeros_like(values))


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of n cells.

    refs : what was read. source : (T,) number in `refs` of each term. at : (n, T) cells of it, −1 none.
    inputs, weights, products : (n, T) float64; a weight is NaN where the operation has none.
    parameter : id of the parameter that the weights are entries of, None where there is none; weight_at (n, T) their
        flat numbers in it, −1 none.
    bias : (n,) or None. computed : (n,). scale : (n,) Σ|terms|, in whose share float32 rounding is counted.
    slack : (n,) bound of what the encoding of the inputs may have moved `computed` by.
    formula : one line; "{x}" is the value before, for operations of one value.
    is_sum : products plus bias are `computed`.
    extras : name → (n, …) numbers that belong to the cells. reach : number in `refs` → (n, axes, 2) int64 from and to
        (exclusive) of all cells that were looked at, where those are more than the terms'.
    """

    refs: tuple[Ref, ...]
    source: I64
    at: I64
    inputs: F64
    weights: F64
    products: F64
    computed: F64
    scale: F64
    slack: F64
    formula: str
    weight_at: I64
    parameter: int | None = None
    bias: F64 | None = None
    is_sum: bool = True
    extras: Mapping[str, F64] = field(default_factory=dict)
    reach: Mapping[int, I64] = field(default_factory=dict)


def weighted_sum(
    refs: Sequence[Ref],
    source: I64,
    at: I64,
    inputs: Reading,
    weights: Reading,
    *,
    formula: str = "Σ a·w",
    bias: Reading | None = None,
    parameter: int | None = None,
    weight_at: I64 | None = None,
    extras: Mapping[str, F64] | None = None,
) -> Terms:
    """Terms of Σ a·w + b. weights : (n, T) or (T,). Products with no cell are 0."""
    a, w = inputs.values, np.broadcast_to(weights.values, inputs.values.shape)
    with np.errstate(invalid="ignore", over="ignore"):
        products = np.where(at >= 0, a * w, 0.0)
        moved = np.abs(w) * inputs.slack + (np.abs(a) + inputs.slack) * weights.slack
        total, slack = products.sum(1), np.where(at >= 0, moved, 0.0).sum(1)
        scale = np.abs(products).sum(1)
    if bias is not None:
        total, slack, scale = total + bias.values, slack + bias.slack, scale + np.abs(bias.values)
    none = np.full(at.shape, -1, np.int64)
    place = none if weight_at is None or parameter is None else np.where(at >= 0, weight_at, none)
    return Terms(
        tuple(refs), source, at, a, w, products, total, scale, slack, formula + (" + b" if bias is not None else ""),
        place, parameter,
        None if bias is None else bias.values, True, extras or {},
    )  # fmt: skip


def function_of(
    ref: Ref,
    at: I64,
    inputs: Reading,
    computed: Reading,
    *,
    formula: str,
    scale: F64 | None = None,
    extras: Mapping[str, F64] | None = None,
    weight: F64 | None = None,
    bias: F64 | None = None,
) -> Terms:
    """Terms of one value each, f(a). at : (n,), inputs and computed : (n,). weight, bias : where f is a·w + b."""
    n = len(at)
    column = at.reshape(n, 1)
    w = np.full((n, 1), np.nan) if weight is None else weight.reshape(n, 1)
    value = computed.values if bias is None else computed.values - bias
    biggest = np.maximum(np.abs(inputs.values), np.abs(computed.values)) if scale is None else scale
    return Terms(
        (ref,), np.zeros(1, np.int64), column, inputs.values.reshape(n, 1), w, value.reshape(n, 1), computed.values,
        biggest, computed.slack, formula, np.full((n, 1), -1, np.int64), None, bias, weight is not None, extras or {},
    )  # fmt: skip
