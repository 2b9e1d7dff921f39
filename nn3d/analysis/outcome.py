"""What a network says of a sample: shares of the classes from the values of its output layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.run.model import FloatArray, Layer
from nn3d.run.run import Run

F64 = NDArray[np.float64]

PROBABILITIES = ("softmax", "sigmoid")


@dataclass(frozen=True, slots=True)
class Verdict:
    """best : class with the largest share, −1 where the values are not finite. shares : (n classes,)."""

    best: int
    shares: F64


def probabilities(values: FloatArray, op: str) -> F64:
    """Shares of the classes from the output layer's values: as they are after a softmax, else exp-normalised."""
    v = values.astype(np.float64)
    if op in PROBABILITIES:
        return v
    if not np.isfinite(v).all():
        return np.full(v.shape, np.nan)
    e = np.exp(v - v.max())
    return np.asarray(e / e.sum())


def outcome_layer(run: Run) -> Layer | None:
    """The layer that holds the model's first output, where it is one number a class, or a row of them a token."""
    ends = {(node, output) for _, node, output in run.graph.outputs[:1]}
    found = next((la for la in run.layers if (la.shown, la.shown_output) in ends), None)
    found = found if found is not None or run.graph.outputs or not run.layers else run.layers[-1]
    if found is None or not 1 <= len(found.shape) <= 2 or found.shape[-1] < 2:
        return None
    is_classes = len(found.shape) == 1 or (bool(run.classes) and found.shape[-1] == len(run.classes))
    return found if is_classes else None


def verdict(run: Run, layer: Layer, epoch: int, sample: int) -> Verdict:
    """What the output says of a sample; of a text, what comes after its last token."""
    values = run.values(layer.shown, layer.shown_output, epoch, sample)
    shares = probabilities(values.reshape(-1, layer.shape[-1])[-1], run.node(layer.shown).op)
    return Verdict(int(shares.argmax()) if np.isfinite(shares).all() else -1, shares)
