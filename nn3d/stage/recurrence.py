"""A recurrent layer in a frame: plates of gates, c and h, its input by steps, and the recurrence h(t) → gates at t + 1.

The layer's own plate is the last one, h; the others are parts of it (PART + item in TileLayer.layer).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.bundle import tile_table
from nn3d.layout.recurrent import LOOP_HEIGHT, Piece, Recurrent
from nn3d.layout.tables import STRAND
from nn3d.run.run import Run
from nn3d.stage.frame import PART, StrandLayer, TileLayer
from nn3d.stage.plan import LayerPlan, Plan
from nn3d.stage.resident import LayerValues, Need, Resident
from nn3d.stage.standing import Stage
from nn3d.stage.state import YAW_RAD, ViewState
from nn3d.stage.steps import PieceNeed, Steps, StepsNeed

F64 = NDArray[np.float64]

LOOP_REACH = 0.92
READ_HW = 0.06
STEP_HW = 0.12
SIGNED_POWER = 0.8


class Recurrences:
    """Plates and strands of the recurrent layers of one composition. missing : needs that are not in memory."""

    def __init__(self, run: Run, resident: Resident, state: ViewState, epochs: tuple[int, int]) -> None:
        self.run, self.resident, self.state, self.epochs = run, resident, state, epochs
        self.missing: list[Need] = []

    def plates(self, plan: LayerPlan, own: TileLayer) -> list[TileLayer]:
        """The plates of a recurrent layer in order along the axis, `own` (the layer's output) last."""
        found = plan.recurrent
        assert found is not None
        at = found.places(YAW_RAD) * own.scale + own.x
        out = [
            self._plate(plan, found, k, own, float(at[piece.plate])) for k, piece in enumerate(found.pieces[:-1])
        ]
        last = found.pieces[-1]
        return [*out, replace(own, x=float(at[last.plate]), block_half=_half(found, last, own.scale))]

    def _plate(self, plan: LayerPlan, found: Recurrent, number: int, own: TileLayer, x: float) -> TileLayer:
        piece, identity = found.pieces[number], self.resident.identity
        is_change = self.resident.against is not None
        pair = self._values(plan.layer.index, number)
        gain = (1.0, 1.0) if piece.is_true_scale or pair is None else (1.0 / pair[0].full, 1.0 / pair[1].full)
        half = (piece.tiles.half[0] * own.scale, piece.tiles.half[1] * own.scale)
        return replace(
            own, layer=PART + own.layer, key=(identity, "piece", plan.layer.index, number), cells=piece.tiles.cells,
            table=tile_table(piece.tiles), x=x, open_half=half, mosaic_half=half,
            block_half=_half(found, piece, own.scale), lut="seq" if piece.is_true_scale and not is_change else "div",
            power=1.0 if piece.is_true_scale else SIGNED_POWER, gain=gain, offset=(0.0, 0.0), gains=None,
            values=None if pair is None else (pair[0].values, pair[1].values),
        )  # fmt: skip

    def _values(self, layer: int, number: int) -> tuple[LayerValues, LayerValues] | None:
        needs = [PieceNeed(layer, number, e, self.state.sample) for e in self.epochs]
        found = [self.resident.values(n) for n in needs]
        self.missing += [n for n, v in zip(dict.fromkeys(needs), found, strict=False) if v is None]
        a, b = found
        return None if a is None or b is None else (a, b)

    def woven(
        self,
        rows: dict[int, LayerPlan],
        tiles: tuple[TileLayer, ...],
        first: list[int],
        strands: tuple[StrandLayer, ...],
    ) -> tuple[StrandLayer, ...]:
        """The strands of a picture: what enters a recurrent layer does so step by step, and its plates are joined."""
        out = list(strands)
        for row, plan in rows.items():
            into = [s for s in out if s.target == first[row] and s.source < first[row]]
            given = next((s for s in into if s.path != "arc"), None)
            made = self.strands(plan, tiles, first[row], given)
            out = [s for s in out if s is not given or not made] + made
        return tuple(out)

    def strands(
        self, plan: LayerPlan, tiles: tuple[TileLayer, ...], first: int, given: StrandLayer | None
    ) -> list[StrandLayer]:
        """Strands of a recurrent layer whose plates are `tiles[first:]`; `given` is the link of its input."""
        found = plan.recurrent
        assert found is not None
        is_weight = self.state.edges.mode == "weight"
        needs = [StepsNeed(plan.layer.index, e, self.state.sample, is_weight) for e in self.epochs]
        steps = [self.resident.steps(n) for n in needs]
        self.missing += [n for n, s in zip(dict.fromkeys(needs), steps, strict=False) if s is None]
        a, b = steps
        if a is None or b is None or given is None:
            return []
        woven = _Woven(found, first, tiles, given, self._named(plan.layer.index, is_weight), (a, b))
        out = woven.between_plates()
        for level in range(found.levels):
            out += [*woven.inputs(level), *woven.loops(level)]
        return out

    def _named(self, *name: object) -> tuple[object, ...]:
        return (self.resident.identity, *name, self.epochs, self.state.sample)


@dataclass(frozen=True, slots=True)
class _Woven:
    """The strands of one recurrent layer. first : place of its first piece among the tiles; `given` : its input's link.

    steps : at the two epochs that are mixed.
    """

    found: Recurrent
    first: int
    tiles: tuple[TileLayer, ...]
    given: StrandLayer
    name: tuple[object, ...]
    steps: tuple[Steps, Steps]

    @property
    def full(self) -> float:
        """Σ|c| that the thickest strand stands for."""
        parts = [x[..., 1].max(initial=0.0) for s in self.steps for x in (s.through_input, s.through_state)]
        return float(max(parts)) or 1.0

    def _at(self, kind: str, level: int) -> int:
        pieces = enumerate(self.found.pieces)
        own = (k for k, p in pieces if p.name.split()[0] == kind and self.found.level(p) == level)
        return self.first + next(own)

    def between_plates(self) -> list[StrandLayer]:
        """From gates to c to h, row to row, without weights."""
        out, lanes = [], [self.found.lane(d) for d in range(self.found.directions)]
        for (k, before), (n, after) in pairwise(enumerate(self.found.pieces)):
            if before.plate != after.plate and self.found.level(before) == self.found.level(after):
                rows = _rows(self.found, [(lane, lane) for lane in lanes])
                ends = (self.first + k, self.first + n)
                out.append(_strands(self.given, ends, (*self.name, "rows", k), rows, "neutral", READ_HW))
        return out

    def inputs(self, level: int) -> list[StrandLayer]:
        """Through the input's weights of a level, a strand a step from each source to each direction's gates."""
        lanes = [self.found.lane(d) for d in range(self.found.directions)]
        if level == 0:
            is_rows = _is_rows(self.tiles[self.given.source], self.found.steps)
            sources, start = [(-0.5, 0.5) if is_rows else (-0.31, 0.31)], self.given.source
        else:
            sources, start = lanes, self._at("h", level - 1)
        rows = _rows(self.found, [(source, lane) for lane in lanes for source in sources])
        sums = [s.through_input[level, :, : len(sources)].reshape(-1, 2) for s in self.steps]
        rows["amount"], rows["area"] = _looks(sums, self.full)
        ends = (start, self._at("gates", level))
        return [_strands(self.given, ends, (*self.name, "input", level), rows, "sign", STEP_HW)]

    def loops(self, level: int) -> list[StrandLayer]:
        """Through the recurrent weights, h(t) to the next step's gates: over the lane forward, under it backward."""
        out, gates = [], self.tiles[self._at("gates", level)]
        ends = (self._at("h", level), self._at("gates", level))
        for d in range(self.found.directions):
            rows = np.zeros(self.found.steps, STRAND)
            rows["spread"][:, 1] = np.linspace(-LOOP_REACH, LOOP_REACH, self.found.steps)
            rows["amount"], rows["area"] = _looks([s.through_state[level, d] for s in self.steps], self.full)
            apex = gates.y + (1.0 if d == 0 else -1.0) * (gates.block_half[0] + LOOP_HEIGHT)
            made = _strands(self.given, ends, (*self.name, "loop", level, d), rows, "sign", STEP_HW)
            out.append(replace(made, path="loop", apex=apex))
        return out


def corners(plan: Plan, stage: Stage) -> F64:
    """(n, 3) corners on the bench of what recurrent layers add to their plates: gates, and room for the recurrence."""
    out = [np.zeros((0, 3))]
    for row, p in enumerate(plan.layers):
        if p.recurrent is None or (stage.seen is not None and stage.seen[row] == 0.0):
            continue
        at, (height, width) = p.recurrent.places(YAW_RAD) + stage.x[row], p.recurrent.extent
        top = stage.y[row] + height / 2.0 + LOOP_HEIGHT + 1.0
        low = stage.y[row] - height / 2.0 - (LOOP_HEIGHT if p.recurrent.directions > 1 else 0.0)
        out.append(np.array([(x, y, z) for x in at[[0, -1]] for y in (top, low) for z in (-width / 2, width / 2)]))
    return np.concatenate(out)


def _half(found: Recurrent, piece: Piece, scale: float) -> tuple[float, float]:
    height, width = found.plates[piece.plate] * scale / 2.0
    return float(height), float(width)


def _is_rows(source: TileLayer, steps: int) -> bool:
    return source.cells[0] == steps and source.table.size == 1


def _rows(found: Recurrent, spans: list[tuple[tuple[float, float], tuple[float, float]]]) -> NDArray[np.void]:
    """STRAND rows, a strand a step for each pair of (bottom, top) shares of the source's and the target's height."""
    out = np.zeros(len(spans) * found.steps, STRAND)
    within = (np.arange(found.steps) + 0.5) / found.steps
    for k, ends in enumerate(spans):
        for end, (low, high) in zip((0, 2), ends, strict=True):
            out["spread"][k * found.steps : (k + 1) * found.steps, end] = high - within * (high - low)
    out["amount"], out["area"] = 1.0, 1.0
    return out


def _looks(sums: list[F64], full: float) -> tuple[F64, F64]:
    """(m, 2) amounts and areas at two epochs of sums (m, 2): colour by the sign and share of Σ, area by Σ|·|."""
    amount, area = (np.zeros((len(sums[0]), 2)) for _ in range(2))
    for e, (signed, whole) in enumerate(part.T for part in sums):
        share = np.divide(np.abs(signed), whole, out=np.zeros(len(whole)), where=whole > 0)
        amount[:, e] = np.where(signed < 0, -1.0, 1.0) * np.maximum(share, 1e-3)
        area[:, e] = whole / full
    return amount, area


def _strands(
    given: StrandLayer, ends: tuple[int, int], key: tuple[object, ...], rows: NDArray[np.void], colour: str, hw: float
) -> StrandLayer:
    rows.setflags(write=False)
    return replace(
        given, source=ends[0], target=ends[1], key=key, shape_key=None, strands=rows, n_trunk=len(rows), path="stave",
        colour=colour, hw=hw, rope_share=1.0, turn=(0.0, 1.0), level="trunk", parameter=None,
        weight_index=np.zeros(0, np.int64), weight=np.zeros(0, np.float32), source_cell=np.zeros(0, np.int64),
        target_cell=np.zeros(0, np.int64), is_drawn=None,
    )  # fmt: skip
