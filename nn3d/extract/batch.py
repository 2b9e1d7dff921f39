"""Owns finding the sample axis of every recorded array, and moving it to the front.

A model is run a second time with another number of samples: the axis whose size follows that number is the sample
axis. An axis of k·N (windows, heads folded into the batch) is split if its values then are those of each sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nn3d.extract.draft import Draft, DraftOutput
from nn3d.run.model import Array


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the samples of an output are. axis : their axis as torch made it, None when it has none.

    fold : how many entries of that axis belong to one sample, usually 1.
    """

    axis: int | None
    fold: int = 1

    def canonical(self, value: Array, n: int) -> Array:
        """Samples first: (N, *rest), or (N, fold, *rest); without a sample axis unchanged, a scalar as (1,)."""
        if self.axis is None:
            return value.reshape(1) if not value.ndim else value
        moved = np.moveaxis(value, self.axis, 0)
        if self.fold > 1:
            moved = moved.reshape(n, self.fold, *moved.shape[1:])
        return np.ascontiguousarray(moved)

    def shape(self, raw: Sequence[int]) -> tuple[int, ...]:
        """Shape without the samples."""
        if self.axis is None:
            return tuple(raw) or (1,)
        rest = tuple(size for i, size in enumerate(raw) if i != self.axis)
        return (self.fold, *rest) if self.fold > 1 else rest

    def dim(self, raw: int, rank: int) -> int:
        """A torch dimension (negative ones too) as a dimension of the canonical array, samples included."""
        positive = raw + rank if raw < 0 else raw
        if self.axis is None:
            return positive
        shift = 1 if self.fold > 1 else 0
        if positive == self.axis:
            return shift
        return positive + shift + (1 if positive < self.axis else 0)


def placements(first: Sequence[Draft], second: Sequence[Draft] | None, n: int, other: int) -> list[list[Placement]]:
    """For every output of every node. `second` is the same trace with `other` samples, None when that failed."""
    if second is None or [d.signature() for d in first] != [d.signature() for d in second]:
        return [[_guess(output, n) for output in draft.outputs] for draft in first]
    return [
        [_compare(a, b, n, other) for a, b in zip(one.outputs, two.outputs, strict=True)]
        for one, two in zip(first, second, strict=True)
    ]


def moved_placements(first: Sequence[Draft], rolled: Sequence[Draft], n: int) -> list[list[Placement]]:
    """The same of a model that takes `n` samples alone: `rolled` is its trace with them moved on by one."""
    return [
        [moved_axis(a.value, b.value, n) for a, b in zip(one.outputs, two.outputs, strict=True)]
        for one, two in zip(first, rolled, strict=True)
    ]


def moved_axis(value: Array, rolled: Array, n: int) -> Placement:
    """The axis along which a value moved on by one sample, or by several entries that belong to one."""
    axes = [(a, size // n) for a, size in enumerate(value.shape) if size and size % n == 0]
    for axis, fold in sorted(axes, key=lambda found: (found[1] > 1, found[0])):
        if np.allclose(np.roll(value, fold, axis), rolled, rtol=1e-3, atol=1e-5, equal_nan=True):
            return Placement(axis, fold)
    return Placement(None)


def _guess(output: DraftOutput, n: int) -> Placement:
    return Placement(0 if output.shape and output.shape[0] == n else None)


def _compare(one: DraftOutput, two: DraftOutput, n: int, other: int) -> Placement:
    if len(one.shape) != len(two.shape):
        return _guess(one, n)
    for axis, (a, b) in enumerate(zip(one.shape, two.shape, strict=True)):
        if a == n and b == other:
            return Placement(axis)
        follows = a != b and a % n == 0 and b % other == 0 and a // n == b // other
        if follows and _is_sample_major(one, two, axis, n):
            return Placement(axis, a // n)
    return Placement(None)


def _is_sample_major(one: DraftOutput, two: DraftOutput, axis: int, n: int) -> bool:
    """Whether an axis of k·N has all entries of sample 0 first: then both traces agree on sample 0."""
    k = one.shape[axis] // n
    a = np.moveaxis(one.value, axis, 0)[:k]
    b = np.moveaxis(two.value, axis, 0)[:k]
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True))
