"""Owns the cache of runs made from folders of checkpoints, in the user's cache folder: where, for what, and how much.

A cached run belongs to a folder and to all that was said about the source, the model's own file included. NN3D_CACHE
names another folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import platformdirs

from nn3d import __version__
from nn3d.extract.options import SourceOptions

FOLDER = "NN3D_CACHE"
MOST_BYTES = 20 << 30
_FRESH_SECS = 86400.0
_MOST_FILES = 4096
_LOCK_FILE = ".lock"


def cache_folder() -> Path:
    """Where cached runs lie."""
    folder = os.environ.get(FOLDER)
    return (Path(folder) if folder else Path(platformdirs.user_cache_dir("nn3d", False))) / "checkpoints"


def cached_run(folder: Path, source: SourceOptions) -> Path:
    """Where the run of a folder of checkpoints lies, or would lie; nothing of a framework is imported for it."""
    said = asdict(source) | {"classes": str(source.classes), "events": None}
    said.pop("cache")
    about: list[Any] = [str(folder.resolve()), said, __version__, _model_files(source.model)]
    about += [_states(Path(p)) for p in (source.input, source.classes) if p is not None]
    text = json.dumps(about, sort_keys=True, default=str)
    return cache_folder() / hashlib.sha256(text.encode()).hexdigest()[:24]


def _model_files(spec: str | None) -> list[Any]:
    """What the model is made by: Python files beside the factory's own, as they are now, or a package's version."""
    package = (spec or "").partition(":")[0]
    if not package:
        return []
    if package in ("torchvision", "timm", "hf"):
        with contextlib.suppress(PackageNotFoundError):
            return [version("transformers" if package == "hf" else package)]
        return []
    parts = package.split(".")
    for root in (Path.cwd(), *(Path(p) for p in sys.path if p)):
        for path in (root.joinpath(*parts).with_suffix(".py"), root.joinpath(*parts, "__init__.py")):
            if path.is_file():
                return _states(path.parent, "*.py" if path.parent == root else "**/*.py")
    return []


def _states(path: Path, pattern: str = "**/*") -> list[Any]:
    """Names, sizes and times of a file, or of a folder's files."""
    if path.is_file():
        files = [path]
    elif path.is_dir():
        files = sorted(p for p in path.glob(pattern) if p.is_file())[:_MOST_FILES]
    else:
        return []
    return [(str(p), s.st_size, s.st_mtime_ns) for p in files for s in (p.stat(),)]


@contextlib.contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Have a cached run for oneself while it is filled; False where another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK_FILE).open("ab") as file:
        yield _locked(file.fileno())


def _locked(handle: int) -> bool:
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False
    return True


def used(folder: Path) -> None:
    """Note that a cached run was looked at, and let go of the oldest others where all are too much."""
    with contextlib.suppress(OSError):
        os.utime(folder)
    ages = sorted((p for p in folder.parent.iterdir() if p.is_dir()), key=_age)
    sizes = {p: _bytes(p) for p in ages}
    total = sum(sizes.values())
    for path in reversed(ages):
        if total <= MOST_BYTES or path == folder or _age(path) < _FRESH_SECS:
            break
        shutil.rmtree(path, ignore_errors=True)
        total -= sizes[path]


def _age(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except OSError:
        return 0.0


def _bytes(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            total += entry.stat().st_size
    return total


def forget(paths: Sequence[Path]) -> None:
    """Remove cached runs."""
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
