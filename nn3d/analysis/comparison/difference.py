"""A run whose values are those of one run minus those of another at one epoch: B − A, read where they are asked for."""

from __future__ import annotations

import hashlib
from typing import Any, cast

import numpy as np

from nn3d.analysis.comparison.matching import Matching, matched
from nn3d.analysis.comparison.partner import seen_as
from nn3d.errors import Nn3dError
from nn3d.run.model import Array, Epoch, FloatArray
from nn3d.run.run import Run

WHOLE_VALUES = 1 << 20


class Gap:
    """The difference of two stored arrays of one shape, formed part by part: what is not asked for is not read."""

    def __init__(self, after: Array, before: Array) -> None:
        self._after, self._before = after, before

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        return self._after.shape

    @property
    def ndim(self) -> int:
        """As of an array."""
        return self._after.ndim

    @property
    def size(self) -> int:
        """As of an array."""
        return self._after.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32."""
        return np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self._after)

    def reshape(self, *shape: Any) -> Gap:
        """As of an array."""
        return Gap(self._after.reshape(*shape), self._before.reshape(*shape))

    def __getitem__(self, at: Any) -> FloatArray:
        return minus(self._after[at], self._before[at])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[...], dtype)


def minus(after: Array, before: Array) -> FloatArray:
    """after − before in float32; ∞ − ∞ is NaN, as it is."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.asarray(after, np.float32) - np.asarray(before, np.float32), np.float32)


class Difference(Run):
    """B − A. after : B, of any epoch. before : A at epoch index `epoch`, under the ids of B. against : A itself.

    Inputs are shown as they are: B's. alone : layers of B without a partner, index → why. is_same_input : whether the
    samples that both have are the same inputs. Figures are computed from the differences, never the stored ones.
    """

    def __init__(self, after: Run, other: Run, epoch: int) -> None:
        super().__init__(_NOTHING, after.header, path=after.path)
        if not other.epochs:
            raise Nn3dError("compare: the other run should have an epoch, it has none")
        self.after, self.against, self.epoch = after, other, min(epoch, len(other.epochs) - 1)
        self.matching: Matching = matched(after, other)
        self.before = seen_as(after, other, self.matching)
        self.own = after.own
        self.alone = {**self.matching.alone_after, **self._unrecorded()}
        self.is_same_input = after is other or _is_same_input(after, self.before)

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """Those of B, which may grow."""
        return self.after.epochs

    @property
    def identity(self) -> str:
        """Twelve digits, of both runs and the epoch."""
        text = f"{self.after.identity}-{self.against.identity}-{self.against.epochs[self.epoch].id}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _epoch(self, epoch: int) -> int:
        return self.after._epoch(epoch)

    def is_waiting(self, parameter: int, epoch: int) -> bool:
        """Whether B's is a large part of a large file."""
        return self.after.is_waiting(parameter, epoch)

    def _unrecorded(self) -> dict[int, str]:
        """Layers that have a partner, of which nothing was recorded at A's epoch."""
        out = {}
        for layer in self.layers:
            has_values = self.before.has_values(layer.shown, layer.shown_output, self.epoch)
            has_weight = layer.weight is not None and self.before.has_parameter(layer.weight, self.epoch)
            if not has_values and not has_weight and layer.index not in self.matching.alone_after:
                out[layer.index] = "nothing recorded"
        return out

    def has_values(self, node: int, output: int, epoch: int) -> bool:
        """Whether both have values."""
        return self.after.has_values(node, output, epoch) and self.before.has_values(node, output, self.epoch)

    def values(self, node: int, output: int, epoch: int, sample: int) -> FloatArray:
        """Values of one sample, B − A; those of an input as they are."""
        after = self.after.values(node, output, epoch, sample)
        if node in self._input_index:
            return after
        return minus(after, self.before.values(node, output, self.epoch, self.sample_before(sample)))

    def sample_before(self, sample: int) -> int:
        """The sample as A counts it. Raises Nn3dError where A has none."""
        own = self.after.own
        if self.before is self.after or own is None or sample < len(self.after.samples):
            return sample
        if self.before.own is None:
            raise Nn3dError("compare: the other run cannot compute an input of one's own")
        return self.before.own.number(own.content(sample))

    def has_parameter(self, parameter: int, epoch: int) -> bool:
        """Whether both have the parameter."""
        return self.after.has_parameter(parameter, epoch) and self.before.has_parameter(parameter, self.epoch)

    def parameter(self, parameter: int, epoch: int) -> Array:
        """ΔW: an array, or above 1,048,576 values something that reads like one, part by part."""
        after, before = self.after.parameter(parameter, epoch), self.before.parameter(parameter, self.epoch)
        return minus(after, before) if after.size <= WHOLE_VALUES else cast(Array, Gap(after, before))

    def parameter_gradient(self, parameter: int, epoch: int) -> Array | None:
        """The difference of both gradients, None where one was not recorded."""
        a, b = self.after.parameter_gradient(parameter, epoch), self.before.parameter_gradient(parameter, self.epoch)
        return None if a is None or b is None else minus(a, b)

    def activation_gradient(self, node: int, output: int, epoch: int, sample: int) -> FloatArray | None:
        """The difference of both gradients, None where one was not recorded."""
        a = self.after.activation_gradient(node, output, epoch, sample)
        b = self.before.activation_gradient(node, output, self.epoch, sample)
        return None if a is None or b is None else minus(a, b)


def _is_same_input(after: Run, before: Run) -> bool:
    """Whether the samples that both runs have are the same inputs."""
    n = min(len(after.samples), len(before.samples))
    if not n:
        return True
    nodes = [node.id for node in after.graph.nodes if node.op == "input"]
    for node in nodes:
        if not (before.has_values(node, 0, 0) and after.has_values(node, 0, 0)):
            return False
        sides = ([side.values(node, 0, 0, s) for s in range(n)] for side in (after, before))
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(*sides, strict=True)):
            return False
    return True


class _Nothing:
    """A store without arrays: no figure that was recorded of one run is taken for one of the difference."""

    def __contains__(self, key: str) -> bool:
        return False

    def __getitem__(self, key: str) -> Array:
        raise KeyError(key)

    def keys(self) -> tuple[str, ...]:
        """None."""
        return ()

    def close(self) -> None:
        """Nothing."""


_NOTHING = _Nothing()
