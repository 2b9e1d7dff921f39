"""Owns the .npy header: read with bounds and without evaluating anything, written as numpy writes it."""

from __future__ import annotations

import ast
import io
import mmap
import re
from dataclasses import dataclass
from math import prod

import numpy as np

from nn3d.errors import RunFormatError
from nn3d.run.manifest import MAX_DIMENSIONS, MAX_EXTENT
from nn3d.run.model import Array

MAX_HEADER = 8192
_USUAL = re.compile(rb"\{'descr': '([<>|][a-z]\d{1,2})', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \} *\n")
_DTYPE = re.compile(r"[<>|=]?(f[248]|[iu][1248]|b1)")


@dataclass(frozen=True, slots=True)
class Header:
    """What a .npy header says; `size` is its own length in bytes, `n_bytes` that of the data after it."""

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    is_fortran: bool
    size: int

    @property
    def n_bytes(self) -> int:
        """Length of the data."""
        return prod(self.shape) * self.dtype.itemsize


def header_length(start: bytes, where: str) -> int:
    """Length of the whole header from its first 12 bytes."""
    if start[:6] != b"\x93NUMPY" or len(start) < 12:
        raise RunFormatError(f"{where}: should be an .npy array, got bytes {start[:6]!r}")
    if start[6] not in (1, 2, 3):
        raise RunFormatError(f"{where}: .npy version should be 1, 2 or 3, got {start[6]}")
    prefix = 10 if start[6] == 1 else 12
    length = prefix + int.from_bytes(start[8:prefix], "little")
    if length > MAX_HEADER:
        raise RunFormatError(f"{where}: .npy header should have at most {MAX_HEADER} bytes, got {length}")
    return length


def parse_header(start: bytes, where: str) -> Header:
    """Read a header from the first bytes of a member; raises RunFormatError when it is odd in any way."""
    size = header_length(start, where)
    if len(start) < size:
        raise RunFormatError(f"{where}: .npy header should have {size} bytes, got {len(start)}")
    text = start[10 if start[6] == 1 else 12 : size]
    usual = _USUAL.fullmatch(text)
    if usual:
        numbers = [n for n in usual[3].replace(b" ", b"").split(b",") if n]
        if any(len(n) > 15 for n in numbers):
            raise RunFormatError(f"{where}: extents should be below {MAX_EXTENT}, got {usual[3][:60].decode()}")
        return _checked(usual[1].decode(), usual[2] == b"True", tuple(int(n) for n in numbers), size, where)
    return _unusual(text, size, where)


def _unusual(text: bytes, size: int, where: str) -> Header:
    """A header in another spelling, by literal_eval (at most 8 KiB of it)."""
    try:
        value = ast.literal_eval(text.decode("latin-1").strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        raise RunFormatError(f"{where}: .npy header should be a dictionary, got {text[:40]!r}") from None
    if not isinstance(value, dict) or set(value) != {"descr", "fortran_order", "shape"}:
        raise RunFormatError(f"{where}: .npy header should have descr, fortran_order and shape, got {text[:40]!r}")
    shape = value["shape"]
    if not isinstance(shape, tuple) or not all(type(n) is int for n in shape):
        raise RunFormatError(f"{where}: shape should be a tuple of integers, got {str(shape)[:60]}")
    return _checked(value["descr"], value["fortran_order"] is True, shape, size, where)


def _checked(descr: object, is_fortran: bool, shape: tuple[int, ...], size: int, where: str) -> Header:
    if not isinstance(descr, str) or not _DTYPE.fullmatch(descr):
        raise RunFormatError(f"{where}: element type should be a float, integer or bool, got {str(descr)[:40]!r}")
    if len(shape) > MAX_DIMENSIONS:
        raise RunFormatError(f"{where}: should have at most {MAX_DIMENSIONS} dimensions, got {len(shape)}")
    if not all(0 <= n <= MAX_EXTENT for n in shape):
        raise RunFormatError(f"{where}: extents should be from 0 to {MAX_EXTENT}, got {str(shape)[:60]}")
    return Header(np.dtype(descr), shape, is_fortran, size)


def array_at(buffer: bytes | mmap.mmap, offset: int, available: int, header: Header, where: str) -> Array:
    """A read-only view of the data that follows a header at `offset`, which has `available` bytes (header included)."""
    if header.size + header.n_bytes != available:
        expected = f"{header.n_bytes} bytes for {header.dtype.name} {header.shape}"
        raise RunFormatError(f"{where}: should hold {expected}, got {available - header.size}")
    if not header.n_bytes:
        empty: Array = np.empty(0, header.dtype).reshape(header.shape)
        empty.flags.writeable = False
        return empty
    at = offset + header.size
    # frombuffer, not ndarray(buffer=…): it holds the map, so that closing a run cannot unmap it under the array.
    flat = np.frombuffer(buffer, header.dtype, prod(header.shape), at)
    array: Array = flat.reshape(header.shape, order="F" if header.is_fortran else "C")
    array.flags.writeable = False
    return array


def header_bytes(array: Array) -> bytes:
    """The header of a C-contiguous array, padded to 64 bytes."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, np.lib.format.header_data_from_array_1_0(array))
    return stream.getvalue()
