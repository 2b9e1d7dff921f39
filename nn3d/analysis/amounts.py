"""The signed amount of every edge of a link at one moment, without forming them all where a matrix is big.

Modes: weight w; contribution c = a·w; gradient c·∂L/∂z, the first-order effect of the edge on the loss (from the
recorded gradient of the node's output for this sample, else w·∂L/∂w of the recorded parameter gradient).
Big matrices are sampled columns first: the mass of column j is known from stored sums, Σ_i|a_j·w_ij| = |a_j|·L1_j, so
columns are drawn with chance P_j ~ mass, then edges inside the drawn columns; an edge stands for |c|/(P_j·p_ij), which
keeps sums unbiased (two-stage sampling: Horvitz and Thompson 1952), and only the drawn columns are read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from nn3d.analysis import sampling
from nn3d.analysis.comparison.difference import Difference
from nn3d.analysis.contribution import contributions, gradient_sums, input_sums, sign_sums, trunk_sums, weights
from nn3d.analysis.sampling import I64, Chosen
from nn3d.analysis.wiring import Wiring
from nn3d.run.model import Array, FloatArray
from nn3d.run.run import Run

LARGE_EDGES = 1 << 22
MAX_COLUMNS = 512
PIECE = 1 << 22


@dataclass(frozen=True, slots=True)
class Moment:
    """Which amounts are meant: epoch index, sample index, and mode ("weight", "contribution", "gradient")."""

    epoch: int
    sample: int
    mode: str


class Amounts(Protocol):
    """Amounts of a link's edges. `signs` : (for, against) sums over all edges."""

    @property
    def signs(self) -> tuple[float, float]:
        """(Σ of the positive, Σ|·| of the negative edges)."""
        ...

    def pick(self, selection: str, n: int) -> Chosen:
        """About n edges ("sampled"), the n strongest ("top"), or every one."""
        ...

    def at(self, index: I64) -> FloatArray:
        """(m,) amounts of edges."""
        ...


@dataclass(frozen=True, slots=True)
class WholeAmounts:
    """All amounts in memory: (n_edges,) float32."""

    values: FloatArray

    @property
    def signs(self) -> tuple[float, float]:
        """See Amounts."""
        return sign_sums(self.values)

    def pick(self, selection: str, n: int) -> Chosen:
        """See Amounts."""
        if selection == "sampled":
            return sampling.sampled(self.values, n)
        return sampling.top(self.values, n) if selection == "top" else sampling.every(self.values)

    def at(self, index: I64) -> FloatArray:
        """See Amounts."""
        return self.values[index]


@dataclass(frozen=True, slots=True)
class LargeAmounts:
    """Amounts of a big matrix, read column by column or in pieces.

    matrix : (O, J) as stored, usually mapped. by_column : (J,) or None, by_row : (O,) or None, factors of every entry.
    mass : (J,) known Σ_i|amount| of each column (up to the row factor). signs : see Amounts.
    """

    matrix: Array
    by_column: FloatArray | None
    by_row: FloatArray | None
    mass: FloatArray
    signs: tuple[float, float]

    def columns(self, which: I64) -> FloatArray:
        """(O, m) amounts of the columns `which`; touches no other column."""
        out = np.asarray(self.matrix[:, which], np.float32)
        if self.by_column is not None:
            out = out * self.by_column[which]
        return out if self.by_row is None else out * self.by_row[:, None]

    def rows(self, begin: int, end: int) -> FloatArray:
        """(m, J) amounts of the rows from `begin` to before `end`."""
        out = np.asarray(self.matrix[begin:end], np.float32)
        out = out if self.by_column is None else out * self.by_column
        return out if self.by_row is None else out * self.by_row[begin:end, None]

    def at(self, index: I64) -> FloatArray:
        """See Amounts."""
        row, col = index // self.matrix.shape[1], index % self.matrix.shape[1]
        out = np.asarray(self.matrix[row, col], np.float32)
        if self.by_column is not None:
            out = out * self.by_column[col]
        return out if self.by_row is None else out * self.by_row[row]

    def pick(self, selection: str, n: int) -> Chosen:
        """See Amounts; whatever is not "top" is sampled."""
        return self._top(n) if selection == "top" else self._sampled(n)

    def _sampled(self, n: int) -> Chosen:
        n_cols = self.matrix.shape[1]
        mass = sampling.finite_magnitude(self.mass)
        tau = sampling.threshold(mass, min(n, MAX_COLUMNS))
        lifted = mass.astype(np.float64) * tau if np.isfinite(tau) else np.sign(mass).astype(np.float64)
        chance_of = np.minimum(1.0, lifted)
        drawn = np.flatnonzero(sampling.chance(-1 - np.arange(n_cols)) < chance_of)
        if not drawn.size:
            return Chosen(np.zeros(0, np.int64), np.zeros(0, np.float32), 0.0, 0.0)
        amounts = self.columns(drawn)
        number = np.arange(amounts.shape[0])[:, None] * n_cols + drawn[None]
        raised = np.asarray(amounts / chance_of[drawn].astype(np.float32), np.float32)
        found = sampling.sampled(raised, n, number.ravel())
        total = sum(self.signs) or 1.0
        share = float(np.abs(self.at(found.index)).sum(dtype=np.float64)) / total
        return Chosen(found.index, found.stands, found.unit, min(1.0, share))

    def _top(self, n: int) -> Chosen:
        """The n strongest, exactly: one pass over pieces of rows, bounded memory."""
        n_cols = self.matrix.shape[1]
        step = max(1, PIECE // n_cols)
        best, where = np.zeros(0, np.float32), np.zeros(0, np.int64)
        for begin in range(0, self.matrix.shape[0], step):
            magnitude = sampling.finite_magnitude(self.rows(begin, begin + step))
            floor = float(best.min()) if best.size >= n else 0.0
            at = np.flatnonzero(magnitude > floor)
            best, where = np.concatenate([best, magnitude[at]]), np.concatenate([where, at + begin * n_cols])
            if best.size > n:
                kept = np.argpartition(best, -n)[-n:]
                best, where = best[kept], where[kept]
        order = np.argsort(where)
        share = min(1.0, float(best.sum(dtype=np.float64)) / (sum(self.signs) or 1.0))
        return Chosen(where[order], best[order], 0.0, share)


@dataclass(frozen=True, slots=True)
class LargeDifference(LargeAmounts):
    """The amounts of one big matrix minus those of another. after : by the fields of LargeAmounts; before : the other.

    mass : of each column the sum of both, which is no less than Σ|difference|: a column's chance is then never 0.
    """

    before: LargeAmounts | None = None

    @property
    def _other(self) -> LargeAmounts:
        assert self.before is not None
        return self.before

    def columns(self, which: I64) -> FloatArray:
        """See LargeAmounts."""
        return LargeAmounts.columns(self, which) - self._other.columns(which)

    def rows(self, begin: int, end: int) -> FloatArray:
        """See LargeAmounts."""
        return LargeAmounts.rows(self, begin, end) - self._other.rows(begin, end)

    def at(self, index: I64) -> FloatArray:
        """See Amounts."""
        return LargeAmounts.at(self, index) - self._other.at(index)


def subtracted(after: Amounts, before: Amounts, n_edges: int) -> Amounts:
    """after − before, edge by edge. Of two big matrices nothing is formed; one pass sums up the signs."""
    if not (isinstance(after, LargeAmounts) and isinstance(before, LargeAmounts)):
        every = np.arange(n_edges)
        return WholeAmounts(np.asarray(after.at(every) - before.at(every), np.float32))
    mass = np.asarray(_finite(after.mass) + _finite(before.mass), np.float32)
    made = LargeDifference(after.matrix, after.by_column, after.by_row, mass, (0.0, 0.0), before)
    step = max(1, PIECE // made.matrix.shape[1])
    signs = [sign_sums(made.rows(k, k + step)) for k in range(0, made.matrix.shape[0], step)]
    return replace(made, signs=(sum(s[0] for s in signs), sum(s[1] for s in signs)))


def _finite(mass: FloatArray) -> FloatArray:
    return np.nan_to_num(np.asarray(mass, np.float32), posinf=0.0, neginf=0.0)


def is_large(wires: Wiring, level: str) -> bool:
    """Whether a link's weight is too big to form all amounts of it."""
    return level == "kernels" and wires.link.groups == 1 and wires.n_edges("kernels") > LARGE_EDGES


def mode_of(run: Run, wires: Wiring, moment: Moment) -> str:
    """The mode that can be had: contribution falls back to weight without inputs; gradient to "" where not recorded.

    Of a difference "" where the weight has no partner.
    """
    if isinstance(run, Difference) and not run.has_parameter(wires.link.parameter, moment.epoch):
        return ""
    has_input = run.has_values(*wires.link.source, moment.epoch)
    if moment.mode == "contribution":
        return "contribution" if has_input else "weight"
    if moment.mode == "gradient":
        node = wires.link.node.id
        by_sample = has_input and run.activation_gradient(node, 0, moment.epoch, moment.sample) is not None
        known = by_sample or run.parameter_gradient(wires.link.parameter, moment.epoch) is not None
        return "gradient" if known else ""
    return "weight"


def moments(run: Difference, moment: Moment) -> tuple[tuple[Run, Moment], tuple[Run, Moment]]:
    """Both sides of a difference, each with the moment that is meant of it."""
    before = replace(moment, epoch=run.epoch, sample=run.sample_before(moment.sample))
    return (run.after, moment), (run.before, before)


def amounts_of(run: Run, wires: Wiring, level: str, moment: Moment) -> Amounts | None:
    """The amounts of a link's edges at a level, or None where the mode was not recorded."""
    mode = mode_of(run, wires, moment)
    if not mode:
        return None
    if isinstance(run, Difference):
        sides = [amounts_of(side, wires, level, m) for side, m in moments(run, replace(moment, mode=mode))]
        after, before = sides
        return None if after is None or before is None else subtracted(after, before, wires.n_edges(level))
    if is_large(wires, level):
        return _large(run, wires, moment, mode)
    w = weights(run, wires.link, moment.epoch)
    if level == "all" and wires.kernel:
        return WholeAmounts(_products(run, wires, w, moment, mode))
    if mode == "contribution":
        w = contributions(w, input_sums(run, wires.link, moment.epoch, moment.sample), wires.link.groups)
    elif mode == "gradient":
        w = w * gradient_sums(run, wires.link, moment.epoch, moment.sample)
    return WholeAmounts(wires.amounts(w, level))


def _products(run: Run, wires: Wiring, w: FloatArray, moment: Moment, mode: str) -> FloatArray:
    if mode == "weight":
        return wires.products(w, None)
    gradient = run.activation_gradient(wires.link.node.id, 0, moment.epoch, moment.sample) if mode == "gradient" else 1
    if gradient is None:
        return wires.products(w * gradient_sums(run, wires.link, moment.epoch, moment.sample), None)
    c = wires.products(w, run.values(*wires.link.source, moment.epoch, moment.sample))
    if mode == "gradient":
        g = np.asarray(gradient, np.float32).reshape(w.shape[0], -1)
        c = (c.reshape(w.shape[0], g.shape[1], -1) * g[:, :, None]).ravel()
    return np.asarray(c, np.float32)


def _large(run: Run, wires: Wiring, moment: Moment, mode: str) -> Amounts:
    link = wires.link
    stats = run.computed_parameter_stats(link.parameter, moment.epoch)
    matrix = run.parameter(link.parameter, moment.epoch)
    matrix = matrix.reshape(matrix.shape[0], -1)
    mass = np.zeros(matrix.shape[1], np.float32) if stats is None else stats.col_pos - stats.col_neg
    signs = trunk_sums(run, link, moment.epoch, None if mode == "weight" else moment.sample)
    if mode == "weight":
        return LargeAmounts(matrix, None, None, mass, signs)
    gradient = None
    if mode == "gradient":
        gradient = run.activation_gradient(link.node.id, 0, moment.epoch, moment.sample)
        if gradient is None or gradient.size != matrix.shape[0]:
            c = weights(run, link, moment.epoch) * gradient_sums(run, link, moment.epoch, moment.sample)
            return WholeAmounts(wires.amounts(c, "kernels"))
    a = np.nan_to_num(input_sums(run, link, moment.epoch, moment.sample).ravel(), posinf=0.0, neginf=0.0)
    rows = None if gradient is None else np.asarray(gradient, np.float32).ravel()
    return LargeAmounts(matrix, a.astype(np.float32), rows, (np.abs(a) * mass).astype(np.float32), signs)
