"""TensorBoard's event files written by hand: records with checksums, messages field by field."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from nn3d.extract.readers.records.crc32c import crc32c, masked


def number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def single(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def part(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def record(data: bytes) -> bytes:
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked(crc32c(head))) + data + struct.pack("<I", masked(crc32c(data)))


VERSION = record(double(1, 1.0) + part(3, b"brain.Event:2"))


def scalar(step: int, tag: str, value: float) -> bytes:
    return event(step, part(1, tag.encode()) + single(2, value))


def histogram(step: int, tag: str, edges: Sequence[float], counts: Sequence[float]) -> bytes:
    """edges : one more than counts."""
    limits, values = struct.pack(f"<{len(counts)}d", *edges[1:]), struct.pack(f"<{len(counts)}d", *counts)
    inner = double(1, edges[0]) + double(2, edges[-1]) + part(6, limits) + part(7, values)
    return event(step, part(1, tag.encode()) + part(5, inner))


def event(step: int, value: bytes) -> bytes:
    return record(double(1, 100.0 + step) + number(2, step) + part(5, part(1, value)))
