"""What is given beside a model, made to do harm: pictures, numbers, views, tours, settings; and HDF5."""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn3d.extract.options import SourceOptions
from tests.extract.formats import samples
from tests.extract.formats.hostile_tensors import SECRET
from tests.extract.formats.hostile_zips import deflated

Made = tuple[Path, SourceOptions]
Case = Callable[[Path], Made]
_DEEP = "[" * 200_000


def _with_input(folder: Path, name: str, data: bytes) -> Made:
    (folder / name).write_bytes(data)
    model = "tests.extract.formats.samples:net"
    return samples.torch_state(folder), SourceOptions(model=model, input=str(folder / name), resize=(8, 8))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, data: bytes) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def input_picture_bomb(folder: Path) -> Made:
    """2.5 · 10⁹ grey pixels in 2.5 MB."""
    packed, _ = deflated(50_001 * 50_000)
    return _with_input(folder, "x.png", _png(50_000, 50_000, b"\x78\xda" + packed + bytes(4)))


def input_picture_text_bomb(folder: Path) -> Made:
    """A comment that unfolds to 4 GB."""
    packed, _ = deflated(4 << 30)
    good = _png(2, 2, zlib.compress(bytes(6)))
    note = _chunk(b"zTXt", b"a\0\0\x78\xda" + packed)
    return _with_input(folder, "x.png", good[:33] + note + good[33:-12])


def input_picture_cut(folder: Path) -> Made:
    return _with_input(folder, "x.png", _png(100, 100, zlib.compress(bytes(50))))


def input_picture_program(folder: Path) -> Made:
    """Encapsulated PostScript under the name of a picture: opening it would start an interpreter."""
    return _with_input(folder, "x.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(canary) (w) file pop\n")


def input_numbers_claim(folder: Path) -> Made:
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 60000, 60000), }".ljust(117) + b"\n"
    return _with_input(folder, "x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(64))


def input_idx_bomb(folder: Path) -> Made:
    head = b"\0\0\x08\x03" + struct.pack(">III", 1, 60_000, 60_000)
    return _with_input(folder, "x-idx3-ubyte.gz", gzip.compress(head + bytes(1 << 20)))


def _hdf5(folder: Path, fill: Callable[[Any, Any], None]) -> Made:
    """A file of Keras' weights of which one thing is not what it should be."""
    h5py = pytest.importorskip("h5py")
    (folder / "model").mkdir()
    np.full(4096, 1234.5, np.float32).tofile(folder / SECRET)
    with h5py.File(folder / "outside.h5", "w") as file:
        file["kernel"] = np.full((8, 8), 1234.5, np.float32)
    path = folder / "model" / "w.h5"
    with h5py.File(path, "w") as file:
        file["dense/kernel"] = np.ones((3, 4), np.float32)
        fill(file, h5py)
    return path, SourceOptions()


def hdf5_link(folder: Path) -> Made:
    def fill(file: Any, h5py: Any) -> None:
        file["dense/bias"] = h5py.ExternalLink("../outside.h5", "/kernel")

    return _hdf5(folder, fill)


def hdf5_storage(folder: Path) -> Made:
    def fill(file: Any, h5py: Any) -> None:
        file.create_dataset("dense/bias", (64,), "f4", external=[(str(folder / SECRET), 0, 256)])

    return _hdf5(folder, fill)


def hdf5_virtual(folder: Path) -> Made:
    def fill(file: Any, h5py: Any) -> None:
        layout = h5py.VirtualLayout((8, 8), "f4")
        layout[:] = h5py.VirtualSource(str(folder / "outside.h5"), "kernel", (8, 8))
        file.create_virtual_dataset("dense/bias", layout)

    return _hdf5(folder, fill)


def hdf5_circle(folder: Path) -> Made:
    def fill(file: Any, h5py: Any) -> None:
        file["dense/again"] = file["dense"]

    return _hdf5(folder, fill)


def hdf5_claim(folder: Path) -> Made:
    """10¹² numbers of which none is stored."""

    def fill(file: Any, h5py: Any) -> None:
        file.create_dataset("dense/bias", (10**6, 10**6), "f4", chunks=(1000, 1000))

    return _hdf5(folder, fill)


def hdf5_bomb(folder: Path) -> Made:
    """8 GB of zeros, deflated."""

    def fill(file: Any, h5py: Any) -> None:
        data = file.create_dataset("dense/bias", (2048, 1 << 20), "f4", chunks=(1, 1 << 20), compression="gzip")
        packed = zlib.compress(bytes(4 << 20), 9)
        for i in range(2048):
            data.id.write_direct_chunk((i, 0), packed)

    return _hdf5(folder, fill)


def hdf5_config(folder: Path) -> Made:
    def fill(file: Any, h5py: Any) -> None:
        file.attrs["model_config"] = '{"class_name": "Sequential", "config": {"layers": ' + "[" * 20_000

    return _hdf5(folder, fill)


def _keras(folder: Path, layers: list[dict[str, Any]]) -> Made:
    h5py = pytest.importorskip("h5py")
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    stream = io.BytesIO()
    with h5py.File(stream, "w"):
        pass
    with zipfile.ZipFile(folder / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", '{"keras_version": "3.6.0"}')
        archive.writestr("model.weights.h5", stream.getvalue())
    return folder / "m.keras", SourceOptions()


def _input_layer() -> dict[str, Any]:
    return {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": [None, 4]}}


def keras_lambda(folder: Path) -> Made:
    """Code of Python in the configuration, as Keras writes it."""
    code = compile(f"__import__('os').system('touch {folder}/canary')", "x", "eval")
    import marshal

    text = base64.b64encode(marshal.dumps(code)).decode()
    function = {"class_name": "__lambda__", "config": {"code": text, "defaults": None, "closure": None}}
    return _keras(folder, [_input_layer(), {"class_name": "Lambda", "config": {"name": "l", "function": function}}])


def keras_import(folder: Path) -> Made:
    """A layer that is a function of another module."""
    layer = {"module": "os", "class_name": "system", "registered_name": None, "config": {"command": "touch canary"}}
    return _keras(folder, [_input_layer(), layer])


def keras_huge(folder: Path) -> Made:
    """A dense layer of 10¹² units, of which no weight is stored."""
    return _keras(folder, [_input_layer(), {"class_name": "Dense", "config": {"name": "d", "units": 10**12}}])


_NAMES = ("input_", "hdf5_", "keras_")
CASES: dict[str, Case] = {name: globals()[name] for name in list(globals()) if name.startswith(_NAMES)}

_BOMB, _ = deflated(1 << 30, fill=b" ", start=b"[")
_BOMB = b"\x78\xda" + _BOMB
# Views, tours and scripts on the command line, and settings.
TEXTS = {
    "deep": _DEEP,
    "deep objects": '{"a":' * 200_000,
    "a long number": '{"sample": ' + "9" * 100_000 + "}",
    "an infinite number": '{"camera": {"yaw_rad": 1e999}}',
    "no number": '{"camera": {"yaw_rad": NaN}}',
    "a bomb": "nn3d1:" + base64.urlsafe_b64encode(_BOMB).decode(),
    "deep, folded": "nn3d1:" + base64.urlsafe_b64encode(zlib.compress(_DEEP.encode())).decode(),
    "other letters": "nn3d1:äöü",
    "a class": '{"__class__": "os.system", "args": ["touch canary"]}',
    "huge layers": '{"layers": [' + "{}," * 500_000 + "{}]}",
}
