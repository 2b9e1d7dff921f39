"""Owns the ports: what the layers above a run inject into it, so that nobody below knows a framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from nn3d.run.model import Array, Epoch, FloatArray
from nn3d.run.run import Run


class Opener(Protocol):
    """Turns a file of any kind into a run."""

    def __call__(self, path: Path) -> Run:
        """Open a file; raises Nn3dError when it cannot be read."""
        ...


class Engine(Protocol):
    """Recomputes a network for an input of the user's own."""

    def __call__(self, run: Run, inputs: Sequence[Array], epoch: int) -> Mapping[tuple[int, int], FloatArray]:
        """(node id, output) → (1, *shape) float32, with the weights of an epoch (index); raises Nn3dError."""
        ...


class Follower(Protocol):
    """A run that grows; nn3d.run.folder.GrowingRun is one."""

    def refresh(self) -> tuple[Epoch, ...]:
        """Epochs that came since the last call; cheap when there are none."""
        ...
