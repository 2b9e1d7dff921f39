"""Owns reading TensorBoard's event files: records with checksums, in each an event, in it scalars and histograms.

Records: length (uint64), its masked CRC-32C, data, its masked CRC-32C (TensorFlow's TFRecord). Messages after
event.proto and summary.proto of TensorBoard. A last record that is cut off is being written, and left.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nn3d.errors import SourceError
from nn3d.extract.readers.records.crc32c import crc32c, masked
from nn3d.extract.readers.records.wire import BYTES, Field, WireError, fields
from nn3d.extract.readers.tensor_file import Mapped

MOST_EVENTS, MOST_RECORD_BYTES, MOST_TAG = 1_000_000, 64 << 20, 300
MOST_BUCKETS = 100_000
_FLOAT, _DOUBLE, _HALF = 1, 2, 19
_DTYPES = {_FLOAT: "<f4", _DOUBLE: "<f8", _HALF: "<f2", 3: "<i4", 9: "<i8"}
F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts between edges. edges : (n + 1,) rising. counts : (n,)."""

    edges: F64
    counts: F64


@dataclass(slots=True)
class Events:
    """What the files of a folder say. scalars, histograms : tag → step → the last that was said.

    times : step → when it was first written, seconds since 1970. unshown : kind of summary → how many.
    """

    scalars: dict[str, dict[int, float]] = field(default_factory=dict)
    histograms: dict[str, dict[int, Histogram]] = field(default_factory=dict)
    times: dict[int, float] = field(default_factory=dict)
    unshown: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    n: int = 0


def looks_like_one(start: bytes) -> bool:
    """Whether a file begins with the record that says its version."""
    return b"brain.Event:" in start[:64]


def read_events(paths: list[tuple[Path, str]]) -> Events:
    """All events of files, in order. paths : with what stands before their tags. Raises SourceError on broken ones."""
    found = Events()
    for path, prefix in paths:
        file = Mapped(path)
        try:
            for record in _records(file, found):
                _event(record, prefix, found)
        except (WireError, struct.error, ValueError) as error:
            raise SourceError(f"{path}: expected event records, got: {error}. Leave the file out.") from error
        finally:
            file.close()
    return found


def _records(file: Mapped, found: Events) -> Iterator[memoryview]:
    at = 0
    while at + 12 <= file.size:
        head = file.bytes_at(at, at + 12)
        length, crc = struct.unpack("<QI", head)
        if masked(crc32c(head[:8])) != crc:
            raise WireError(f"a wrong checksum of a length at byte {at:,}")
        if at + 16 + length > file.size:
            found.notes.append(f"{file.path.name}: the last record is cut off, it is being written")
            return
        if found.n >= MOST_EVENTS:
            found.notes.append(f"only the first {MOST_EVENTS:,} events were read")
            return
        found.n += 1
        if length <= MOST_RECORD_BYTES:
            data = file.bytes_at(at + 12, at + 12 + length)
            if masked(crc32c(data)) != int.from_bytes(file.bytes_at(at + 12 + length, at + 16 + length), "little"):
                raise WireError(f"a wrong checksum of a record at byte {at:,}")
            yield memoryview(data)
        else:
            found.unshown[f"record above {MOST_RECORD_BYTES >> 20} MB"] += 1
        at += 16 + length


def _event(record: memoryview, prefix: str, found: Events) -> None:
    step, time, summaries = 0, math.nan, []
    for part in fields(record):
        if part.number == 1:
            time = _double(part.value)
        elif part.number == 2:
            step = part.signed
        elif part.number == 5 and part.kind == BYTES:
            summaries.append(part.data)
        elif part.number == 4:
            found.unshown["graph"] += 1
    if step < 0 or step >= 1 << 53:
        return
    for summary in summaries:
        for value in fields(summary):
            if value.number == 1 and value.kind == BYTES:
                _value(value.data, prefix, step, found)
    if summaries and math.isfinite(time):
        found.times.setdefault(step, time)


def _value(data: memoryview, prefix: str, step: int, found: Events) -> None:
    """One value: a number, a histogram, or something that has no place here."""
    tag, plugin, kind = "", "", ""
    scalar: float | None = None
    histogram: Histogram | None = None
    tensor: memoryview | None = None
    for part in fields(data):
        if part.number == 1:
            tag = part.text[:MOST_TAG]
        elif part.number == 2:
            scalar = _single(part.value)
        elif part.number == 5:
            histogram = _histogram(part.data)
        elif part.number == 8:
            tensor = part.data
        elif part.number == 9:
            plugin = _plugin(part.data)
        elif part.number in (4, 6):
            kind = "image" if part.number == 4 else "audio"
    if tensor is not None:
        if plugin == "histograms":
            histogram = _from_rows(_tensor(tensor))
        elif plugin in ("scalars", "") and (values := _tensor(tensor)).size == 1:
            scalar = float(values.ravel()[0])
        else:
            kind = plugin.removesuffix("s") or "tensor"
    name = f"{prefix}{tag}"
    if scalar is not None:
        found.scalars.setdefault(name, {})[step] = scalar
    elif histogram is not None:
        found.histograms.setdefault(name, {})[step] = histogram
    else:
        found.unshown[kind or "other summary"] += 1


def _plugin(data: memoryview) -> str:
    for part in fields(data):
        if part.number == 1 and part.kind == BYTES:
            return next((inner.text for inner in fields(part.data) if inner.number == 1), "")
    return ""


def _histogram(data: memoryview) -> Histogram | None:
    """HistogramProto: counts of buckets by their right edges, the first and last of which may be infinite."""
    least = most = 0.0
    limits, counts = np.zeros(0), np.zeros(0)
    for part in fields(data):
        if part.number == 1:
            least = _double(part.value)
        elif part.number == 2:
            most = _double(part.value)
        elif part.number in (6, 7):
            values = _doubles(part)
            limits, counts = (np.append(limits, values), counts) if part.number == 6 else (
                limits, np.append(counts, values))  # fmt: skip
    if not 0 < len(limits) == len(counts) <= MOST_BUCKETS:
        return None
    edges = np.clip(np.append(least, limits), least, most)
    return _checked(edges, counts)


def _from_rows(rows: F64) -> Histogram | None:
    """(k, 3): left, right, count of each bucket."""
    if rows.ndim != 2 or rows.shape[1:] != (3,) or not 0 < len(rows) <= MOST_BUCKETS:
        return None
    return _checked(np.append(rows[0, 0], rows[:, 1]), rows[:, 2])


def _checked(edges: F64, counts: F64) -> Histogram | None:
    is_good = np.isfinite(edges).all() and np.isfinite(counts).all() and (np.diff(edges) >= 0).all()
    return Histogram(edges, np.maximum(counts, 0.0)) if is_good else None


def _tensor(data: memoryview) -> F64:
    """TensorProto of numbers, at most two axes; empty where it is none."""
    kind, shape, content = 0, [], b""
    listed: list[F64] = []
    for part in fields(data):
        if part.number == 1:
            kind = part.value
        elif part.number == 2:
            shape = [_extent(axis.data) for axis in fields(part.data) if axis.number == 2]
        elif part.number == 4:
            content = bytes(part.data)
        elif part.number == 5:
            listed.append(np.frombuffer(part.data, "<f4").astype(np.float64) if part.kind == BYTES
                          else np.array([_single(part.value)]))  # fmt: skip
        elif part.number == 6:
            listed.append(_doubles(part))
    if kind not in _DTYPES:
        return np.zeros(0)
    values = np.frombuffer(content, _DTYPES[kind]).astype(np.float64) if content else np.concatenate([*listed, []])
    return values.reshape(shape) if shape and math.prod(shape) == values.size else values


def _extent(data: memoryview) -> int:
    return next((part.signed for part in fields(data) if part.number == 1), 0)


def _double(bits: int) -> float:
    return float(struct.unpack("<d", bits.to_bytes(8, "little"))[0])


def _single(bits: int) -> float:
    return float(struct.unpack("<f", (bits & 0xFFFFFFFF).to_bytes(4, "little"))[0])


def _doubles(part: Field) -> F64:
    return np.frombuffer(part.data, "<f8") if part.kind == BYTES else np.array([_double(part.value)])
