"""Owns --input: a picture, a folder of pictures, .npy and .npz, IDX files, random numbers → arrays (N, ...).

Pictures become (C, H, W) float32, 0 … 1 before mean and std. Class folders give the truth.
"""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nn3d.errors import Nn3dError, SourceError
from nn3d.extract.options import SourceOptions
from nn3d.extract.pictures import read_picture
from nn3d.run.archive import ArchiveStore
from nn3d.run.model import Array, FloatArray

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"})
_DEFAULT_SAMPLES = 16
_MAX_VALUES, _MAX_IDX_BYTES = 1 << 31, 1 << 29
_INPUT_KEYS = ("x", "input", "inputs", "images", "data", "x_test", "arr_0")
_LABEL_KEYS = ("y", "label", "labels", "targets", "y_test", "arr_1")
Transform = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples to record. values : (N, ...); labels : class indices or (); is_picture : whether mean and std count.

    tokens : words of each sample of text, else ().
    """

    values: Array
    names: tuple[str, ...]
    labels: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    is_picture: bool = False
    tokens: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the model reads first. channels : of its first convolution, None when there is none."""

    channels: int | None = None
    transform: Transform | None = None


def natural(name: str) -> list[tuple[int, int | str]]:
    """Sort key by which epoch_2 comes before epoch_10."""
    return [(0, int(p)) if p.isdecimal() else (1, p.lower()) for p in re.split(r"(\d+)", name)]


def read_inputs(source: SourceOptions, wanted: Wanted) -> Batch:
    """Read what --input names. Raises SourceError with what to do when it cannot."""
    text = source.input
    if text is None:
        raise SourceError("--input: expected a picture, a folder, .npy or random, got nothing.")
    if text == "random" or text.startswith("random:"):
        return _random(text, source)
    path = Path(text)
    if not path.exists():
        raise SourceError(f"--input {text}: expected a file, a folder or random[:3,224,224], got no such path.")
    if path.is_dir():
        return _folder(path, source, wanted)
    with path.open("rb") as file:
        head = file.read(8)
    if head[:6] == b"\x93NUMPY" or head[:2] == b"PK":
        return _numpy(path, source, wanted)
    if head[:2] == b"\x1f\x8b" or head[:3] == b"\0\0\x08":
        return _idx(path, source, wanted)
    return _pictures([(path, None)], (), source, wanted)


def random_shape(text: str) -> tuple[int, ...]:
    """`random:3,224,224` → (3, 224, 224). Raises SourceError when it is no shape."""
    numbers = text.removeprefix("random").removeprefix(":").replace("x", ",").split(",")
    if not all(n.strip().isdecimal() and int(n) > 0 for n in numbers):
        raise SourceError(f"--input {text}: expected random:C,H,W with whole numbers, e.g. random:3,224,224.")
    shape = tuple(int(n) for n in numbers)
    if prod(shape) > _MAX_VALUES:
        raise SourceError(f"--input {text}: expected at most {_MAX_VALUES} numbers a sample, got {prod(shape)}.")
    return shape


def random_batch(shape: tuple[int, ...], n: int, *, tokens: int = 0) -> Batch:
    """Even random numbers 0 … 1 (N, *shape), or with `tokens` whole numbers below it; always the same."""
    rng = np.random.default_rng(0)
    values: Array = rng.integers(0, tokens, (n, *shape)) if tokens else rng.random((n, *shape), np.float32)
    return Batch(values, tuple(f"random {i}" for i in range(n)))


def _random(text: str, source: SourceOptions) -> Batch:
    return random_batch(random_shape(text), source.samples or 1)


def _folder(path: Path, source: SourceOptions, wanted: Wanted) -> Batch:
    own = _pictures_in(path)
    folders = sorted((p for p in path.iterdir() if p.is_dir() and _pictures_in(p)), key=lambda p: natural(p.name))
    if own:
        return _pictures([(p, None) for p in own[: source.samples or _DEFAULT_SAMPLES]], (), source, wanted)
    if not folders:
        raise SourceError(f"--input {path}: expected pictures, or class folders with pictures, got neither.")
    lists = [_pictures_in(p) for p in folders]
    n = source.samples or _DEFAULT_SAMPLES
    turns = [(files[i], k) for i in range(max(map(len, lists))) for k, files in enumerate(lists) if i < len(files)]
    return _pictures(list(turns[:n]), tuple(p.name for p in folders), source, wanted)


def _pictures_in(path: Path) -> list[Path]:
    found = (p for p in path.iterdir() if p.suffix.lower() in _PICTURES and p.is_file())
    return sorted(found, key=lambda p: natural(p.name))


def _pictures(
    files: Sequence[tuple[Path, int | None]], classes: tuple[str, ...], source: SourceOptions, wanted: Wanted
) -> Batch:
    arrays = [_picture(path, source, wanted) for path, _ in files]
    odd = next((i for i, a in enumerate(arrays) if a.shape != arrays[0].shape), None)
    if odd is not None:
        first, other = arrays[0].shape, arrays[odd].shape
        raise SourceError(f"{files[odd][0]}: expected pictures of one size {first}, got {other}. Pass --resize HxW.")
    values = np.stack(arrays)
    labels = tuple(k for _, k in files if k is not None)
    names = tuple(f"{p.parent.name}/{p.name}" if k is not None else p.name for p, k in files)
    prepared = values if wanted.transform else normalised(values, source)
    return Batch(prepared, names, labels, classes, is_picture=True)


def _picture(path: Path, source: SourceOptions, wanted: Wanted) -> FloatArray:
    opened = read_picture(path, "Pass another --input.")
    picture = opened.convert("L" if source.gray or wanted.channels == 1 else "RGB")
    if source.resize is not None:
        picture = picture.resize(source.resize[::-1], Image.Resampling.BILINEAR)
    if wanted.transform is not None:
        return np.asarray(wanted.transform(picture), np.float32)
    array = np.asarray(picture, np.float32) / np.float32(255)
    return array[None] if array.ndim == 2 else np.ascontiguousarray(array.transpose(2, 0, 1))


def normalised(values: FloatArray, source: SourceOptions) -> FloatArray:
    """(values − mean) / std by channel; values (N, C, H, W)."""
    if not source.mean and not source.std:
        return values
    channels = values.shape[1]
    mean = _by_channel(source.mean or (0.0,), channels, "--mean")
    std = _by_channel(source.std or (1.0,), channels, "--std")
    if (std == 0).any():
        raise SourceError("--std: expected numbers other than 0.")
    found: FloatArray = ((values - mean) / std).astype(np.float32)
    return found


def _by_channel(numbers: tuple[float, ...], channels: int, option: str) -> FloatArray:
    if len(numbers) not in (1, channels):
        raise SourceError(f"{option}: expected 1 or {channels} numbers, one a channel, got {len(numbers)}.")
    return np.broadcast_to(np.asarray(numbers, np.float32), (channels,)).reshape(1, channels, 1, 1)


def _numpy(path: Path, source: SourceOptions, wanted: Wanted) -> Batch:
    labels: Array | None = None
    try:
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
        if is_zip:
            store = ArchiveStore(path)
            values, labels = _member(store, _INPUT_KEYS, or_first=True), _member(store, _LABEL_KEYS)
        else:
            values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, Nn3dError) as error:
        words = " ".join(str(error).split())
        raise SourceError(f"{path}: expected arrays without pickled objects, got: {words}.") from error
    if values is None or not values.ndim:
        raise SourceError(f"{path}: expected an array (N, ...) named x, inputs or images, got none.")
    return _samples(path, values, labels, source, wanted)


def _member(store: ArchiveStore, names: Sequence[str], *, or_first: bool = False) -> Array | None:
    keys = list(store.keys())
    lower = {key.lower(): key for key in keys}
    name = next((lower[n] for n in names if n in lower), keys[0] if or_first and keys else None)
    return None if name is None else store[name]


def _samples(path: Path, values: Array, labels: Array | None, source: SourceOptions, wanted: Wanted) -> Batch:
    n = min(len(values), source.samples or _DEFAULT_SAMPLES)
    truth = () if labels is None else tuple(int(v) for v in np.asarray(labels).reshape(len(labels), -1)[:n, 0])
    chosen = np.array(values[:n])
    is_picture = chosen.dtype == np.uint8
    if is_picture:
        chosen = chosen.astype(np.float32) / np.float32(255)
    if chosen.ndim == 3 and (is_picture or wanted.channels == 1):
        chosen = chosen[:, None]
    elif chosen.ndim == 4 and _is_channels_last(chosen.shape, wanted.channels):
        chosen = np.ascontiguousarray(chosen.transpose(0, 3, 1, 2))
    if is_picture and chosen.ndim == 4:
        chosen = normalised(chosen, source)
    elif chosen.dtype.kind == "f":
        chosen = chosen.astype(np.float32)
    names = tuple(f"{path.stem} #{i}" for i in range(n))
    return Batch(chosen, names, truth, is_picture=is_picture and chosen.ndim == 4)


def _is_channels_last(shape: tuple[int, ...], channels: int | None) -> bool:
    """(N, H, W, C): the last axis has as many entries as the model wants channels, and the second has not."""
    if channels is not None and (shape[1] == channels) != (shape[-1] == channels):
        return shape[-1] == channels
    return shape[-1] in (1, 3, 4) and shape[1] not in (1, 3, 4)


def _idx(path: Path, source: SourceOptions, wanted: Wanted) -> Batch:
    values = _read_idx(path, source.samples or _DEFAULT_SAMPLES)
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    labels = _read_idx(beside, len(values)) if beside != path and beside.is_file() else None
    return _samples(path, values, labels, source, wanted)


def _read_idx(path: Path, n: int) -> Array:
    """The first n entries of an IDX file of bytes (LeCun's MNIST format), gzipped or not."""
    with path.open("rb") as probe:
        is_zipped = probe.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if is_zipped else path.open("rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:3] != b"\0\0\x08" or not 1 <= head[3] <= 4:
                raise SourceError(f"{path}: expected an IDX file of bytes, got a file that begins {head.hex()}.")
            shape = struct.unpack(f">{head[3]}I", file.read(4 * head[3]))
            wanted = min(n, shape[0]) * prod(shape[1:])
            if wanted > _MAX_IDX_BYTES:
                raise SourceError(f"{path}: expected at most {_MAX_IDX_BYTES} bytes, got a claim of {wanted}.")
            data = file.read(wanted)
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise SourceError(f"{path}: expected an IDX file, got: {error}.") from error
    if len(data) != wanted:
        raise SourceError(f"{path}: expected {wanted} bytes of values, got {len(data)}. The file is cut off.")
    return np.frombuffer(data, np.uint8).reshape(-1, *shape[1:])
