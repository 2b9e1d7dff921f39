"""What a recurrent layer shows besides its output: cells of gates, c and h, and what passes through its weights a step.

Through the weights of a step t goes c_ji = w_ji·x_i(t); biases are left out. Per step and direction two numbers are
kept: the sum over all gates' inputs, and the sum of magnitudes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.layout.recurrent import Recurrent
from nn3d.run.model import FloatArray
from nn3d.run.run import Run

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PieceNeed:
    """The cells of piece number `piece` of a recurrent layer at one epoch index, for one sample index."""

    layer: int
    piece: int
    epoch: int
    sample: int


@dataclass(frozen=True, slots=True)
class StepsNeed:
    """What passes through a recurrent layer's weights at one epoch index, for one sample index."""

    layer: int
    epoch: int
    sample: int


@dataclass(frozen=True, slots=True)
class Steps:
    """(levels, directions, T, 2) float64 each: Σ and Σ|·| of w·x through the input's and the recurrent weights.

    Epochs without the arrays hold zeros.
    """

    through_input: F64
    through_state: F64

    @property
    def nbytes(self) -> int:
        """Memory of the sums."""
        return self.through_input.nbytes + self.through_state.nbytes


def piece_cells(run: Run, found: Recurrent, node: int, need: PieceNeed) -> FloatArray:
    """(K, T, H) cells of a piece, lane by lane; NaN where the epoch does not hold them."""
    piece = found.pieces[need.piece]
    lanes = []
    for output in piece.outputs:
        if not run.has_values(node, output, need.epoch):
            return np.full((piece.tiles.n, *piece.tiles.cells), np.nan, np.float32)
        raw = np.asarray(run.values(node, output, need.epoch, need.sample), np.float32)
        lanes.append(raw[list(piece.gates)] if piece.gates else raw.reshape(1, *raw.shape[-2:]))
    return np.concatenate(lanes)


def lane_cells(raw: FloatArray, directions: int) -> FloatArray:
    """(directions, T, H) of a layer's output (T, directions·H)."""
    return np.ascontiguousarray(np.stack(np.split(raw, directions, axis=-1)))


def steps_of(run: Run, found: Recurrent, layer: int, need: StepsNeed) -> Steps:
    """Sums over the steps of a recurrent layer."""
    link = next(k for k in run.layers[layer].links if k.argument == "input")
    node = run.node(link.target)
    shape = (found.levels, found.directions, found.steps, 2)
    into, back = np.zeros(shape), np.zeros(shape)
    if not run.has_values(link.node, link.output, need.epoch):
        return Steps(into, back)
    below = np.asarray(run.values(link.node, link.output, need.epoch, need.sample), np.float64)
    by_name = {(p.plate, p.name.split()[0]): p for p in found.pieces}
    hidden = [p for (_, name), p in sorted(by_name.items()) if name == "h"]
    for level in range(found.levels):
        states = [
            np.asarray(run.values(node.id, o, need.epoch, need.sample), np.float64) for o in hidden[level].outputs
        ]
        for d in range(found.directions):
            suffix = found.suffixes[level * found.directions + d]
            for out, rows, role in ((into, below, f"weight_ih_{suffix}"), (back, states[d], f"weight_hh_{suffix}")):
                out[level, d] = _sums(run, node.parameters[role], rows.reshape(found.steps, -1), need.epoch)
        below = np.concatenate(states, -1)
    return Steps(into, back)


def _sums(run: Run, parameter: int, rows: F64, epoch: int) -> F64:
    """(T, 2) Σ and Σ|·| over all products of each row with a weight (out, in)."""
    w = np.asarray(run.parameter(parameter, epoch), np.float64)
    return np.asarray(np.nan_to_num(np.stack([rows @ w.sum(0), np.abs(rows) @ np.abs(w).sum(0)], 1)), np.float64)
