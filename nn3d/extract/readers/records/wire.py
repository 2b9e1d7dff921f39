"""Owns the wire format of protocol buffers: fields of a message as numbers and bytes, checked against what is there.

From the public description (protobuf.dev, "Encoding"); no schema, nothing is built but what a reader asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MOST_FIELDS = 2_000_000
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_NONE = memoryview(b"")


class WireError(ValueError):
    """Bytes that are no message."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field. value : of a varint or fixed number, unsigned; data : of a text, message or packed list."""

    number: int
    kind: int
    value: int = 0
    data: memoryview = _NONE

    @property
    def text(self) -> str:
        """data as UTF-8."""
        return bytes(self.data).decode("utf-8", "replace")

    @property
    def signed(self) -> int:
        """value as an int64."""
        return self.value - (1 << 64) if self.value >> 63 else self.value


def varint(data: memoryview, at: int) -> tuple[int, int]:
    """A number at a place, and the place after it. Raises WireError when it does not end."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise WireError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise WireError("a number is longer than 64 bits")


def fields(data: bytes | memoryview) -> Iterator[Field]:
    """All fields of a message, in order. Raises WireError where the bytes are none."""
    view, at = memoryview(data), 0
    for _ in range(MOST_FIELDS):
        if at == len(view):
            return
        key, at = varint(view, at)
        number, kind = key >> 3, key & 7
        if not number:
            raise WireError("a field without a number")
        if kind == VARINT:
            value, at = varint(view, at)
            yield Field(number, kind, value)
            continue
        size = {FIXED64: 8, FIXED32: 4}.get(kind)
        if kind == BYTES:
            size, at = varint(view, at)
        if size is None or size > len(view) - at:
            raise WireError(f"field {number} of kind {kind} does not fit")
        part = view[at : at + size]
        at += size
        yield Field(number, kind, 0, part) if kind == BYTES else Field(number, kind, int.from_bytes(part, "little"))
    raise WireError(f"more than {MOST_FIELDS} fields")


def packed(field: Field) -> list[int]:
    """Numbers of a repeated field, one or packed."""
    if field.kind != BYTES:
        return [field.value]
    found, at = [], 0
    while at < len(field.data):
        value, at = varint(field.data, at)
        found.append(value)
    return found
