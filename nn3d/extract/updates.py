"""Owns what training does to the parameters between two recorded moments: figures of it, or the changes themselves."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from nn3d.extract.arrays import to_numpy
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
        gradient = self._parameters[parameter][1].grad
        return None if gradient is None else to_numpy(gradient)
