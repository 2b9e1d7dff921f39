"""A recurrent layer in a frame: plates of gates, c and h, its input by steps, and the recurrence h(t) → gates at t + 1.

The layer's own plate is the last one, h; the others are parts of it (PART + item in TileLayer.layer).
"""

from __future__ import annotations

from dataclasses import replace
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
from nn3d.stage.steps import PieceNeed, StepsNeed

F64 = NDArray[np.float64]

LOOP_REACH = 0.92
READ_HW = 0.06
STEP_HW = 0.12
ROW_SHARE = 0.42
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
        pair = self._values(plan.layer.index, number)
        gain = (1.0, 1.0) if piece.is_true_scale or pair is None else (1.0 / pair[0].full, 1.0 / pair[1].full)
        half = (piece.tiles.half[0] * own.scale, piece.tiles.half[1] * own.scale)
        return replace(
            own, layer=PART + own.layer, key=(identity, "piece", plan.layer.index, number), cells=piece.tiles.cells,
            table=tile_table(piece.tiles), x=x, open_half=half, mosaic_half=half,
            block_half=_half(found, piece, own.scale), lut="seq" if piece.is_true_scale else "div",
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
        needs = [StepsNeed(plan.layer.index, e, self.state.sample) for e in self.epochs]
        steps = [self.resident.steps(n) for n in needs]
        self.missing += [n for n, s in zip(dict.fromkeys(needs), steps, strict=False) if s is None]
        a, b = steps
        if a is None or b is None or given is None:
            return []
        out: list[StrandLayer] = []
        top = max(float(s.through_input[..., 1].max(initial=0.0)) for s in (a, b))
        top = max([top, *(float(s.through_state[..., 1].max(initial=0.0)) for s in (a, b))]) or 1.0
        starts: dict[int, int] = {}
        for k, piece in enumerate(found.pieces):
            starts.setdefault(piece.plate, first + k)
        plates = sorted(starts)
        for plate, after in pairwise(plates):
            ends, name = (starts[plate], starts[after]), ("rows", plan.layer.index, plate)
            kind = found.pieces[starts[after] - first].name.split()[0]
            if kind != "gates":
                out.append(_between(given, ends, self._named(*name), _rows(found, found.steps), READ_HW))
        for level in range(found.levels):
            own = [p for p in plates if _level(found, p, starts, first) == level]
            gates, hidden = starts[own[0]], starts[own[-1]]
            source = given.source if level == 0 else starts[own[0] - 1]
            is_rows = level > 0 or _is_rows(tiles[given.source], found.steps)
            rows = _rows(found, found.steps, is_rows=is_rows)
            looks = _looks([s.through_input[level] for s in (a, b)], top)
            out.append(_signed(given, (source, gates), self._named("input", plan.layer.index, level), rows, looks))
            back = _looks([s.through_state[level] for s in (a, b)], top)
            for d in range(found.directions):
                part = slice(d * found.steps, (d + 1) * found.steps)
                loop = np.zeros(found.steps, STRAND)
                loop["spread"][:, 1] = np.linspace(-LOOP_REACH, LOOP_REACH, found.steps)
                loop["amount"], loop["area"] = back["amount"][part], back["area"][part]
                key = self._named("loop", plan.layer.index, level, d)
                edge = tiles[gates].y + (1.0 if d == 0 else -1.0) * (found.extent[0] / 2.0 + LOOP_HEIGHT)
                made = _strands(given, (hidden, gates), key, loop, "sign", STEP_HW)
                out.append(replace(made, path="loop", apex=edge))
        return out

    def _named(self, *name: object) -> tuple[object, ...]:
        return (self.resident.identity, *name, self.epochs, self.state.sample)


def corners(plan: Plan, stage: Stage) -> F64:
    """(n, 3) corners on the bench of what recurrent layers add to their plates: gates, and room for the recurrence."""
    out = [np.zeros((0, 3))]
    for row, p in enumerate(plan.layers):
        if p.recurrent is None:
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


def _level(found: Recurrent, plate: int, starts: dict[int, int], first: int) -> int:
    words = found.pieces[starts[plate] - first].name.split()
    return int(words[1]) - 1 if len(words) > 1 else 0


def _rows(found: Recurrent, steps: int, *, is_rows: bool | None = None) -> NDArray[np.void]:
    """STRAND rows, direction by direction: from lane to lane, or (is_rows given) from the rows of one source tile."""
    out = np.zeros(found.directions * steps, STRAND)
    within = 0.5 - (np.arange(steps) + 0.5) / steps
    for d in range(found.directions):
        low, high = found.lane(d)
        part = slice(d * steps, (d + 1) * steps)
        lane = (low + high) / 2.0 + within * (high - low)
        out["spread"][part, 2] = lane
        out["spread"][part, 0] = lane if is_rows is None else within if is_rows else within * 0.62
    out["amount"], out["area"] = 1.0, 1.0
    return out


def _looks(sums: list[F64], top: float) -> NDArray[np.void]:
    """Looks by (direction, step): colour by the sign of the sum and its share of all, area by Σ|c|."""
    n = sums[0].shape[0] * sums[0].shape[1]
    out = np.zeros(n, STRAND)
    for e, part in enumerate(sums):
        signed, whole = part.reshape(n, 2).T
        share = np.divide(np.abs(signed), whole, out=np.zeros(n), where=whole > 0)
        out["amount"][:, e] = np.where(signed < 0, -1.0, 1.0) * np.maximum(share, 1e-3)
        out["area"][:, e] = whole / top
    return out


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


def _between(
    given: StrandLayer, ends: tuple[int, int], key: tuple[object, ...], rows: NDArray[np.void], hw: float
) -> StrandLayer:
    return _strands(given, ends, key, rows, "neutral", hw)


def _signed(
    given: StrandLayer, ends: tuple[int, int], key: tuple[object, ...], rows: NDArray[np.void], looks: NDArray[np.void]
) -> StrandLayer:
    rows["amount"], rows["area"] = looks["amount"], looks["area"]
    return _strands(given, ends, key, rows, "sign", STEP_HW)
