"""Owns reading TensorFlow's checkpoints (V2): a sorted table of entries, and shards that hold the tensors' bytes.

The table is LevelDB's (github.com/google/leveldb, doc/table_format.md): blocks of keys with shared beginnings, each
with a masked CRC-32C. Entries are messages of tensorflow/core/protobuf/tensor_bundle.proto. Every offset is checked
against the bytes that are there; shards are looked for beside the table and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.readers.records.crc32c import crc32c, masked
from nn3d.extract.readers.records.wire import BYTES, WireError, fields, varint
from nn3d.run.model import Array

MAGIC = 0xDB4775248B80FB57 .to_bytes(8, "little")
FOOTER_BYTES = 48
MOST_INDEX_BYTES = 256 << 20
MOST_ENTRIES, MOST_NAME_BYTES = 1_000_000, 1 << 16
GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
_STRING = 7
# Numbers of tensorflow/core/framework/types.proto. bfloat16 is read as whole numbers and widened.
_TYPES: dict[int, tuple[str, str]] = {
    1: ("float32", "<f4"), 2: ("float64", "<f8"), 3: ("int32", "<i4"), 4: ("uint8", "u1"), 5: ("int16", "<i2"),
    6: ("int8", "i1"), 9: ("int64", "<i8"), 10: ("bool", "u1"), 11: ("qint8", "i1"), 12: ("quint8", "u1"),
    13: ("qint32", "<i4"), 14: ("bfloat16", "<u2"), 15: ("qint16", "<i2"), 16: ("quint16", "<u2"),
    17: ("uint16", "<u2"), 19: ("float16", "<f2"), 22: ("uint32", "<u4"), 23: ("uint64", "<u8"),
}  # fmt: skip
_SAVE = "Copy the whole checkpoint, .index and .data-…, again."


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a tensor that was saved in parts. start, length : an axis each, length −1 for all of it."""

    start: tuple[int, ...]
    length: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """One entry. kind : number of its element type. crc : of its bytes, masked. slices : its parts, () when whole."""

    name: str
    kind: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    slices: tuple[Slice, ...] = ()

    @property
    def dtype(self) -> str:
        """Its element type, for people."""
        return _TYPES.get(self.kind, (f"type {self.kind}",))[0]

    @property
    def is_known(self) -> bool:
        """Whether it holds numbers that can be read."""
        return self.kind in _TYPES


class Bundle:
    """A checkpoint, by the path of its .index. variables : by name, in the table's order. Raises SourceError."""

    def __init__(self, index: Path) -> None:
        self.path = index
        try:
            size = index.stat().st_size
            if size > MOST_INDEX_BYTES:
                raise SourceError(f"{index}: expected at most {MOST_INDEX_BYTES} bytes, got {size}.")
            data = index.read_bytes()
            table = list(_entries(memoryview(data)))
            self.n_shards = _n_shards(table)
            self._parts = {key: value for key, value in table if key[:1] == b"\0"}
            whole = {k: v for k, v in table if k and k[:1] != b"\0"}
            self.variables = {name: v for k, m in whole.items() for name, v in (self._variable(k, m),)}
        except (WireError, OSError, UnicodeDecodeError) as error:
            text = f"expected the table of a TensorFlow checkpoint, got: {error}"
            raise SourceError(f"{index}: {text}. {_SAVE}") from error

    def _variable(self, key: bytes, message: memoryview) -> tuple[str, Variable]:
        name = key.decode("utf-8", "replace")
        return name, _entry(name, message)

    def read(self, variable: Variable) -> Array:
        """Values, float32 or whole numbers as they are. Raises SourceError where bytes are missing or changed."""
        if variable.slices:
            return self._joined(variable)
        _, code = _TYPES[variable.kind]
        data = self._bytes(variable)
        values = np.frombuffer(data, np.dtype(code))
        if values.size != prod(variable.shape):
            raise self._wrong(variable, f"{variable.shape} {variable.dtype}", f"{len(data)} bytes")
        return _plain(values.reshape(variable.shape), variable.kind)

    def strings(self, variable: Variable) -> list[bytes]:
        """Texts: lengths, a checksum of 4 bytes, then the texts one after another."""
        data = memoryview(self._bytes(variable, is_checked=False))
        at, lengths = 0, []
        try:
            for _ in range(prod(variable.shape)):
                length, at = varint(data, at)
                lengths.append(length)
        except WireError as error:
            raise self._wrong(variable, "texts", str(error)) from error
        at += 4
        if at + sum(lengths) > len(data):
            raise self._wrong(variable, f"{sum(lengths)} bytes of texts", f"{len(data)}")
        ends = np.cumsum([0, *lengths]).tolist()
        return [bytes(data[at + a : at + b]) for a, b in pairwise(ends)]

    def _bytes(self, variable: Variable, *, is_checked: bool = True) -> bytes:
        path = self._shard(variable.shard)
        if variable.offset + variable.size > path.stat().st_size:
            raise self._wrong(variable, f"{variable.size} bytes at {variable.offset}", f"{path.stat().st_size} in all")
        with path.open("rb") as file:
            file.seek(variable.offset)
            data = file.read(variable.size)
        if is_checked and masked(crc32c(data)) != variable.crc:
            raise self._wrong(variable, "the bytes that were saved", "others (checksum)")
        return data

    def _shard(self, number: int) -> Path:
        stem = self.path.name.removesuffix(".index")
        path = self.path.with_name(f"{stem}.data-{number:05d}-of-{self.n_shards:05d}")
        if not 0 <= number < self.n_shards or not path.is_file():
            raise SourceError(f"{self.path}: expected {path.name} beside it, got no such file. {_SAVE}")
        if path.resolve().parent != self.path.resolve().parent:
            text = f"expected {path.name} in its own folder, got a link that leaves it"
            raise SourceError(f"{self.path}: {text}. {_SAVE}")
        return path

    def _joined(self, variable: Variable) -> Array:
        """All parts at their places; parts are in the table in the order of their places."""
        prefix = _slice_prefix(variable.name)
        keys = sorted(k for k in self._parts if k.startswith(prefix))
        slices = sorted(variable.slices, key=lambda s: [*zip(s.start, s.length, strict=True)])
        if len(keys) != len(slices):
            raise self._wrong(variable, f"{len(slices)} parts", f"{len(keys)}")
        pieces = [_piece(variable, key, self._parts[key]) for key in keys]
        width = np.dtype(_TYPES[variable.kind][1]).itemsize
        if any(piece.size != width * prod(piece.shape) for piece in pieces) or (
            sum(piece.size for piece in pieces) > self._all_bytes()
        ):
            raise self._wrong(variable, f"{variable.shape}", "fewer bytes")
        n_values = sum(prod(piece.shape) for piece in pieces)
        if n_values != prod(variable.shape):
            raise self._wrong(variable, f"{prod(variable.shape)} values", f"{n_values} in its parts")
        whole: Array | None = None
        for piece, part in zip(pieces, slices, strict=True):
            values = self.read(piece)
            if whole is None:
                whole = np.zeros(variable.shape, values.dtype)
            place = tuple(
                slice(None) if n < 0 else slice(a, a + n) for a, n in zip(part.start, part.length, strict=True)
            )
            if whole[place].shape != values.shape:
                raise self._wrong(variable, f"a part {whole[place].shape}", f"{values.shape}")
            whole[place] = values
        assert whole is not None  # an entry with parts has at least one
        return whole

    def _all_bytes(self) -> int:
        return sum(self._shard(i).stat().st_size for i in range(self.n_shards))

    def _wrong(self, variable: Variable, expected: str, got: str) -> SourceError:
        return SourceError(f"{self.path}: {variable.name[:80]}: expected {expected}, got {got}. {_SAVE}")


def is_table(path: Path) -> bool:
    """Whether a file ends as a sorted table does."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - FOOTER_BYTES))
            end = file.read(FOOTER_BYTES)
    except OSError:
        return False
    return len(end) == FOOTER_BYTES and end[-8:] == MAGIC


def _plain(values: Array, kind: int) -> Array:
    """float32 or whole numbers, exactly; float64 is rounded."""
    if kind == 14:
        return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values.astype(np.float32) if kind == 2 else np.array(values)


def _entries(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """All keys and values, in order. Raises WireError."""
    if len(data) < FOOTER_BYTES or bytes(data[-8:]) != MAGIC:
        raise WireError("a file without a table's ending")
    at = len(data) - FOOTER_BYTES
    for _ in range(2):  # the place of what describes the table, which is passed over
        _, at = varint(data, at)
    offset, at = varint(data, at)
    size, at = varint(data, at)
    n, n_bytes, n_key_bytes = 0, 0, 0
    for _, handle in _block(data, offset, size):
        begin, place = varint(handle, 0)
        length, _ = varint(handle, place)
        n_bytes += length
        if n_bytes > len(data):
            raise WireError("blocks that overlap")
        for key, value in _block(data, begin, length):
            n, n_key_bytes = n + 1, n_key_bytes + len(key)
            if n > MOST_ENTRIES or n_key_bytes > MOST_INDEX_BYTES:
                raise WireError(f"more than {MOST_ENTRIES:,} entries, or names of {n_key_bytes:,} bytes")
            yield key, value


def _block(data: memoryview, offset: int, size: int) -> Iterator[tuple[bytes, memoryview]]:
    """Keys and values of one block, its checksum compared."""
    if offset + size + 5 > len(data) or size < 4:
        raise WireError(f"a block of {size} bytes at {offset}, of {len(data)}")
    block, kind = data[offset : offset + size], data[offset + size]
    stored = int.from_bytes(data[offset + size + 1 : offset + size + 5], "little")
    if masked(crc32c(data[offset : offset + size + 1])) != stored:
        raise WireError(f"a block at {offset} whose checksum differs")
    if kind:
        raise WireError(f"a block of compression {kind}, which TensorFlow does not write")
    n_restarts = int.from_bytes(block[-4:], "little")
    end = size - 4 - 4 * n_restarts
    if end < 0:
        raise WireError(f"{n_restarts} restarts in {size} bytes")
    at, key = 0, b""
    while at < end:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or at + own + length > end:
            raise WireError("a key that does not fit")
        if shared + own > MOST_NAME_BYTES:
            raise WireError(f"a name of {shared + own:,} bytes")
        key = key[:shared] + bytes(block[at : at + own])
        at += own
        yield key, block[at : at + length]
        at += length


def _n_shards(table: list[tuple[bytes, memoryview]]) -> int:
    """Of the header, whose key is empty."""
    header = next((value for key, value in table if not key), None)
    if header is None:
        raise WireError("a table without a header")
    found = {f.number: f.value for f in fields(header)}
    if found.get(2, 0):
        raise WireError("numbers of the other byte order")
    if not 1 <= found.get(1, 1) <= 100_000:
        raise WireError(f"{found.get(1)} shards")
    return found.get(1, 1)


def _entry(name: str, message: memoryview) -> Variable:
    numbers = dict.fromkeys((1, 3, 4, 5, 6), 0)
    shape: tuple[int, ...] = ()
    slices: list[Slice] = []
    for field in fields(message):
        if field.number == 2 and field.kind == BYTES:
            shape = _shape(field.data)
        elif field.number == 7 and field.kind == BYTES:
            slices.append(_slice(field.data))
        elif field.number in numbers:
            numbers[field.number] = field.value
    if any(len(s.start) != len(shape) for s in slices):
        raise WireError(f"parts of {name[:60]} with other axes than {shape}")
    return Variable(name, numbers[1], shape, numbers[3], numbers[4], numbers[5], numbers[6], tuple(slices))


def _piece(variable: Variable, key: bytes, message: memoryview) -> Variable:
    piece = _entry(variable.name, message)
    if piece.kind != variable.kind or piece.slices:
        raise WireError(f"a part of {variable.name[:60]} of another type ({key[-8:]!r})")
    return piece


def _shape(message: memoryview) -> tuple[int, ...]:
    """TensorShapeProto."""
    found = []
    for field in fields(message):
        if field.number == 2 and field.kind == BYTES:
            size = next((f.signed for f in fields(field.data) if f.number == 1), 0)
            if not 0 <= size < 1 << 40:
                raise WireError(f"an extent of {size}")
            found.append(size)
    if len(found) > 16 or prod(found) >= 1 << 48:
        raise WireError(f"a shape {tuple(found)[:16]}")
    return tuple(found)


def _slice(message: memoryview) -> Slice:
    """TensorSliceProto."""
    starts, lengths = [], []
    for field in fields(message):
        if field.number == 1 and field.kind == BYTES:
            numbers = {f.number: f.signed for f in fields(field.data)}
            starts.append(numbers.get(1, 0))
            lengths.append(numbers.get(2, -1))
    if any(n < 0 for n in starts) or any(n < -1 for n in lengths):
        raise WireError("a part at a negative place")
    return Slice(tuple(starts), tuple(lengths))


def _slice_prefix(name: str) -> bytes:
    """How keys of a tensor's parts begin: an order-preserving code of 0 and of its name."""
    codes = {0: b"\0\xff", 255: b"\xff\0"}
    return b"\0" + b"".join(codes.get(byte, bytes((byte,))) for byte in name.encode()) + b"\0\x01"


def shared_names(bundle: Bundle) -> Mapping[str, str]:
    """Key → the variable's own name, from the graph of objects that TensorFlow 2 saves; {} without it."""
    graph = bundle.variables.get(GRAPH_KEY)
    if graph is None or graph.kind != _STRING or graph.shape:
        return {}
    found: dict[str, str] = {}
    try:
        for node in fields(bundle.strings(graph)[0]):
            if node.number == 1 and node.kind == BYTES:
                for attribute in (f for f in fields(node.data) if f.number == 2 and f.kind == BYTES):
                    names = {f.number: f.text for f in fields(attribute.data) if f.kind == BYTES}
                    if names.get(3) and names.get(2):
                        found[names[3]] = names[2]
    except WireError as error:
        raise SourceError(f"{bundle.path}: {GRAPH_KEY}: expected a graph of objects, got: {error}. {_SAVE}") from error
    return found
