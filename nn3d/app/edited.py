"""A file that is being edited, watched: each time it has changed, what it holds now takes the place of what is shown.

While what is in it cannot be read, the picture stays, and the words say why.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nn3d.app.following import Following, Pulse, secs_text
from nn3d.errors import Nn3dError
from nn3d.run.model import Epoch
from nn3d.run.ports import Opener
from nn3d.run.run import Run

Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class FilePulse(Pulse):
    """How a file comes along. landed : when what is shown was read."""

    def words(self, now: float) -> str:
        """What the card says: "read 3 s ago · waits for the file to be saved"."""
        if self.trouble:
            return self.trouble
        age = 0.0 if self.landed is None else max(0.0, now - self.landed)
        return f"read {secs_text(age)} ago · shows the file as it is saved"


class _Unchanging:
    """A run that does not grow by itself."""

    is_replaced = False

    def poll(self) -> tuple[Epoch, ...]:
        return ()

    def take(self, epochs: tuple[Epoch, ...]) -> None:
        """There are none."""


class Edited(Following):
    """Polls the file of `run`; what it holds after a change is the run's successor."""

    def __init__(self, run: Run, path: Path, opener: Opener, wake: Callable[[], None]) -> None:
        self._identity = run.identity
        self._seen: Stamp | None = None  # so that a change while the window opened is noticed
        self._trouble = ""
        super().__init__(run, _Unchanging(), opener, wake)
        self.path = path

    def _begun(self, pulse: Pulse) -> Pulse:
        return FilePulse(0, time.monotonic())

    def _look(self) -> tuple[tuple[Epoch, ...], Run | None, str]:
        stamp = _stamp(self.path)
        if stamp is None:
            return (), None, f"{self.path.name} is gone; waiting for it to come back"
        if stamp == self._seen:
            return (), None, self._trouble
        self._seen, self._trouble = stamp, ""
        try:
            run = self._opener(self.path)
        except (Nn3dError, OSError, ValueError) as error:
            self._trouble = " ".join(str(error).split()) or type(error).__name__
            return (), None, self._trouble
        if run.identity != self._identity:
            return (), run, ""
        run.close()
        return (), None, ""


def _stamp(path: Path) -> Stamp | None:
    """What changes when a file is saved; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
