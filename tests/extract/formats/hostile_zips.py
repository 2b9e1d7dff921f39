"""Zips that claim, unfold to, or name what they should not."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from nn3d.extract.options import SourceOptions
from tests.extract.formats import samples

Made = tuple[Path, SourceOptions]
Case = Callable[[Path], Made]
_PLAIN = SourceOptions()
_CHUNK = 16 << 20


def deflated(n_bytes: int, fill: bytes = b"\0", start: bytes = b"", end: bytes = b"") -> tuple[bytes, int]:
    """A raw deflate stream of `start`, n_bytes of one byte, and `end`; and how long that is. It is made in no time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    part = packer.compress(fill * _CHUNK) + packer.flush(zlib.Z_FULL_FLUSH)
    last = packer.compress(end) + packer.flush()
    n = n_bytes // _CHUNK
    return first + part * n + last, len(start) + n * _CHUNK + len(end)


def raw_zip(path: Path, members: Sequence[tuple[str, bytes, int, int]]) -> Path:
    """A zip of (name, bytes as they lie there, size claimed, method) members, with checksums of 0."""
    body, directory = b"", b""
    for name, data, size, method in members:
        at, encoded = len(body), name.encode()
        wide = struct.pack("<HHQQ", 1, 16, size, len(data))
        head = struct.pack("<HHHHHIIIHH", 45, 0, method, 0, 33, 0, 0xFFFFFFFF, 0xFFFFFFFF, len(encoded), len(wide))
        body += b"PK\x03\x04" + head + encoded + wide + data
        directory += b"PK\x01\x02" + struct.pack("<H", 45) + head + struct.pack("<HHHII", 0, 0, 0, 0, at)
        directory += encoded + wide
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\x05\x06" + end)
    return path


def _bomb(folder: Path, name: str, others: Sequence[tuple[str, bytes]] = (), **how: bytes) -> Made:
    data, size = deflated(4 << 30, **how)
    rest = [(other, content, len(content), 0) for other, content in others]
    return raw_zip(folder / "bomb.zip", [(name, data, size, 8), *rest]), _PLAIN


def torch_bomb(folder: Path) -> Made:
    return _bomb(folder, "archive/data.pkl", start=b"\x80\x02X\xff\xff\xff\x7f", end=b".")


def torch_storage_bomb(folder: Path) -> Made:
    path, options = samples.torch_state(folder), _PLAIN
    with zipfile.ZipFile(path) as archive:
        members = [(i.filename, archive.read(i), i.file_size, 0) for i in archive.infolist()]
    data, size = deflated(4 << 30)
    members = [(n, data, size, 8) if n.endswith("data/0") else (n, c, s, m) for n, c, s, m in members]
    return raw_zip(path, members), options


def sietzen_bomb(folder: Path) -> Made:
    return _bomb(folder, "model_structure.json", fill=b" ", start=b"[", end=b"]")


def sietzen_lists(folder: Path) -> Made:
    """Sixty million bytes of empty lists: sixteen times as many in memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    text = b"[" + b"[]," * 20_000_000 + b"[]]"
    return raw_zip(
        folder / "lists.zip", [("model_structure.json", packer.compress(text) + packer.flush(), len(text), 8)]
    ), _PLAIN


def keras_bomb(folder: Path) -> Made:
    return _bomb(folder, "config.json", [("model.weights.h5", b"x"), ("metadata.json", b"{}")], fill=b" ", start=b"{")


def keras_tensor_bomb(folder: Path) -> Made:
    config = b'{"class_name": "Sequential", "config": {"name": "s", "layers": []}}'
    return _bomb(folder, "model.weights.h5", [("config.json", config), ("metadata.json", b"{}")])


def run_bomb(folder: Path) -> Made:
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296,), }".ljust(117) + b"\n"
    return _bomb(folder, "manifest.npy", start=b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)


def arrays_bomb(folder: Path) -> Made:
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (32768, 32768), }".ljust(117) + b"\n"
    return _bomb(folder, "fc/kernel.npy", start=b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)


def input_bomb(folder: Path) -> Made:
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 32768, 32768), }".ljust(117) + b"\n"
    path, _ = _bomb(folder, "x.npy", start=b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)
    model = "tests.extract.formats.samples:net"
    return samples.torch_state(folder), SourceOptions(model=model, input=str(path))


def input_claim(folder: Path) -> Made:
    """A member of a few bytes whose header claims 16 GB."""
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1000000000), }".ljust(117) + b"\n"
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
    raw_zip(folder / "x.npz", [("x.npy", header, len(header), 0)])
    model = "tests.extract.formats.samples:net"
    return samples.torch_state(folder), SourceOptions(model=model, input=str(folder / "x.npz"))


def torch_claim(folder: Path) -> Made:
    """A member that claims 16 GB and has none."""
    return raw_zip(folder / "m.pt", [("archive/data.pkl", b"", 16 << 30, 0)]), _PLAIN


def climbing_names(folder: Path) -> Made:
    """Members that would lie outside, were they unpacked."""
    with zipfile.ZipFile(folder / "up.zip", "w") as archive:
        for name in ("../model_structure.json", "/tmp/model_weights_epoch000.json", "..\\..\\model_x.json"):
            archive.writestr(name, "[]")
    return folder / "up.zip", _PLAIN


def climbing_torch(folder: Path) -> Made:
    with zipfile.ZipFile(folder / "up.pt", "w") as archive:
        archive.writestr("../data.pkl", b"\x80\x02}.")
        archive.writestr("../version", b"3\n")
    return folder / "up.pt", _PLAIN


def link_members(folder: Path) -> Made:
    """A member that is a symbolic link to a file outside."""
    with zipfile.ZipFile(folder / "link.zip", "w") as archive:
        info = zipfile.ZipInfo("model_structure.json")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return folder / "link.zip", _PLAIN


def same_name_twice(folder: Path) -> Made:
    return raw_zip(folder / "twice.zip", [("config.json", b"{}", 2, 0)] * 2 + [("model.weights.h5", b"", 0, 0)]), _PLAIN


def same_place_twice(folder: Path) -> Made:
    """A directory of 60,000 entries that all point at one member."""
    data = b"PK\x03\x04" + bytes(26)
    entry = struct.pack("<HHHHHHIIIHHHHHII", 45, 45, 0, 8, 0, 33, 0, 0, 1 << 30, 1, 0, 0, 0, 0, 0, 0)
    directory = b"".join(b"PK\x01\x02" + entry + b"x" for _ in range(60_000))
    end = struct.pack("<HHHHIIH", 0, 0, 60_000, 60_000, len(directory), len(data), 0)
    (folder / "many.zip").write_bytes(data + directory + b"PK\x05\x06" + end)
    return folder / "many.zip", _PLAIN


def _deep(start: str = "[", n: int = 200_000, end: str = "]") -> str:
    return start * n + end * n


def deep_sietzen(folder: Path) -> Made:
    (folder / "model_structure.json").write_text(_deep())
    return folder, _PLAIN


def deep_run(folder: Path) -> Made:
    (folder / "run.json").write_text('{"format": "nn3d-run", "manifest": ' + _deep())
    return folder / "run.json", _PLAIN


def deep_safetensors(folder: Path) -> Made:
    header = ('{"a":' * 200_000).encode()
    (folder / "m.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    return folder / "m.safetensors", _PLAIN


def deep_index(folder: Path) -> Made:
    text = '{"weight_map": {"a": "b.safetensors"}, "x": ' + _deep() + "}"
    (folder / "model.safetensors.index.json").write_text(text)
    return folder / "model.safetensors.index.json", _PLAIN


def deep_hugging_face(folder: Path) -> Made:
    home = folder / "hf"
    home.mkdir()
    (home / "config.json").write_text('{"model_type": ' + _deep() + "}")
    samples.safetensors(home)
    return home, _PLAIN


def deep_keras(folder: Path) -> Made:
    with zipfile.ZipFile(folder / "m.keras", "w") as archive:
        archive.writestr("config.json", '{"class_name": "Sequential", "config": ' + _deep() + "}")
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", b"")
    return folder / "m.keras", _PLAIN


def deep_models(folder: Path) -> Made:
    """Keras models in models, as deep as JSON may be."""
    inner: dict[str, object] = {"class_name": "Dense", "config": {"name": "d", "units": 1}}
    for i in range(300):
        inner = {"class_name": "Sequential", "config": {"name": f"s{i}", "layers": [inner]}}
    with zipfile.ZipFile(folder / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(inner))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", b"")
    return folder / "m.keras", _PLAIN


def deep_tfjs(folder: Path) -> Made:
    text = '{"format": "layers-model", "modelTopology": ' + _deep() + ', "weightsManifest": []}'
    (folder / "model.json").write_text(text)
    return folder / "model.json", _PLAIN


def deep_export(folder: Path) -> Made:
    with zipfile.ZipFile(folder / "m.pt2", "w") as archive:
        archive.writestr("m/archive_format", "pt2")
        archive.writestr("m/models/model.json", '{"graph_module": ' + _deep() + "}")
    return folder / "m.pt2", _PLAIN


def deep_spec(folder: Path) -> Made:
    (folder / "spec.json").write_text('{"nn3d_spec": 1, "layers": ' + _deep() + "}")
    return folder / "spec.json", _PLAIN


def deep_toml(folder: Path) -> Made:
    (folder / "spec.toml").write_text("nn3d_spec = 1\nlayers = " + _deep())
    return folder / "spec.toml", _PLAIN


def _cases() -> dict[str, Case]:
    names = [name for name in globals() if name.endswith(("_bomb", "_claim", "_lists", "_names", "_torch", "_twice"))]
    names += [name for name in globals() if name.startswith(("deep_", "link_"))]
    return {name: globals()[name] for name in names if not name.startswith("_")}


CASES = _cases()
