"""Files of tensors that lie about sizes and places, or point outside of their folder."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nn3d.extract.options import SourceOptions
from tests.extract.formats import samples

Made = tuple[Path, SourceOptions]
Case = Callable[[Path], Made]
_PLAIN = SourceOptions()
SECRET = "secret"
_HUGE = 2**62


def _safetensors(folder: Path, header: Any, data: bytes = b"", length: int | None = None) -> Made:
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    start = struct.pack("<Q", len(text) if length is None else length)
    (folder / "m.safetensors").write_bytes(start + text + data)
    return folder / "m.safetensors", _PLAIN


def _entry(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def safetensors_length(folder: Path) -> Made:
    return _safetensors(folder, "{}", length=2**31)


def safetensors_overlap(folder: Path) -> Made:
    return _safetensors(folder, {"a": _entry([4], 0, 16), "b": _entry([4], 8, 24)}, bytes(24))


def safetensors_outside(folder: Path) -> Made:
    return _safetensors(folder, {"a": _entry([1 << 30], 0, 1 << 32)}, bytes(16))


def safetensors_overflow(folder: Path) -> Made:
    return _safetensors(folder, {"a": _entry([2**32, 2**32, 2**32], 0, 0)}, bytes(16))


def safetensors_negative(folder: Path) -> Made:
    return _safetensors(folder, {"a": _entry([-4], 16, 0)}, bytes(16))


def safetensors_many(folder: Path) -> Made:
    """A million tensors of nothing."""
    header = "{" + ",".join(f'"{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for i in range(1_000_000)) + "}"
    return _safetensors(folder, header)


def safetensors_twice(folder: Path) -> Made:
    one = json.dumps(_entry([4], 0, 16))
    return _safetensors(folder, f'{{"a": {one}, "a": {one}}}', bytes(16))


def _index(folder: Path, name: str) -> Made:
    home = folder / "model"
    home.mkdir()
    path, _ = _safetensors(folder, {"a": _entry([4], 0, 16)}, bytes(16))
    path.rename(folder / "outside.safetensors")
    index = home / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": name.replace("HERE", str(folder))}}))
    return index, _PLAIN


def index_climbs(folder: Path) -> Made:
    return _index(folder, "../outside.safetensors")


def index_absolute(folder: Path) -> Made:
    return _index(folder, "HERE/outside.safetensors")


def index_link(folder: Path) -> Made:
    found = _index(folder, "x.safetensors")
    (folder / "model" / "x.safetensors").symlink_to(folder / "outside.safetensors")
    return found


def index_device(folder: Path) -> Made:
    """A file without an end."""
    found = _index(folder, "x.safetensors")
    (folder / "model" / "x.safetensors").symlink_to("/dev/zero")
    return found


def _gguf(folder: Path, body: bytes, n_tensors: int = 0, n_entries: int = 0) -> Made:
    (folder / "m.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, n_tensors, n_entries) + body)
    return folder / "m.gguf", _PLAIN


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def gguf_tensors(folder: Path) -> Made:
    return _gguf(folder, bytes(64), n_tensors=_HUGE)


def gguf_entries(folder: Path) -> Made:
    return _gguf(folder, bytes(64), n_entries=2**64 - 1)


def gguf_text(folder: Path) -> Made:
    return _gguf(folder, struct.pack("<Q", 2**63), n_entries=1)


def gguf_list(folder: Path) -> Made:
    return _gguf(folder, _text("a") + struct.pack("<IIQ", 9, 8, 2**61), n_entries=1)


def gguf_lists(folder: Path) -> Made:
    """Lists in lists in lists."""
    return _gguf(folder, _text("a") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 100_000, n_entries=1)


def _gguf_tensor(folder: Path, shape: tuple[int, ...], at: int = 0, axes: int | None = None) -> Made:
    n = len(shape) if axes is None else axes
    body = _text("a.weight") + struct.pack("<I", n) + struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", 0, at)
    return _gguf(folder, body + bytes(256), n_tensors=1)


def gguf_overflow(folder: Path) -> Made:
    return _gguf_tensor(folder, (2**32, 2**32))


def gguf_offset(folder: Path) -> Made:
    return _gguf_tensor(folder, (4,), at=2**64 - 32)


def gguf_axes(folder: Path) -> Made:
    return _gguf_tensor(folder, (4,), axes=2**31)


def torch_stride_0(folder: Path) -> Made:
    """10¹² numbers in a storage of one."""
    torch = pytest.importorskip("torch")
    torch.save({"fc.weight": torch.zeros(1).expand(10**6, 10**6)}, folder / "m.pt")
    return folder / "m.pt", _PLAIN


def torch_shared(folder: Path) -> Made:
    """Ten thousand tensors of 64 MB, which are one."""
    torch = pytest.importorskip("torch")
    one = torch.zeros(1).expand(4000, 4000)
    torch.save({f"fc{i}.weight": one for i in range(10_000)}, folder / "m.pt")
    return folder / "m.pt", _PLAIN


def torch_meta(folder: Path) -> Made:
    torch = pytest.importorskip("torch")
    torch.save({"fc.weight": torch.empty(10**6, 10**6, device="meta")}, folder / "m.pt")
    return folder / "m.pt", _PLAIN


def torch_sparse(folder: Path) -> Made:
    torch = pytest.importorskip("torch")
    places, shape = torch.zeros(2, 1, dtype=torch.long), (10**6, 10**6)
    sparse = torch.sparse_coo_tensor(places, torch.ones(1), shape, check_invariants=False)
    torch.save({"fc.weight": sparse}, folder / "m.pt")
    return folder / "m.pt", _PLAIN


def numpy_claim(folder: Path) -> Made:
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1000000000), }".ljust(117) + b"\n"
    (folder / "w.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(16))
    return folder / "w.npy", _PLAIN


def numpy_header(folder: Path) -> Made:
    """A header that is a program."""
    text = b"__import__('os').system('touch canary')".ljust(117) + b"\n"
    (folder / "w.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(16))
    return folder / "w.npy", _PLAIN


def _onnx(folder: Path, edit: Callable[[Any, Any], None]) -> Made:
    library = pytest.importorskip("onnx")
    home = folder / "model"
    home.mkdir()
    path = samples.onnx(home)
    model = library.load(path)
    edit(model, library)
    path.write_bytes(model.SerializeToString())
    np.full(1 << 10, 1234.5, np.float32).tofile(folder / SECRET)
    return path, _PLAIN


def _onnx_outside(folder: Path, location: str) -> Made:
    def edit(model: Any, library: Any) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = 1
        for key, value in (("location", location.replace("HERE", str(folder))), ("offset", "0"), ("length", "144")):
            tensor.external_data.add(key=key, value=value)

    return _onnx(folder, edit)


def onnx_climbs(folder: Path) -> Made:
    return _onnx_outside(folder, f"../{SECRET}")


def onnx_absolute(folder: Path) -> Made:
    return _onnx_outside(folder, f"HERE/{SECRET}")


def onnx_link(folder: Path) -> Made:
    found = _onnx_outside(folder, "x.bin")
    (folder / "model" / "x.bin").symlink_to(folder / SECRET)
    return found


def onnx_linked_folder(folder: Path) -> Made:
    found = _onnx_outside(folder, f"up/{SECRET}")
    (folder / "model" / "up").symlink_to(folder)
    return found


def onnx_memory(folder: Path) -> Made:
    """onnxruntime's own name for values at an address."""
    found = _onnx_outside(folder, "*/_ORT_MEM_ADDR_/*")
    place = folder / "model" / "*" / "_ORT_MEM_ADDR_"
    place.mkdir(parents=True)
    (place / "*").write_bytes(bytes(1024))
    return found


def onnx_pipe(folder: Path) -> Made:
    """A file that never answers."""
    found = _onnx_outside(folder, "x.bin")
    os.mkfifo(folder / "model" / "x.bin")
    return found


def onnx_shape(folder: Path) -> Made:
    def edit(model: Any, library: Any) -> None:
        del model.graph.initializer[0].dims[:]
        model.graph.initializer[0].dims.extend([10**6, 10**6])

    return _onnx(folder, edit)


def onnx_functions(folder: Path) -> Made:
    """A function that calls another twice, forty deep: 10¹² nodes when written out."""

    def edit(model: Any, library: Any) -> None:
        make = library.helper
        opset = [make.make_opsetid("", 17), make.make_opsetid("own", 1)]
        for i in range(40):
            inner, domain = (f"f{i + 1}", "own") if i < 39 else ("Relu", "")
            nodes = [make.make_node(inner, [a], [b], domain=domain) for a, b in (("x", "m"), ("m", "y"))]
            model.functions.append(make.make_function("own", f"f{i}", ["x"], ["y"], nodes, opset))
        model.opset_import.append(make.make_opsetid("own", 1))
        model.graph.node.append(make.make_node("f0", ["logits"], ["z"], domain="own"))

    return _onnx(folder, edit)


def _table(blocks: list[bytes]) -> bytes:
    """A sorted table as LevelDB writes it: blocks with their checksums, an index of them, and the footer."""
    from nn3d.extract.readers.records.crc32c import crc32c, masked

    def sealed(block: bytes) -> bytes:
        whole = block + struct.pack("<II", 0, 1)
        return whole + b"\0" + struct.pack("<I", masked(crc32c(whole + b"\0")))

    body, index = b"", b""
    for i, block in enumerate(blocks):
        at, done = len(body), sealed(block)
        body += done
        handle = _varint(at) + _varint(len(done) - 5)
        index += b"\0" + _varint(1) + _varint(len(handle)) + bytes([i]) + handle
    at, done = len(body), sealed(index)
    footer = _varint(0) + _varint(0) + _varint(at) + _varint(len(done) - 5)
    return body + done + footer.ljust(40, b"\0") + 0xDB4775248B80FB57.to_bytes(8, "little")


def _varint(n: int) -> bytes:
    found = bytearray()
    while n > 127:
        found.append(n & 127 | 128)
        n >>= 7
    return bytes([*found, n])


def _tensorflow(folder: Path, *blocks: bytes) -> Made:
    (folder / "m.index").write_bytes(_table(list(blocks)))
    (folder / "m.data-00000-of-00001").write_bytes(bytes(64))
    return folder / "m.index", _PLAIN


def _row(key: bytes, value: bytes, shared: int = 0) -> bytes:
    return _varint(shared) + _varint(len(key)) + _varint(len(value)) + key + value


def tensorflow_names(folder: Path) -> Made:
    """A name of a million letters, and a hundred thousand that share it: 10¹¹ letters in 1.4 MB."""
    names = _row(b"a" * 1_000_000, b"") + _row(b"b", b"", 1_000_000) * 100_000
    return _tensorflow(folder, _row(b"", b"\x08\x01") + names)


def tensorflow_place(folder: Path) -> Made:
    """A variable far beyond the end of its shard."""
    value = b"\x08\x01" + b"\x12\x04\x12\x02\x08\x04" + b"\x20" + _varint(2**62) + b"\x28\x10"
    return _tensorflow(folder, _row(b"", b"\x08\x01") + _row(b"dense/kernel", value))


def tensorflow_shape(folder: Path) -> Made:
    extent = b"\x12\x07\x08" + _varint(2**39)
    value = b"\x08\x01" + b"\x12" + _varint(2 * len(extent)) + extent * 2 + b"\x28\x10"
    return _tensorflow(folder, _row(b"", b"\x08\x01") + _row(b"dense/kernel", value))


def tfjs_climbs(folder: Path) -> Made:
    home = folder / "model"
    home.mkdir()
    np.full(16, 1234.5, np.float32).tofile(folder / SECRET)
    weights = [{"name": "dense/kernel", "shape": [4, 4], "dtype": "float32"}]
    manifest = [{"paths": [f"../{SECRET}"], "weights": weights}]
    text = json.dumps({"format": "graph-model", "modelTopology": {}, "weightsManifest": manifest})
    (home / "model.json").write_text(text)
    return home / "model.json", _PLAIN


def hugging_face_size(folder: Path) -> Made:
    """A configuration of two thousand million words, and weights of a small network."""
    home = folder / "hf"
    home.mkdir()
    sizes = {"vocab_size": 2_000_000_000, "n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 32}
    (home / "config.json").write_text(json.dumps({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], **sizes}))
    samples.safetensors(home)
    return home, SourceOptions(model=f"hf:{home}")


def hugging_face_layers(folder: Path) -> Made:
    found = hugging_face_size(folder)
    text = (folder / "hf" / "config.json").read_text()
    text = text.replace("2000000000", "40").replace('"n_layer": 2', '"n_layer": 100000000')
    (folder / "hf" / "config.json").write_text(text)
    return found


def hugging_face_class(folder: Path) -> Made:
    """A name of transformers that is no model."""
    found = hugging_face_size(folder)
    text = (folder / "hf" / "config.json").read_text().replace("GPT2LMHeadModel", "Trainer").replace("2000000000", "40")
    (folder / "hf" / "config.json").write_text(text)
    return found


def tensorboard_length(folder: Path) -> Made:
    """A record that claims 2⁶² bytes."""
    from nn3d.extract.readers.records.crc32c import crc32c, masked

    length = struct.pack("<Q", 2**62)
    version = b"\x1a\x0dbrain.Event:2"
    good = struct.pack("<Q", len(version))
    data = good + struct.pack("<I", masked(crc32c(good))) + version + struct.pack("<I", masked(crc32c(version)))
    data += length + struct.pack("<I", masked(crc32c(length))) + bytes(32)
    (folder / "events.out.tfevents.1.x").write_bytes(data)
    return folder / "events.out.tfevents.1.x", _PLAIN


def spec_sizes(folder: Path) -> Made:
    (folder / "spec.toml").write_text('input = [4]\n[[layer]]\nop = "linear"\nout = 1000000000000\n')
    return folder / "spec.toml", _PLAIN


def spec_layers(folder: Path) -> Made:
    (folder / "spec.toml").write_text("input = [4]\n" + '[[layer]]\nop = "relu"\n' * 30_000)
    return folder / "spec.toml", _PLAIN


_NAMES = (
    *("safetensors_", "index_", "gguf_", "torch_", "numpy_", "onnx_"),
    *("tensorflow_", "tfjs_", "hugging_", "tensorboard_", "spec_"),
)
CASES: dict[str, Case] = {name: globals()[name] for name in list(globals()) if name.startswith(_NAMES)}
