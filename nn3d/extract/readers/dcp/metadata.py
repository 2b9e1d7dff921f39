"""Owns `.metadata` of a torch distributed checkpoint: which tensors there are, and where their pieces lie.

The file is a pickle. It is read without torch and without running anything: the few names that torch.distributed
writes into one become plain records here, and any other name ends the reading.
"""

from __future__ import annotations

import hashlib
import io
import math
import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn3d.errors import SourceError
from nn3d.run.manifest import MAX_DIMENSIONS

METADATA = ".metadata"
MOST_BYTES = 128 << 20
MOST_THINGS = 4_000_000
MOST_NESTED = 4
_RECORDS = {
    "torch.distributed.checkpoint.metadata": (
        "Metadata", "TensorStorageMetadata", "BytesStorageMetadata", "ChunkStorageMetadata", "TensorProperties",
        "MetadataIndex", "StorageMeta", "_MEM_FORMAT_ENCODING",
    ),
    "torch.distributed.checkpoint.filesystem": ("_StorageInfo",),
}  # fmt: skip
_BITS = {
    "float64": 64, "float32": 32, "float16": 16, "bfloat16": 16, "float8_e4m3fn": 8, "float8_e5m2": 8,
    "float8_e4m3fnuz": 8, "float8_e5m2fnuz": 8, "float8_e8m0fnu": 8, "int64": 64, "int32": 32, "int16": 16, "int8": 8,
    "uint64": 64, "uint32": 32, "uint16": 16, "uint8": 8, "bool": 8, "complex64": 64, "complex128": 128,
}  # fmt: skip
_FAILURES = (
    pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError,
    RecursionError, UnicodeDecodeError, MemoryError, struct.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes of one file. file : its name in the checkpoint's folder. is_plain : not packed by an extension."""

    file: str
    offset: int
    length: int
    is_plain: bool = True


@dataclass(frozen=True, slots=True)
class Piece:
    """A box of a tensor, and where it lies. offsets, sizes : one number an axis."""

    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Stored:
    """One entry of the saved state. path : its keys from the outside in. pieces : of a tensor.

    dtype : of a tensor ("bfloat16"), "" of anything else, which is at `place`.
    """

    path: tuple[str, ...]
    shape: tuple[int, ...] = ()
    dtype: str = ""
    pieces: tuple[Piece, ...] = ()
    place: Place | None = None

    @property
    def n_bytes(self) -> int:
        """Of a tensor's values."""
        return math.prod(self.shape) * _BITS.get(self.dtype, 0) // 8


class _Record:
    """What an allowed class becomes: the state that it was given, and nothing that runs."""

    def __init__(self, *values: Any) -> None:
        self.said: Any = {}

    def __setstate__(self, state: Any) -> None:
        self.said = state


_Step = Callable[["_Reader"], None]


class _Reader(pickle._Unpickler):  # in Python: the one in C reserves memory for what a file claims
    """Knows the few steps that such a pickle has, makes a bounded number of things, and never imports anything."""

    stack: list[Any]

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self.n_things = 0
        self._kinds = {
            (module, name): type(name, (_Record,), {}) for module, names in _RECORDS.items() for name in names
        }

    def find_class(self, module: str, name: str) -> Any:
        """A record class, or what stands for a plain value; raises UnpicklingError for everything else."""
        if (module, name) in self._kinds:
            return self._kinds[module, name]
        if (module, name) == ("torch", "Size"):
            return _plain_tuple
        if module == "torch" and name in _BITS:
            return name
        if (module, name) == ("torch.serialization", "_get_layout"):
            return str
        if module.startswith("pathlib") and name.endswith("Path"):
            return _plain_tuple
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        raise pickle.UnpicklingError(f"the name {module}.{name}, which no such checkpoint needs")


_PLAIN = (
    pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MEMOIZE, pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.GET,
    pickle.BINGET, pickle.LONG_BINGET, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BININT, pickle.BININT1,
    pickle.BININT2, pickle.LONG1, pickle.BINFLOAT, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8,
    pickle.EMPTY_TUPLE, pickle.APPEND, pickle.APPENDS, pickle.SETITEM, pickle.SETITEMS, pickle.GLOBAL,
    pickle.STACK_GLOBAL, pickle.BUILD,
)  # fmt: skip
_MAKING = (
    pickle.MARK, pickle.EMPTY_LIST, pickle.EMPTY_DICT, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3,
    pickle.REDUCE, pickle.NEWOBJ,
)  # fmt: skip


def _counted(step: _Step) -> _Step:
    """A step that makes something: so many in all, and tuples that can be hashed without end."""

    def take(reader: _Reader) -> None:
        step(reader)
        reader.n_things += 1
        if reader.n_things > MOST_THINGS:
            raise pickle.UnpicklingError(f"more than {MOST_THINGS:,} objects")
        stack: list[Any] = reader.stack
        if stack and type(stack[-1]) is tuple and _is_deep(stack[-1], MOST_NESTED):
            raise pickle.UnpicklingError("tuples within tuples within tuples")

    return take


def _is_deep(value: Any, most: int) -> bool:
    return isinstance(value, tuple) and (not most or any(_is_deep(v, most - 1) for v in value))


_STEPS: dict[int, Any] = dict(pickle._Unpickler.dispatch)
_Reader.dispatch = {code[0]: _STEPS[code[0]] for code in _PLAIN} | {
    code[0]: _counted(_STEPS[code[0]]) for code in _MAKING
}


def _plain_tuple(*values: Any) -> tuple[Any, ...]:
    """torch.Size and paths, whose parts nobody needs."""
    return tuple(values[0]) if len(values) == 1 and isinstance(values[0], tuple | list) else values


def read_metadata(path: Path) -> tuple[list[Stored], str]:
    """All entries of a checkpoint in their order, and what tells this saving from any other.

    path : the file `.metadata`. Raises SourceError in one line.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(f"{size:,} bytes ({MOST_BYTES >> 20} MB at most)")
        data = path.read_bytes()
        top = _Reader(data).load()
        return _entries(_state(top, "Metadata")), hashlib.sha256(data).hexdigest()
    except OSError as error:
        raise SourceError(f"{path}: expected a readable file, got: {error.strerror}.") from error
    except _FAILURES as error:
        text = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        raise SourceError(f"{path}: expected the metadata of a torch distributed checkpoint, got: {text}.") from error


def _state(record: Any, kind: str) -> dict[str, Any]:
    if not isinstance(record, _Record) or type(record).__name__ != kind:
        raise ValueError(f"{type(record).__name__} where {kind} should be")
    if not isinstance(record.said, dict):
        raise ValueError(f"{kind} without its fields")
    return record.said


def _entries(said: Mapping[str, Any]) -> list[Stored]:
    known, storage, paths = (said.get(k) for k in ("state_dict_metadata", "storage_data", "planner_data"))
    if not isinstance(known, dict) or not isinstance(storage, dict):
        raise ValueError("no state_dict_metadata and storage_data")
    places: dict[tuple[str, tuple[int, ...]], Place] = {}
    for index, info in storage.items():
        at = _state(index, "MetadataIndex")
        places[_text(at.get("fqn")), _extents(at.get("offset") or ())] = _place(_state(info, "_StorageInfo"))
    return [_entry(_text(name), value, places, paths) for name, value in known.items()]


def _entry(name: str, value: Any, places: Mapping[tuple[str, tuple[int, ...]], Place], paths: Any) -> Stored:
    path = paths.get(name, (name,)) if isinstance(paths, dict) else (name,)
    if not isinstance(path, tuple) or not path:
        raise ValueError(f"{name[:80]} without a path")
    keys = tuple(str(key)[:1000] for key in path)
    if isinstance(value, _Record) and type(value).__name__ == "BytesStorageMetadata":
        return Stored(keys, place=places.get((name, ())))
    tensor = _state(value, "TensorStorageMetadata")
    shape, chunks = _extents(tensor.get("size")), tensor.get("chunks")
    dtype = _dtype(tensor.get("properties"))
    if not isinstance(chunks, list):
        raise ValueError(f"{name[:80]} without pieces")
    pieces = tuple(_piece(name, _state(chunk, "ChunkStorageMetadata"), shape, places) for chunk in chunks)
    if sum(math.prod(p.sizes) for p in pieces) != math.prod(shape):
        raise ValueError(f"{name[:80]} {list(shape)} in pieces that do not make it up")
    found = Stored(keys, shape, dtype, pieces)
    for piece in pieces:
        if piece.place.is_plain and math.prod(piece.sizes) * _BITS[dtype] // 8 > piece.place.length:
            raise ValueError(f"{name[:80]} {list(piece.sizes)} of {dtype} in {piece.place.length:,} bytes")
    return found


def _piece(
    name: str, chunk: Mapping[str, Any], shape: tuple[int, ...], places: Mapping[tuple[str, tuple[int, ...]], Place]
) -> Piece:
    offsets, sizes = _extents(chunk.get("offsets")), _extents(chunk.get("sizes"))
    is_inside = len(offsets) == len(sizes) == len(shape) and all(
        o + n <= whole for o, n, whole in zip(offsets, sizes, shape, strict=True)
    )
    place = places.get((name, offsets))
    if not is_inside or place is None:
        raise ValueError(f"{name[:80]}: a piece at {list(offsets)} that is not in it, or nowhere on the disk")
    return Piece(offsets, sizes, place)


def _place(info: Mapping[str, Any]) -> Place:
    offset, length = (_extents((info.get(k),))[0] for k in ("offset", "length"))
    return Place(_text(info.get("relative_path")), offset, length, not info.get("transform_descriptors"))


def _dtype(properties: Any) -> str:
    """TensorProperties: its state is a tuple that begins with the type."""
    if not isinstance(properties, _Record):
        raise ValueError("a tensor without properties")
    state = properties.said
    dtype = state[0] if isinstance(state, tuple) and state else state.get("dtype") if isinstance(state, dict) else ""
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise ValueError(f"a tensor of the unknown type {str(dtype)[:40]}")
    return dtype


def _extents(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple) or len(value) > MAX_DIMENSIONS:
        raise ValueError(f"{str(value)[:40]} where at most {MAX_DIMENSIONS} numbers should be")
    for n in value:
        if type(n) is not int or not 0 <= n < 1 << 60:
            raise ValueError(f"{str(n)[:40]} where a number that is not negative should be")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} where a name should be")
    return value
