"""Owns the values of a TorchScript archive: modules, numbers and tensors, read by an unpickler that knows only these.

No class of the pickle is imported and no function of it called, but those that stand for tensors and plain lists.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import torch

MOST_PICKLE_BYTES = 1 << 26
_STORAGES = {
    "FloatStorage": torch.float32, "DoubleStorage": torch.float64, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip


class Mirror:
    """An object of the archive: its class by name, and what it holds. Nothing of its class runs here."""

    kind = ""

    def __new__(cls, *_: Any) -> Mirror:
        """As pickle makes one, with arguments or without."""
        made = object.__new__(cls)
        made.held = {}
        return made

    def __init__(self, *_: Any) -> None:
        self.held: dict[str, Any]

    def __setstate__(self, state: Any) -> None:
        self.held = dict(state) if isinstance(state, Mapping) else {}


class ScriptValueError(ValueError):
    """What in a pickle is neither module, number nor tensor."""


def read_pickle(archive: zipfile.ZipFile, name: str, folder: str) -> Any:
    """The value of a member `name`, whose storages lie in `folder`. Raises ScriptValueError, and what pickle raises."""
    info = archive.getinfo(name)
    if info.file_size > MOST_PICKLE_BYTES:
        raise ScriptValueError(f"{name} has {info.file_size:,} bytes")
    return _Reader(archive, folder, archive.read(name)).load()


class _Reader(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, folder: str, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._archive, self._folder = archive, folder
        self._storages: dict[str, torch.Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Stand-ins alone."""
        if module.split(".")[0] == "__torch__":
            return _class(f"{module}.{name}")
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        known = _KNOWN.get((module, name))
        if known is None:
            raise ScriptValueError(f"{module}.{name} is neither module, number nor tensor")
        return known

    def persistent_load(self, pid: Any) -> Any:
        """A storage: ("storage", type, key, device, count)."""
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage" or not isinstance(pid[1], torch.dtype):
            raise ScriptValueError("a reference to something else than a storage")
        key, dtype = str(pid[2]), pid[1]
        if key not in self._storages:
            info = self._archive.getinfo(f"{self._folder}/{key}")
            if info.compress_type != zipfile.ZIP_STORED:
                raise ScriptValueError(f"storage {key} is compressed")
            data = bytearray(self._archive.read(info))
            self._storages[key] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        return self._storages[key]


def _class(kind: str) -> type:
    return type("Mirror", (Mirror,), {"kind": kind})


def _tensor(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> torch.Tensor:
    """A view into a storage. Raises ScriptValueError unless all of it is there."""
    numbers = (offset, *size, *stride)
    is_told = isinstance(storage, torch.Tensor) and len(size) == len(stride)
    if not is_told or any(not isinstance(n, int) for n in numbers):
        raise ScriptValueError("a tensor without storage, size and stride")
    reach = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1
    count: int = prod(size)
    if min(numbers) < 0 or (count and reach > storage.numel()) or count > storage.numel():
        raise ScriptValueError(f"a tensor {tuple(size)} in a storage of {storage.numel():,}")
    return storage.as_strided(size, stride, offset).clone() if count else torch.empty(size, dtype=storage.dtype)


def _same(value: Any, *_: Any) -> Any:
    return value


def _parameter(data: Any, *_: Any) -> Any:
    return data


_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("collections", "OrderedDict"): OrderedDict,
    **{
        ("torch.jit._pickle", f"build_{kind}list"): _same for kind in ("int", "tensor", "double", "bool")
    },
    ("torch.jit._pickle", "restore_type_tag"): _same,
    ("torch._jit_internal", "_pickle"): _same,
}  # fmt: skip
