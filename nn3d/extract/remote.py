"""Owns files that lie elsewhere: a URL that fsspec knows (s3://…, memory://…) → a copy in the user's cache folder.

A copy is made once for each state of the file (its size and whatever the file system says of its version), and the
least recently used ones go when the copies are too many. Nothing but what the URL names is fetched.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract.checkpoints.cache import cache_folder
from nn3d.extract.factory import require

LIMIT = "NN3D_MOST_DOWNLOAD_MB"
MOST_MB, MOST_FILES, MOST_COPIES = 4096, 10_000, 32
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<slashes>/+)(?P<rest>.*)")
_VERSION = ("ETag", "etag", "mtime", "modified", "LastModified", "last_modified", "updated", "created", "ino", "md5")
Tell = Callable[[str], None]


def url_of(path: Path) -> str:
    """The URL that a path of the command line was, "" for a path: Path("s3://a/b") has lost one of its slashes."""
    match = _URL.fullmatch(str(path))
    if match is None or path.exists():
        return ""
    is_local = match["scheme"] == "file"
    return f"{match['scheme']}://{'/' if is_local else ''}{match['rest']}"


def fetched(path: Path, tell: Tell | None = None) -> Path:
    """A path as it is, and of a URL the copy here. Raises SourceError when it cannot be had, or is too large."""
    url = url_of(path)
    if not url:
        return path
    fsspec: Any = require("fsspec", "fsspec")
    try:
        system, place = fsspec.core.url_to_fs(url)
        return _copied(system, place, url, tell or (lambda text: None))
    except (OSError, ValueError, ImportError, RuntimeError, KeyError) as error:
        text = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        raise SourceError(f"{url}: expected a file that can be fetched, got: {text}.") from error


def _copied(system: Any, place: str, url: str, tell: Tell) -> Path:
    files = _files(system, place)
    if not files:
        raise SourceError(f"{url}: expected a file or folder, got no such thing.")
    size, most = sum(_size(info) for info in files.values()), _most_mb()
    if size > most << 20 or len(files) > MOST_FILES:
        got = f"{size / 1e6:,.0f} MB in {len(files):,} files"
        raise SourceError(f"{url}: expected at most {most:,} MB, got {got}. Raise {LIMIT}, or download it yourself.")
    name = PurePosixPath(place.rstrip("/")).name or "file"
    home = cache_folder().parent / "remote" / _key(url, files)
    if not (home / "whole").exists():
        _fetch(system, place, files, home, name)
        tell(f"{url}: {size / 1e6:,.1f} MB fetched")
        _prune(home)
    os.utime(home)
    return home / name


def _files(system: Any, place: str) -> dict[str, Mapping[str, Any]]:
    """What a place holds, by path: itself, or what is below it."""
    info = system.info(place)
    if info.get("type") != "directory":
        return {place: info}
    found: dict[str, Mapping[str, Any]] = system.find(place, detail=True)
    return dict(sorted(found.items())[: MOST_FILES + 1])


def _size(info: Mapping[str, Any]) -> int:
    size = info.get("size")
    if not isinstance(size, int):
        name = str(info.get("name"))[:200]
        raise SourceError(f"{name}: expected its size to be known, got none. Download it yourself.")
    return size


def _key(url: str, files: Mapping[str, Mapping[str, Any]]) -> str:
    said = [f"{p} {info.get('size')} {[str(info[k]) for k in _VERSION if k in info]}" for p, info in files.items()]
    return hashlib.sha256("\n".join([url, *said]).encode("utf-8", "replace")).hexdigest()[:24]


def _fetch(system: Any, place: str, files: Mapping[str, Mapping[str, Any]], home: Path, name: str) -> None:
    """Copy everything beside its place, then give it its name: whole or not at all."""
    scratch = home.with_name(f".{home.name}-{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        for path, info in files.items():
            inside = PurePosixPath(path).relative_to(place.rstrip("/")) if path != place else PurePosixPath()
            if ".." in inside.parts or inside.is_absolute():
                raise SourceError(f"{path[:200]}: expected names below the folder, got another. Download it yourself.")
            target = scratch / name / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            _fetch_one(system, path, target, _size(info))
        (scratch / "whole").touch()
        shutil.rmtree(home, ignore_errors=True)
        os.replace(scratch, home)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _fetch_one(system: Any, path: str, target: Path, size: int) -> None:
    """A file, no more of it than it said."""
    left = size
    with system.open(path, "rb") as source, target.open("wb") as out:
        while left > 0 and (part := source.read(min(left, 8 << 20))):
            out.write(part)
            left -= len(part)
    if left:
        raise SourceError(f"{path[:200]}: expected {size:,} bytes, got {size - left:,}. Try again.")


def _prune(kept: Path) -> None:
    """Let the least recently used copies go."""
    copies = [p for p in kept.parent.iterdir() if p.is_dir() and p != kept and not p.name.startswith(".")]
    copies.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    for old in copies[MOST_COPIES - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


def _most_mb() -> int:
    text = os.environ.get(LIMIT, "")
    return int(text) if text.isdecimal() else MOST_MB
