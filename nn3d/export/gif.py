"""A film as an animated GIF: one palette for all frames, and of each frame the pixels that changed.

The palette is made of a few frames spread over the film; without dither, so that what stands still does not flicker.
Pillow writes the pixels (LZW), the blocks between them are written here, after the GIF89a specification: Pillow's own
writer of animations holds all frames in memory.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image

from nn3d.errors import ExportError
from nn3d.export.parts import part_of, refuse

N_COLOURS: Final = 255
SAME: Final = 255  # the index of a pixel that stays as it was
N_SAMPLES: Final = 8
MAX_FPS: Final = 50.0
SAMPLE_PX: Final = 120_000
DESCRIPTOR_BYTES: Final = 10

U8 = NDArray[np.uint8]


class GifFile:
    """A looping GIF of `n_frames` frames. Times are kept in its 1/100 s without drift."""

    def __init__(self, path: Path, fps: float, n_frames: int) -> None:
        if fps > MAX_FPS:
            raise ExportError(f"{path}: a .gif has at most {MAX_FPS:g} frames a second, got {fps:g}")
        self.n_samples = min(N_SAMPLES, n_frames)
        self._goal, self._part, self._fps = path, part_of(path), fps
        self._palette: Image.Image | None = None
        self._before: U8 | None = None
        try:
            self._file: IO[bytes] = self._part.open("wb")
        except OSError as error:
            raise refuse(path, error) from error

    def begin(self, samples: Iterator[U8]) -> None:
        """Make the palette of some frames."""
        thinned = [_thinned(pixels) for pixels in samples]
        self._palette = palette_of(np.concatenate(thinned))

    def has(self, k: int, state: object) -> bool:
        """A GIF is written in one go."""
        return False

    def add(self, k: int, pixels: U8, state: object) -> None:
        """Write what differs from the frame before. Raises ExportError."""
        assert self._palette is not None
        now = indexed(pixels, self._palette)
        delay = round(100.0 * (k + 1) / self._fps) - round(100.0 * k / self._fps)
        try:
            if self._before is None:
                self._write_head(now.shape[1], now.shape[0])
                self._write_image(now, (0, 0), delay, has_same=False)
            else:
                changed, corner = _changed(self._before, now)
                self._write_image(changed, corner, delay, has_same=True)
        except OSError as error:
            raise refuse(self._goal, error) from error
        self._before = now

    def finish(self) -> None:
        """Close the file and put it under its name. Raises ExportError."""
        try:
            self._file.write(b";")
            self._file.close()
            os.replace(self._part, self._goal)
        except OSError as error:
            raise refuse(self._goal, error) from error

    def abandon(self) -> None:
        """Take the unfinished file away."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _write_head(self, width: int, height: int) -> None:
        """Header, logical screen with a palette of 256, and the extension that says: for ever."""
        assert self._palette is not None
        colours = bytes(self._palette.getpalette() or ())[: 3 * N_COLOURS].ljust(768, b"\0")
        self._file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0) + colours)
        self._file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", 0) + b"\0")

    def _write_image(self, indices: U8, corner: tuple[int, int], delay: int, *, has_same: bool) -> None:
        """Graphic control (the picture before stays), image descriptor, pixels."""
        height, width = indices.shape
        flags = 0x04 | int(has_same)
        self._file.write(b"\x21\xf9\x04" + struct.pack("<BHB", flags, delay, SAME if has_same else 0) + b"\0")
        self._file.write(b"\x2c" + struct.pack("<HHHHB", *corner, width, height, 0))
        self._file.write(_lzw(indices))


def palette_of(colours: U8) -> Image.Image:
    """A palette of 255 for (n, 3) uint8 colours: median cut, then k-means."""
    width = min(4096, len(colours))
    rows = len(colours) // width
    strip = Image.fromarray(np.ascontiguousarray(colours[: rows * width].reshape(rows, width, 3)))
    return strip.quantize(N_COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=2)


def indexed(pixels: U8, palette: Image.Image) -> U8:
    """(H, W) uint8: of each pixel of (H, W, 3) the palette's nearest colour."""
    picture = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    return np.asarray(picture.quantize(palette=palette, dither=Image.Dither.NONE), np.uint8)


def _thinned(pixels: U8) -> U8:
    """(n, 3): every so many pixels, on a stride that does not follow columns."""
    flat = pixels.reshape(-1, pixels.shape[-1])[:, :3]
    return flat[:: max(1, len(flat) // SAMPLE_PX) | 1]


def _changed(before: U8, now: U8) -> tuple[U8, tuple[int, int]]:
    """The rectangle around what changed, unchanged pixels in it as SAME; and its corner. One pixel for nothing."""
    differs = before != now
    rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
    if not len(rows):
        return np.full((1, 1), SAME, np.uint8), (0, 0)
    y, x = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.where(differs[y, x], now[y, x], np.uint8(SAME)), (int(columns[0]), int(rows[0]))


def _lzw(indices: U8) -> bytes:
    """The image data of (H, W) indices of 8 bits: code size, blocks, and the block that ends them."""
    picture = Image.frombytes("P", (indices.shape[1], indices.shape[0]), np.ascontiguousarray(indices).tobytes())
    return b"".join(GifImagePlugin.getdata(picture))[DESCRIPTOR_BYTES:]
