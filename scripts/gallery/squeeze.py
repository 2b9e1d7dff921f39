"""Smaller PNG files: colours within 2/255 of what was drawn, no palette.

Where nothing but the background's dither changes, it is smoothed; elsewhere colours are rounded to steps of 1 to 5,
the finest with which the file stays under the limit. Rows are stored unfiltered, which packs rounded colours best.
What the file says about itself (the view that it shows) stays.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_STEP = 5
FLAT_RANGE, FLAT_PX, SMOOTH_PX, MAX_CHANGE = 4, 5, 25, 2

Pixels = NDArray[np.uint8]


def png(pixels: Pixels, words: tuple[bytes, ...] = ()) -> bytes:
    """(H, W, 3) uint8 as the bytes of a PNG file, every row unfiltered; `words` are whole chunks of text."""
    h, w, _ = pixels.shape
    rows = np.zeros((h, 1 + 3 * w), np.uint8)
    rows[:, 1:] = pixels.reshape(h, 3 * w)
    packer = zlib.compressobj(9, memLevel=9)
    data = packer.compress(rows.tobytes()) + packer.flush()
    head = struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)
    return b"".join((SIGNATURE, _chunk(b"IHDR", head), *words, _chunk(b"IDAT", data), _chunk(b"IEND", b"")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def text_chunks(file: bytes) -> tuple[bytes, ...]:
    """The chunks of a PNG file that hold text, whole."""
    found, at = [], len(SIGNATURE)
    while at < len(file):
        (size,) = struct.unpack_from(">I", file, at)
        if file[at + 4 : at + 8] in (b"tEXt", b"zTXt", b"iTXt"):
            found.append(file[at : at + 12 + size])
        at += 12 + size
    return tuple(found)


def smoothed(pixels: Pixels) -> tuple[Pixels, NDArray[np.bool_]]:
    """The picture with its flat parts smoothed by at most MAX_CHANGE, and which pixels those are."""
    low, high = (f(pixels, size=(FLAT_PX, FLAT_PX, 1)) for f in (ndimage.minimum_filter, ndimage.maximum_filter))
    flat = (high.astype(np.int16) - low).max(-1) <= FLAT_RANGE
    weight = _blurred(flat.astype(np.float32))
    means = [_blurred(pixels[..., k] * flat.astype(np.float32)) / np.maximum(weight, 1e-6) for k in range(3)]
    goal = np.rint(np.stack(means, -1))
    flat &= np.abs(goal - pixels).max(-1) <= MAX_CHANGE
    return np.where(flat[..., None], goal, pixels).astype(np.uint8), flat


def _blurred(values: NDArray[np.float32]) -> NDArray[np.float32]:
    once = ndimage.uniform_filter(values, SMOOTH_PX)
    return np.asarray(ndimage.uniform_filter(once, SMOOTH_PX), np.float32)


def squeeze(path: Path, limit_bytes: int) -> int:
    """Rewrite a PNG file under the limit if MAX_STEP allows it; returns its size in bytes."""
    pixels, words = np.asarray(Image.open(path).convert("RGB")), text_chunks(path.read_bytes())
    base, flat = smoothed(pixels)
    data = png(base, words)
    for step in range(2, MAX_STEP + 1):
        if len(data) <= limit_bytes:
            break
        rounded = np.clip(np.rint(base / step) * step, 0, 255).astype(np.uint8)
        data = png(np.where(flat[..., None], base, rounded), words)
    path.write_bytes(data)
    return len(data)
