"""Owns reading FlatBuffers without their schema's code: tables, vectors, texts, each place checked before it is read.

From the public description (flatbuffers.dev, "FlatBuffers internals"): a table begins with the distance to its vtable,
which holds the place of each field, 0 where a field is absent.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from nn3d.run.model import Array

MOST_ENTRIES = 200_000


class FlatError(ValueError):
    """A place that is not inside the file."""


class Table:
    """One table at a place. Fields are numbered as in the schema."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data = data
        self._at = at
        back = int(_number(data, at, "<i"))
        self._vtable = at - back
        self._size = int(_number(data, self._vtable, "<H"))
        whole = int(_number(data, self._vtable + 2, "<H"))
        if self._size < 4 or self._vtable + self._size > len(data) or at + whole > len(data) or whole < 4:
            raise FlatError(f"a table at {at} that does not fit")

    def _place(self, field: int) -> int:
        """Where a field is, 0 where it is absent."""
        slot = 4 + 2 * field
        if slot + 2 > self._size:
            return 0
        inside = int(_number(self._data, self._vtable + slot, "<H"))
        return self._at + inside if inside else 0

    def number(self, field: int, code: str, default: float = 0) -> int:
        """A whole number of the struct code given."""
        place = self._place(field)
        return int(_number(self._data, place, f"<{code}") if place else default)

    def real(self, field: int, default: float = 0.0) -> float:
        """A float."""
        place = self._place(field)
        return float(_number(self._data, place, "<f")) if place else default

    def table(self, field: int) -> Table | None:
        """A table, None where it is absent."""
        place = self._place(field)
        return Table(self._data, place + int(_number(self._data, place, "<I"))) if place else None

    def _vector(self, field: int, width: int) -> tuple[int, int]:
        """Where a vector's entries begin, and how many there are."""
        place = self._place(field)
        if not place:
            return 0, 0
        begin = place + int(_number(self._data, place, "<I"))
        count = int(_number(self._data, begin, "<I"))
        if count * width > len(self._data) - begin - 4:
            raise FlatError(f"a vector of {count} entries at {begin}")
        return begin + 4, count

    def array(self, field: int, dtype: str) -> Array:
        """A vector of numbers, empty where it is absent; a view."""
        width = np.dtype(dtype).itemsize
        begin, count = self._vector(field, width)
        return np.frombuffer(self._data, dtype, count, begin) if count else np.empty(0, dtype)

    def text(self, field: int) -> str:
        """A text, "" where it is absent."""
        begin, count = self._vector(field, 1)
        return bytes(self._data[begin : begin + count]).decode("utf-8", "replace")

    def has(self, field: int) -> bool:
        """Whether a field is there."""
        return self._place(field) > 0

    def tables(self, field: int) -> Iterator[Table]:
        """A vector of tables. Raises FlatError where there are too many."""
        begin, count = self._vector(field, 4)
        if count > MOST_ENTRIES:
            raise FlatError(f"{count} entries, more than {MOST_ENTRIES}")
        for i in range(count):
            place = begin + 4 * i
            yield Table(self._data, place + int(_number(self._data, place, "<I")))


def root(data: memoryview) -> Table:
    """The table that a file begins with."""
    return Table(data, int(_number(data, 0, "<I")))


def _number(data: memoryview, at: int, code: str) -> float:
    if at < 0 or at + struct.calcsize(code) > len(data):
        raise FlatError(f"a number at {at} of {len(data)} bytes")
    found: float = struct.unpack_from(code, data, at)[0]
    return found
