"""Owns element types that numpy does not have: bits as a file stores them → float32, exactly.

A type of a sign, E exponent and M mantissa bits means (−1)^s · 2^(e − bias) · 1.m, and 2^(1 − bias) · 0.m where e = 0
(IEEE 754-2019; the 8-bit ones: Micikevicius et al. 2022, "FP8 formats for deep learning"; the smaller ones and e8m0:
OCP Microscaling Formats 1.0, 2023). All of them fit into float32 without rounding.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from nn3d.run.model import Array, FloatArray


def bfloat16(bits: Array) -> FloatArray:
    """uint16 bits → float32: bfloat16 is the upper half of a float32."""
    wide = bits.astype(np.uint32)
    wide <<= 16
    return wide.view(np.float32)


def float8(bits: Array, kind: str) -> FloatArray:
    """uint8 bits of an 8-bit type (a key of EIGHT_BITS) → float32."""
    return np.take(_table8(kind), bits)


def float4(packed: Array, n: int) -> FloatArray:
    """e2m1, two a byte, the lower half first → the first n values, flat float32."""
    both = np.empty(2 * packed.size, np.uint8)
    both[0::2], both[1::2] = packed.reshape(-1) & 15, packed.reshape(-1) >> 4
    return np.take(_table4(), both[:n])


def small_float(codes: Array, exponent_bits: int, mantissa_bits: int, bias: int) -> FloatArray:
    """Values of codes of a type without infinities and NaN: sign, exponent, mantissa."""
    codes = codes.astype(np.int64)
    mantissa = codes & ((1 << mantissa_bits) - 1)
    exponent = (codes >> mantissa_bits) & ((1 << exponent_bits) - 1)
    sign = np.where(codes >> (exponent_bits + mantissa_bits) & 1, -1.0, 1.0)
    is_normal = exponent > 0
    value = (mantissa / 2.0**mantissa_bits + is_normal) * 2.0 ** (np.where(is_normal, exponent, 1) - bias)
    return (sign * value).astype(np.float32)


EIGHT_BITS = ("e4m3", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0")


@cache
def _table8(kind: str) -> FloatArray:
    """(256,) values of the codes of an 8-bit type."""
    codes = np.arange(256)
    if kind == "e8m0":
        return np.append(2.0 ** (codes[:255] - 127.0), np.nan).astype(np.float32)
    exponent_bits, mantissa_bits = int(kind[1]), int(kind[3])
    is_unsigned_zero = kind.endswith("fnuz")
    bias = (1 << (exponent_bits - 1)) - (0 if is_unsigned_zero else 1)
    table = small_float(codes, exponent_bits, mantissa_bits, bias)
    if is_unsigned_zero:
        table[128] = np.nan
    elif kind == "e4m3":
        table[[127, 255]] = np.nan
    else:
        table[[124, 252]] = np.inf, -np.inf
        table[[125, 126, 127, 253, 254, 255]] = np.nan
    return table


@cache
def _table4() -> FloatArray:
    return small_float(np.arange(16), 2, 1, 1)
