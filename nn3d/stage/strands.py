"""What strands of a link are asked for and held: one geometry for a window of epochs, and looks for each epoch in it.

Geometry (which edges, where they run) and looks (how strong, how thick) are apart so that a step to another epoch
uploads looks alone: 16 bytes a strand.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nn3d.run.model import FloatArray

I64 = NDArray[np.int64]
WINDOW = 15
WINDOW_AMOUNTS = 1 << 20
THICKEST = 0.13
THIN = 0.06


@dataclass(frozen=True, slots=True)
class StrandsNeed:
    """The strands of link `link` at epoch indices `epochs` for sample index `sample`.

    single : each edge, not only the rope. n : strands at most where `selection` is sampled or top.
    is_clustered : gathered by the clusters of neurons, which must be in memory.
    path : how the link runs between what is visible ("" as between all layers). under : further links that the same
    rope stands for, into a closed group or out of it. per_sign : strands a sign of a rope, 0 by the number of links.
    is_known : the sums of its weights are; while they are not, it is a thin grey rope that says so.
    order : of the tiles at its ends, "index" or "flow"; the order by flow must be in memory.
    cell : (tile, row, column) of the target whose own products are meant, or None.
    """

    link: int
    epochs: tuple[int, ...]
    sample: int
    mode: str
    level: str
    selection: str
    n: int
    single: bool
    is_clustered: bool = False
    path: str = ""
    under: tuple[int, ...] = ()
    per_sign: int = 0
    is_known: bool = True
    order: str = "index"
    cell: tuple[int, int, int] | None = None


def window_of(pair: tuple[int, int], n_epochs: int, n_amounts: int) -> tuple[int, ...]:
    """The epochs whose chosen strands share a geometry with those of `pair`: a block of up to 16, or just the pair.

    n_amounts : how many numbers are read of each; of more than a million in all the pair's alone are.
    """
    if n_amounts * min(n_epochs, WINDOW + 1) > WINDOW_AMOUNTS:
        return tuple(sorted(set(pair)))
    first = pair[0] // WINDOW * WINDOW
    if first and first + 1 >= n_epochs:  # the last epoch alone belongs to the block before
        first -= WINDOW
    return tuple(range(first, min(first + WINDOW + 1, n_epochs))) or (0,)


@dataclass(frozen=True, slots=True)
class StrandTable:
    """Strands of a link at two epochs.

    strands : (m,) STRAND, the first n_trunk the rope. hw : half width in u of a single strand of area 1.
    shape_key : names all of `strands` but amount and area.
    level, selection : what is drawn (coarser than asked where that would be too many).
    shown, total, share : edges drawn, in all, and their share of Σ|amount|, at the first epoch. unit : what a thin
    strand stands for. signs : (for, against) at the first epoch.
    weight_index, weight, source_cell, target_cell : (m − n_trunk,) of the single strands, in their order; −1 none.
    is_drawn : (m − n_trunk,) at either epoch; strands of other epochs stand in the table with no area.
    batches : of edges that add up pass by pass, where each starts among the single strands, with the end; else ().
    words : what the strands are, where they are not single edges ("8 × 7 clusters").
    note : a word for people where the link is not what was asked for. aside : what else of the link is drawn.
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
    shape_key: Hashable = None
    is_drawn: NDArray[np.bool_] | None = None
    note: str = ""
    words: str = ""
    batches: tuple[int, ...] = ()
    aside: str = ""

    @property
    def nbytes(self) -> int:
        """Memory of the strands and what they stand for."""
        return self.strands.nbytes + 28 * self.weight.size

    def at(self, epochs: tuple[int, int]) -> StrandTable:
        """Itself: made for two epochs."""
        return self


@dataclass(frozen=True, slots=True)
class Looks:
    """Looks of the single strands at one epoch, (m,) each, and the figures of that epoch: see StrandTable.

    shares : (for, against) share of the whole. words : what the strands are, where they are not single edges.
    """

    amount: FloatArray
    area: FloatArray
    is_drawn: NDArray[np.bool_]
    weight: FloatArray
    shown: int
    share: float
    unit: float
    signs: tuple[float, float]
    words: str = ""

    @property
    def shares(self) -> tuple[float, float]:
        """Of the whole that each sign carries."""
        total = self.signs[0] + self.signs[1]
        return (self.signs[0] / total, self.signs[1] / total) if total > 0 else (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class StrandHistory:
    """Chosen strands of a link over a window of epochs. `table` : the strands without looks; `looks` : by epoch."""

    table: StrandTable
    looks: dict[int, Looks]
    _made: dict[tuple[int, int], StrandTable] = field(default_factory=dict, compare=False)

    @property
    def nbytes(self) -> int:
        """Memory of the geometry and of all looks."""
        return self.table.nbytes + sum(14 * k.weight.size for k in self.looks.values())

    def at(self, epochs: tuple[int, int]) -> StrandTable:
        """The strands with the looks of two epochs of the window; the last few are kept."""
        found = self._made.get(epochs)
        if found is None:
            while len(self._made) > 2:
                self._made.pop(next(iter(self._made)))
            found = self._made[epochs] = _at(self.table, self.looks[epochs[0]], self.looks[epochs[1]])
        return found


def _at(table: StrandTable, first: Looks, second: Looks) -> StrandTable:
    rows, n = table.strands.copy(), table.n_trunk
    for e, looks in enumerate((first, second)):
        rows["amount"][n:, e], rows["area"][n:, e] = looks.amount, looks.area
        for sign in range(2):
            rows["area"][sign * table.per_sign : (sign + 1) * table.per_sign, e] = looks.shares[sign]
    rows.setflags(write=False)
    return replace(
        table, strands=rows, shown=first.shown, share=first.share, unit=first.unit, signs=first.signs,
        weight=first.weight, is_drawn=first.is_drawn | second.is_drawn, words=first.words,
    )  # fmt: skip
