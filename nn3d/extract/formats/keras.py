"""Owns .keras as a format: a zip of config.json and model.weights.h5, as Keras 3 saves models."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from nn3d.errors import SourceError
from nn3d.extract.formats.format import ACTIVATIONS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers import hdf5
from nn3d.extract.readers.keras.config import read_model
from nn3d.extract.readers.keras.record import KerasFile, major, record
from nn3d.extract.readers.keras.weights import WeightFile
from nn3d.extract.recording import Recording
from nn3d.run.model import JSON

CONFIG, METADATA, TENSORS = "config.json", "metadata.json", "model.weights.h5"
MOST_JSON_BYTES = 64 << 20
_MOST_UNFOLDED = 1 << 30


def _sniff(head: Head) -> bool:
    return head.is_zip and head.member(CONFIG) and head.any_ends("model.weights.h5", "model.weights.json")


def _record(path: Path, options: SourceOptions) -> Recording:
    where = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            data = parse_json(_member(archive, CONFIG, where), f"{where}: {CONFIG}")
            metadata = {}
            if METADATA in archive.namelist():
                metadata = parse_json(_member(archive, METADATA, where), f"{where}: {METADATA}")
            model = read_model(data, where)
            version = major(metadata.get("keras_version") if isinstance(metadata, dict) else None, 3)
            with _tensors(archive, path) as h5:
                entries = hdf5.tensors(h5, path)
                weights = WeightFile(numbered=entries, titles=hdf5.layer_titles(h5, entries))
                return record(KerasFile(where, path.stem, path.name, version, data, model, weights), options)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, KeyError, RuntimeError) as error:
        raise SourceError(f"{where}: expected a .keras file, got: {error}. Save the model again.") from error


def parse_json(text: bytes, where: str) -> JSON:
    """JSON of at most 64 MB. Raises SourceError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        text_ = " ".join(str(error).split())[:120]
        raise SourceError(f"{where}: expected JSON, got: {text_}. Save the model again.") from error


def _member(archive: zipfile.ZipFile, name: str, where: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > MOST_JSON_BYTES:
        raise SourceError(f"{where}: {name}: expected at most {MOST_JSON_BYTES} bytes, got {size}.")
    with archive.open(name) as member:
        return member.read(MOST_JSON_BYTES)


def _tensors(archive: zipfile.ZipFile, path: Path) -> AbstractContextManager[Any]:
    """The weights, read where they lie when they are stored; unfolded when they are deflated."""
    if TENSORS not in archive.namelist():
        raise SourceError(f"{path}: expected {TENSORS}, got a sharded or weightless model. Save it in one file.")
    info = archive.getinfo(TENSORS)
    if info.compress_type == zipfile.ZIP_STORED:
        with archive.open(TENSORS) as member:
            start = getattr(member, "_orig_compress_start", None)
        if isinstance(start, int):
            return hdf5.opened(path, _buffered(path, start, info.file_size))
    if info.file_size > max(_MOST_UNFOLDED, 100 * info.compress_size):
        raise SourceError(f"{path}: {TENSORS}: expected at most {_MOST_UNFOLDED} bytes, got {info.file_size}.")
    with archive.open(TENSORS) as member:
        return hdf5.opened(path, io.BytesIO(member.read(info.file_size)))


def _buffered(path: Path, start: int, size: int) -> IO[bytes]:
    return io.BufferedReader(hdf5.Window(path, start, size))


FORMAT = Format(
    "keras", "Keras", _sniff, _record, gives=(GRAPH, WEIGHTS, ACTIVATIONS), extra=hdf5.EXTRA, is_isolated=True,
    libraries=("h5py",),
)  # fmt: skip
