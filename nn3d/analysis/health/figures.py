"""One layer at one epoch: its dead and saturated units, what is not finite, its gradient, and how far it moved.

A *unit* is a channel (nn3d.run.statistics). "Dead" is zero on all recorded samples; counted in layers that have weights
or an activation, and in no others: a pool behind a dead map is not another fault. "Saturated" is a unit of a tanh or a
sigmoid of whose values at least 95 % lie in the outer twentieth at either end: |tanh| ≥ 0.9, a sigmoid below 0.05 or
above 0.95. It is counted from the 32 bins of the unit's histogram, only those that lie whole in there: never
more than are so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nn3d.run.model import Layer
from nn3d.run.ops import op_of
from nn3d.run.run import Run
from nn3d.run.statistics import CHANNEL_BINS, ChannelStats
from nn3d.run.updates import update_stats, update_vector

# Most values of a tensor that are read where no figures of it were recorded.
MOST_VALUES: Final = 1 << 22
SATURATED_SHARE: Final = 0.95
# What an activation gives at its two ends.
ENDS: Final = {"tanh": (-1.0, 1.0), "hardtanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "hardsigmoid": (0.0, 1.0)}
OUTER: Final = 0.05
_MASKS: Final = frozenset({"masked_fill", "where", "constant", "parameter", "full"})
_DYING: Final = frozenset({"conv", "linear", "activation", "norm"})


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one layer at one epoch. −1 and NaN: not known, or the layer has no such thing.

    units : of the output it shows. dead, saturated : how many of them.
    n_nan, n_inf : of the values of all its recorded outputs, on all samples; of the −Inf of a mask none is counted.
    w_nan, w_inf : of its parameters and buffers.
    gradient : ‖g‖ of its parameters together. ratio : ‖ΔW‖ / ‖W‖ since the recorded epoch before, likewise.
    """

    units: int = -1
    dead: int = -1
    saturated: int = -1
    n_nan: int = 0
    n_inf: int = 0
    w_nan: int = 0
    w_inf: int = 0
    gradient: float = math.nan
    ratio: float = math.nan

    @property
    def n_odd(self) -> int:
        """All values and parameters that are not finite."""
        return self.n_nan + self.n_inf + self.w_nan + self.w_inf


def layer_figures(run: Run, layer: Layer, epoch: int, *, most_values: int = MOST_VALUES) -> Figures:
    """What is known of a layer at an epoch index. Tensors of more than `most_values` without figures are not read."""
    found = {
        (n, k): channel_figures(run, n, k, epoch, most_values)
        for n in layer.nodes for k in range(len(run.node(n).outputs))
    }  # fmt: skip
    n_nan, n_inf = _odd_values(run, found)
    w_nan, w_inf = _odd_parameters(run, layer, epoch, most_values)
    shown, saturating = found[layer.shown, layer.shown_output], saturating_node(run, layer)
    ends = None if saturating is None else found[saturating, 0]
    gradient, ratio = movement(run, layer, epoch, most_values)
    return Figures(
        units=-1 if shown is None else len(shown.mean),
        dead=-1 if shown is None or not can_die(layer, run) else int(dead_units(shown).sum()),
        saturated=-1 if ends is None or saturating is None else int(_at_ends(run, saturating, ends).sum()),
        n_nan=n_nan, n_inf=n_inf, w_nan=w_nan, w_inf=w_inf, gradient=gradient, ratio=ratio,
    )  # fmt: skip


def channel_figures(
    run: Run, node: int, output: int, epoch: int, most_values: int = MOST_VALUES
) -> ChannelStats | None:
    """Figures of a recorded output; computed from its values where none were stored and there are not too many."""
    known = run.channel_stats(node, output, epoch)
    if known is not None or not run.has_values(node, output, epoch):
        return known
    info = run.output(node, output)
    n_samples = max(1, len(run.samples)) if info.per_sample else 1
    return run.computed_channel_stats(node, output, epoch) if math.prod(info.shape) * n_samples <= most_values else None


def can_die(layer: Layer, run: Run) -> bool:
    """Whether zero on all samples is a fault of this layer: it has weights or an activation of its own."""
    families = {op_of(run.node(n).op).family for n in layer.nodes}
    return layer.op != "input" and bool(families & _DYING)


def dead_units(stats: ChannelStats) -> NDArray[np.bool_]:
    """(C,) units that are zero on all samples."""
    odd = stats.n_nan + stats.n_posinf + stats.n_neginf
    return np.asarray((stats.low == 0) & (stats.high == 0) & (odd == 0))


def saturating_node(run: Run, layer: Layer) -> int | None:
    """The node of a layer that gives values between two ends, the last one; None without any."""
    return next((n for n in reversed(layer.nodes) if run.node(n).op in ENDS), None)


def saturated_share(stats: ChannelStats, low: float, high: float) -> NDArray[np.float64]:
    """(C,) least share of a unit's finite values that lie in the outer twentieth at either end of `low` … `high`."""
    edge = OUTER * (high - low)
    begin = stats.low.astype(np.float64)[:, None]
    width = (stats.high.astype(np.float64)[:, None] - begin) / CHANNEL_BINS
    left = begin + width * np.arange(CHANNEL_BINS)
    # A unit of one value has it in bin 0. The bins' own edges are rounded: a billionth of the range is let pass.
    slack = 1e-6 * (high - low)
    outside = (left >= high - edge - slack) | (left + width <= low + edge + slack)
    counts = stats.histogram.astype(np.float64)
    return np.asarray((counts * outside).sum(axis=1) / np.maximum(counts.sum(axis=1), 1.0))


def _at_ends(run: Run, node: int, stats: ChannelStats) -> NDArray[np.bool_]:
    """(C,) units at the ends of a tanh or sigmoid."""
    return np.asarray(saturated_share(stats, *ENDS[run.node(node).op]) >= SATURATED_SHARE)


def _odd_values(run: Run, found: Mapping[tuple[int, int], ChannelStats | None]) -> tuple[int, int]:
    """NaN, and ±Inf, of the recorded outputs of a layer's nodes; only −Inf of what masks is meant to be so."""
    n_nan = n_inf = 0
    for (number, _), stats in found.items():
        if stats is not None:
            up, down = int(stats.n_posinf.sum()), int(stats.n_neginf.sum())
            n_nan += int(stats.n_nan.sum())
            n_inf += up + (0 if down and _is_masked(run, number) else down)
    return n_nan, n_inf


def _is_masked(run: Run, number: int, depth: int = 4) -> bool:
    """Whether a node masks, or reads what a mask was put on, up to four operations before."""
    node = run.node(number)
    return node.op in _MASKS or (depth > 0 and any(_is_masked(run, s.node, depth - 1) for s in node.inputs))


def _odd_parameters(run: Run, layer: Layer, epoch: int, most_values: int) -> tuple[int, int]:
    n_nan = n_inf = 0
    for p in layer.parameters:
        stats = run.parameter_stats(p, epoch)
        if stats is not None:
            n_nan += int(stats.n_nan)
            n_inf += int(stats.n_posinf + stats.n_neginf)
        elif run.has_parameter(p, epoch) and math.prod(run.parameter_info(p).shape) <= most_values:
            values = run.parameter(p, epoch)
            n_nan += int(np.isnan(values).sum())
            n_inf += int(np.isinf(values).sum())
    return n_nan, n_inf


def movement(run: Run, layer: Layer, epoch: int, most_values: int = MOST_VALUES) -> tuple[float, float]:
    """(‖g‖, ‖ΔW‖/‖W‖) of a layer's trained parameters together; NaN where that is not known."""
    trained = [p for p in layer.parameters if run.parameter_info(p).kind == "parameter"]
    if not trained:
        return math.nan, math.nan
    change, weight, gradient = np.array([_moved(run, p, epoch, most_values) for p in trained], np.float64).T
    known = gradient[np.isfinite(gradient)]  # a frozen parameter has none
    length, before = float(np.linalg.norm(change)), float(np.linalg.norm(weight))
    return float(np.linalg.norm(known)) if known.size else math.nan, length / before if before > 0.0 else math.nan


def _moved(run: Run, p: int, epoch: int, most_values: int) -> tuple[float, float, float]:
    """(‖ΔW‖, ‖W‖ before, ‖g‖) of a parameter: as recorded, else from its tensors where they are not too large."""
    stored = update_stats(run, p, epoch)
    change, weight, gradient = (math.nan,) * 3 if stored is None else (stored.change, stored.weight, stored.gradient)
    if math.prod(run.parameter_info(p).shape) > most_values:
        return change, weight, gradient
    if math.isnan(change) and epoch > 0 and run.has_parameter(p, epoch - 1) and run.has_parameter(p, epoch):
        vector = update_vector(run.parameter(p, epoch - 1), run.parameter(p, epoch), None)
        change, weight = float(vector[0]), float(vector[1])
    if math.isnan(gradient):
        found = run.parameter_gradient(p, epoch)
        gradient = math.nan if found is None else float(np.linalg.norm(found[np.isfinite(found)].astype(np.float64)))
    return change, weight, gradient
