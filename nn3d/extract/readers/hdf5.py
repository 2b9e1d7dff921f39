"""Owns reading HDF5 with care: tensors and attributes of one file, and nothing that lies outside of it.

External links, external storage, virtual datasets and filters that are not h5py's own are refused; what a dataset
claims to unfold to is held against the bytes that are stored.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract import factory
from nn3d.extract.readers.keras.build import Entry
from nn3d.run.model import Array

SIGNATURE = b"\x89HDF\r\n\x1a\n"
EXTRA = "hdf5"
MOST_OBJECTS = 200_000
MOST_DEPTH = 64
MOST_TEXT_BYTES = 64 << 20
# Deflate, shuffle, Fletcher's checksum, szip, n-bit, scale-offset, LZF. The first unfolds at most 1,032 times.
_FILTERS = frozenset((1, 2, 3, 4, 5, 6, 32000))
_MOST_RATIO = 1032
_SAVE = "Save the model again as .keras."


@contextmanager
def opened(where: Path, file: IO[bytes] | None = None) -> Iterator[Any]:
    """An h5py File. Raises SourceError where it is none; file : its bytes where they lie inside of another file."""
    os.environ["HDF5_PLUGIN_PRELOAD"] = "::"  # no code is loaded for a filter
    h5py = factory.require("h5py", EXTRA)
    try:
        with h5py.File(file if file is not None else where, "r") as found:
            yield found
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeDecodeError) as error:
        text = " ".join(str(error).split())[:160]
        raise SourceError(f"{where}: expected HDF5 that can be read, got: {text}. {_SAVE}") from error


def tensors(group: Any, where: Path) -> dict[str, Entry]:
    """Path below the group → tensor, of all datasets of numbers. Raises SourceError for what leads outside."""
    h5py = factory.require("h5py", EXTRA)
    found: dict[str, Entry] = {}
    todo, n, seen = [("", group, 0)], 0, set[Any]()
    while todo:
        path, at, depth = todo.pop()
        if depth > MOST_DEPTH or at.id in seen:
            got = f"a circle or one too deep at {path[:80]}"
            raise SourceError(f"{where}: expected a tree of groups, got {got}. {_SAVE}")
        seen.add(at.id)
        for name in at:
            n += 1
            if n > MOST_OBJECTS:
                raise SourceError(f"{where}: expected at most {MOST_OBJECTS} objects, got more. {_SAVE}")
            link, inside = at.get(name, getlink=True), f"{path}/{name}" if path else name
            if not isinstance(link, h5py.HardLink):
                kind = "an external link" if isinstance(link, h5py.ExternalLink) else "a soft link"
                raise SourceError(f"{where}: {inside}: expected data of this file, got {kind}. {_SAVE}")
            child = at[name]
            if isinstance(child, h5py.Group):
                todo.append((inside, child, depth + 1))
            elif isinstance(child, h5py.Dataset) and child.dtype.kind in "fiub":
                found[inside] = _entry(child, inside, where)
    return found


def _entry(data: Any, name: str, where: Path) -> Entry:
    _check(data, name, where)
    return Entry(name, tuple(data.shape), lambda: _values(data), str(data.dtype))


def _values(data: Any) -> Array:
    """Read now; float32, or whole numbers as they are."""
    values = np.asarray(data[()])
    return values.astype(np.float32) if values.dtype.kind == "f" else values


def _check(data: Any, name: str, where: Path) -> None:
    """Raises SourceError unless the values lie in this file, in a known form, and are as many as it says."""
    if data.is_virtual or data.external:
        raise SourceError(f"{where}: {name}: expected data of this file, got data of another file. {_SAVE}")
    plist = data.id.get_create_plist()
    filters = {plist.get_filter(i)[0] for i in range(plist.get_nfilters())}
    if not filters <= _FILTERS:
        raise SourceError(f"{where}: {name}: expected a filter of HDF5's own, got {sorted(filters)}. {_SAVE}")
    claimed, stored = prod(data.shape) * data.dtype.itemsize, data.id.get_storage_size()
    most = stored * _MOST_RATIO if filters - {2, 3} else stored
    if data.chunks is not None and not filters - {2, 3}:
        most = stored  # whole chunks are stored, more than is claimed
    if claimed > most:
        raise SourceError(f"{where}: {name}: expected {claimed} bytes, got {stored} stored. {_SAVE}")


def text_attribute(group: Any, name: str, where: Path) -> str | None:
    """An attribute that is one text; None without it."""
    if name not in group.attrs:
        return None
    found = group.attrs[name]
    text = found.decode("utf-8", "replace") if isinstance(found, bytes | np.bytes_) else str(found)
    if len(text) > MOST_TEXT_BYTES:
        raise SourceError(f"{where}: {name}: expected at most {MOST_TEXT_BYTES} bytes, got {len(text)}. {_SAVE}")
    return text


def names_attribute(group: Any, name: str) -> list[str]:
    """An attribute that lists names of fixed length, [] else; Keras cuts long ones into name0, name1, …."""
    chunks = [group.attrs[name]] if _is_fixed(group, name) else []
    while _is_fixed(group, f"{name}{len(chunks)}"):
        chunks.append(group.attrs[f"{name}{len(chunks)}"])
    found = [n for chunk in chunks for n in np.asarray(chunk).reshape(-1).tolist()]
    return [n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in found]


def _is_fixed(group: Any, name: str) -> bool:
    """Whether an attribute is of texts of fixed length: broken heaps of others can keep HDF5 busy for ever."""
    return name in group.attrs and group.attrs.get_id(name).dtype.kind == "S"


class Window(io.RawIOBase):
    """A part of a file as a file of its own: a member that a zip stores as it is."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Place inside the part."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """As many bytes as there are."""
        n = max(0, min(len(buffer), self._size - self._at))
        self._file.seek(self._start + self._at)
        data = self._file.read(n)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
        super().close()


def layer_titles(group: Any, paths: Mapping[str, Entry]) -> dict[str, str]:
    """Group → name of its layer, where Keras 3 wrote it beside the layer's tensors."""
    found = {}
    for path in {p.rpartition("/vars/")[0] for p in paths if "/vars/" in p}:
        home = group[f"{path}/vars"]
        name = text_attribute(home, "name", Path()) if _is_fixed(home, "name") else None
        if name:
            found[path] = name
    return found
