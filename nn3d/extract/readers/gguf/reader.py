"""Owns reading GGUF, versions 2 and 3, little endian: metadata, then names and shapes of tensors, then their bytes.

After github.com/ggml-org/ggml/blob/master/docs/gguf.md. Its shapes name the fastest axis first; here they are turned
round. Counts and lengths are checked against the bytes that are left before anything is made of them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract import elements
from nn3d.extract.lazy import LazyArray
from nn3d.extract.readers.gguf.quants import BLOCKS, Block
from nn3d.extract.readers.tensor_file import Mapped, Tensors
from nn3d.run.model import Array

MAGIC = b"GGUF"
MOST_ENTRIES, MOST_TENSORS, MOST_TEXTS = 100_000, 500_000, 4_000_000
MOST_TEXT_BYTES, MOST_NAME_BYTES, MOST_DEPTH, MOST_AXES = 16 << 20, 65_535, 4, 8
KEPT_TEXTS = 4
_CHUNK_VALUES = 1 << 20
_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_TEXT, _ARRAY = 8, 9
_PLAIN = {0: ("F32", "<f4"), 1: ("F16", "<f2"), 24: ("I8", "i1"), 25: ("I16", "<i2"), 26: ("I32", "<i4"),
          27: ("I64", "<i8"), 28: ("F64", "<f8"), 30: ("BF16", "<u2")}  # fmt: skip
_HOW = {"BF16": "shown as float32, exactly", "F64": "rounded to float32"}
_BLOCKWISE = "blocks of codes with scales, unpacked to float32 where they are looked at"

Value = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of the metadata: how many there are, and the first of them."""

    n: int
    first: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class _Tensor:
    name: str
    shape: tuple[int, ...]
    type: int
    at: int


@dataclass(slots=True)
class _Cursor:
    """A place in the file that moves on as it is read; never beyond the end."""

    file: Mapped
    at: int = 0
    n_texts: int = field(default=0)

    def take(self, n: int) -> bytes:
        if n > self.file.size - self.at:
            raise ValueError(f"{n:,} bytes at {self.at:,} of a file of {self.file.size:,}")
        found = self.file.bytes_at(self.at, self.at + n)
        self.at += n
        return found

    def skip(self, n: int) -> None:
        if n > self.file.size - self.at:
            raise ValueError(f"{n:,} bytes at {self.at:,} of a file of {self.file.size:,}")
        self.at += n

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def text(self, most: int = MOST_TEXT_BYTES) -> str:
        n = self.number("<Q")
        self.n_texts += 1
        if n > most or self.n_texts > MOST_TEXTS:
            raise ValueError(f"a text of {n:,} bytes ({most:,} at most)")
        return self.take(n).decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0) -> Value | Texts:
        """One value of the metadata; of lists their length and the first few."""
        if kind == _TEXT:
            return self.text()
        if kind in _NUMBERS:
            found: int | float | bool = struct.unpack(_NUMBERS[kind], self.take(struct.calcsize(_NUMBERS[kind])))[0]
            return found
        if kind != _ARRAY or depth >= MOST_DEPTH:
            raise ValueError(f"metadata of type {kind}" if kind != _ARRAY else f"lists more than {MOST_DEPTH} deep")
        inner, n = self.number("<I"), self.number("<Q")
        if inner in _NUMBERS:
            size = struct.calcsize(_NUMBERS[inner])
            begin = self.at
            self.skip(n * size)
            kept = self.file.bytes_at(begin, begin + min(n, KEPT_TEXTS) * size)
            return Texts(n, tuple(v for (v,) in struct.iter_unpack(_NUMBERS[inner], kept)))
        if n > (self.file.size - self.at) // 8:
            raise ValueError(f"a list of {n:,} in a file of {self.file.size:,} bytes")
        first: list[Value] = []
        for k in range(n):
            one = self.value(inner, depth + 1)
            if k < KEPT_TEXTS and not isinstance(one, Texts):
                first.append(one)
        return Texts(n, tuple(first))


def read(path: Path) -> tuple[Tensors, Mapping[str, Value | Texts]]:
    """The tensors of a file, read where they are looked at, and its metadata. Raises SourceError."""
    file = Mapped(path)
    try:
        cursor = _Cursor(file)
        n_tensors, n_entries = _start(cursor)
        said = _metadata(cursor, n_entries)
        tensors = _tensors(cursor, n_tensors)
        align = said.get("general.alignment", 32)
        if not isinstance(align, int) or not 0 < align <= 1 << 20:
            raise ValueError(f"an alignment of {str(align)[:40]}")
        begin = -(-cursor.at // align) * align
        _check_places(tensors, file.size - begin)
    except (ValueError, struct.error, RecursionError, MemoryError) as error:
        file.close()
        raise SourceError(f"{path}: expected whole GGUF, got: {error}. Convert it again.") from error
    shown = {t.name: _lazy(file, t, begin) for t in tensors if _is_shown(t.type)}
    left_out = tuple(f"{t.name}: {BLOCKS[t.type].name} is not unpacked" for t in tensors if not _is_shown(t.type))
    how = _HOW | {b.name: _BLOCKWISE for b in BLOCKS.values()}
    stamp = file.stamp(file.bytes_at(0, min(begin, 1 << 20)))
    return Tensors(path, shown, stamp, how=how, left_out=_shortened(left_out), close=file.close), said


def _start(cursor: _Cursor) -> tuple[int, int]:
    if cursor.take(4) != MAGIC:
        raise ValueError("a file that does not begin with GGUF")
    version = cursor.number("<I")
    if version not in (2, 3):
        is_big = version in (2 << 24, 3 << 24)
        raise ValueError("big endian, which is not read" if is_big else f"version {version}, where 2 and 3 are read")
    n_tensors, n_entries = cursor.number("<Q"), cursor.number("<Q")
    room = cursor.file.size // 24
    if n_tensors > min(MOST_TENSORS, room) or n_entries > min(MOST_ENTRIES, room):
        raise ValueError(f"{n_tensors:,} tensors and {n_entries:,} entries in {cursor.file.size:,} bytes")
    return n_tensors, n_entries


def _metadata(cursor: _Cursor, n: int) -> dict[str, Value | Texts]:
    said: dict[str, Value | Texts] = {}
    for _ in range(n):
        key = cursor.text(MOST_NAME_BYTES)
        said[key] = cursor.value(cursor.number("<I"))
    return said


def _tensors(cursor: _Cursor, n: int) -> list[_Tensor]:
    found: dict[str, _Tensor] = {}
    for _ in range(n):
        name = cursor.text(MOST_NAME_BYTES)
        n_axes = cursor.number("<I")
        if n_axes > MOST_AXES or name in found:
            raise ValueError(f"{name[:80]} twice" if name in found else f"{name[:80]} of {n_axes:,} axes")
        axes = [cursor.number("<Q") for _ in range(n_axes)]
        kind, at = cursor.number("<I"), cursor.number("<Q")
        if kind not in BLOCKS and kind not in _PLAIN:
            raise ValueError(f"{name[:80]} of the unknown type {kind}")
        if axes and axes[0] % (BLOCKS[kind].values if kind in BLOCKS else 1):
            raise ValueError(f"{name[:80]} with rows of {axes[0]:,}, in blocks of {BLOCKS[kind].values}")
        found[name] = _Tensor(name, tuple(reversed(axes)) or (1,), kind, at)
    return list(found.values())


def _size(tensor: _Tensor) -> int:
    """Bytes in the file."""
    n = math.prod(tensor.shape)
    if tensor.type in _PLAIN:
        return n * np.dtype(_PLAIN[tensor.type][1]).itemsize
    return n // BLOCKS[tensor.type].values * BLOCKS[tensor.type].n_bytes


def _check_places(tensors: list[_Tensor], n_bytes: int) -> None:
    """Tensors lie inside the file, and not over each other."""
    end, before = 0, ""
    for tensor in sorted(tensors, key=lambda t: (t.at, t.name)):
        if tensor.at < end:
            raise ValueError(f"an overlap of {before[:80]} and {tensor.name[:80]}")
        end, before = tensor.at + _size(tensor), tensor.name
        if end > n_bytes:
            raise ValueError(f"{before[:80]} that ends at {end:,} of {max(0, n_bytes):,} bytes of tensors")


def _is_shown(kind: int) -> bool:
    return kind in _PLAIN or BLOCKS[kind].unpack is not None


def _lazy(file: Mapped, tensor: _Tensor, begin: int) -> LazyArray:
    at, size = begin + tensor.at, _size(tensor)
    if tensor.type in _PLAIN:
        name, dtype = _PLAIN[tensor.type]
        return LazyArray(tensor.shape, name, partial(_plain, file, at, tensor.shape, dtype), n_bytes=size)
    block = BLOCKS[tensor.type]
    return LazyArray(tensor.shape, block.name, partial(_unpacked, file, at, tensor.shape, block), n_bytes=size)


def _plain(file: Mapped, at: int, shape: tuple[int, ...], dtype: str) -> Array:
    values = file.array(at, math.prod(shape), dtype).reshape(shape)
    if dtype == "<u2":
        return elements.bfloat16(values)
    with np.errstate(over="ignore"):
        return values.astype(np.float32) if dtype == "<f8" else values


def _unpacked(file: Mapped, at: int, shape: tuple[int, ...], block: Block) -> Array:
    """Some blocks at a time, so that beside the values only little is held."""
    assert block.unpack is not None
    values = np.empty(shape, np.float32)
    flat, n = values.reshape(-1, block.values), math.prod(shape) // block.values
    step = _CHUNK_VALUES // block.values
    for first in range(0, n, step):
        some = min(step, n - first)
        raw = file.array(at + first * block.n_bytes, some * block.n_bytes, np.uint8)
        with np.errstate(all="ignore"):
            flat[first : first + some] = block.unpack(raw.reshape(some, block.n_bytes))
    return values


def _shortened(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The first few, and how many more."""
    return lines if len(lines) <= 8 else (*lines[:7], f"and {len(lines) - 7} more tensors of such types")
