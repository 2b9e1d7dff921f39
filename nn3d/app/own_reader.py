"""A picture that was dropped on the window, on its way to becoming a sample: read on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock, Thread
from typing import Final

from nn3d.errors import Nn3dError
from nn3d.run.own import OwnInput
from nn3d.run.ports import Reader
from nn3d.run.run import Run
from nn3d.stage.own import own_inputs

_HEADS: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*", b"P5", b"P6")


def is_picture(path: Path) -> bool:
    """Whether a file begins as a picture does."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError:
        return False
    return head.startswith(_HEADS)


class OwnReader:
    """Reads pictures for one run with `reader`, one at a time. `wake` is called on the thread when one has ended."""

    def __init__(self, run: Run, reader: Reader, wake: Callable[[], None]) -> None:
        self._run, self._reader, self._wake = run, reader, wake
        self._lock = Lock()
        self._done: list[OwnInput | Nn3dError] = []
        self._n_waiting = 0

    def begin(self, path: Path, name: str) -> None:
        """Begin to read a file as an input called `name`."""
        with self._lock:
            self._n_waiting += 1
        Thread(target=self._work, args=(path, name), name="nn3d own input", daemon=True).start()

    @property
    def is_waiting(self) -> bool:
        """Something is being read, or was read and not taken."""
        with self._lock:
            return self._n_waiting > 0

    def arrived(self) -> OwnInput | Nn3dError | None:
        """What has come, once; an error where it could not be read."""
        with self._lock:
            if not self._done:
                return None
            self._n_waiting -= 1
            return self._done.pop(0)

    def _work(self, path: Path, name: str) -> None:
        found: OwnInput | Nn3dError
        try:
            found = self._reader(path, self._run, name)
            reason = own_inputs(self._run).engine.reason
            if reason:
                found = Nn3dError(f"Own input: this network cannot be computed anew ({reason})")
        except Nn3dError as error:
            found = error
        except Exception as error:  # a fault of ours in a reader: told in the window, which stays open
            found = Nn3dError(f"{type(error).__name__}: {error} (a fault of nn3d)")
        with self._lock:
            self._done.append(found)
        self._wake()
