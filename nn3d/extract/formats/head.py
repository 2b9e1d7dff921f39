"""Owns what a sniffer may look at: the first bytes of a file, the names in a zip's directory, the names in a folder."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nn3d.errors import SourceError

START_BYTES = 4096
MOST_NAMES = 100_000
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True, slots=True)
class Head:
    """What a path shows at first sight; nothing of it is unpacked.

    start : the first 4,096 bytes, b"" of a folder. names : members of a zip ("/" between folders), or entries of a
    folder (one level, folders end with "/"); at most 100,000. size : bytes of the file, 0 of a folder.
    """

    path: Path
    is_folder: bool
    is_zip: bool
    start: bytes
    names: frozenset[str]
    size: int = 0

    def member(self, name: str) -> bool:
        """Whether a zip or folder holds this name."""
        return name in self.names

    def any_ends(self, *endings: str) -> bool:
        """Whether some member or entry ends so."""
        return any(name.endswith(endings) for name in self.names)


def look_at(path: Path) -> Head:
    """A path at first sight. Raises SourceError when there is no such path, or it cannot be read."""
    if not path.exists():
        raise SourceError(f"{path}: expected a file or folder, got no such path.")
    try:
        if path.is_dir():
            entries = (entry.name + ("/" if entry.is_dir() else "") for entry in path.iterdir())
            return Head(path, True, False, b"", _some(entries))
        with path.open("rb") as file:
            start = file.read(START_BYTES)
        size = path.stat().st_size
    except OSError as error:
        raise SourceError(f"{path}: expected a readable file, got: {error.strerror}.") from error
    is_zip = start[:4] in ZIP_STARTS
    return Head(path, False, is_zip, start, _zip_names(path) if is_zip else frozenset(), size)


def _zip_names(path: Path) -> frozenset[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return _some(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return frozenset()


def _some(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name, _ in zip(names, range(MOST_NAMES), strict=False))
