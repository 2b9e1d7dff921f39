"""Owns the module tree of a pickled torch module, as stubs of its objects tell it: classes, settings, tensors."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract.stub_pickle import Reader, Storage, Stub, entries_of, state_of, stubs_in
from nn3d.run.model import JSON

_MAX_BYTES = 1 << 26
_MAX_MODULES = 100_000
_MAX_DEPTH = 64
_MAX_SPREAD = 1 << 26
_LEGACY_HEADS, _LOCAL_BYTES = 3, 30
_MARK = b"torch.nn.modules"


@dataclass(frozen=True, slots=True)
class Held:
    """One tensor, in elements: from `offset` of storage `key` on, which holds `count` of `type`."""

    key: str
    type: str
    count: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """types : path → class name. settings : path → what the module was made with. tensors : full name → where it lies.

    storages : key → byte of the file where its numbers begin. buffers : names that are no parameters.
    """

    types: dict[str, str] = field(default_factory=dict)
    settings: dict[str, dict[str, JSON]] = field(default_factory=dict)
    tensors: dict[str, Held] = field(default_factory=dict)
    buffers: set[str] = field(default_factory=set)
    storages: dict[str, int] = field(default_factory=dict)


def may_hold_module(path: Path, is_zip: bool) -> bool:
    """Whether the pickle of a file names a module of torch: cheap, and never raises."""
    try:
        data = _zip_pickle(path) if is_zip else _first_bytes(path, 1 << 20)
    except (OSError, zipfile.BadZipFile, RuntimeError, ValueError, NotImplementedError, EOFError):
        return False
    return _MARK in data


def read_tree(path: Path) -> Tree:
    """The tree of the module that a file's pickle holds. Raises SourceError where it holds none that can be told."""
    try:
        stream, is_zip = pickle_stream(path)
        top = Reader(stream).load()
        tree = Tree()
        module = next((s for s in stubs_in(top) if "_modules" in state_of(s)), None)
        if module is not None:
            _walk(module, tree)
        find_storages(path, stream, is_zip, tree)
    except Exception as error:  # a hostile pickle may fail in any way
        text = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise SourceError(f"{path}: expected a pickled module, got one that cannot be told: {text}") from error
    if not tree.tensors:
        raise SourceError(f"{path}: expected a pickled module with parameters, got none. Save its state_dict.")
    return tree


def pickle_stream(path: Path) -> tuple[io.BytesIO, bool]:
    """The pickle of a file's content, after the small ones that an old file begins with; whether the file is a zip."""
    is_zip = zipfile.is_zipfile(path)
    stream = io.BytesIO(_zip_pickle(path) if is_zip else _first_bytes(path, _MAX_BYTES))
    for _ in range(0 if is_zip else _LEGACY_HEADS):
        Reader(stream).load()
    return stream, is_zip


def _zip_pickle(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        name = next((n for n in archive.namelist() if n.count("/") == 1 and n.endswith("/data.pkl")), None)
        if name is None or archive.getinfo(name).file_size > min(_MAX_BYTES, path.stat().st_size):
            return b""
        return archive.read(name)


def _first_bytes(path: Path, n: int) -> bytes:
    with path.open("rb") as file:
        return file.read(n)


def _walk(module: Stub, tree: Tree) -> None:
    """All modules below one, each once: a module that two hold is told where it is first."""
    waiting: list[tuple[Stub, tuple[str, ...]]] = [(module, ())]
    seen: set[int] = set()
    while waiting:
        stub, path = waiting.pop()
        if id(stub) in seen or len(seen) >= _MAX_MODULES or len(path) > _MAX_DEPTH:
            continue
        seen.add(id(stub))
        state, dotted = state_of(stub), ".".join(path)
        tree.types[dotted] = stub.stands_for.rpartition(".")[2][:80]
        tree.settings[dotted] = _settings(state)
        for role in ("_parameters", "_buffers"):
            for key, value in entries_of(state.get(role)):
                held = held_of(value)
                if held is not None and isinstance(key, str):
                    name = ".".join((*path, key))
                    tree.tensors[name] = held
                    tree.buffers.update({name} if role == "_buffers" else ())
        children = [(c, (*path, str(k)[:200])) for k, c in entries_of(state.get("_modules")) if isinstance(c, Stub)]
        waiting += reversed(children)


def _settings(state: Mapping[Any, Any]) -> dict[str, JSON]:
    """Numbers, words and tuples of numbers that a module was made with."""
    found: dict[str, JSON] = {}
    for key, value in list(state.items())[:64]:
        if not isinstance(key, str) or key.startswith("_") or key in ("training", "call_super_init"):
            continue
        is_word = isinstance(value, str) and len(value) < 40
        if is_word or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 1 << 62):
            found[key] = value
        elif isinstance(value, tuple | list) and 0 < len(value) <= 8 and all(isinstance(v, int) for v in value):
            found[key] = list(value)
    return found


def held_of(value: Any) -> Held | None:
    """Where the numbers of a parameter or buffer lie, None for what is no tensor, or lies about itself."""
    if isinstance(value, Stub) and value.stands_for.startswith("torch._utils._rebuild_parameter") and value.args:
        value = value.args[0]
    if not isinstance(value, Stub) or not value.stands_for.startswith("torch._utils._rebuild_tensor"):
        return None
    if len(value.args) < 4 or not isinstance(value.args[0], Storage) or not value.args[0].args:
        return None
    said = value.args[0].args[0]
    if not isinstance(said, tuple) or len(said) < 5 or not isinstance(said[1], type):
        return None
    kind, key, count = getattr(said[1], "stands_for", ""), said[2], said[4]
    offset, shape, strides = value.args[1:4]
    numbers = (count, offset, *_ints(shape), *_ints(strides))
    if any(type(n) is not int or not 0 <= n < 1 << 48 for n in numbers) or len(_ints(shape)) != len(_ints(strides)):
        return None
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if (prod(shape) and last >= count) or prod(shape) > max(count, _MAX_SPREAD):
        return None
    return Held(str(key), kind.rpartition(".")[2], count, offset, tuple(shape), tuple(strides))


def _ints(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) and len(value) <= 8 else (None,)


def find_storages(path: Path, stream: io.BytesIO, is_zip: bool, tree: Tree) -> None:
    """Where the numbers of all tensors lie, those left away that the file does not hold. stream : after the pickle."""
    sizes = {h.key: h.count * ITEM_BYTES.get(h.type, 0) for h in tree.tensors.values() if h.type in ITEM_BYTES}
    if is_zip:
        _find_members(path, sizes, tree)
        return
    keys, size = Reader(stream).load(), path.stat().st_size
    at = stream.tell()
    for key in keys if isinstance(keys, list) else ():
        n_bytes = sizes.get(str(key))
        if n_bytes is None or at + 8 + n_bytes > size:
            return
        tree.storages[str(key)] = at + 8
        at += 8 + n_bytes


def _find_members(path: Path, sizes: Mapping[str, int], tree: Tree) -> None:
    """Of a zip: members archive/data/KEY, stored and not deflated, behind their local headers."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for info in archive.infolist():
            folder, _, key = info.filename.rpartition("/")
            if not folder.endswith("/data") or info.compress_type != zipfile.ZIP_STORED:
                continue
            if key not in sizes or info.file_size < sizes[key]:
                continue
            file.seek(info.header_offset)
            head = file.read(_LOCAL_BYTES)
            if len(head) == _LOCAL_BYTES and head[:4] == b"PK\x03\x04":
                name, extra = int.from_bytes(head[26:28], "little"), int.from_bytes(head[28:30], "little")
                tree.storages[key] = info.header_offset + _LOCAL_BYTES + name + extra


# Bytes of one element, by torch's name of a storage.
ITEM_BYTES: dict[str, int] = {
    "DoubleStorage": 8, "FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "IntStorage": 4,
    "ShortStorage": 2, "CharStorage": 1, "ByteStorage": 1, "BoolStorage": 1,
}  # fmt: skip
