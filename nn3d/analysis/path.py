"""The bright path of a cell: back and onward through layers by its strongest contributions, and how much they cover.

Back, a cell's terms are those of nn3d.analysis.explain. Onward, a cell's value times each weight that reads it; through
operations without weights, the terms of the cells that read it. At each step the strongest hops are kept; their share
is that of Σ|contribution| of the cells they come from, times the share of those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.contribution import CONV_DIMS
from nn3d.analysis.explain import Explanation, explain
from nn3d.analysis.windows import each, padding_of
from nn3d.run.model import Layer, LayerLink, Node
from nn3d.run.run import Run

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
FAN = 6
WIDEST = 12
MOST_TERMS = 256
Place = tuple[int, int]  # layer index, flat cell of what it shows


@dataclass(frozen=True, slots=True)
class Hop:
    """One contribution of a path: flat cells of two layers (indices), and the signed amount.

    step : layers from the cell the path is of, negative back. share : of all that reaches (or leaves) that cell.
    """

    source: Place
    target: Place
    amount: float
    step: int
    share: float


@dataclass(frozen=True, slots=True)
class Path:
    """Hops, strongest first within a step. covered : share of |contribution| by step (negative back)."""

    hops: tuple[Hop, ...]
    covered: tuple[tuple[int, float], ...]


def path_of(run: Run, layer: int, cell: tuple[int, ...], n: int, *, epoch: int, sample: int) -> Path:
    """The path of one cell of what a layer shows, n layers back and onward; it ends where nothing is known."""
    walk = _Walk(run, epoch, sample)
    start = {(layer, _flat(run.layers[layer], cell)): 1.0}
    back, onward = walk.walk(start, n, -1), walk.walk(start, n, 1)
    covered = [(s, sum(h.share for h in part)) for found in (back, onward) for s, part in found]
    return Path(tuple(h for found in (back, onward) for _, part in found for h in part), tuple(covered))


@dataclass(frozen=True, slots=True)
class _Found:
    """Ends of contributions and their amounts; total: Σ| | of all there are."""

    ends: list[Place]
    amounts: F64
    total: float


NOTHING = _Found([], np.zeros(0), 1.0)


class _Walk:
    def __init__(self, run: Run, epoch: int, sample: int) -> None:
        self.run, self.epoch, self.sample = run, epoch, sample
        self.readers: dict[int, list[tuple[Layer, LayerLink]]] = {}
        for layer in run.layers:
            for link in layer.links:
                self.readers.setdefault(link.source, []).append((layer, link))

    def walk(self, start: dict[Place, float], n: int, way: int) -> list[tuple[int, list[Hop]]]:
        """Hops by step, as long as there are any."""
        out: list[tuple[int, list[Hop]]] = []
        here = start
        for step in range(1, n + 1):
            found = [hop for place, share in here.items() for hop in self._hops(place, share, way * step)]
            kept = sorted(found, key=lambda h: -h.share)[:WIDEST]
            if not kept:
                break
            out.append((way * step, kept))
            here = {}
            for hop in kept:
                end = hop.source if way < 0 else hop.target
                here[end] = here.get(end, 0.0) + hop.share
        return out

    def _hops(self, place: Place, share: float, step: int) -> Iterator[Hop]:
        found = self._back(place) if step < 0 else self._onward(place)
        for i in np.argsort(-np.abs(found.amounts), kind="stable")[:FAN].tolist():
            amount = float(found.amounts[i])
            if amount != 0.0:
                source, target = (found.ends[i], place) if step < 0 else (place, found.ends[i])
                yield Hop(source, target, amount, step, share * abs(amount) / found.total)

    def _explain(self, layer: Layer, flat: int) -> Explanation:
        cell = _coords(layer, flat)
        return explain(self.run, layer.index, cell, epoch=self.epoch, sample=self.sample, node=layer.shown)

    def _back(self, place: Place) -> _Found:
        """Terms of a cell that are cells of other layers, as they show them."""
        layer = self.run.layers[place[0]]
        if not layer.links:
            return NOTHING
        e = self._explain(layer, place[1])
        sources = [self.run.layer(name) for name in e.sources]
        ends: list[Place] = []
        amounts: list[float] = []
        for i in range(min(len(e.products), MOST_TERMS)):
            source, cell = sources[e.source[i]], tuple(int(c) for c in e.cells[i] if c >= 0)
            is_shown = self.run.output(*e.source_nodes[e.source[i]]).shape == source.shape
            if source.index != layer.index and is_shown:
                ends.append((source.index, _flat(source, cell)))
                amounts.append(float(np.nan_to_num(e.products[i])))
        return _Found(ends, np.array(amounts), _sum(e.products))

    def _onward(self, place: Place) -> _Found:
        """What a cell adds to each cell that reads it."""
        layer = self.run.layers[place[0]]
        parts = [self._read_by(layer, place[1], *reader) for reader in self.readers.get(layer.index, ())]
        ends = [end for part in parts for end in part.ends]
        amounts = np.concatenate([part.amounts for part in parts]) if parts else np.zeros(0)
        return _Found(ends, amounts, sum(part.total for part in parts))

    def _read_by(self, layer: Layer, flat: int, target: Layer, link: LayerLink) -> _Found:
        node = self.run.node(target.nodes[0])
        is_shown = (link.node, link.output) == (layer.shown, layer.shown_output)
        if link.kind == "weight" and target.weight is not None and is_shown:
            if node.op == "linear":
                return self._by_column(layer, flat, target)
            if node.op in CONV_DIMS and len(layer.shape) == CONV_DIMS[node.op] + 1:
                return self._by_kernel(layer, flat, target, node)
        numbers = self._glued(layer, flat, target, link) if node.op == "concat" else None
        return self._by_terms(layer, flat, target, numbers)

    def _glued(self, layer: Layer, flat: int, target: Layer, link: LayerLink) -> list[int] | None:
        """The cell of a concatenation that is a copy of this one; None where that is not told by the shapes."""
        cell, shapes = _coords(layer, flat), [self.run.output(k.node, k.output).shape for k in target.links]
        own = target.links.index(link)
        apart = [a for a, (n, m) in enumerate(zip(layer.shape, target.shape, strict=False)) if n != m]
        if len(apart) != 1 or shapes[own] != layer.shape or any(len(s) != len(layer.shape) for s in shapes):
            return None
        place = list(cell)
        place[apart[0]] += sum(s[apart[0]] for s in shapes[:own])
        return [_flat(target, tuple(place))] if place[apart[0]] < target.shape[apart[0]] else None

    def _value(self, layer: Layer, flat: int) -> float:
        if not self.run.has_values(layer.shown, layer.shown_output, self.epoch):
            return 0.0
        return float(self.run.values(layer.shown, layer.shown_output, self.epoch, self.sample).reshape(-1)[flat])

    def _by_column(self, layer: Layer, flat: int, target: Layer) -> _Found:
        """Of a linear layer: one column of its weights, for the same token where there are tokens."""
        assert target.weight is not None
        w = self.run.parameter(target.weight, self.epoch)
        n_out, n_in = w.shape
        row, i = divmod(flat, n_in)
        if prod(layer.shape) // n_in * n_out != prod(target.shape):
            return NOTHING
        amounts = np.asarray(w[:, i], np.float64) * self._value(layer, flat)
        return _strongest([target.index] * n_out, row * n_out + np.arange(n_out), amounts)

    def _by_kernel(self, layer: Layer, flat: int, target: Layer, node: Node) -> _Found:
        """Of a convolution: every output cell whose patch holds the cell, by the kernel's weight there."""
        assert target.weight is not None
        w = self.run.parameter(target.weight, self.epoch)
        channel, *at = _coords(layer, flat)
        n, groups = len(at), int(node.attributes.get("groups", 1) or 1)
        kernel, out = w.shape[2:], node.outputs[0].shape[1:]
        stride, dilation = (each(node.attributes.get(k, 1), n) for k in ("stride", "dilation"))
        pads = [p[0] for p in padding_of(node.attributes, kernel)]
        offsets = np.indices(kernel).reshape(n, -1)
        shifted = np.array(at)[:, None] + np.array(pads)[:, None] - offsets * np.array(dilation)[:, None]
        place, left = np.divmod(shifted, np.array(stride)[:, None])
        inside = ((left == 0) & (place >= 0) & (place < np.array(out)[:, None])).all(0)
        if not inside.any() or prod(target.shape) != w.shape[0] * prod(out):
            return NOTHING
        per_out = w.shape[0] // groups
        first = channel // w.shape[1] * per_out
        mine = np.asarray(w[first : first + per_out, channel % w.shape[1]], np.float64).reshape(per_out, -1)[:, inside]
        cells = np.ravel_multi_index(tuple(place[:, inside]), out)
        numbers = (np.arange(first, first + per_out)[:, None] * prod(out) + cells[None]).reshape(-1)
        return _strongest([target.index] * numbers.size, numbers, mine.reshape(-1) * self._value(layer, flat))

    def _by_terms(self, layer: Layer, flat: int, target: Layer, numbers: list[int] | None = None) -> _Found:
        """Where no weight says it: cells in the same place of the target, if the cell is one of their terms."""
        cell = _coords(layer, flat)
        ends: list[Place] = []
        amounts: list[float] = []
        for number in _same_place(layer, cell, target) if numbers is None else numbers:
            e = self._explain(target, number)
            for i in range(min(len(e.products), MOST_TERMS)):
                source = e.source_nodes[e.source[i]]
                if source == (layer.shown, layer.shown_output) and tuple(int(c) for c in e.cells[i] if c >= 0) == cell:
                    ends.append((target.index, number))
                    amounts.append(float(np.nan_to_num(e.products[i])))
                    break
        return _Found(ends, np.array(amounts), _sum(np.array(amounts)))


def _strongest(layers: Sequence[int], numbers: I64, amounts: F64) -> _Found:
    """The strongest of many, and Σ of all."""
    top = np.argsort(-np.abs(np.nan_to_num(amounts)), kind="stable")[:FAN]
    ends = [(layers[i], int(numbers[i])) for i in top.tolist()]
    return _Found(ends, np.nan_to_num(amounts[top]), _sum(amounts))


def _sum(amounts: F64) -> float:
    return float(np.abs(np.nan_to_num(amounts, posinf=0.0, neginf=0.0)).sum()) or 1.0


def _flat(layer: Layer, cell: tuple[int, ...]) -> int:
    return int(np.ravel_multi_index(cell, layer.shape)) if cell else 0


def _coords(layer: Layer, flat: int) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, layer.shape)) if layer.shape else ()


def _same_place(layer: Layer, cell: tuple[int, ...], target: Layer) -> list[int]:
    """Flat cells of the target that may read a cell: those at its place, scaled to the target's size, and beside it."""
    a, b = layer.shape, target.shape
    if prod(a) == prod(b):
        return [_flat(layer, cell)]
    if len(a) == len(b):
        near = [_near(i, n, m, reach=0 if k == 0 else 1) for k, (i, n, m) in enumerate(zip(cell, a, b, strict=True))]
        return [_flat(target, place) for place in product(*near)]
    return [cell[0]] if len(b) == 1 and a[:1] == b else []


def _near(i: int, n: int, m: int, *, reach: int) -> list[int]:
    """Indices of an axis of m that lie where i of n does."""
    if n == m:
        return [i]
    first, last = i * m // n, max(i * m // n, ((i + 1) * m - 1) // n)
    return [k for k in range(first - reach, last + reach + 1) if 0 <= k < m] if n > 1 else list(range(min(m, 4)))
