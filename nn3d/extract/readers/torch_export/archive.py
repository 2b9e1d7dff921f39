"""Owns the archive that torch.export.save writes: a graph as JSON, weights as plain bytes. Nothing of it is unpickled.

After the schema that torch publishes with it (torch/_export/serde/schema.yaml, major version 8).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch

from nn3d.errors import SourceError

MOST_JSON_BYTES = 1 << 28
_DTYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 10: torch.complex64, 12: torch.bool, 13: torch.bfloat16, 28: torch.uint16,
    29: torch.float8_e4m3fn, 30: torch.float8_e5m2,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive holds. graph, signature : as the schema has them. tensors : by name; trained : parameters."""

    graph: Mapping[str, Any]
    signature: Mapping[str, Any]
    modules: Mapping[str, str]
    tensors: Mapping[str, torch.Tensor]
    trained: frozenset[str]
    left_out: tuple[str, ...]


def open_archive(path: Path) -> Archive:
    """Read an archive. Raises SourceError where it is damaged, or of another version."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, archive)
    except (zipfile.BadZipFile, OSError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        text = " ".join(str(error).split())[:160]
        raise SourceError(f"{path}: expected what torch.export.save writes, got: {text}. Save it again.") from error
    except RecursionError as error:
        raise SourceError(f"{path}: expected what torch.export.save writes, got JSON too deep to read.") from error


def dtype_of(code: int) -> torch.dtype:
    """torch's type of a code of the schema. Raises ValueError for others."""
    if code not in _DTYPES:
        raise ValueError(f"element type {code}")
    return _DTYPES[code]


def _read(path: Path, archive: zipfile.ZipFile) -> Archive:
    names = archive.namelist()
    models = sorted(n for n in names if "/models/" in f"/{n}" and n.endswith(".json"))
    if not models:
        raise ValueError("no graph in models/")
    program = _json(path, archive, models[0])
    version = program.get("schema_version", {}).get("major")
    if version != 8:
        raise SourceError(f"{path}: expected schema version 8 (torch 2.5 and later), got {version}. Export it again.")
    module = program["graph_module"]
    tensors: dict[str, torch.Tensor] = {}
    trained, left_out = set(), []
    read: dict[str, torch.Tensor | None] = {}
    for kind in ("weights", "constants"):
        config = next((n for n in names if n.endswith(f"_{kind}_config.json")), None)
        for name, entry in (_json(path, archive, config)["config"] if config else {}).items():
            folder = config.rsplit("/", 1)[0] if config else ""
            member = f"{folder}/{entry['path_name']}"
            tensor = read[member] if member in read else _tensor(path, archive, member, entry)
            read[member] = tensor
            if tensor is None:
                left_out.append(f"{name}: kept as a pickle, which is not opened")
                continue
            tensors[name] = tensor
            if entry.get("is_param"):
                trained.add(name)
    modules = {str(e["fqn"]): "" for e in module.get("module_call_graph", [])}
    return Archive(
        module["graph"], module["signature"], modules, tensors, frozenset(trained), tuple(left_out)
    )  # fmt: skip


def _json(path: Path, archive: zipfile.ZipFile, name: str) -> Any:
    size = archive.getinfo(name).file_size
    if size > MOST_JSON_BYTES:
        raise SourceError(f"{path}: {name}: expected at most {MOST_JSON_BYTES:,} bytes, got {size:,}.")
    return json.loads(archive.read(name))


def _tensor(path: Path, archive: zipfile.ZipFile, member: str, entry: Mapping[str, Any]) -> torch.Tensor | None:
    """A tensor of plain bytes; None of one that is pickled. Raises ValueError where its bytes are not there."""
    if entry.get("use_pickle"):
        return None
    meta = entry["tensor_meta"]
    sizes: tuple[int, ...] = tuple(int(s["as_int"]) for s in meta["sizes"])
    strides = tuple(int(s["as_int"]) for s in meta["strides"])
    offset, dtype = int(meta.get("storage_offset", {}).get("as_int", 0)), dtype_of(meta["dtype"])
    info = archive.getinfo(member)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > path.stat().st_size:
        raise ValueError(f"{member} is compressed")
    reach = offset + sum((n - 1) * s for n, s in zip(sizes, strides, strict=True)) + 1
    count: int = prod(sizes)
    if min((*sizes, *strides, offset), default=0) < 0 or (count and reach * dtype.itemsize > info.file_size):
        raise ValueError(f"{member} has {info.file_size:,} bytes, its shape {sizes} wants more")
    if count > info.file_size // dtype.itemsize:
        raise ValueError(f"{member} repeats its bytes to {count:,} numbers")
    data = bytearray(archive.read(member))
    if not count:
        return torch.empty(sizes, dtype=dtype)
    return torch.frombuffer(data, dtype=dtype).as_strided(sizes, strides, offset).clone()
