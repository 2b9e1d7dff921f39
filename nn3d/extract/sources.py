"""Owns telling what a file is, by its content, and sending it to the reader that knows it."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nn3d.errors import SourceError
from nn3d.extract import factory, sietzen
from nn3d.extract.checkpoints.files import candidates, in_order
from nn3d.extract.checkpoints.opening import Progress, open_checkpoints
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import in_memory
from nn3d.extract.recording import Recording
from nn3d.run.reader import open_run
from nn3d.run.run import Run


class Kind(Enum):
    """What a path holds."""

    RUN = "a run"
    SIETZEN = "Sietzen's JSON"
    CHECKPOINT = "a torch checkpoint"
    CHECKPOINTS = "a folder of torch checkpoints"
    SAFETENSORS = "safetensors"
    ONNX = "ONNX"
    KERAS = "Keras"
    TFLITE = "TensorFlow Lite"
    HUGGING_FACE = "a Hugging Face folder"
    UNKNOWN = "unknown"


_CHECKPOINTS = (Kind.CHECKPOINT, Kind.SAFETENSORS, Kind.CHECKPOINTS)
_LATER = {
    Kind.ONNX: "Reading ONNX comes later: record the torch module with --model PKG.MOD:FACTORY.",
    Kind.KERAS: "Reading Keras comes later: hand its arrays to nn3d.from_arrays and save the run.",
    Kind.TFLITE: "Reading TensorFlow Lite comes later: hand its arrays to nn3d.from_arrays and save the run.",
    Kind.HUGGING_FACE: "Pass it as --model hf:FOLDER, with --input.",
}


def sniff(path: Path) -> Kind:
    """What a file or folder is, by its content. Raises SourceError when there is no such path."""
    if not path.exists():
        raise SourceError(f"{path}: expected a file or folder, got no such path.")
    if path.is_dir():
        return _sniff_folder(path)
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        raise SourceError(f"{path}: expected a readable file, got: {error.strerror}.") from error
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _sniff_zip(path)
    return _sniff_head(head, path)


def _sniff_folder(path: Path) -> Kind:
    if (path / "manifest.json").is_file():
        return Kind.RUN
    if sietzen.is_sietzen(path):
        return Kind.SIETZEN
    if any(holds_parameters(p) for p in candidates(path)):
        return Kind.CHECKPOINTS
    return Kind.HUGGING_FACE if (path / "config.json").is_file() else Kind.UNKNOWN


def _sniff_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return Kind.RUN if path.suffix == ".npz" else Kind.UNKNOWN
    if {"manifest", "manifest.npy", "manifest.json"} & names:
        return Kind.RUN
    if any(n.count("/") == 1 and n.endswith("/data.pkl") for n in names):
        return Kind.CHECKPOINT
    if any(n.rpartition("/")[2] == sietzen.STRUCTURE for n in names):
        return Kind.SIETZEN
    return Kind.KERAS if "model.weights.h5" in names else Kind.RUN if path.suffix == ".npz" else Kind.UNKNOWN


def _sniff_head(head: bytes, path: Path) -> Kind:
    start = head.lstrip()[:1]
    if len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 32:
        return Kind.SAFETENSORS
    if start == b"{":
        return Kind.RUN
    if head[:8] == b"\x89HDF\r\n\x1a\n":
        return Kind.KERAS
    if head[4:8] == b"TFL3":
        return Kind.TFLITE
    if head[:1] == b"\x80":
        return Kind.CHECKPOINT
    is_protobuf = head[:1] == b"\x08" and (b"onnx" in head.lower() or path.suffix == ".onnx" or head[2:3] == b"\x12")
    return Kind.ONNX if is_protobuf else Kind.UNKNOWN


def holds_parameters(path: Path) -> bool:
    """Whether a file looks like a checkpoint, by its content."""
    try:
        return sniff(path) in (Kind.CHECKPOINT, Kind.SAFETENSORS)
    except (SourceError, OSError):
        return False


def open_source(path: Path, source: SourceOptions, progress: Progress | None = None) -> Run:
    """Any file as a run: a run as it lies on disk, a folder of checkpoints from the cache, else extracted into memory.

    progress : called with how many epochs of how many are there, while checkpoints are extracted.
    """
    kind = sniff(path)
    if kind is Kind.RUN:
        return open_run(path)
    if kind is Kind.CHECKPOINTS and not (source.trust and source.model is None):
        return open_checkpoints(path, source, progress)
    return in_memory(record([path], source))


def several_checkpoints(paths: Sequence[Path], source: SourceOptions) -> list[Path]:
    """The files of folders of checkpoints, or several given files, in natural order; [] where it is anything else."""
    kinds = {path: sniff(path) for path in paths}
    files = [p for path in paths for p in (candidates(path) if kinds[path] is Kind.CHECKPOINTS else [path])]
    is_several = len(paths) > 1 or Kind.CHECKPOINTS in kinds.values()
    is_meant = is_several and any(k in _CHECKPOINTS for k in kinds.values()) and Kind.RUN not in kinds.values()
    return in_order(files) if is_meant and not (source.trust and source.model is None) else []


def record(paths: Sequence[Path], source: SourceOptions) -> Recording:
    """Everything except a finished run → a recording. Several paths must be checkpoints of one model.

    Raises SourceError when something cannot be read, saying what to do.
    """
    if not paths:
        found: Recording = _live().record_model(source)
        return found
    kinds = {path: sniff(path) for path in paths}
    files = [p for path in paths for p in (_readable(path) if kinds[path] is Kind.CHECKPOINTS else [path])]
    if all(kind in _CHECKPOINTS for kind in kinds.values()):
        made: Recording = _live().record_checkpoints(in_order(files), source)
        return made
    if len(paths) > 1:
        odd = next(p for p, kind in kinds.items() if kind not in _CHECKPOINTS)
        raise SourceError(f"{odd}: expected checkpoints where several files are given, got {kinds[odd].value}.")
    return _record_one(paths[0], kinds[paths[0]], source)


def _readable(folder: Path) -> list[Path]:
    return [p for p in candidates(folder) if holds_parameters(p)]


def _record_one(path: Path, kind: Kind, source: SourceOptions) -> Recording:
    if kind is Kind.SIETZEN:
        found = sietzen.read(path)
        classes = source.class_names() or found.classes
        return replace(found, classes=classes)
    if kind is Kind.RUN:
        raise SourceError(
            f"{path}: expected something to extract, got a run. Open it with nn3d view, or pack a folder."
        )
    got = "something that nn3d does not know" if kind is Kind.UNKNOWN else kind.value
    hint = _LATER.get(kind, "Pass a run, a torch checkpoint (.pt), a folder of checkpoints, or Sietzen's JSON.")
    raise SourceError(f"{path}: expected a run or something to extract, got {got}. {hint}")


def limit_threads(n: int) -> None:
    """Let torch compute with n threads; nothing when it is not installed."""
    if find_spec("torch") is not None:
        import_module("torch").set_num_threads(n)


def _live() -> Any:
    """The readers that need torch. Raises SourceError naming the extra when it is not installed."""
    factory.require("torch")
    return import_module("nn3d.extract.live_sources")
