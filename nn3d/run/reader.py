"""Owns opening: a packed file, a folder or JSON becomes a Run, after everything cheap to check has been checked."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np

from nn3d.errors import RunFormatError
from nn3d.run import keys
from nn3d.run.archive import ArchiveStore
from nn3d.run.folder import MANIFEST_FILE, FolderStore, open_folder
from nn3d.run.manifest import MAX_BYTES, MAX_DIMENSIONS, Manifest, parse_json, parse_manifest
from nn3d.run.memory import MemoryStore
from nn3d.run.model import JSON, Array
from nn3d.run.run import Run
from nn3d.run.validate import check_members, header_check

_TEXTS = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}
_DTYPES = {
    *("float16", "float32", "float64", "bool", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
}


def is_run(path: str | os.PathLike[str]) -> bool:
    """Whether a path looks like a run: cheap, and no promise that `open_run` accepts it."""
    where = Path(path)
    if where.is_dir():
        return (where / MANIFEST_FILE).is_file()
    if not where.is_file():
        return False
    with where.open("rb") as file:
        start = file.read(4096)
    if start.startswith(b"PK"):
        try:
            with zipfile.ZipFile(where) as archive:
                return keys.MANIFEST + ".npy" in archive.NameToInfo
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return False
    return start.lstrip().startswith(b"{") and b'"nn3d-run"' in start


def open_run(path: str | os.PathLike[str]) -> Run:
    """Open a run: a packed .npz, a folder (which may still grow), or JSON. Reads the manifest, maps the rest.

    Raises RunFormatError, naming the member, for anything that is not what docs/FORMAT.md says.
    """
    where = Path(path)
    if where.is_dir():
        return _open_folder(where)
    try:
        with where.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise RunFormatError(f"{where}: should be a run, got {error.strerror or error}") from None
    if start.startswith(b"PK"):
        return _open_packed(where)
    if start.lstrip().startswith(b"{"):
        return _open_json(where)
    raise RunFormatError(f"{where.name}: should be a run (.npz, folder or .json), got bytes {start[:8]!r}")


def _open_folder(path: Path) -> Run:
    run = open_folder(path)
    if isinstance(run.store, FolderStore):
        run.store.on_header = header_check(run.header)
    return run


def _open_packed(path: Path) -> Run:
    store = ArchiveStore(path)
    if keys.MANIFEST not in store:
        raise RunFormatError(f"{path.name}: should have a member 'manifest', got none. Use nn3d extract to make a run.")
    data = store[keys.MANIFEST]
    if data.dtype != np.uint8 or data.ndim != 1 or data.size > MAX_BYTES:
        got = f"{data.dtype} {data.shape}"
        raise RunFormatError(f"{path.name}: manifest: should be 1-D uint8 of at most {MAX_BYTES} bytes, got {got}")
    manifest = parse_manifest(parse_json(data.tobytes(), "manifest"))
    check_members(manifest, store)
    return Run(store, manifest, path=str(path))


def _open_json(path: Path) -> Run:
    with path.open("rb") as file:
        value = parse_json(file.read(MAX_BYTES + 1), path.name)
    if not isinstance(value, dict) or value.get("format") != "nn3d-run" or not isinstance(value.get("arrays"), dict):
        raise RunFormatError(f"{path.name}: should be a run as JSON (format, manifest, arrays), got other JSON")
    manifest: Manifest = parse_manifest(value.get("manifest"))
    arrays = {key: _array(entry, f"{path.name}: {key[:80]}") for key, entry in value["arrays"].items()}
    store = MemoryStore(arrays)
    check_members(manifest, store)
    return Run(store, manifest, path=str(path))


def _array(entry: JSON, where: str) -> Array:
    if not isinstance(entry, dict) or entry.get("dtype") not in _DTYPES:
        raise RunFormatError(f"{where}: should have dtype, shape and values, got {str(entry)[:60]}")
    shape, values = entry.get("shape"), entry.get("values")
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise RunFormatError(f"{where}: shape should be a list of extents, got {str(shape)[:60]}")
    if not isinstance(values, list) or len(shape) > MAX_DIMENSIONS or _product(shape) != len(values):
        n = len(values) if isinstance(values, list) else 0
        raise RunFormatError(f"{where}: should have {_product(shape)} values for {shape[:8]}, got {n}")
    try:
        numbers = [_TEXTS[v] if isinstance(v, str) else v for v in values]
        return np.array(numbers, entry["dtype"]).reshape(shape)
    except (KeyError, ValueError, TypeError, OverflowError):
        raise RunFormatError(f"{where}: values should be numbers of {entry['dtype']}, got something else") from None


def _product(shape: list[int]) -> int:
    result = 1
    for n in shape:
        result *= n
    return result
