"""All that differs between two moments, most changed first: parameters, layers, filters, values, predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nn3d.analysis.comparison.change import Change, Rows, ValueChange, parameter_rows, values_changed
from nn3d.analysis.comparison.difference import Difference
from nn3d.analysis.outcome import outcome_layer, verdict
from nn3d.run.model import Layer

MOST_FILTERS = 4096


@dataclass(frozen=True, slots=True)
class ParameterLine:
    """One parameter or buffer that both have. partner : its name in A. kind : "parameter" or "buffer"."""

    name: str
    partner: str
    kind: str
    shape: tuple[int, ...]
    change: Change


@dataclass(frozen=True, slots=True)
class LayerLine:
    """One layer that both have. partner, how : its name in A, and what they were matched by.

    weights : of all its parameters together (buffers left out); None for a layer without. values : of its values.
    """

    index: int
    name: str
    partner: str
    how: str
    weights: Change | None
    values: ValueChange | None


@dataclass(frozen=True, slots=True)
class FilterLine:
    """One filter ("map"), or the weights into one neuron: row `row` of a layer's weight."""

    layer: int
    name: str
    parameter: str
    word: str
    row: int
    change: Change


@dataclass(frozen=True, slots=True)
class SampleLine:
    """What both say of a sample: classes, and the shares of the truth (of B's class where no truth is known)."""

    sample: int
    name: str
    truth: int | None
    before: int
    after: int
    share_before: float
    share_after: float

    @property
    def has_changed(self) -> bool:
        """The class is another one."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Report:
    """B − A. alone_after, alone_before : (name, why) of layers and parameters without a partner.

    is_same_input : whether the samples that both have are the same; n_samples : how many these are.
    """

    parameters: tuple[ParameterLine, ...]
    layers: tuple[LayerLine, ...]
    filters: tuple[FilterLine, ...]
    samples: tuple[SampleLine, ...]
    alone_after: tuple[tuple[str, str], ...]
    alone_before: tuple[tuple[str, str], ...]
    is_same_input: bool
    n_samples: int


def difference_report(found: Difference, epoch: int, *, done: Callable[[], None] = lambda: None) -> Report:
    """Compare B at an epoch with A. done : called after each layer. Reads every tensor that both have, in slices."""
    n_samples = min(len(found.after.samples), len(found.against.samples))
    rows = {p.id: parameter_rows(found, p.id, epoch) for p in found.graph.parameters}
    layers = []
    for layer in found.layers:
        line = _layer(found, layer, epoch, rows, n_samples)
        layers += [line] if line is not None else []
        done()
    return Report(
        tuple(sorted(_parameters(found, rows), key=lambda line: _rank(line.change))),
        tuple(sorted(layers, key=lambda line: _rank(line.weights))),
        tuple(sorted(_filters(found, rows), key=lambda line: _rank(line.change))[:MOST_FILTERS]),
        tuple(_samples(found, epoch, n_samples)), *_alone(found, rows), found.is_same_input, n_samples,
    )  # fmt: skip


def _rank(change: Change | None) -> tuple[int, float]:
    """The most changed first: from 0 to something, then by ‖ΔW‖/‖W_A‖; what has no weights last."""
    if change is None:
        return 2, 0.0
    return (0, -change.length) if change.relative is None else (1, -change.relative)


def _parameters(found: Difference, rows: dict[int, Rows | None]) -> list[ParameterLine]:
    out = []
    for info in found.graph.parameters:
        known = rows[info.id]
        if known is not None:
            partner = found.against.parameter_info(found.matching.parameters[info.id]).name
            out.append(ParameterLine(info.name, partner, info.kind, info.shape, known.whole))
    return out


def _layer(
    found: Difference, layer: Layer, epoch: int, rows: dict[int, Rows | None], n_samples: int
) -> LayerLine | None:
    pair = found.matching.before_of.get(layer.index)
    if pair is None:
        return None
    kinds = {p.id: p.kind for p in found.graph.parameters}
    known = [rows[p] for p in layer.parameters if kinds[p] == "parameter"]
    weights = _together([r.whole for r in known if r is not None])
    values = None if layer.op == "input" else values_changed(found, layer, epoch, n_samples)
    return LayerLine(layer.index, layer.name, found.against.layers[pair.before].name, pair.how, weights, values)


def _together(changes: list[Change]) -> Change | None:
    if not changes:
        return None
    length, before = (float(np.linalg.norm(v)) for v in np.array([(c.length, c.before) for c in changes]).T)
    return Change(length, before, max(c.largest for c in changes), sum(c.n_odd for c in changes))


def _filters(found: Difference, rows: dict[int, Rows | None]) -> list[FilterLine]:
    """Rows of the weights of all layers; of a layer with more than 4,096 of them the most changed."""
    out = []
    for layer in found.layers:
        known = None if layer.weight is None else rows.get(layer.weight)
        if known is None or layer.weight is None or len(found.parameter_info(layer.weight).shape) < 2:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.nan_to_num(known.change / known.before, nan=0.0)
        order = np.argsort(-share, kind="stable")[:MOST_FILTERS]
        info = found.parameter_info(layer.weight)
        word = "map" if len(info.shape) > 2 else "neuron"
        out += [FilterLine(layer.index, layer.name, info.name, word, int(k), known.row(int(k))) for k in order]
    return out


def _samples(found: Difference, epoch: int, n_samples: int) -> list[SampleLine]:
    """What both say of each sample that they share: first those of another class, each by how far the share went."""
    layer = outcome_layer(found.after)
    if layer is None or layer.index in found.alone or not found.is_same_input:
        return []
    if not found.has_values(layer.shown, layer.shown_output, epoch):
        return []
    out = []
    for k in range(n_samples):
        after, before = verdict(found.after, layer, epoch, k), verdict(found.before, layer, found.epoch, k)
        truth = found.after.samples[k].label
        of = truth if truth is not None and truth < after.shares.size else max(0, after.best)
        shares = float(before.shares[of]), float(after.shares[of])
        out.append(SampleLine(k, found.after.samples[k].name, truth, before.best, after.best, *shares))
    return sorted(out, key=lambda s: (not s.has_changed, -abs(np.nan_to_num(s.share_after - s.share_before, nan=9.0))))


def _alone(
    found: Difference, rows: dict[int, Rows | None]
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Layers and parameters that only B has, and those that only A has."""
    after = [(found.layers[k].name, why) for k, why in sorted(found.matching.alone_after.items())]
    before = [(found.against.layers[k].name, why) for k, why in sorted(found.matching.alone_before.items())]
    lone = {p for k in found.matching.alone_after for p in found.layers[k].parameters}
    after += [(p.name, "parameter") for p in found.graph.parameters if rows[p.id] is None and p.id not in lone]
    taken = set(found.matching.parameters.values())
    lone = {p for k in found.matching.alone_before for p in found.against.layers[k].parameters}
    others = found.against.graph.parameters
    before += [(p.name, "parameter") for p in others if p.id not in taken and p.id not in lone]
    return tuple(after), tuple(before)

