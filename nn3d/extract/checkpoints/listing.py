"""Owns the list of epochs of a run that is filled from checkpoints: appended to, or written anew in rising order."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from nn3d.extract.checkpoints.ledger import Entry
from nn3d.extract.options import PASSED_OVER
from nn3d.run.archive import atomic
from nn3d.run.describe import dump_json, epoch_json
from nn3d.run.folder import EPOCHS_FILE, MANIFEST_FILE
from nn3d.run.model import Epoch


class Listing:
    """`epochs.jsonl` of one folder. ids : of what is listed, rising."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / EPOCHS_FILE
        self._lines: dict[int, bytes] = {}

    @property
    def ids(self) -> list[int]:
        """Ids of the listed epochs, rising."""
        return sorted(self._lines)

    def begin(self, entries: Sequence[Entry]) -> None:
        """List exactly these."""
        self._lines = {e.id: _line(e) for e in entries}
        self._write()

    def add(self, entry: Entry) -> None:
        """List an epoch, in place of the one that had its id."""
        is_last = not self._lines or entry.id > max(self._lines)
        self._lines[entry.id] = _line(entry)
        if not is_last:
            self._write()
            return
        with self._path.open("ab") as file:
            file.write(self._lines[entry.id])
            file.flush()
            os.fsync(file.fileno())

    def _write(self) -> None:
        text = b"".join(self._lines[i] for i in self.ids)
        try:
            if self._path.read_bytes() == text:
                return
        except OSError:
            pass
        with atomic(self._path) as file:
            file.write(text)


def _line(entry: Entry) -> bytes:
    return dump_json(epoch_json(Epoch(entry.id, entry.step, entry.wall_time, dict(entry.metrics)))) + b"\n"


def stamp_left_out(folder: Path, passed: Sequence[str]) -> None:
    """Let the manifest say which files were passed over, and why."""
    path = folder / MANIFEST_FILE
    manifest = json.loads(path.read_bytes())
    rest = [line for line in manifest.get("left_out") or () if not str(line).startswith(PASSED_OVER)]
    lines = [*rest, *(PASSED_OVER + line for line in passed)]
    if lines != manifest.get("left_out"):
        with atomic(path) as file:
            file.write(dump_json(manifest | {"left_out": lines}))
