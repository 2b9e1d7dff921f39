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
    """What passes through a recurrent layer's weights at one epoch index, for one sample index.

    is_weight : of the weights alone, as if every input were 1.
    """

    layer: int
    epoch: int
    sample: int
    is_weight: bool = False


@dataclass(frozen=True, slots=True)
class Steps:
    """Σ and Σ|·| of w·x through the weights, float64, step by step.

    through_input : (levels, directions, sources, T, 2); the input of a level above the first is the h of all
    directions below, each a source of its own. through_state : (levels, directions, T, 2).

    Epochs without the arrays hold zeros.
    """

    through_input: F64
    through_state: F64

    @property
    def nbytes(self) -> int:
        """Memory of the sums."""
        return self.through_input.nbytes + self.through_state.nbytes

    def since(self, before: Steps) -> Steps:
        """What changed: of each step Σ − Σ before, and its magnitude in the place of Σ|·|."""
        pairs = (self.through_input, before.through_input), (self.through_state, before.through_state)
        moved = [a[..., 0] - b[..., 0] for a, b in pairs]
        return Steps(*(np.stack([d, np.abs(d)], -1) for d in moved))


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
    """(directions, T, H) of a layer's output (T, directions·H), or (T, directions, H) as ONNX has it."""
    if raw.ndim == 3:
        return np.ascontiguousarray(np.moveaxis(raw, 1, 0))
    return np.ascontiguousarray(np.stack(np.split(raw, directions, axis=-1)))


def steps_of(run: Run, found: Recurrent, layer: int, need: StepsNeed) -> Steps:
    """Sums over the steps of a recurrent layer."""
    link = next(k for k in run.layers[layer].links if k.argument == "input")
    node = run.node(link.target)
    n = found.directions
    into, back = np.zeros((found.levels, n, n, found.steps, 2)), np.zeros((found.levels, n, found.steps, 2))
    if not run.has_values(link.node, link.output, need.epoch):
        return Steps(into, back)
    below = [np.asarray(run.values(link.node, link.output, need.epoch, need.sample), np.float64)]
    for level in range(found.levels):
        states = [
            np.asarray(run.values(node.id, output, need.epoch, need.sample), np.float64)
            for output in found.hidden(level).outputs
        ]
        for d in range(n):
            suffix = found.suffixes[level * n + d]
            weight = np.asarray(run.parameter(node.parameters[f"weight_ih_{suffix}"], need.epoch), np.float64)
            parts = np.split(weight, len(below), axis=1)
            for source, (rows, part) in enumerate(zip(below, parts, strict=True)):
                into[level, d, source] = _sums(part, _met(rows, found.steps, need))
            weight = np.asarray(run.parameter(node.parameters[f"weight_hh_{suffix}"], need.epoch), np.float64)
            back[level, d] = _sums(weight, _met(states[d], found.steps, need))
        below = states
    return Steps(into, back)


def _met(rows: F64, steps: int, need: StepsNeed) -> F64:
    """(T, in) numbers that the weights are multiplied by."""
    found = rows.reshape(steps, -1)
    return np.ones_like(found) if need.is_weight else found


def _sums(w: F64, rows: F64) -> F64:
    """(T, 2) Σ and Σ|·| over all products of each row with a weight (out, in)."""
    return np.asarray(np.nan_to_num(np.stack([rows @ w.sum(0), np.abs(rows) @ np.abs(w).sum(0)], 1)), np.float64)
