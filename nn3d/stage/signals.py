"""Signals of training as the colours of tiles: what a plate shows instead of its values, and the scale it is shown on.

A signal is the same for every sample. Tiles that are units show their own; "ratio" and "gradient" are of a whole layer.
What is not known, or does not exist, is an empty plate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from nn3d.analysis.health.figures import ENDS, channel_figures, movement, saturated_share, saturating_node
from nn3d.run.model import FloatArray, Layer
from nn3d.run.run import Run

POWER: Final = 0.7  # of the sequential ramp, nn3d.stage.shades


@dataclass(frozen=True, slots=True)
class Scale:
    """words, note : of the key. ticks : (value, label).

    decades : log10 of the values with the empty and the full colour; None: a share.
    """

    words: str
    note: str
    decades: tuple[float, float] | None
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """Where a value lies on the ramp, 0 … 1."""
        if self.decades is None:
            return float(min(1.0, max(0.0, value)) ** POWER)
        low, high = self.decades
        known = math.isfinite(value) and value > 0.0
        return min(1.0, max(0.0, (math.log10(value) - low) / (high - low))) if known else 0.0


SCALES: Final = MappingProxyType(
    {
        "zeros": Scale("zeros by unit", "all samples", None, ((0.0, "0"), (0.5, "½"), (1.0, "dead"))),
        "saturated": Scale("saturated by unit", "tanh, sigmoid", None, ((0.0, "0"), (0.5, "½"), (1.0, "all"))),
        "ratio": Scale("‖ΔW‖ / ‖W‖", "by layer", (-5.0, -1.0), ((1e-5, "10⁻⁵"), (1e-3, "10⁻³"), (1e-1, "≥ 0.1"))),
        "gradient": Scale("‖gradient‖", "by layer", (-6.0, 2.0), ((1e-6, "10⁻⁶"), (1e-2, "10⁻²"), (1e2, "≥ 100"))),
    }
)


def signal_cells(run: Run, layer: Layer, epoch: int, signal: str, shape: tuple[int, int, int]) -> FloatArray:
    """(tiles, rows, columns) float32: of each tile the value whose colour the ramp gives it, 0 … 1."""
    units = _units(run, layer, epoch, signal)
    if units is None:
        gradient, ratio = movement(run, layer, epoch)
        of_layer = {"ratio": ratio, "gradient": gradient}.get(signal, 0.0)
        units = np.array([SCALES[signal].place(of_layer) ** (1.0 / POWER)])
    if len(units) != shape[0]:
        units = units.mean(keepdims=True)
    return np.ascontiguousarray(np.broadcast_to(units.astype(np.float32)[:, None, None], shape))


def _units(run: Run, layer: Layer, epoch: int, signal: str) -> FloatArray | None:
    """(units,) shares 0 … 1, or None for a signal of whole layers, and where there are none."""
    if signal == "zeros":
        stats = channel_figures(run, layer.shown, layer.shown_output, epoch)
        return None if stats is None else stats.zero_share
    node = saturating_node(run, layer) if signal == "saturated" else None
    found = None if node is None else channel_figures(run, node, 0, epoch)
    if node is None or found is None:
        return None
    return saturated_share(found, *ENDS[run.node(node).op]).astype(np.float32)
