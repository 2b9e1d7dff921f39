"""Broken copies of a file or folder: bytes flipped, cut, put in, zeroed; members of zips and values of JSON changed."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Rng = np.random.Generator
# What stands in for a value of JSON.
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, -(2**63), 0.5, 1e308, "", "x", "../x", "a" * 300, "\x00", [], {}, [[]],
    [0], [-1], [10**12, 10**12], ["x"], {"x": 1}, [None], "NaN",
)  # fmt: skip


def flip(data: bytes, rng: Rng) -> bytes:
    """One to five bytes changed, more often near the start, where headers are."""
    bad = np.frombuffer(data, np.uint8).copy()
    reach = len(bad) if rng.random() < 0.5 else min(len(bad), 512)
    at = rng.integers(reach, size=rng.integers(1, 6))
    is_any = rng.random() < 0.5
    bad[at] = rng.integers(256, size=at.shape) if is_any else bad[at] ^ (1 << rng.integers(8, size=at.shape))
    return bad.tobytes()


def extreme(data: bytes, rng: Rng) -> bytes:
    """One number of 1, 2, 4 or 8 bytes at its least or most."""
    size = int(rng.choice([1, 2, 4, 8]))
    at = int(rng.integers(min(len(data), 1024 if rng.random() < 0.7 else len(data))))
    value = bytes([0xFF] * size) if rng.random() < 0.5 else bytes([0xFF] * (size - 1) + [0x7F])
    return data[:at] + value + data[at + size :]


def cut(data: bytes, rng: Rng) -> bytes:
    """The end is missing."""
    return data[: rng.integers(len(data))]


def insert(data: bytes, rng: Rng) -> bytes:
    """Bytes that do not belong there, or a part twice."""
    at, n = int(rng.integers(len(data) + 1)), int(rng.integers(1, 64))
    more = rng.integers(256, size=n, dtype=np.uint8).tobytes() if rng.random() < 0.5 else data[at : at + n]
    return data[:at] + more + data[at:]


def zero(data: bytes, rng: Rng) -> bytes:
    """A run of zeros."""
    at, n = int(rng.integers(len(data))), int(rng.integers(1, 256))
    return data[:at] + bytes(min(n, len(data) - at)) + data[at + n :]


def drop(data: bytes, rng: Rng) -> bytes:
    """A part is missing."""
    at = int(rng.integers(len(data)))
    return data[:at] + data[at + int(rng.integers(1, 64)) :]


_PLAIN: tuple[Callable[[bytes, Rng], bytes], ...] = (flip, flip, extreme, cut, insert, zero, drop)


def bytes_like(data: bytes, rng: Rng) -> bytes:
    """A broken copy; where the content is JSON or a zip, mostly one that still is."""
    if not data:
        return b"x"
    if rng.random() < 0.6:
        if data[:2] == b"PK":
            return _member(data, rng)
        start = 8 if data[8:9] == b"{" else 0
        end = start + int.from_bytes(data[:8], "little") if start else len(data)
        if data[start : start + 1].strip() in (b"{", b"[") and end <= len(data):
            return _json(data[start:end], data[end:], start, rng) or flip(data, rng)
    return _PLAIN[rng.integers(len(_PLAIN))](data, rng)


def _json(text: bytes, rest: bytes, start: int, rng: Rng) -> bytes:
    """One value of a JSON text changed; before it may stand its length in eight bytes. b"" when it is no JSON."""
    try:
        value = json.loads(text)
    except ValueError:
        return b""
    places: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(places) < 5000:
        thing = waiting.pop()
        pairs = thing.items() if isinstance(thing, dict) else enumerate(thing) if isinstance(thing, list) else ()
        for key, inner in pairs:
            places.append((thing, key))
            waiting.append(inner)
    if not places:
        return b""
    home, key = places[rng.integers(len(places))]
    if rng.random() < 0.2:
        del home[key]
    else:
        home[key] = ODD[rng.integers(len(ODD))]
    made = json.dumps(value).encode()
    return (len(made).to_bytes(8, "little") if start else b"") + made + rest


def _member(data: bytes, rng: Rng) -> bytes:
    """A zip of which one member is broken, missing or named otherwise, with right checksums."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(info, archive.read(info)) for info in archive.infolist() if info.file_size < 1 << 22]
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return flip(data, rng)
    if not members:
        return flip(data, rng)
    chosen, kind = int(rng.integers(len(members))), rng.random()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for i, (info, content) in enumerate(members):
            name = info.filename
            if i == chosen:
                if kind < 0.1:
                    continue
                name = f"x/{name}" if kind < 0.15 else name
                content = bytes_like(content, rng)
            archive.writestr(zipfile.ZipInfo(name), content, info.compress_type)
    return stream.getvalue()


def broken_copy(good: Path, folder: Path, rng: Rng) -> Path:
    """A broken copy in a folder, under its own name; of several files that belong together, one is broken or missing.

    Files beside it (shards, external data) are copied; now and then one of them is broken in its place.
    """
    bad = folder / good.name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good if good.is_dir() else good.parent, bad if good.is_dir() else folder)
    files = sorted(p for p in (bad if good.is_dir() else folder).rglob("*") if p.is_file())
    chosen = files[rng.integers(len(files))] if good.is_dir() or rng.random() < 0.3 else bad
    if rng.random() < 0.05 and chosen != bad:
        chosen.unlink()
    else:
        chosen.write_bytes(bytes_like(chosen.read_bytes(), rng))
    return bad
