"""What is in memory: decoded values of layers and chosen strands of links, computed on request, least recent out first.

compose only looks things up here; whatever it lacks it lists in Frame.missing, and a loader thread (or the headless
renderer) calls `warm` with it. Every method may be called from any thread.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock

import numpy as np

from nn3d.analysis.comparison.difference import Difference, minus
from nn3d.analysis.spread import spread_of
from nn3d.layout.arrange import fold
from nn3d.run.model import FloatArray
from nn3d.run.run import Run
from nn3d.stage.bright_path import BrightPath, PathNeed, bright_path
from nn3d.stage.comparing import ComparedNeed, OtherNeed, OutcomeNeed, Outcomes, difference_of, outcomes
from nn3d.stage.explained import Explained, ExplainNeed, explained
from nn3d.stage.filters import filter_faces
from nn3d.stage.folding import Folds
from nn3d.stage.frame import Values
from nn3d.stage.holding import BUDGET_BYTES, Holding, Wanted
from nn3d.stage.links import choose_strands
from nn3d.stage.microscope import Ranges, fields
from nn3d.stage.next_token import LastRow, LastRowNeed, last_row
from nn3d.stage.nonfinite import ALL_FINITE, Odd, odd_of
from nn3d.stage.ordering import OrderNeed, Orders, ordered, orders_of
from nn3d.stage.plan import Plan, make_plan
from nn3d.stage.shades import SEQUENTIAL_QUANTILE, SIGNED_QUANTILE, Peaks, PeaksNeed, dressed, peaks_of
from nn3d.stage.signals import signal_cells
from nn3d.stage.small import Neurons, NeuronsNeed, neurons
from nn3d.stage.stages import node_of
from nn3d.stage.state import Compare
from nn3d.stage.steps import PieceNeed, Steps, StepsNeed, lane_cells, piece_cells, steps_of
from nn3d.stage.strands import StrandHistory, StrandsNeed, StrandTable
from nn3d.stage.sums import Sums, SumsNeed

KEPT_FIELDS = 64
KEPT_COMPARED = 4


@dataclass(frozen=True, slots=True)
class ValuesNeed:
    """The cells of one layer at one epoch index, for one sample index, after a stage of it (−1: the last).

    signal : what the cells are, of state.SIGNALS; of any but values sample and stage don't matter.
    """

    layer: int
    epoch: int
    sample: int
    stage: int = -1
    signal: str = "values"


@dataclass(frozen=True, slots=True)
class LayerValues:
    """Cells of a layer and figures for people.

    full : the value that is drawn at full colour, a quantile of the layer. lowest, highest : of the finite cells.
    silent : tiles without any value above 0. zero_share : of all cells. n_nonfinite : NaN and ±Inf, odd : each of them.
    picture : the cells of a colour picture in its own colours, else None. is_difference : B − A, signed by its nature.
    """

    values: Values
    full: float
    lowest: float
    highest: float
    mean: float
    std: float
    zero_share: float
    silent: int
    n_nonfinite: int
    picture: Values | None = None
    is_difference: bool = False
    odd: Odd = ALL_FINITE

    @property
    def nbytes(self) -> int:
        """Memory of the cells and of what the GPU is given of them."""
        shown = self.values if self.picture is None else self.picture
        extra = 0 if self.picture is None else self.picture.cells.nbytes
        return self.values.cells.nbytes + extra + (0 if shown.atlas is None else shown.atlas.nbytes)

    @property
    def shown(self) -> Values:
        """What is drawn: the cells, or a colour picture in its own colours."""
        return self.values if self.picture is None else self.picture

    @property
    def is_signed(self) -> bool:
        """True when a noticeable part of the layer is negative, and of every difference."""
        return self.is_difference or self.lowest < -1e-3 * max(self.highest, 1e-12)


Need = (
    ValuesNeed | StrandsNeed | NeuronsNeed | PieceNeed | StepsNeed | PeaksNeed | SumsNeed | OrderNeed | LastRowNeed
    | ExplainNeed | PathNeed | OutcomeNeed | ComparedNeed | OtherNeed
)  # fmt: skip
Held = (
    LayerValues | StrandTable | StrandHistory | Neurons | Steps | Peaks | Orders | LastRow | Explained | BrightPath
    | Outcomes
)  # fmt: skip


class Resident:
    """The cache of one run. `plan` is what of the run does not depend on the view.

    against : what its values are compared with, None: they are the run's own.
    """

    def __init__(self, run: Run, budget_bytes: int = BUDGET_BYTES) -> None:
        self.run = run
        self.held: Holding[Held] = Holding(budget_bytes)
        self.asked: dict[Need, bool] | None = None
        self.against: Compare | None = None
        self._compared: dict[Compare, Resident] = {}
        self._other: Resident | None = None
        self._is_other = False
        self._comparing = Lock()
        self._sums = Sums(run)
        self._by_flow: tuple[Orders, Plan] | None = None
        self._fields: dict[tuple[int, int, tuple[int, ...], int], dict[int, Ranges]] = {}

    def asking(self) -> Resident:
        """The same memory with an `asked` of its own: what is looked up from now on, and whether it was there."""
        _ = self.plan, self.folds, self.identity  # made once, shared by all
        same = copy(self)
        same.asked = {}
        return same

    def compared(self, against: Compare) -> Resident:
        """The same memory of what differs: values, weights and strands are B − A; the order of tiles and paths B's."""
        _ = self.plan, self.folds, self.identity
        with self._comparing:
            made = self._compared.get(against)
            if made is None:
                made = copy(self)
                made.run = difference_of(self.run, against)
                made.against, made._sums = against, Sums(made.run)
                made.__dict__["identity"] = made.run.identity
                self._compared[against] = made
                while len(self._compared) > KEPT_COMPARED:
                    self._compared.pop(next(iter(self._compared)))
        same = copy(made)
        same.asked = self.asked
        return same

    def other(self) -> Resident | None:
        """The same memory of the other run that stands beside this one; None where there is none."""
        if self.run.other is None:
            return None
        with self._comparing:
            if self._other is None or self._other.run is not self.run.other:
                self._other = Resident(self.run.other)
                self._other.held, self._other._is_other = self.held, True
            return self._other

    def peek(self, need: Need) -> Held | None:
        """What is held, without noting that it was looked up."""
        return self.held.get(self._named(need))

    def _named(self, need: Need) -> Need:
        """The need as the one memory of all knows it."""
        if self._is_other:
            return OtherNeed(need)
        is_own = self.against is None or isinstance(need, OrderNeed | ExplainNeed | PathNeed | ComparedNeed)
        return need if is_own or self.against is None else ComparedNeed(self.against, need)

    @cached_property
    def identity(self) -> str:
        """The run's identity, asked for once: it hashes the whole graph."""
        return self.run.identity

    @cached_property
    def plan(self) -> Plan:
        """Tiles, links and topology of the run."""
        return make_plan(self.run)

    @cached_property
    def folds(self) -> Folds:
        """The plan with groups closed."""
        return Folds(self.plan)

    def values(self, need: ValuesNeed | PieceNeed) -> LayerValues | None:
        """The values, or None when they are not in memory."""
        found = self._find(need)
        return found if isinstance(found, LayerValues) else None

    def strands(self, need: StrandsNeed) -> StrandTable | StrandHistory | None:
        """The strands, or None when they are not in memory."""
        found = self._find(need)
        return found if isinstance(found, StrandTable | StrandHistory) else None

    def peaks(self, need: PeaksNeed) -> Peaks | None:
        """Quantiles of single maps, or None when they are not in memory."""
        found = self._find(need)
        return found if isinstance(found, Peaks) else None

    def orders(self) -> Orders | None:
        """The order of tiles by flow, or None when it is not in memory."""
        found = self._find(OrderNeed())
        return found if isinstance(found, Orders) else None

    def _plan_in(self, order: str) -> Plan:
        """The plan with tiles by index or by flow; made once for as long as that order is in memory."""
        if order == "index":
            return self.plan
        held = self.held.get(OrderNeed())
        orders = held if isinstance(held, Orders) else orders_of(self.run, self.plan)
        if self._by_flow is None or self._by_flow[0] is not orders:
            self._by_flow = (orders, ordered(self.plan, orders))
        return self._by_flow[1]

    def neurons(self, need: NeuronsNeed) -> Neurons | None:
        """Scale and biases of a small network, or None when they are not in memory."""
        found = self._find(need)
        return found if isinstance(found, Neurons) else None

    def steps(self, need: StepsNeed) -> Steps | None:
        """What passes through a recurrent layer's weights, or None when it is not in memory."""
        found = self._find(need)
        return found if isinstance(found, Steps) else None

    def last_row(self, need: LastRowNeed) -> LastRow | None:
        """The numbers after the last token, or None when they are not in memory."""
        found = self._find(need)
        return found if isinstance(found, LastRow) else None

    def outcomes(self, need: OutcomeNeed) -> Outcomes | None:
        """What both sides of a comparison say, or None when it is not in memory."""
        found = self._find(need)
        return found if isinstance(found, Outcomes) else None

    def explained(self, need: ExplainNeed) -> Explained | None:
        """What a cell is made of, or None when it is not in memory."""
        found = self._find(need)
        return found if isinstance(found, Explained) else None

    def path(self, need: PathNeed) -> BrightPath | None:
        """The bright path of a cell, or None when it is not in memory."""
        found = self._find(need)
        return found if isinstance(found, BrightPath) else None

    def field(self, layer: int, node: int, cell: tuple[int, ...], depth: int) -> dict[int, Ranges]:
        """Receptive field of a cell, from the graph alone; the last ones are kept."""
        key = (layer, node, cell, depth)
        if key not in self._fields:
            while len(self._fields) >= KEPT_FIELDS:
                self._fields.pop(next(iter(self._fields)))
            self._fields[key] = fields(self.run, layer, node, cell, depth)
        return self._fields[key]

    def _find(self, need: Need) -> Held | None:
        name = self._named(need)
        found = self.held.get(name)
        if self.asked is not None:
            self.asked[name] = found is not None
        return found

    def knows(self, need: SumsNeed) -> bool:
        """Whether sums of weights can be had at once."""
        found = self._sums.knows(need)
        if self.asked is not None:
            self.asked[self._named(need)] = found
        return found

    def warm(self, need: Need, wanted: Wanted | None = None) -> bool:
        """Compute and keep one thing that compose listed as missing; `wanted` is Frame.wanted of that picture.

        False: a slice of it is done, and there is more to do.
        """
        if isinstance(need, OtherNeed):
            other = self.other()
            return other is None or other.warm(need.need, wanted)  # type: ignore[arg-type]
        if isinstance(need, ComparedNeed):
            return self.compared(need.against).warm(need.need, wanted)  # type: ignore[arg-type]
        if isinstance(need, SumsNeed):
            return self._sums.go_on(need)
        if self.peek(need) is not None:
            return True
        made: Held
        if isinstance(need, NeuronsNeed):
            made = neurons(self.run, self.plan, need)
        elif isinstance(need, PieceNeed | StepsNeed):
            made = self._recurrent(need)
        elif isinstance(need, LastRowNeed):
            made = last_row(self.run, self.plan.layers[need.layer], need)
        elif isinstance(need, OutcomeNeed):
            assert isinstance(self.run, Difference)
            made = outcomes(self.run, self.plan.layers[need.layer].layer, need)
        elif isinstance(need, PathNeed):
            made = bright_path(self.run, need)
        elif isinstance(need, ExplainNeed):
            made = explained(self.run, need)
        elif isinstance(need, OrderNeed):
            made = orders_of(self.run, self.plan)
        elif isinstance(need, PeaksNeed):
            held = self.peek(need.values)
            made = peaks_of(held if isinstance(held, LayerValues) else self._read(need.values))
        else:
            made = self._read(need) if isinstance(need, ValuesNeed) else self._woven(need)
        self.held.put(self._named(need), made, made.nbytes, wanted)
        return True

    def _woven(self, need: StrandsNeed) -> StrandTable | StrandHistory:
        return choose_strands(self.run, self._plan_in(need.order), need)

    def _recurrent(self, need: PieceNeed | StepsNeed) -> LayerValues | Steps:
        plan = self.plan.layers[need.layer]
        assert plan.recurrent is not None
        run, recurrent = self.run, plan.recurrent
        if isinstance(run, Difference):
            sample = run.sample_before(need.sample)
            if isinstance(need, StepsNeed):
                first = steps_of(run.before, recurrent, need.layer, replace(need, epoch=run.epoch, sample=sample))
                return steps_of(run.after, recurrent, need.layer, need).since(first)
            first_cells = piece_cells(
                run.before, recurrent, plan.layer.shown, replace(need, epoch=run.epoch, sample=sample)
            )
            cells = minus(piece_cells(run.after, recurrent, plan.layer.shown, need), first_cells)
        elif isinstance(need, StepsNeed):
            return steps_of(run, recurrent, need.layer, need)
        else:
            cells = np.ascontiguousarray(piece_cells(run, recurrent, plan.layer.shown, need))
        cells.setflags(write=False)
        return figures(Values((self.identity, need), cells), is_difference=isinstance(run, Difference))

    def _read(self, need: ValuesNeed) -> LayerValues:
        plan = self.plan.layers[need.layer]
        layer, (rows, cols) = plan.layer, plan.tiles.cells
        if need.signal != "values":
            cells = signal_cells(self.run, layer, need.epoch, need.signal, (plan.tiles.n, rows, cols))
            cells.setflags(write=False)
            return dressed(replace(figures(Values((self.identity, need), cells)), full=1.0), plan)
        run = self.run.after if isinstance(self.run, Difference) and layer.op == "input" else self.run
        if plan.shows == "weights":
            assert layer.weight is not None
            cells = filter_faces(run, layer.weight, need.epoch, (rows, cols))
        elif run.has_values(layer.shown, layer.shown_output, need.epoch):
            node, output = node_of(run, layer, need.stage, need.epoch)
            raw = run.values(node, output, need.epoch, need.sample)
            lanes = 0 if plan.recurrent is None else plan.recurrent.directions
            cells = lane_cells(raw, lanes) if lanes else raw.reshape(-1, *fold(layer.shape, layer.axes)[1:])
            cells = cells if plan.pool == (1, 1) else pooled(cells, plan.pool)
        else:
            cells = np.full((plan.tiles.n, rows, cols), np.nan, np.float32)
        cells = np.ascontiguousarray(cells, np.float32)
        cells.setflags(write=False)
        is_difference = isinstance(run, Difference)
        return dressed(figures(Values((self.identity, need), cells), is_difference=is_difference), plan)


def pooled(cells: FloatArray, pool: tuple[int, int]) -> FloatArray:
    """(K, ⌈R/r⌉, ⌈C/c⌉) means of blocks of (r, c) cells; the last block of a row or column may be smaller."""
    starts = [np.arange(0, n, p) for n, p in zip(cells.shape[1:], pool, strict=True)]
    sums = np.add.reduceat(np.add.reduceat(cells, starts[0], 1), starts[1], 2)
    counts = [np.diff([*s, n]) for s, n in zip(starts, cells.shape[1:], strict=True)]
    return np.asarray(sums / np.outer(*counts), np.float32)


def figures(values: Values, *, is_difference: bool = False) -> LayerValues:
    """The figures of a layer's cells (K, R, C)."""
    found = spread_of(values.cells, (SIGNED_QUANTILE, SEQUENTIAL_QUANTILE), is_signed=is_difference)
    is_empty = found.n_nonfinite == values.cells.size
    lowest, highest = (0.0, 0.0) if is_empty else (found.lowest, found.highest)
    return LayerValues(
        values, found.full if found.full > 0 else 1.0, lowest, highest, found.mean, found.std, found.zero_share,
        found.n_silent, found.n_nonfinite, is_difference=is_difference,
        odd=odd_of(values.cells) if found.n_nonfinite else ALL_FINITE,
    )  # fmt: skip
