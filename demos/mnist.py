"""MNIST as numpy arrays, from a folder of IDX files (plain or .gz) or from a public mirror.

MNIST: Yann LeCun, Corinna Cortes, Christopher J. C. Burges; CC BY-SA 3.0.
"""

from __future__ import annotations

import gzip
import hashlib
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# Name of the IDX file → SHA-256 of its uncompressed bytes.
FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def read_idx(data: bytes) -> NDArray[np.uint8]:
    """The array in an IDX file of bytes: magic 00 00 08 rank, big-endian sizes, then the values."""
    if data[:3] != b"\x00\x00\x08":
        raise ValueError(f"expected an IDX file of bytes (00 00 08 …), got {data[:4].hex(' ')}")
    rank = data[3]
    shape = np.frombuffer(data, ">u4", count=rank, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def find(folder: Path, name: str) -> bytes:
    """Uncompressed bytes of one IDX file of a folder, plain or gzipped."""
    for path in (folder / name, folder / name.replace("-idx", ".idx"), folder / f"{name}.gz"):
        if path.is_file():
            return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    raise FileNotFoundError(f"expected {name} or {name}.gz in {folder}, found neither: give --data FOLDER")


def download(folder: Path) -> None:
    """Fetch what the folder lacks from the first mirror that answers, and check it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, digest in FILES.items():
        target = folder / f"{name}.gz"
        if target.exists() or (folder / name).exists():
            continue
        errors = []
        for mirror in MIRRORS:
            try:
                with urllib.request.urlopen(f"{mirror}{name}.gz", timeout=30) as answer:
                    data = answer.read()
            except (urllib.error.URLError, TimeoutError) as error:
                errors.append(f"{mirror}: {error}")
                continue
            if hashlib.sha256(gzip.decompress(data)).hexdigest() == digest:
                target.write_bytes(data)
                break
            errors.append(f"{mirror}: not the known {name}")
        else:
            raise SystemExit(f"{name} could not be downloaded ({'; '.join(errors)}): give --data FOLDER of IDX files")


def load(folder: Path | None) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Training pictures and labels, then test pictures and labels.

    Pictures are (N, 1, 28, 28) float32 in 0 … 1, labels (N,) int64. Without a folder, data/mnist is filled first.
    """
    if folder is None:
        folder = Path("data/mnist")
        download(folder)
    arrays = []
    for split in ("train", "t10k"):
        pictures = read_idx(find(folder, f"{split}-images-idx3-ubyte"))
        arrays += [
            pictures[:, None].astype(np.float32) / 255,
            read_idx(find(folder, f"{split}-labels-idx1-ubyte")).astype(np.int64),
        ]
    return arrays[0], arrays[1], arrays[2], arrays[3]
