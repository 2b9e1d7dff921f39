"""Owns one ZIP of .npy members: read through one memory map, written aligned and atomically."""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np

from nn3d.errors import RunFormatError
from nn3d.run.model import Array
from nn3d.run.npy import Header, array_at, header_bytes, parse_header

ALIGNMENT = 64
MAX_MEMBERS = 1_000_000
MAX_CHECKED_AT_ONCE = 5_000
MAX_UNFOLDED = 256 << 20
MAX_RATIO = 100
MAX_NAME = 1000
_PADDING_ID = 0xD935
PLAIN_NAME = re.compile(r"[A-Za-z0-9_\-.]+(/[A-Za-z0-9_\-.]+)*")
_BROKEN = (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError, OverflowError, EOFError, zlib.error)


class ArchiveStore:
    """Arrays of one ZIP, each a read-only view into one memory map where it is stored, unfolded where it is deflated.

    Sizes and headers are checked against the bytes present before anything is allocated: for up to 5,000 members when
    opening, for more on first access. on_header : is given each header before anything of its member is handed out,
    and raises when it does not fit; then nothing but the directory is read when opening. names : what names of members
    must match, None for those of somebody else's file, which are never written anywhere.
    """

    def __init__(
        self,
        path: Path,
        on_header: Callable[[str, Header], None] | None = None,
        names: re.Pattern[str] | None = PLAIN_NAME,
    ) -> None:
        self.path = path
        self._on_header = on_header
        self._members = _directory(path, names)
        self._headers: dict[str, Header] = {}
        with path.open("rb") as file:
            self._size = os.fstat(file.fileno()).st_size
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if on_header is None and len(self._members) <= MAX_CHECKED_AT_ONCE:
            for key in self._members:
                self.header(key)

    @property
    def is_deflated(self) -> bool:
        """Whether some members must be unfolded (slower to read)."""
        return any(m.compress_type != zipfile.ZIP_STORED for m in self._members.values())

    def __contains__(self, key: str) -> bool:
        return key in self._members

    def keys(self) -> Iterable[str]:
        """All keys."""
        return self._members.keys()

    def close(self) -> None:
        """Give the map back, unless an array handed out still needs it."""
        with contextlib.suppress(BufferError):
            self._map.close()

    def header(self, key: str) -> Header:
        """Type and shape of a member, checked against its size once; reads no data."""
        if key not in self._headers:
            header = self._read_header(key)
            if self._on_header is not None:
                self._on_header(key, header)
            self._headers[key] = header
        return self._headers[key]

    def _read_header(self, key: str) -> Header:
        info = self._members[key]
        begin = self._begin(info)
        if info.compress_type == zipfile.ZIP_STORED:
            header = parse_header(self._map[begin : begin + min(info.file_size, 8192)], self._where(key))
        else:
            header = parse_header(self._unfold(info, begin, min(info.file_size, 8192)), self._where(key))
        if header.size + header.n_bytes != info.file_size:
            expected = f"{header.n_bytes} bytes for {header.dtype.name} {header.shape}"
            raise RunFormatError(f"{self._where(key)}: should hold {expected}, got {info.file_size - header.size}")
        return header

    def __getitem__(self, key: str) -> Array:
        info, header = self._members[key], self.header(key)
        begin = self._begin(info)
        if info.compress_type == zipfile.ZIP_STORED:
            return array_at(self._map, begin, info.file_size, header, self._where(key))
        data = self._unfold(info, begin, info.file_size)
        if len(data) != info.file_size:
            raise RunFormatError(f"{self._where(key)}: should unfold to {info.file_size} bytes, got {len(data)}")
        return array_at(data, 0, len(data), header, self._where(key))

    def check(self, key: str) -> None:
        """Read a stored member and compare its checksum; raises RunFormatError when a bit has changed."""
        info = self._members[key]
        begin = self._begin(info)
        if info.compress_type == zipfile.ZIP_STORED:
            crc, end = 0, begin + info.file_size
            for at in range(begin, end, 16 << 20):
                crc = zlib.crc32(self._map[at : min(end, at + (16 << 20))], crc)
        else:
            crc = zlib.crc32(self._unfold(info, begin, info.file_size))
        if crc != info.CRC:
            raise RunFormatError(f"{self._where(key)}: checksum should be {info.CRC:08x}, got {crc:08x}")

    def _where(self, key: str) -> str:
        return f"{self.path.name}: {key}"

    def _begin(self, info: zipfile.ZipInfo) -> int:
        """Offset of a member's data, from its local header."""
        at = info.header_offset
        local = self._map[at : at + 30]
        if len(local) < 30 or local[:4] != b"PK\x03\x04":
            raise RunFormatError(f"{self._where(info.filename)}: should begin with a local header, got {local[:4]!r}")
        begin = at + 30 + int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        if begin + info.compress_size > self._size:
            got = max(0, self._size - begin)
            raise RunFormatError(f"{self._where(info.filename)}: should hold {info.compress_size} bytes, got {got}")
        return begin

    def _unfold(self, info: zipfile.ZipInfo, begin: int, limit: int) -> bytes:
        try:
            return zlib.decompressobj(-15).decompress(self._map[begin : begin + info.compress_size], limit)
        except zlib.error as error:
            raise RunFormatError(f"{self._where(info.filename)}: should be deflated data, got {error}") from None


def _directory(path: Path, names: re.Pattern[str] | None) -> dict[str, zipfile.ZipInfo]:
    """Key → entry of the ZIP's directory, every entry checked."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except FileNotFoundError:
        raise RunFormatError(f"{path.name}: should be a file, got nothing at {path}") from None
    except _BROKEN as error:
        raise RunFormatError(f"{path.name}: should be a whole ZIP file, got {error}") from None
    if len(entries) > MAX_MEMBERS:
        raise RunFormatError(f"{path.name}: should have at most {MAX_MEMBERS} members, got {len(entries)}")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in entries:
        if info.is_dir():
            continue
        _check_entry(info, path.name, names)
        key = info.filename.removesuffix(".npy")
        if key in members:
            raise RunFormatError(f"{path.name}: {key}: should be there once, got it twice")
        members[key] = info
    return members


def _check_entry(info: zipfile.ZipInfo, where: str, names: re.Pattern[str] | None) -> None:
    name = info.filename
    is_odd = names is not None and (not names.fullmatch(name) or ".." in name.split("/") or len(name) > 200)
    if is_odd or len(name) > MAX_NAME:
        raise RunFormatError(f"{where}: member names should be plain, got {name[:80]!r}")
    if info.flag_bits & 0x41:
        raise RunFormatError(f"{where}: {name}: should not be encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RunFormatError(f"{where}: {name}: should be stored or deflated, got method {info.compress_type}")
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        raise RunFormatError(f"{where}: {name}: should have one size, got {info.compress_size} and {info.file_size}")
    if info.file_size > MAX_UNFOLDED and info.file_size > MAX_RATIO * info.compress_size:
        got = f"{info.compress_size} bytes that claim {info.file_size}"
        raise RunFormatError(f"{where}: {name}: should unfold at most {MAX_RATIO} times, got {got}")


def write_archive(path: Path, members: Iterable[tuple[str, Array]]) -> None:
    """Write members to one ZIP: stored, each aligned to 64 bytes; a temporary name, fsync, then rename."""
    with atomic(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for key, array in members:
            _write_member(archive, file, key, np.asarray(array, order="C"))


def _write_member(archive: zipfile.ZipFile, file: IO[bytes], key: str, array: Array) -> None:
    info = zipfile.ZipInfo(key + ".npy", (1980, 1, 1, 0, 0, 0))
    is_big = array.nbytes > 1 << 30
    begin = file.tell() + 30 + len(info.filename) + (20 if is_big else 0)
    gap = -(begin + 4) % ALIGNMENT
    info.extra = struct.pack("<HH", _PADDING_ID, gap) + bytes(gap)
    with archive.open(info, "w", force_zip64=is_big) as member:
        member.write(header_bytes(array))
        flat = array.reshape(-1).view(np.uint8) if array.size else np.empty(0, np.uint8)
        for at in range(0, flat.size, 16 << 20):
            member.write(flat[at : at + (16 << 20)].data)


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under `path` whole or not at all, and is on the disk when it does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder lasting, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
