"""What one cell is: its stored value, the terms that make it, and whether they do. Plain values, read-only arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Box = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a layer after its first: what it makes of the value before it.

    node, op : as in the graph. formula : of "x". value : after it. stored : as recorded, None where it was not.
    extras : the formula's other numbers by name, e.g. mean, var, gamma and beta of a norm.
    """

    node: str
    op: str
    formula: str
    value: float
    stored: float | None
    extras: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One cell of one output, at one epoch and sample.

    layer, node : names; cell : its index in the array of one sample; op : the field's name of what adds the terms up.
    stored : as recorded, None where it was not. computed : from the terms. abs_error : |stored − computed|.
    tolerance : 1e-4 of Σ|terms| for float32; for values stored as float16 or uint8 the bound that their steps allow.
    known : whether computed is stored within tolerance; else `reason` says why not, and abs_error by how much.
    formula : one line, e.g. "relu(Σ a·w + b)". is_sum : products plus bias are the value before `steps`.
    bias : None where there is none. before : the value that the terms make, before the steps.

    Terms, k of them, largest |product| first: sources (names of layers) and source (k,) int64 which of them,
    source_nodes (node ids and outputs) likewise; cells (k, axes) int64, real indices in the source, −1 where it has
    fewer axes; inputs, weights, products (k,) float64, a weight NaN where there is none; weight_names and weight_param
    (k,) int64 which parameter, −1 none; weight_index (k,) int64 flat number in it, −1 none. Products with the padding
    of a convolution are not terms: they are 0.

    receptive_field : layer → from and to (exclusive) an axis of all that the terms read, one step back.
    extras : name → number or array that belongs to the cell, e.g. running mean, or a row of attention weights.
    """

    layer: str
    node: str
    cell: tuple[int, ...]
    op: str
    stored: float | None
    computed: float
    abs_error: float
    tolerance: float
    known: bool
    reason: str
    formula: str
    is_sum: bool
    bias: float | None
    before: float
    steps: tuple[Step, ...]
    sources: tuple[str, ...]
    source_nodes: tuple[tuple[int, int], ...]
    source: NDArray[np.int64]
    cells: NDArray[np.int64]
    inputs: NDArray[np.float64]
    weights: NDArray[np.float64]
    products: NDArray[np.float64]
    weight_names: tuple[str, ...]
    weight_param: NDArray[np.int64]
    weight_index: NDArray[np.int64]
    receptive_field: Mapping[str, Box]
    extras: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Errors:
    """What explaining many cells of one output showed, one entry a cell, float64.

    stored is NaN where nothing was recorded. reason : why none of them is known, "" where they are.
    """

    stored: NDArray[np.float64]
    computed: NDArray[np.float64]
    abs_error: NDArray[np.float64]
    tolerance: NDArray[np.float64]
    reason: str = ""

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """(n,) whether each is computed within its tolerance."""
        return np.asarray((self.abs_error <= self.tolerance) & (not self.reason))
