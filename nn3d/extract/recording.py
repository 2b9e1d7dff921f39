"""Owns what every source of runs hands over: a graph, samples, and one `Moment` of arrays for each recorded epoch.

Arrays are canonical (nn3d.run.model): activations (N, *shape) where the output is per sample, weights OIHW.
Moments may be a generator, so that a long recording never lies in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from nn3d.run.model import Array, Epoch, Graph, Sample


@dataclass(frozen=True, slots=True)
class Moment:
    """One recorded epoch.

    activations : (node id, output index) → (N, *shape), or (*shape,) where the output is not per sample.
    parameters : parameter id → values in canonical layout. …_gradients : of the loss by them, where they were taken.
    """

    epoch: Epoch
    activations: Mapping[tuple[int, int], Array] = field(default_factory=dict)
    parameters: Mapping[int, Array] = field(default_factory=dict)
    parameter_gradients: Mapping[int, Array] = field(default_factory=dict)
    activation_gradients: Mapping[tuple[int, int], Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recording:
    """A run before it is written or kept in memory; iterate `moments` once. expected : about how many there are."""

    name: str
    source: str
    graph: Graph
    samples: tuple[Sample, ...]
    moments: Iterable[Moment]
    classes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    expected: int = 1

    def __iter__(self) -> Iterator[Moment]:
        return iter(self.moments)
