"""Owns CRC-32C (Castagnoli 1993), as TensorFlow's files carry it, array-wise: many parts at once, then joined.

The checksum of a joined text follows from those of its parts, because appending a zero byte is linear over GF(2).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_SHORT = 2048
_MASK_DELTA = 0xA282EAD8
Words = NDArray[np.uint32]


def _table() -> Words:
    found = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        found = (found >> np.uint32(1)) ^ np.where(found & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return found


_TABLE = _table()
_LIST = [int(v) for v in _TABLE]


def crc32c(data: bytes | memoryview | NDArray[np.uint8]) -> int:
    """The checksum of some bytes."""
    values = np.frombuffer(data, np.uint8) if not isinstance(data, np.ndarray) else data
    n = len(values)
    if n < _SHORT:
        return _plain(values.tobytes(), 0xFFFFFFFF) ^ 0xFFFFFFFF
    lanes = 1 << (n.bit_length() // 2)
    length = n // lanes
    head = n - lanes * length
    start = _plain(values[:head].tobytes(), 0xFFFFFFFF)
    parts = np.ascontiguousarray(values[head:].reshape(lanes, length).T)
    states = np.zeros(lanes, np.uint32)
    states[0] = start
    for row in parts:
        states = (states >> np.uint32(8)) ^ _TABLE[(states ^ row) & np.uint32(0xFF)]
    while len(states) > 1:  # neighbours, two by two: the left one moves on by the right one's length
        states = _moved(states[::2], length) ^ states[1::2]
        length *= 2
    return int(states[0]) ^ 0xFFFFFFFF


def _plain(data: bytes, state: int) -> int:
    for byte in data:
        state = (state >> 8) ^ _LIST[(state ^ byte) & 0xFF]
    return state


def _moved(states: Words, n_bytes: int) -> Words:
    """States after so many zero bytes."""
    tables = _zeros(n_bytes)
    found = tables[0][states & np.uint32(0xFF)]
    for k in (1, 2, 3):
        found = found ^ tables[k][(states >> np.uint32(8 * k)) & np.uint32(0xFF)]
    return np.asarray(found, np.uint32)


@lru_cache(maxsize=64)
def _zeros(n_bytes: int) -> Words:
    """(4, 256) tables, by byte of the state: what it becomes after n zero bytes."""
    images = np.uint32(1) << np.arange(32, dtype=np.uint32)
    power, step = n_bytes, _step(images)
    found = images
    while power:
        if power & 1:
            found = _applied(step, found)
        step = _applied(step, step)
        power >>= 1
    numbers = np.arange(256, dtype=np.uint32)
    return np.stack([_applied(found, numbers << np.uint32(8 * k)) for k in range(4)])


def _step(images: Words) -> Words:
    """Images of the 32 bits after one zero byte."""
    return np.asarray((images >> np.uint32(8)) ^ _TABLE[images & np.uint32(0xFF)], np.uint32)


def _applied(columns: Words, vectors: Words) -> Words:
    """A matrix over GF(2), given by the images of the bits, times vectors of 32 bits."""
    bits = (vectors[:, None] >> np.arange(32, dtype=np.uint32)) & np.uint32(1)
    return np.asarray(np.bitwise_xor.reduce(np.where(bits, columns[None, :], np.uint32(0)), axis=1), np.uint32)


def masked(crc: int) -> int:
    """As it is stored beside what it is of, so that a checksum of checksums is none."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF
