"""Owns `.sources.jsonl` in a run's folder: which file each epoch was made from, and what that file was then.

A line is appended when an epoch is on the disk, or a file was passed over; the last one about a file counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from nn3d.run.archive import atomic

LEDGER_FILE = ".sources.jsonl"
_RACY_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A checkpoint as it was. seen_ns : when it was looked at. id : of its epoch, −1 where `error` says why not.

    said : the epoch that the file says it is."""

    file: str
    size: int
    mtime_ns: int
    seen_ns: int
    digest: str = ""
    id: int = -1
    said: int | None = None
    step: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str = ""

    @property
    def wall_time(self) -> float:
        """When the file was written, seconds since 1970."""
        return self.mtime_ns / 1e9


def look(path: Path, error: str = "") -> Entry:
    """A file as it is now, nothing of it read."""
    found = path.stat()
    return Entry(str(path), found.st_size, found.st_mtime_ns, time.time_ns(), error=error)


def digest_of(path: Path) -> str:
    """SHA-256 of what a file holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Ledger:
    """The entries of one folder, by path. Lines that cannot be read count as missing."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LEDGER_FILE
        self.entries: dict[str, Entry] = {}
        try:
            lines = self._path.read_bytes().split(b"\n")[:-1]
        except OSError:
            lines = []
        for line in lines:
            entry = _entry(line)
            if entry is not None:
                self.entries[entry.file] = entry

    def unchanged(self, path: Path) -> Entry | None:
        """What is known of a file if it is still the same: by size and time, or by what it holds."""
        known = self.entries.get(str(path))
        try:
            found = path.stat()
        except OSError:
            return None
        if known is None or known.size != found.st_size:
            return None
        is_old = known.seen_ns - known.mtime_ns > _RACY_NS  # else it may have been written again within one tick
        if known.mtime_ns == found.st_mtime_ns and is_old:
            return known
        if not known.digest or known.digest != digest_of(path):
            return None
        fresh = replace(known, mtime_ns=found.st_mtime_ns, seen_ns=time.time_ns())
        self.put(fresh)
        return fresh

    def put(self, entry: Entry) -> None:
        """Note one file, for good."""
        self.entries[entry.file] = entry
        with self._path.open("ab") as file:
            file.write(json.dumps(asdict(entry)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def begin(self, entries: Sequence[Entry]) -> None:
        """Know these and nothing else."""
        self.entries = {e.file: e for e in entries}
        with atomic(self._path) as file:
            file.writelines(json.dumps(asdict(e)).encode() + b"\n" for e in entries)


def _entry(line: bytes) -> Entry | None:
    try:
        value: Any = json.loads(line)
        entry = Entry(**value)
        int(entry.size), int(entry.mtime_ns), int(entry.seen_ns), int(entry.id), dict(entry.metrics)
    except (ValueError, TypeError):
        return None
    return entry
