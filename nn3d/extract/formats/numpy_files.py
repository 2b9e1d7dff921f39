"""Owns .npz and .npy of anyone's as formats: arrays by name, nothing unpickled; files or prefixes are epochs."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.checkpoints.files import counted, ids
from nn3d.extract.formats.format import EPOCHS, WEIGHTS, Format
from nn3d.extract.formats.head import Head, look_at
from nn3d.extract.inputs import natural
from nn3d.extract.lazy import LazyArray
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.arrays.names import Meant, canonical, canonical_shape, infer, meanings
from nn3d.extract.readers.tensor_file import Mapped, Tensors, recording_of_many
from nn3d.extract.recording import Recording
from nn3d.run.archive import ArchiveStore
from nn3d.run.model import Array, Store
from nn3d.run.npy import Header, array_at, header_length, parse_header

MAGIC = b"\x93NUMPY"
MOST_FILES = 10_000
_HOW = {"float64": "rounded to float32"}
_EPOCH = re.compile(r"(?:epoch|step|iter|checkpoint|ckpt)[_-]?(\d{1,9})[/.](.+)", re.IGNORECASE)
_NO_MODEL = "activations: arrays hold no wires to run. Hand them over with nn3d.from_arrays, activations as well."
_COUNTS = ("epoch", "step", "global_step")


def read(path: Path) -> list[Tensors]:
    """The arrays of a file, by epoch; values when they are asked for. Raises SourceError, RunFormatError."""
    if look_at(path).start[:6] == MAGIC:
        return [_single(path)]
    store = ArchiveStore(path, names=None)
    headers = {key: store.header(key) for key in store.keys()}  # noqa: SIM118 (a store is no dict)
    stamp = _stamp(path)
    found = []
    for number, names in _by_epoch(headers).items():
        numbers, arrays = _split(store, names, headers)
        if number is not None:
            numbers.setdefault("epoch", number)
        found.append(Tensors(path, arrays, stamp, numbers, _HOW, close=store.close))
    if not any(t.arrays for t in found):
        raise SourceError(f"{path}: expected arrays of weights, got {len(headers)} members without any.")
    return found


def _single(path: Path) -> Tensors:
    file = Mapped(path)
    size = header_length(file.bytes_at(0, 12), path.name)
    header = parse_header(file.bytes_at(0, size), path.name)
    if size + header.n_bytes != file.size:
        raise SourceError(f"{path}: expected {header.n_bytes:,} bytes for {header.shape}, got {file.size - size:,}.")

    def values() -> Array:
        return _plain(array_at(file.buffer, 0, file.size, header, path.name))

    array = LazyArray(_shape(header), header.dtype.name, values, n_bytes=header.n_bytes)
    stamp = file.stamp(file.bytes_at(0, size))
    return Tensors(path, {path.name.split(".")[0] or "array": array}, stamp, how=_HOW, close=file.close)


def _by_epoch(headers: Mapping[str, Header]) -> dict[int | None, dict[str, str]]:
    """Epoch → (name without its prefix → key); one epoch without number where not all names have a prefix."""
    parts = {key: _EPOCH.fullmatch(key) for key in headers}
    if not headers or not all(parts.values()):
        return {None: {key: key for key in headers}}
    found: dict[int | None, dict[str, str]] = {}
    for key, match in parts.items():
        assert match is not None
        found.setdefault(int(match[1]), {})[match[2]] = key
    return {number: found[number] for number in sorted(found, key=lambda n: n or 0)}


def _split(
    store: ArchiveStore, names: Mapping[str, str], headers: Mapping[str, Header]
) -> tuple[dict[str, float], dict[str, LazyArray]]:
    """Single numbers, which are counts and metrics, and the arrays."""
    numbers: dict[str, float] = {}
    arrays: dict[str, LazyArray] = {}
    for name, key in names.items():
        header = headers[key]
        if header.shape == () and header.dtype.kind in "fiu":
            value = float(np.asarray(store[key])[()])
            if np.isfinite(value) or name not in _COUNTS:
                numbers[name] = value
        elif header.n_bytes:
            read = partial(_member, store, key)
            arrays[name] = LazyArray(_shape(header), header.dtype.name, read, n_bytes=header.n_bytes)
    return numbers, arrays


def _member(store: Store, key: str) -> Array:
    return _plain(store[key])


def _shape(header: Header) -> tuple[int, ...]:
    return header.shape or (1,)


def _plain(values: Array) -> Array:
    """As a run holds it: C order, native bytes, at most float32, a scalar as (1,)."""
    kind = values.dtype.kind
    dtype = np.float32 if values.dtype.itemsize > 4 and kind == "f" else np.int8 if kind == "b" else None
    with np.errstate(over="ignore", invalid="ignore"):  # signalling NaN
        plain = np.ascontiguousarray(values, dtype or values.dtype.newbyteorder("="))
    return plain.reshape(values.shape or (1,))


def _stamp(path: Path) -> str:
    """A hash of names, sizes and checksums as the zip's directory has them."""
    with zipfile.ZipFile(path) as archive:
        lines = [f"{i.filename} {i.CRC} {i.file_size}" for i in archive.infolist()]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class _Turned:
    """Arrays in canonical layout, and what they mean."""

    tensors: Tensors
    meant: Mapping[str, Meant]


def _turned(tensors: Tensors, layout: str) -> _Turned:
    meant = meanings({name: a.shape for name, a in tensors.arrays.items()}, layout)
    arrays = {name: _canonical(array, meant[name].layout) for name, array in tensors.arrays.items()}
    layouts = {name: m.layout for name, m in meant.items() if m.layout}
    kinds = [f"{kind}: {sum(v == kind for v in layouts.values())} tensors turned to (out, in, …)"
             for kind in sorted(set(layouts.values()))]  # fmt: skip
    if "IO" in layouts.values() and len(kinds) > 1:
        kinds.append("columns of a matrix that reads flattened maps stay in the file's order (y, x, channel)")
    return _Turned(replace(tensors, arrays=arrays, layouts=layouts, notes=(*tensors.notes, *kinds)), meant)


def _canonical(array: LazyArray, layout: str) -> LazyArray:
    if not layout:
        return array
    shape = canonical_shape(array.shape, layout)
    return replace(array, shape=shape, read=lambda: np.ascontiguousarray(canonical(array.read(), layout)), rows=None)


def record_several(paths: Sequence[Path], options: SourceOptions) -> Recording:
    """Files in natural order, one epoch each, or as many as the prefixes of their names say."""
    if options.model is not None:
        raise SourceError(f"{paths[0]}: expected no --model beside arrays, got {options.model}. Save a state_dict.")
    files = [read(path) for path in sorted(paths, key=lambda p: natural(p.name))]
    epochs = _numbered([file[0] for file in files]) if all(len(f) == 1 for f in files) else list(chain(*files))
    made = [_turned(tensors, options.layout) for tensors in epochs]
    source = paths[0].name if len(paths) == 1 else f"{len(paths)} files of arrays"
    recording = recording_of_many([m.tensors for m in made], options, source, lambda s: infer(s, made[0].meant))
    return replace(recording, left_out=(_NO_MODEL, *recording.left_out[1:]))


def _numbered(files: Sequence[Tensors]) -> list[Tensors]:
    """Several files with epochs and steps: what they say of themselves, else what their names count."""
    if len(files) == 1:
        return list(files)
    epochs, steps = counted([file.path.stem for file in files])
    said = [file.numbers.get("epoch") for file in files]
    numbers = ids([None if n is None else int(n) for n in said], epochs, steps)
    made = []
    for file, number, step in zip(files, numbers, steps, strict=True):
        more = {} if step is None or "step" in file.numbers else {"step": float(step)}
        made.append(replace(file, numbers={**file.numbers, "epoch": float(number), **more}))
    return made


def _record(path: Path, options: SourceOptions) -> Recording:
    return record_several([path], options)


def _record_folder(path: Path, options: SourceOptions) -> Recording:
    return replace(record_several(_files(look_at(path)), options), name=path.name)


def _sniff(head: Head) -> bool:
    if head.is_zip:
        return bool(head.names) and all(name.endswith((".npy", "/")) for name in head.names)
    return head.start[:6] == MAGIC


def _files(head: Head) -> list[Path]:
    names = sorted(name for name in head.names if name.endswith((".npz", ".npy")))[:MOST_FILES]
    return [head.path / name for name in names if _sniff(look_at(head.path / name))]


def _sniff_folder(head: Head) -> bool:
    return head.is_folder and head.any_ends(".npz", ".npy") and bool(_files(head))


FORMAT = Format("numpy", "arrays of numpy", _sniff, _record, record_several=record_several)
FOLDER = Format("numpy-folder", "a folder of arrays of numpy", _sniff_folder, _record_folder, gives=(WEIGHTS, EPOCHS))
