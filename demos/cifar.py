"""CIFAR-10 as numpy arrays: from a zip or folder of pictures by class, or from the official binary archive.

CIFAR-10: Alex Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


@dataclass(frozen=True, slots=True)
class Pictures:
    """pixels : (N, 3, 32, 32) uint8, RGB. labels : (N,) int64, index in CLASSES."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


def load(source: Path | None) -> tuple[Pictures, Pictures]:
    """Training and test pictures.

    source : a zip or a folder with train/CLASS/*.jpg|png and test/CLASS/…, or the official cifar-10-binary.tar.gz;
    without one that archive is downloaded to data/cifar10. Raises SystemExit with one line that says what is missing.
    """
    if source is None:
        source = download(Path("data/cifar10"))
    if not source.exists():
        raise SystemExit(f"expected pictures at {source}, found nothing: give --data FILE or FOLDER")
    if source.name.endswith(".tar.gz"):
        return from_archive(source)
    if source.is_dir():
        data = {p.relative_to(source).as_posix(): p.read_bytes() for p in source.glob("*/*/*") if p.is_file()}
    else:
        with zipfile.ZipFile(source) as archive:
            data = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    return by_class(source, "train", data), by_class(source, "test", data)


def by_class(source: Path, split: str, files: dict[str, bytes]) -> Pictures:
    """Pictures of one split, ordered by class, then by file name. files : name with / → encoded picture."""
    names = [sorted(name for name in files if name.startswith(f"{split}/{label}/")) for label in CLASSES]
    if not all(names):
        lacking = ", ".join(label for label, found in zip(CLASSES, names, strict=True) if not found)
        raise SystemExit(f"{source}: expected pictures in {split}/CLASS/, found none of {lacking}")
    pixels = [np.asarray(Image.open(io.BytesIO(files[name])).convert("RGB")) for group in names for name in group]
    if {picture.shape for picture in pixels} != {(32, 32, 3)}:
        raise SystemExit(f"{source}: expected pictures of 32 × 32 pixels, got others among them")
    labels = np.repeat(np.arange(len(CLASSES)), [len(group) for group in names])
    return Pictures(np.ascontiguousarray(np.stack(pixels).transpose(0, 3, 1, 2)), labels)


def from_archive(path: Path) -> tuple[Pictures, Pictures]:
    """The official binary version: five files to train with, one to test with, 3,073 bytes a picture."""
    with tarfile.open(path) as archive:
        found = {Path(m.name).name: archive.extractfile(m) for m in archive if m.name.endswith(".bin")}
        data = {name: np.frombuffer(file.read(), np.uint8).reshape(-1, 3073) for name, file in found.items() if file}
    train = np.concatenate([data[f"data_batch_{i}.bin"] for i in range(1, 6)])
    test = data["test_batch.bin"]
    return pictures_of(train), pictures_of(test)


def pictures_of(rows: NDArray[np.uint8]) -> Pictures:
    """(N, 3073) bytes, a label and then the red, the green and the blue plane, as pictures."""
    return Pictures(np.ascontiguousarray(rows[:, 1:]).reshape(-1, 3, 32, 32), rows[:, 0].astype(np.int64))


def download(folder: Path) -> Path:
    """The official archive in a folder, fetched and checked where it is not there yet."""
    target = folder / "cifar-10-binary.tar.gz"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with urllib.request.urlopen(URL, timeout=60) as answer:
                data = answer.read()
        except (urllib.error.URLError, TimeoutError) as error:
            raise SystemExit(f"{URL} could not be downloaded ({error}): give --data FILE or FOLDER") from error
        if hashlib.md5(data).hexdigest() != MD5:
            raise SystemExit(f"{URL}: not the known archive (MD5 {MD5}): give --data FILE or FOLDER")
        target.write_bytes(data)
    return target


def normalised(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 3, 32, 32) uint8 → float32, mean 0 and deviation 1 over the training set, by channel."""
    mean, std = (np.array(values, np.float32)[:, None, None] for values in (MEAN, STD))
    return ((pixels.astype(np.float32) / 255 - mean) / std).astype(np.float32)
