"""Owns the ports: what the layers above a run inject into it, so that nobody below knows a framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from nn3d.run.model import Array, Epoch
from nn3d.run.own import OwnInput
from nn3d.run.run import Run


class Opener(Protocol):
    """Turns a file of any kind into a run."""

    def __call__(self, path: Path) -> Run:
        """Open a file; raises Nn3dError when it cannot be read."""
        ...


class Engine(Protocol):
    """Recomputes a run's network for other inputs. name : what computes, for people."""

    @property
    def name(self) -> str:
        """What computes, for people: "numpy", "torch"."""
        ...

    @property
    def reason(self) -> str:
        """Why it cannot compute this run, one line; "" when it can. The first question may compute recorded samples."""
        ...

    def infer(
        self, inputs: Sequence[Array], epoch: int, is_stopped: Callable[[], bool] = ...
    ) -> Mapping[tuple[int, int], Array]:
        """(node id, output) → values, with the weights of an epoch index, of every node that follows from the inputs.

        inputs : (N, *shape) of each input node, in the order of the graph. Outputs are (N, *shape) where they are per
        sample. is_stopped : asked now and then. Raises Nn3dError.
        """
        ...


class Reader(Protocol):
    """Turns a picture file into an input of one's own."""

    def __call__(self, path: Path, run: Run, name: str) -> OwnInput:
        """Read and fit a picture; raises Nn3dError when it is none."""
        ...


class Follower(Protocol):
    """A run that grows; nn3d.run.folder.GrowingRun is one."""

    def poll(self) -> tuple[Epoch, ...]:
        """Epochs that came since the last call; on any thread, cheap when there are none. Raises Nn3dError, OSError."""
        ...

    def take(self, epochs: tuple[Epoch, ...]) -> None:
        """Have them, on the thread that draws the run."""
        ...

    @property
    def is_replaced(self) -> bool:
        """Another run has taken this one's place. Raises Nn3dError, OSError."""
        ...
