"""Owns reading .safetensors without its library: 8 bytes of length, a header as JSON, then the tensors' bytes.

After huggingface.co/docs/safetensors: little endian, C order; the tensors fill the rest of the file without gaps or
overlaps. Everything is checked before a byte of a tensor is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract import elements
from nn3d.extract.lazy import LazyArray
from nn3d.extract.readers.tensor_file import Mapped, Tensors, plain
from nn3d.run.manifest import MAX_DIMENSIONS
from nn3d.run.model import JSON, Array

MOST_HEADER_BYTES = 100_000_000
MOST_TENSORS = 500_000
MOST_NUMBERS = 10_000_000


@dataclass(frozen=True, slots=True)
class Element:
    """An element type. bits : of one. read : bytes as (the file's own little-endian type) → a run's values, flat.

    how : what is said of it, "" where values stay as they are.
    """

    bits: int
    raw: str
    read: Callable[[Array], Array] | None = None
    how: str = ""


_EXACT = "shown as float32, exactly"
TYPES: Mapping[str, Element] = {
    "BOOL": Element(8, "u1", lambda a: (a != 0).astype(np.int8)),
    "U8": Element(8, "u1"),
    "I8": Element(8, "i1"),
    "U16": Element(16, "<u2"),
    "I16": Element(16, "<i2"),
    "U32": Element(32, "<u4"),
    "I32": Element(32, "<i4"),
    "U64": Element(64, "<u8"),
    "I64": Element(64, "<i8"),
    "F16": Element(16, "<f2"),
    "F32": Element(32, "<f4"),
    "F64": Element(64, "<f8", lambda a: _narrowed(a), "rounded to float32"),
    "BF16": Element(16, "<u2", elements.bfloat16, _EXACT),
    "F8_E4M3": Element(8, "u1", partial(elements.float8, kind="e4m3"), _EXACT),
    "F8_E5M2": Element(8, "u1", partial(elements.float8, kind="e5m2"), _EXACT),
    "F8_E4M3FNUZ": Element(8, "u1", partial(elements.float8, kind="e4m3fnuz"), _EXACT),
    "F8_E5M2FNUZ": Element(8, "u1", partial(elements.float8, kind="e5m2fnuz"), _EXACT),
    "F8_E8M0": Element(8, "u1", partial(elements.float8, kind="e8m0"), _EXACT),
    "F4": Element(4, "u1", lambda a: elements.float4(a, 2 * a.size), _EXACT),
}
# Known, but not shown: bits of one, and why.
UNSHOWN = {
    "F6_E2M3": (6, "how six bits are packed is not laid down"),
    "F6_E3M2": (6, "how six bits are packed is not laid down"),
    "C64": (64, "complex numbers are not shown"),
}


def _narrowed(values: Array) -> Array:
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read(path: Path) -> Tensors:
    """Names, types, shapes and places of all tensors; values when they are asked for. Raises SourceError."""
    file = Mapped(path)
    try:
        length = int.from_bytes(file.bytes_at(0, 8), "little")
        head, header = _header(file, length)
        said = header.pop("__metadata__", {})
        entries = [_entry(name, value) for name, value in header.items()]
        _check_places(entries, file.size - 8 - length)
    except (ValueError, RecursionError) as error:
        file.close()
        raise SourceError(f"{path}: expected whole safetensors, got: {_line(error)}. Save it again.") from error
    shown = {e.name: _lazy(file, e, 8 + length) for e in entries if e.dtype in TYPES}
    left_out = tuple(f"{e.name}: {e.dtype}, {UNSHOWN[e.dtype][1]}" for e in entries if e.dtype in UNSHOWN)
    how = {name: element.how for name, element in TYPES.items() if element.how}
    stamp = file.stamp(head)
    return Tensors(path, shown, stamp, _numbers(said), how, left_out=left_out, close=file.close)


def _header(file: Mapped, length: int) -> tuple[bytes, dict[str, JSON]]:
    if length > min(MOST_HEADER_BYTES, file.size - 8):
        raise ValueError(f"a header of {length:,} bytes in a file of {file.size:,} (100 MB at most)")
    head = file.bytes_at(0, 8 + length)
    if head.count(b"{") > MOST_TENSORS + 2 or head.count(b",") > MOST_NUMBERS:
        raise ValueError(f"a header of more than {MOST_TENSORS:,} tensors")
    header = json.loads(head[8:].decode("utf-8"), object_pairs_hook=_once)
    if not isinstance(header, dict):
        raise ValueError("a header that is no JSON object")
    return head, header


def _once(pairs: Sequence[tuple[str, JSON]]) -> dict[str, JSON]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a header with the same name twice")
    return found


def _entry(name: str, value: JSON) -> _Entry:
    if not isinstance(value, dict) or not {"dtype", "shape", "data_offsets"} <= set(value):
        raise ValueError(f"{name[:80]} without dtype, shape and data_offsets")
    dtype, shape, places = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or (dtype not in TYPES and dtype not in UNSHOWN):
        raise ValueError(f"{name[:80]} of the unknown type {str(dtype)[:40]}")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"{name[:80]} whose shape is no list of at most {MAX_DIMENSIONS} extents")
    if not isinstance(places, list) or len(places) != 2:
        raise ValueError(f"{name[:80]} whose data_offsets are no two numbers")
    extents = tuple(plain(n, f"{name[:80]}: extents") for n in shape)
    begin, end = (plain(n, f"{name[:80]}: data_offsets") for n in places)
    bits = math.prod(extents) * (TYPES[dtype].bits if dtype in TYPES else UNSHOWN[dtype][0])
    if bits % 8 or end - begin != bits // 8:
        raise ValueError(f"{name[:80]} {list(extents)} of {dtype}, {bits / 8:g} bytes, in {end - begin:,}")
    return _Entry(name, dtype, extents or (1,), begin, end)


def _check_places(entries: Sequence[_Entry], n_bytes: int) -> None:
    """The tensors follow each other without gaps and overlaps, to the end of the file."""
    at = 0
    for entry in sorted(entries, key=lambda e: (e.begin, e.end)):
        if entry.begin != at:
            what = "a gap before" if entry.begin > at else "an overlap at"
            raise ValueError(f"{what} {entry.name[:80]}: bytes {at:,} and {entry.begin:,}")
        at = entry.end
    if at != n_bytes:
        raise ValueError(f"{n_bytes:,} bytes of tensors where the header has {at:,}")


def _lazy(file: Mapped, entry: _Entry, data: int) -> LazyArray:
    return LazyArray(
        entry.shape, entry.dtype, partial(_values, file, entry, data), None, n_bytes=entry.end - entry.begin
    )  # fmt: skip


def _values(file: Mapped, entry: _Entry, data: int) -> Array:
    element = TYPES[entry.dtype]
    dtype = np.dtype(element.raw)
    raw = file.array(data + entry.begin, (entry.end - entry.begin) // dtype.itemsize, dtype)
    return (raw if element.read is None else element.read(raw)).reshape(entry.shape)


def _numbers(said: JSON) -> dict[str, float]:
    """The finite numbers among the metadata, which is text."""
    found: dict[str, float] = {}
    for key, text in said.items() if isinstance(said, dict) else ():
        with suppress(ValueError, TypeError, OverflowError):
            number = float(text)
            if math.isfinite(number) and len(found) < 1000:
                found[str(key)] = number
    return found


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200] or type(error).__name__
