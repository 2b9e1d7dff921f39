"""Owns tensors that are spread over several .safetensors files, which an index beside them lists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from nn3d.errors import SourceError
from nn3d.extract.lazy import LazyArray
from nn3d.extract.readers.safetensors.reader import read
from nn3d.extract.readers.tensor_file import Tensors

INDEX_ENDING = ".safetensors.index.json"
MOST_INDEX_BYTES = 64 << 20
MOST_SHARDS = 10_000


def looks_like_index(path: Path) -> bool:
    """Whether a file is an index, by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return is_index(file.read(4096))


def is_index(start: bytes) -> bool:
    """The same of its first bytes."""
    return start.lstrip()[:1] == b"{" and b'"weight_map"' in start and b".safetensors" in start


def read_index(path: Path) -> Tensors:
    """All tensors of an index, in its order; each file is looked at, none is read. Raises SourceError.

    path : the index. Files are taken from its folder alone, after links are followed.
    """
    places = _places(path)
    folder = path.parent.resolve()
    shards: dict[str, Tensors] = {}
    for name in dict.fromkeys(places.values()):
        shards[name] = read(_inside(path, folder, name))
    arrays: dict[str, LazyArray] = {}
    for tensor, name in places.items():
        found = shards[name].arrays.get(tensor)
        if found is not None:
            arrays[tensor] = found
        elif not any(line.startswith(f"{tensor}: ") for line in shards[name].left_out):
            raise SourceError(f"{path}: expected {tensor[:80]} in {name}, got no such tensor. Download it again.")
    stamp = hashlib.sha256("".join(shards[name].stamp for name in sorted(shards)).encode()).hexdigest()
    first = next(iter(shards.values()))

    def close() -> None:
        for shard in shards.values():
            shard.close()

    left_out = tuple(line for shard in shards.values() for line in shard.left_out)
    notes = (f"{len(arrays)} tensors in {len(shards)} files",)
    return Tensors(path, arrays, stamp, first.numbers, first.how, notes, left_out, close=close)


def _places(path: Path) -> Mapping[str, str]:
    """Tensor → file."""
    try:
        if path.stat().st_size > MOST_INDEX_BYTES:
            raise ValueError(f"more than {MOST_INDEX_BYTES >> 20} MB")
        index = json.loads(path.read_text(encoding="utf-8"))
        places = index["weight_map"]
        if not isinstance(places, dict) or not places or not all(isinstance(v, str) for v in places.values()):
            raise ValueError("a weight_map that does not name files")
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        text = (str(error).splitlines() or [""])[0][:120]
        raise SourceError(f"{path}: expected an index (weight_map: tensor → file), got: {text}.") from error
    if len(set(places.values())) > MOST_SHARDS:
        raise SourceError(f"{path}: expected at most {MOST_SHARDS} files, got {len(set(places.values()))}.")
    return places


def _inside(index: Path, folder: Path, name: str) -> Path:
    """A shard's path. Raises SourceError when it lies outside the folder, or is missing."""
    try:
        path = (folder / name).resolve()
        is_inside, is_there = path.is_relative_to(folder), path.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceError(f"{index}: expected names of files, got {name[:80]!r}.") from error
    if not is_inside:
        raise SourceError(f"{index}: expected files of its own folder, got {name[:80]!r}. Put them together.")
    if not is_there:
        raise SourceError(f"{index}: expected {name[:80]} beside it, got no such file. Download it as well.")
    return path
