"""Owns the block types of GGUF: packed blocks of weights → float32, as ggml computes them.

After the layouts of github.com/ggml-org/ggml (ggml-common.h, ggml-quants.c): d a scale, m a minimum (float16), q the
codes. K-types: 256 values in sub-blocks of 16 or 32, whose scales are themselves codes. Each function takes
(n, bytes of a block) uint8 and gives (n, values of a block) float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nn3d.run.model import Array, FloatArray

SUPER = 256
_IQ4 = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)
_E2M1_TWICE = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.float32)


@dataclass(frozen=True, slots=True)
class Block:
    """A type. values, n_bytes : of one block. unpack : None where it is known but not shown."""

    name: str
    values: int
    n_bytes: int
    unpack: Callable[[Array], Array] | None = None


def _half(blocks: Array, at: int) -> FloatArray:
    """(n, 1) float32 of the float16 at a byte."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def _nibbles(packed: Array) -> Array:
    """(n, b) bytes → (n, 2, b): the lower halves, then the upper ones."""
    return np.stack([packed & 15, packed >> 4], axis=1)


def _bits(packed: Array, width: int, steps: int) -> Array:
    """(n, b) bytes → (n, steps, b): bits 0 … width, then the next ones."""
    shifts = (np.arange(steps, dtype=np.uint8) * width)[:, None]
    return (packed[:, None, :] >> shifts) & ((1 << width) - 1)


def _q4_0(b: Array) -> Array:
    q = _nibbles(b[:, 2:]).reshape(len(b), 32).astype(np.int8) - np.int8(8)
    return _half(b, 0) * q


def _q4_1(b: Array) -> Array:
    return _half(b, 0) * _nibbles(b[:, 4:]).reshape(len(b), 32) + _half(b, 2)


def _q5(b: Array, at: int) -> Array:
    """(n, 32) codes of five bits: the fifth ones in four bytes, then the lower four."""
    high = np.unpackbits(b[:, at : at + 4], axis=1, bitorder="little")
    codes: Array = _nibbles(b[:, at + 4 :]).reshape(len(b), 32) | high << 4
    return codes


def _q5_0(b: Array) -> Array:
    return _half(b, 0) * (_q5(b, 2).astype(np.int8) - np.int8(16))


def _q5_1(b: Array) -> Array:
    return _half(b, 0) * _q5(b, 4) + _half(b, 2)


def _q8_0(b: Array) -> Array:
    return _half(b, 0) * b[:, 2:].view(np.int8)


def _q2_k(b: Array) -> Array:
    scales, codes = b[:, :16], b[:, 16:80].reshape(-1, 32)
    q = _bits(codes, 2, 4).reshape(len(b), 16, 16)
    d, m = _half(b, 80) * (scales & 15), _half(b, 82) * (scales >> 4)
    return (d[..., None] * q - m[..., None]).reshape(len(b), SUPER)


def _q3_k(b: Array) -> Array:
    high = _bits(b[:, :32], 1, 8).reshape(len(b), 16, 16)
    low = _bits(b[:, 32:96].reshape(-1, 32), 2, 4).reshape(len(b), 16, 16)
    packed = b[:, 96:108]
    scales = np.concatenate([packed[:, :8] & 15, packed[:, :8] >> 4], axis=1)
    scales |= _bits(packed[:, 8:], 2, 4).reshape(len(b), 16) << 4
    d = _half(b, 108) * (scales.astype(np.int8) - np.int8(32))
    q = low.astype(np.int8) - ((high ^ 1) << 2).astype(np.int8)
    return (d[..., None] * q).reshape(len(b), SUPER)


def _scales_k4(packed: Array) -> tuple[Array, Array]:
    """(n, 12) bytes → (n, 8) scales and (n, 8) minima of six bits each."""
    d, m, both = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scales = np.concatenate([d & 63, (both & 15) | (d >> 6) << 4], axis=1)
    minima = np.concatenate([m & 63, (both >> 4) | (m >> 6) << 4], axis=1)
    return scales, minima


def _q4_k(b: Array) -> Array:
    scales, minima = _scales_k4(b[:, 4:16])
    q = _nibbles(b[:, 16:].reshape(-1, 32)).reshape(len(b), 8, 32)
    d, m = _half(b, 0) * scales, _half(b, 2) * minima
    return (d[..., None] * q - m[..., None]).reshape(len(b), SUPER)


def _q5_k(b: Array) -> Array:
    scales, minima = _scales_k4(b[:, 4:16])
    high = _bits(b[:, 16:48], 1, 8)
    q = _nibbles(b[:, 48:].reshape(-1, 32)).reshape(len(b), 8, 32) | high << 4
    d, m = _half(b, 0) * scales, _half(b, 2) * minima
    values: Array = (d[..., None] * q - m[..., None]).reshape(len(b), SUPER)
    return values


def _q6_k(b: Array) -> Array:
    low = np.concatenate([b[:, :128].reshape(-1, 64) & 15, b[:, :128].reshape(-1, 64) >> 4], axis=1)
    high = _bits(b[:, 128:192].reshape(-1, 32), 2, 4).reshape(-1, 128)
    q = (low | high << 4).astype(np.int8) - np.int8(32)
    d: Array = _half(b, 208) * b[:, 192:208].view(np.int8)
    values: Array = (d[..., None] * q.reshape(len(b), 16, 16)).reshape(len(b), SUPER)
    return values


def _iq4_nl(b: Array) -> Array:
    values: Array = _half(b, 0) * np.take(_IQ4, _nibbles(b[:, 2:]).reshape(len(b), 32))
    return values


def _iq4_xs(b: Array) -> Array:
    high = np.ascontiguousarray(b[:, 2:4]).view("<u2") >> (2 * np.arange(8, dtype=np.uint16)) & 3
    low = _nibbles(b[:, 4:8]).transpose(0, 2, 1).reshape(len(b), 8)
    d: Array = _half(b, 0) * ((low | high.astype(np.uint8) << 4).astype(np.int8) - np.int8(32))
    q = np.take(_IQ4, _nibbles(b[:, 8:].reshape(-1, 16)).reshape(len(b), 8, 32))
    return (d[..., None] * q).reshape(len(b), SUPER)


def _mxfp4(b: Array) -> Array:
    e = b[:, :1].astype(np.uint32)
    halved = np.where(e < 2, np.uint32(1 << 21) << e, (e - (e > 0)) << 23).astype(np.uint32).view(np.float32)
    values: Array = halved * np.take(_E2M1_TWICE, _nibbles(b[:, 1:]).reshape(len(b), 32))
    return values


BLOCKS: Mapping[int, Block] = {
    2: Block("Q4_0", 32, 18, _q4_0),
    3: Block("Q4_1", 32, 20, _q4_1),
    6: Block("Q5_0", 32, 22, _q5_0),
    7: Block("Q5_1", 32, 24, _q5_1),
    8: Block("Q8_0", 32, 34, _q8_0),
    10: Block("Q2_K", SUPER, 84, _q2_k),
    11: Block("Q3_K", SUPER, 110, _q3_k),
    12: Block("Q4_K", SUPER, 144, _q4_k),
    13: Block("Q5_K", SUPER, 176, _q5_k),
    14: Block("Q6_K", SUPER, 210, _q6_k),
    15: Block("Q8_K", SUPER, 292),
    16: Block("IQ2_XXS", SUPER, 66),
    17: Block("IQ2_XS", SUPER, 74),
    18: Block("IQ3_XXS", SUPER, 98),
    19: Block("IQ1_S", SUPER, 50),
    20: Block("IQ4_NL", 32, 18, _iq4_nl),
    21: Block("IQ3_S", SUPER, 110),
    22: Block("IQ2_S", SUPER, 82),
    23: Block("IQ4_XS", SUPER, 136, _iq4_xs),
    29: Block("IQ1_M", SUPER, 56),
    34: Block("TQ1_0", SUPER, 54),
    35: Block("TQ2_0", SUPER, 66),
    39: Block("MXFP4", 32, 17, _mxfp4),
}
