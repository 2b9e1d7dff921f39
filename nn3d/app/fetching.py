"""A file on its way to becoming a run: read on a thread of its own, so that the window goes on meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock, Thread

from nn3d.errors import Nn3dError
from nn3d.run.ports import Opener
from nn3d.run.run import Run


class Fetching:
    """Opens `path` with `opener`. `wake` is called on the thread when it has ended. started : time.monotonic."""

    def __init__(self, path: Path, opener: Opener, wake: Callable[[], None]) -> None:
        self.path = path
        self.started = time.monotonic()
        self._opener = opener
        self._wake = wake
        self._lock = Lock()
        self._run: Run | None = None
        self._error: BaseException | None = None
        self._is_dropped = False
        self._thread = Thread(target=self._work, name="nn3d fetching", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """It has a run or an error."""
        with self._lock:
            return self._run is not None or self._error is not None

    def take(self) -> Run:
        """The run; whoever takes it closes it. Raises what opening raised."""
        with self._lock:
            if self._error is not None:
                raise self._error
            assert self._run is not None
            run, self._run = self._run, None
            self._is_dropped = True
            return run

    def drop(self) -> None:
        """Nobody wants it any more: it is closed when it comes."""
        with self._lock:
            self._is_dropped = True
            run, self._run = self._run, None
        if run is not None:
            run.close()

    def _work(self) -> None:
        run, error = None, None
        try:
            run = self._opener(self.path)
        except (Nn3dError, OSError, ImportError, MemoryError) as caught:
            error = caught
        except Exception as caught:  # a fault of ours in a reader: told in the window, which stays open
            error = Nn3dError(f"{type(caught).__name__}: {caught} (a fault of nn3d)")
        with self._lock:
            self._run, self._error = run, error
            unwanted = run if self._is_dropped else None
            if unwanted is not None:
                self._run = None
        if unwanted is not None:
            unwanted.close()
        self._wake()
