"""Owns what training does to the parameters between two recorded moments: figures of it, or the changes themselves."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from nn3d.extract.arrays import to_numpy
from nn3d.extract.graph import canonical_weight
from nn3d.extract.sharding import Gathered
from nn3d.run.model import Array, Graph
from nn3d.run.updates import update_vector


class Updates:
    """Remembers the parameters of the last record. is_full : the changes are recorded too, not their figures alone.

    parameters : id → (name, tensor) of the live model. Buffers are passed over.
    """

    def __init__(self, parameters: Mapping[int, tuple[str, torch.Tensor]], *, is_full: bool = False) -> None:
        self._parameters = parameters
        self._is_full = is_full
        self._before: dict[int, Array] = {}

    def since(self, graph: Graph, now: Mapping[int, Array]) -> tuple[dict[int, Array], dict[int, Array]]:
        """(figures, changes) by parameter id since the last call; the first call gives none.

        now : values of the parameters, canonical. Gradients are read as training left them, never written.
        """
        trained = [p.id for p in graph.parameters if p.kind == "parameter" and p.id in now]
        known = [k for k in trained if k in self._before and self._before[k].shape == now[k].shape]
        figures = {k: update_vector(self._before[k], now[k], self._gradient(k)) for k in known}
        changes = {k: now[k] - self._before[k] for k in known} if self._is_full else {}
        self._before = {k: now[k] for k in trained}
        return figures, changes

    def _gradient(self, parameter: int) -> Array | None:
        return gradient_of(self._parameters[parameter][1])


class ShardedUpdates:
    """The same of parameters that lie in parts on several ranks: each remembers its part, and gathers one at a time."""

    def __init__(self, parameters: Mapping[int, tuple[str, torch.Tensor]], *, is_full: bool = False) -> None:
        self._parameters = parameters
        self._is_full = is_full
        self._before: dict[int, torch.Tensor] = {}

    def since(self, graph: Graph, now: Mapping[int, Array]) -> tuple[Gathered, Gathered]:
        """(figures, changes) as above, to be gathered on all ranks; of `now` only the ids are looked at."""
        known = {p.id: p for p in graph.parameters if p.kind == "parameter" and p.id in now}
        before = self._before
        after = {k: self._parameters[k][1].detach().clone() for k in known}

        def figures(k: int) -> Array:
            return update_vector(to_numpy(before[k]), to_numpy(after[k]), gradient_of(self._parameters[k][1]))

        def change(k: int) -> Array:
            return canonical_weight(to_numpy(after[k]) - to_numpy(before[k]), known[k].source_layout, known[k].shape)

        self._before = after
        ids = tuple(k for k in known if k in before)
        return Gathered(ids, figures), Gathered(ids if self._is_full else (), change)


def gradient_of(tensor: torch.Tensor) -> Array | None:
    """The gradient that training left at a parameter, a copy; None where it left none."""
    return None if tensor.grad is None else to_numpy(tensor.grad)
