"""One run read through the graph of another: its arrays under the ids of their partners.

So everything that reads a run (weights, contributions, the forward pass) works on the partner without knowing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from nn3d.analysis.comparison.matching import Matching
from nn3d.run.model import Array, FloatArray, Store
from nn3d.run.run import Run

_PARAMETER: Final = re.compile(r"(e\d+/(?:w|gw|s/w)/)(\d+)(.*)")
_OUTPUT: Final = re.compile(r"(e\d+/(?:a|ga|s)/)(\d+)(\..*)")
_INPUT: Final = re.compile(r"in/(\d+)(.*)")


class PartnerStore:
    """The store of `before` under keys of `after`; what has no partner is not there."""

    def __init__(self, before: Store, matching: Matching, inputs: dict[int, int]) -> None:
        self._store, self._matching, self._inputs = before, matching, inputs

    def _key(self, key: str) -> str | None:
        for pattern, ids in ((_PARAMETER, self._matching.parameters), (_OUTPUT, self._matching.nodes)):
            found = pattern.fullmatch(key)
            if found is not None:
                other = ids.get(int(found[2]))
                return None if other is None else f"{found[1]}{other}{found[3]}"
        found = _INPUT.fullmatch(key)
        number = None if found is None else self._inputs.get(int(found[1]))
        return None if found is None or number is None else f"in/{number}{found[2]}"

    def __contains__(self, key: str) -> bool:
        other = self._key(key)
        return other is not None and other in self._store

    def __getitem__(self, key: str) -> Array:
        other = self._key(key)
        if other is None:
            raise KeyError(key)
        return self._store[other]

    def keys(self) -> Iterable[str]:
        """None: a partner is asked for single arrays."""
        return ()

    def close(self) -> None:
        """Nothing: the files belong to the run itself."""


class Partner(Run):
    """`before` under the ids of `after`. Samples that it has not are NaN: it has nothing to say of them."""

    def values(self, node: int, output: int, epoch: int, sample: int) -> FloatArray:
        """See Run."""
        is_own = self.own is not None and self.own.knows(sample)
        if sample >= len(self.samples) and not is_own and self.output(node, output).per_sample:
            return np.full(self.output(node, output).shape, np.nan, np.float32)
        return super().values(node, output, epoch, sample)


def seen_as(after: Run, before: Run, matching: Matching) -> Run:
    """`before` with the graph of `after`. The run itself where both are the same."""
    if after is before:
        return before
    ours, theirs = (_inputs(run) for run in (after, before))
    numbers = {k: theirs.index(matching.nodes[n]) for k, n in enumerate(ours) if matching.nodes.get(n) in theirs}
    header = replace(before.header, graph=after.graph, epochs=before.epochs, samples=before.samples)
    return Partner(PartnerStore(before.store, matching, numbers), header, path=before.path)


def _inputs(run: Run) -> list[int]:
    return [n.id for n in run.graph.nodes if n.op == "input"]
