"""Owns a client's side of a dask cluster that is there already. The extra `dask`.

Workers need nn3d, the model's code and the checkpoints under the same paths; the run's folder they don't: an epoch file
comes back as bytes. A worker that dies costs nothing, its tasks run elsewhere.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract import factory
from nn3d.extract.checkpoints import remote
from nn3d.extract.checkpoints.ledger import Entry
from nn3d.extract.checkpoints.pool import Answer
from nn3d.extract.checkpoints.task import Order
from nn3d.extract.options import SourceOptions
from nn3d.run.archive import atomic
from nn3d.run.folder import epoch_file

CONNECT_SECS = 10.0
PATIENCE_SECS = 60.0
_AHEAD = 2


class Cluster:
    """Makers of epoch files on a cluster (nn3d.extract.checkpoints.engines). address : of its scheduler.

    Raises SourceError where distributed is not installed, or no scheduler answers.
    """

    def __init__(self, order: Order, address: str) -> None:
        self._dask = factory.require("distributed", "dask")
        self._address, self._folder = address, Path(order.out)
        order = replace(order, source=_absolute(order.source))
        path = [str(Path(p).resolve()) for p in sys.path if p] + [os.getcwd()]
        self._setup = json.dumps({"order": order.to_json(), "path": path})
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is said once, and by nn3d
        try:
            self._client = self._dask.Client(address, timeout=CONNECT_SECS, set_as_default=False, name="nn3d")
        except (OSError, ValueError) as error:
            raise SourceError(
                f"--engine dask:{address}: expected a dask scheduler there, got: {_line(error)}. Start one with "
                "dask scheduler, and workers with dask worker."
            ) from error

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the cluster; what it still works on for us is dropped."""
        self._client.close(timeout=CONNECT_SECS)

    def run(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Answer]]:
        """Each entry with its answer, in the order in which they come; two a worker's thread are on their way.

        Raises SourceError when the cluster has no workers for a minute, or they cannot make this model.
        """
        waiting, running = list(reversed(entries)), dict[Any, Entry]()
        last = time.monotonic()
        while waiting or running:
            n = sum(self._client.nthreads().values())
            while waiting and len(running) < _AHEAD * n:
                entry = waiting.pop()
                running[self._client.submit(remote.make, self._setup, entry.file, entry.id, pure=False)] = entry
            last = time.monotonic() if n else last
            if time.monotonic() - last > PATIENCE_SECS:
                raise SourceError(
                    f"--engine dask:{self._address}: expected workers, got none for {PATIENCE_SECS:g} s. "
                    f"Start some: dask worker {self._address}; what is listed stays."
                )
            for future in self._done(list(running)):
                entry = running.pop(future)
                yield entry, self._answer(future, entry)

    def _done(self, futures: list[Any]) -> list[Any]:
        if not futures:
            time.sleep(0.2)
            return []
        try:
            with self._client.as_current():
                done = self._dask.wait(futures, timeout=1.0, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            return []
        return [f for f in futures if f in done]

    def _answer(self, future: Any, entry: Entry) -> Answer:
        """What a worker says; an epoch file is on this disk then."""
        try:
            answer, data = future.result()
        except SourceError as error:
            raise SourceError(f"--engine dask:{self._address}: a worker {error}") from error
        except self._dask.scheduler.KilledWorker:
            return {"error": f"{entry.file}: the workers that read it died."}
        except (self._dask.client.FutureCancelledError, OSError, TimeoutError) as error:
            raise SourceError(
                f"--engine dask:{self._address}: expected the scheduler to stay, got: {_line(error)}. "
                "What is listed stays: run it again."
            ) from error
        finally:
            future.release()
        if data:
            with atomic(self._folder / epoch_file(entry.id)) as file:
                file.write(data)
        found: Answer = answer
        return found


def _absolute(source: SourceOptions) -> SourceOptions:
    """With paths that a process in another folder finds."""
    given = source.input
    folder = (source.model or "").removeprefix("hf:")
    return replace(
        source,
        input=str(Path(given).resolve()) if given is not None and Path(given).exists() else given,
        classes=None if source.classes is None else source.classes.resolve(),
        model=f"hf:{Path(folder).resolve()}" if folder != (source.model or "") else source.model,
    )


def _line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
