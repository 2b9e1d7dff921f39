"""Owns where checkpoints become epoch files: `--engine local` (processes here) or `dask:ADDRESS` (a cluster)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from nn3d.errors import SourceError
from nn3d.extract.checkpoints.ledger import Entry

if TYPE_CHECKING:  # what opens a cached run imports no framework
    from nn3d.extract.checkpoints.pool import Answer
    from nn3d.extract.checkpoints.task import Order

LOCAL = "local"
_DASK = "dask:"


class Makers(Protocol):
    """What makes epoch files, several at once. Use it as a context."""

    def run(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Answer]]:
        """Each entry with its answer, in the order in which they come; an epoch file lies in the order's folder then.

        {"again": True}: it could not be made there, and the file is not at fault.
        """

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop what still runs."""


def check_engine(engine: str) -> str:
    """The engine that a person named. Raises SourceError for one that is not known."""
    if engine == LOCAL or (engine.startswith(_DASK) and engine != _DASK):
        return engine
    raise SourceError(f"--engine {engine}: expected local, or dask:ADDRESS such as dask:tcp://10.0.0.1:8786.")


def makers(engine: str, order: Order, n: int) -> Makers:
    """Makers of an engine. n : processes of the local one. Raises SourceError when a cluster does not answer."""
    if not engine.startswith(_DASK):
        pool: Makers = import_module("nn3d.extract.checkpoints.pool").Pool(order, n)
        return pool
    found: Makers = import_module("nn3d.extract.checkpoints.cluster").Cluster(order, engine.removeprefix(_DASK))
    return found
