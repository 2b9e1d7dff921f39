"""Owns how numbers become bytes: float32, float16, and uint8 with one scale per (sample, channel) row.

uint8: value = lo + q · scale. Rows are the first two axes of an array of three or more, else the first axis.
A row that spans zero has lo = −z · scale with an integer z, and scale keeps 16 bits of mantissa, so that lo + z · scale
is exactly zero in float32, with or without fused multiply-add. NaN and ±Inf are listed apart: (flat index, kind).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn3d.errors import RunFormatError
from nn3d.run.halves import float32
from nn3d.run.model import Array, FloatArray, Store

NAN, POSITIVE, NEGATIVE = 0, 1, 2
SIDECARS = (".lo", ".scale", ".nonfinite")
ENCODINGS = ("f32", "f16", "u8")
_KINDS = np.array([np.nan, np.inf, -np.inf], np.float32)
_TINY = 2.0**-126
# Beyond this, the ends of uint8's steps would not be finite in float32.
_U8_MOST = 2.0**126
# Of float16: the smallest value of full precision, and the smallest above zero.
_HALF_NORMAL, _HALF_TINY = 2.0**-14, 2.0**-24
# Half-way between the largest float16 and the next step: from there on, rounding gives infinity.
_HALF_OVER = 65520.0
_CHUNK_VALUES = 1 << 22


@dataclass(frozen=True, slots=True)
class Encoded:
    """An array as stored. lo, scale : (rows) float32 and nonfinite : (n, 2) int64, sorted, for uint8 only."""

    data: Array
    lo: FloatArray | None = None
    scale: FloatArray | None = None
    nonfinite: NDArray[np.int64] | None = None

    def members(self, key: str) -> Iterator[tuple[str, Array]]:
        """(name, array) of every array that stands for this one under `key`."""
        yield key, self.data
        if self.lo is not None and self.scale is not None:
            yield key + ".lo", self.lo
            yield key + ".scale", self.scale
        if self.nonfinite is not None and len(self.nonfinite):
            yield key + ".nonfinite", self.nonfinite


def row_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of `lo` and `scale` of an array of this shape."""
    return shape[:2] if len(shape) >= 3 else shape[:1]


def encode(values: Array, encoding: str) -> Encoded:
    """Encode an array; integers and booleans stay what they are (booleans become uint8 rows of 0 and 1).

    encoding : "f32", "f16" (float32 where a value would overflow or all are below float16's precision) or "u8" (float32
        where a value is beyond 2¹²⁶).
    """
    if encoding not in ENCODINGS:
        raise RunFormatError(f"encoding: should be one of {', '.join(ENCODINGS)}, got {encoding!r}")
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return Encoded(np.ascontiguousarray(array))
    if array.dtype.kind == "b":
        return Encoded(array.astype(np.int8))
    if array.dtype.kind != "f":
        raise RunFormatError(f"array: should hold numbers, got {array.dtype}")
    if encoding == "u8" and not (np.abs(array).max(where=np.isfinite(array), initial=0.0) > _U8_MOST):
        return _encode_u8(array)
    if encoding == "f16":
        return Encoded(_half(array))
    with np.errstate(over="ignore"):
        return Encoded(np.ascontiguousarray(array, np.float32))


def _half(array: Array) -> Array:
    """float16, or float32 where a finite value would overflow or the largest lies below float16's full precision.

    What would vanish beside larger values becomes the smallest float16 of its sign, so that only zero is zero.
    """
    if array.dtype == np.float16:
        return np.ascontiguousarray(array)
    with np.errstate(over="ignore", under="ignore"):
        largest = max(float(array.max(initial=0.0)), -float(array.min(initial=0.0)))
        if not np.isfinite(largest):  # NaN comes through max, too
            largest = float(np.abs(array).max(where=np.isfinite(array), initial=0.0))
        if largest >= _HALF_OVER or 0.0 < largest < _HALF_NORMAL:
            return np.ascontiguousarray(array, np.float32)
        half = np.ascontiguousarray(array, np.float16)
        if np.count_nonzero(half.view(np.uint16) << 1) < np.count_nonzero(array):
            vanished = (half == 0) & (array != 0)
            half[vanished] = np.copysign(np.float16(_HALF_TINY), array[vanished])
        return half


def _encode_u8(array: Array) -> Encoded:
    with np.errstate(over="ignore"):
        flat32 = np.ascontiguousarray(array, np.float32)
    rows = row_shape(array.shape)
    n_rows = int(np.prod(rows, dtype=np.int64))
    table = flat32.reshape(n_rows, flat32.size // n_rows if n_rows else 0)
    data, lo, scale = np.zeros(table.shape, np.uint8), np.zeros(n_rows, np.float32), np.zeros(n_rows, np.float32)
    step = max(1, _CHUNK_VALUES // max(1, table.shape[1]))
    for begin in range(0, n_rows, step):
        part = slice(begin, begin + step)
        data[part], lo[part], scale[part] = _quantise(table[part].astype(np.float64))
    return Encoded(data.reshape(array.shape), lo.reshape(rows), scale.reshape(rows), _list(flat32))


def _quantise(table: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Steps 0…255, lo and scale of rows of values; what is not finite becomes step 0."""
    finite = np.isfinite(table)
    low = np.where(finite, table, np.inf).min(axis=1, initial=np.inf)
    high = np.where(finite, table, -np.inf).max(axis=1, initial=-np.inf)
    empty = low > high
    low[empty] = high[empty] = 0
    lo, scale = _range(low, high)
    safe = np.where(scale > 0, scale, 1.0)
    steps = np.rint((np.where(finite, table, lo[:, None]) - lo[:, None]) / safe[:, None])
    return np.clip(steps, 0, 255), lo, scale


def _range(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """lo and scale, exact in float32. One step of the 255 is spared so that zero fits between the ends."""
    width = high - low
    mantissa, exponent = np.frexp(width / 254)
    scale = np.ldexp(np.ceil(mantissa * 65536) / 65536, exponent)
    scale = np.where(width > 0, np.maximum(scale, _TINY), 0.0)
    spans = (low <= 0) & (high >= 0)
    zero = np.rint(np.divide(-low, scale, out=np.zeros_like(low), where=scale > 0))
    return np.where(spans, 0.0 - zero * scale, low.astype(np.float32).astype(np.float64)), scale


def _list(array: FloatArray) -> NDArray[np.int64] | None:
    at = np.flatnonzero(~np.isfinite(array))
    if not at.size:
        return None
    odd = array.reshape(-1)[at]
    kind = np.where(np.isnan(odd), NAN, np.where(odd > 0, POSITIVE, NEGATIVE))
    return np.stack([at, kind], axis=1).astype(np.int64)


def decode(encoded: Encoded, rows: slice | int | None = None) -> FloatArray:
    """float32 values of an array, or of `rows` along its first axis only.

    float32 data is handed out as it is (a view, no copy); everything else is converted.
    """
    data = encoded.data if rows is None else encoded.data[rows]
    if encoded.lo is None or encoded.scale is None:
        return float32(data)
    lo, scale = (part if rows is None else np.asarray(part[rows]) for part in (encoded.lo, encoded.scale))
    wide = (..., *(np.newaxis,) * (data.ndim - lo.ndim))
    with np.errstate(over="ignore"):
        values = np.asarray(np.asarray(data).astype(np.float32) * scale[wide])
        if lo.any():
            values += lo[wide]
    if encoded.nonfinite is not None and len(encoded.nonfinite):
        _put(values, encoded, rows)
    return values


def _put(values: FloatArray, encoded: Encoded, rows: slice | int | None) -> None:
    """Write NaN and ±Inf back into decoded values."""
    assert encoded.nonfinite is not None
    first, count = 0, encoded.data.shape[0] if encoded.data.ndim else 1
    if isinstance(rows, int):
        first, count = rows % max(count, 1), 1
    elif rows is not None:
        first, stop, step = rows.indices(count)
        if step != 1:
            raise ValueError("decode: rows should be a slice without step")
        count = max(stop - first, 0)
    stride = values.size // count if count else 0
    at = encoded.nonfinite[:, 0]
    begin, end = np.searchsorted(at, [first * stride, (first + count) * stride])
    listed = np.asarray(encoded.nonfinite[begin:end])
    values.reshape(-1)[listed[:, 0] - first * stride] = _KINDS[listed[:, 1]]


def error_bound(encoded: Encoded) -> float:
    """Largest difference between a decoded finite value and the float32 that was encoded (relative part for f16)."""
    if encoded.scale is None or not encoded.scale.size:
        return 0.0
    return float(np.max(encoded.scale)) * 0.5


def encoded_at(store: Store, key: str) -> Encoded:
    """The array `key` of a store, with its sidecars where it has them."""
    data: Array = store[key]
    if data.dtype != np.uint8 or key + ".lo" not in store:
        return Encoded(data)
    beside = {name: store[f"{key}.{name}"] for name in ("lo", "scale", "nonfinite") if f"{key}.{name}" in store}
    return Encoded(data, **beside)
