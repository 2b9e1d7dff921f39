"""Owns where numbers of a run come from while cells are explained: the store, or, if not recorded, what leads there."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from nn3d.analysis.explain.geometry import Shape, coords_of
from nn3d.analysis.explain.homes import owners, placed
from nn3d.analysis.explain.reading import gather
from nn3d.analysis.explain.terms import I64, Reading, Ref, Terms, Unknown
from nn3d.run import keys
from nn3d.run.encoding import Encoded, encoded_at
from nn3d.run.model import Node, Output
from nn3d.run.run import Run

Evaluate = Callable[["Context", Node, int, I64], Terms]
# Of terms that are computed on the way to one cell, and of operations that are gone through on the way.
MAX_TERMS, MAX_DEPTH = 1 << 23, 40
# Share of Σ|terms| that float32 may be off by; where values were encoded, the bound is theirs, and rounding is little.
SINGLE, ENCODED = 1e-4, 2e-6
_HALF = {"float16": 2.0**-9, "bfloat16": 2.0**-6}


class Context:
    """Reads one sample of one epoch.

    forced : outputs that are computed although they are recorded; `made` keeps their terms.
    """

    def __init__(
        self, run: Run, epoch: int, sample: int, evaluate: Evaluate, forced: frozenset[Ref] = frozenset()
    ) -> None:
        self.run, self.epoch, self.sample, self.forced = run, epoch, sample, forced
        self.made: dict[Ref, Terms] = {}
        self.owner = owners(run)
        self._evaluate = evaluate
        self._homes: dict[Ref, Ref] = {}
        self._stored: dict[Ref, tuple[Encoded, int, int]] = {}
        self._depth = 0
        self._terms = 0

    def of_sample(self, sample: int) -> Context:
        """The same epoch at another sample."""
        return Context(self.run, self.epoch, sample, self._evaluate, self.forced)

    def home(self, ref: Ref) -> Ref:
        """The output with the same values in the same order that its layer shows, else `ref` itself."""
        if ref not in self._homes:
            self._homes[ref] = placed(self.run, ref, self.owner)
        return self._homes[ref]

    def output(self, ref: Ref) -> Output:
        """Shape and axes of what is read."""
        return self.run.output(*ref)

    def shape(self, ref: Ref) -> Shape:
        """Of one sample."""
        return self.output(ref).shape

    def inputs(self, node: Node) -> list[Ref]:
        """What a node reads, in order."""
        return [Ref(s.node, s.output) for s in node.inputs]

    def argument(self, node: Node, *names: str) -> Ref | None:
        """What a node reads as the argument of one of these names, or None."""
        return next((Ref(s.node, s.output) for s in node.inputs if s.argument in names), None)

    def only(self, node: Node) -> Ref:
        """What a node reads first. Raises Unknown where it reads nothing."""
        if not node.inputs:
            raise Unknown(f"what {node.name} reads was not recorded")
        return Ref(node.inputs[0].node, node.inputs[0].output)

    def axis(self, ref: Ref, dim: int) -> int:
        """A dimension of a run's attribute, which counts the samples, as an axis of one sample."""
        is_per_sample = self.output(ref).per_sample
        rank = len(self.shape(ref)) + is_per_sample
        return (dim % rank if rank else 0) - is_per_sample

    def is_recorded(self, ref: Ref) -> bool:
        """Whether values are stored."""
        return self.run.has_values(ref.node, ref.output, self.epoch)

    def read(self, ref: Ref, at: I64) -> Reading:
        """Values at flat cells of any shape, −1 gives 0: as recorded, else computed from what leads there.

        Of a flattened map the map itself is read where it is recorded: that is what is drawn, and often stored finer.
        """
        home = self.home(ref)
        if ref not in self.forced and self.is_recorded(home):
            ref = home
        if ref not in self.forced and self.is_recorded(ref):
            encoded, first, size = self._found(ref)
            return gather(encoded, at, first, size)
        return self._computed(ref, at)

    def stored(self, ref: Ref, at: I64) -> Reading | None:
        """Recorded values, or None."""
        if not self.is_recorded(ref):
            return None
        encoded, first, size = self._found(ref)
        return gather(encoded, at, first, size)

    def _found(self, ref: Ref) -> tuple[Encoded, int, int]:
        """An array, the flat number where this sample begins, and how many values it has."""
        if ref not in self._stored and self.run.own is not None and self.run.own.knows(self.sample):
            computed = self.run.values(ref.node, ref.output, self.epoch, self.sample)
            self._stored[ref] = Encoded(computed), 0, computed.size
        if ref not in self._stored:
            encoded = self.run.stored(ref.node, ref.output, self.epoch)
            size, first = prod(self.shape(ref)), 0
            if self.output(ref).per_sample:
                n = encoded.data.shape[0] if encoded.data.ndim else 1
                if not -n <= self.sample < n:
                    raise Unknown(f"sample {self.sample} was not recorded, only {n}")
                first = self.sample % n * size
            self._stored[ref] = encoded, first, size
        return self._stored[ref]

    def _computed(self, ref: Ref, at: I64) -> Reading:
        node = self.run.node(ref.node)
        if not node.inputs and node.op not in ("parameter", "constant"):
            raise Unknown(f"the values of {node.name} were not recorded")
        if self._depth >= MAX_DEPTH:
            raise Unknown(f"more than {MAX_DEPTH} operations before it were not recorded")
        is_plain = at.ndim == 1 or at.shape[-1] == 1
        wanted, back = (at.reshape(-1), None) if is_plain else np.unique(at, return_inverse=True)
        self._depth += 1
        try:
            found = self.evaluate(ref, np.maximum(wanted, 0), keep=is_plain)
        finally:
            self._depth -= 1
        none = wanted < 0
        values, slack = np.where(none, 0.0, found.values), np.where(none, 0.0, found.slack)
        if back is not None:
            values, slack = values[back.reshape(-1)], slack[back.reshape(-1)]
        return Reading(values.reshape(at.shape), slack.reshape(at.shape))

    def evaluate(self, ref: Ref, flat: I64, *, keep: bool) -> Reading:
        """Flat cells (n,) of an output, computed from what its node reads, in slices; `keep` their terms in `made`."""
        node, cells = self.run.node(ref.node), self._cells(ref, flat)
        n_each = 1
        values, slacks, at = np.empty(len(flat)), np.empty(len(flat)), 0
        if keep:
            self.made[ref] = terms = self._evaluate(self, node, ref.output, cells)
            self._count(terms, node)
            return Reading(terms.computed, self.slack(terms, ref))
        while at < len(flat):
            part = slice(at, at + n_each)
            terms = self._evaluate(self, node, ref.output, cells[part])
            self._count(terms, node)
            values[part], slacks[part] = terms.computed, self.slack(terms, ref)
            at, n_each = at + n_each, max(1, (1 << 20) // max(1, terms.at.shape[1]))
        return Reading(values, slacks)

    def _cells(self, ref: Ref, flat: I64) -> I64:
        """(n, axes) of flat cells (n,)."""
        coords = coords_of(flat, self.shape(ref))
        return np.stack(coords, 1) if coords else np.zeros((len(flat), 0), np.int64)

    def _count(self, terms: Terms, node: Node) -> None:
        self._terms += terms.at.size
        if self._terms > MAX_TERMS and self._depth:
            raise Unknown(f"too much before it was not recorded: {node.name} alone needs {terms.at.size:,} products")

    def slack(self, terms: Terms, ref: Ref) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """(n,) how far a computed value may be off: what encodings moved, and rounding."""
        share = np.where(terms.slack > 0, ENCODED, SINGLE)
        share = np.maximum(share, _HALF.get(self.output(ref).dtype, 0.0))
        return np.asarray(terms.slack + share * terms.scale)

    def parameter(self, parameter: int, at: I64) -> Reading:
        """Entries of a parameter at flat numbers, as this epoch holds them. Raises Unknown when it was not recorded."""
        if not self.run.has_parameter(parameter, self.epoch):
            raise Unknown(f"parameter {self.run.parameter_info(parameter).name} was not recorded")
        encoded = encoded_at(self.run.store, keys.parameter_key(self.run.epochs[self.epoch].id, parameter))
        return gather(encoded, at, 0, encoded.data.size)

    def role(self, node: Node, role: str, at: I64) -> Reading | None:
        """Entries of the parameter in a role, or None where the node has none."""
        parameter = node.parameters.get(role)
        return None if parameter is None else self.parameter(parameter, at)
