"""Owns TensorFlow.js models: model.json with a Keras model or a graph, and shards of weights beside it.

Weights lie one after another through the shards of their group. Quantised ones are value = q · scale + min
(TensorFlow.js, "Weight quantization"). Shards are looked for in the folder of model.json and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path, PurePosixPath

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.formats.format import ACTIVATIONS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.formats.keras import MOST_JSON_BYTES, parse_json
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.keras.build import Entry
from nn3d.extract.readers.keras.config import read_model
from nn3d.extract.readers.keras.record import KerasFile, major, record
from nn3d.extract.readers.keras.weights import WeightFile, named_groups
from nn3d.extract.readers.named_tensors import counted, infer_named
from nn3d.extract.recording import Moment, Recording
from nn3d.run.model import JSON, Array, Epoch

MODEL = "model.json"
MOST_TEXTS = 10_000
_TYPES = {
    "float32": "<f4", "float16": "<f2", "int32": "<i4", "uint8": "u1", "uint16": "<u2", "int8": "i1", "int16": "<i2",
    "bool": "u1",
}  # fmt: skip
_SAVE = "Convert the model again."


@dataclass(frozen=True, slots=True)
class _Shards:
    """Files of one group as one sequence of bytes. starts : of each, and the end of the last."""

    paths: tuple[Path, ...]
    starts: tuple[int, ...]

    def read(self, offset: int, size: int) -> bytes:
        """Bytes that lie inside, from one file or several."""
        parts = []
        for path, start, end in zip(self.paths, self.starts, self.starts[1:], strict=False):
            first, last = max(offset, start), min(offset + size, end)
            if first < last:
                with path.open("rb") as file:
                    file.seek(first - start)
                    parts.append(file.read(last - first))
        return b"".join(parts)


def _sniff(head: Head) -> bool:
    if head.is_folder:
        return head.member(MODEL) and _is_model(_start_of(head.path / MODEL))
    return not head.is_zip and head.start.lstrip()[:1] == b"{" and _is_model(head.start)


def _is_model(start: bytes) -> bool:
    return any(mark in start for mark in (b'"layers-model"', b'"graph-model"', b'"modelTopology"'))


def _start_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except OSError:
        return b""


def _record(path: Path, options: SourceOptions) -> Recording:
    file = path / MODEL if path.is_dir() else path
    try:
        size = file.stat().st_size
        if size > MOST_JSON_BYTES:
            raise SourceError(f"{file}: expected at most {MOST_JSON_BYTES} bytes, got {size}. {_SAVE}")
        data = parse_json(file.read_bytes(), str(file))
    except OSError as error:
        raise SourceError(f"{file}: expected a TensorFlow.js model, got: {error.strerror}. {_SAVE}") from error
    if not isinstance(data, Mapping):
        raise SourceError(f"{file}: expected a TensorFlow.js model, got {type(data).__name__}. {_SAVE}")
    entries, notes, texts = _weights(file, data.get("weightsManifest"))
    topology = data.get("modelTopology")
    config = topology.get("model_config", topology) if isinstance(topology, Mapping) else None
    if isinstance(config, Mapping) and "class_name" in config:
        return _layers_model(file, path, config, topology, entries, notes, options)
    return _weights_alone(file, path, entries, (*notes, *texts), options)


def _layers_model(
    file: Path, path: Path, config: Mapping[str, JSON], topology: JSON, entries: Sequence[Entry],
    notes: tuple[str, ...], options: SourceOptions,
) -> Recording:  # fmt: skip
    model = read_model(config, str(file))
    version = topology.get("keras_version") if isinstance(topology, Mapping) else None
    weights = WeightFile(groups=named_groups(entries, model))
    name = path.name if path.is_dir() else path.stem
    return record(
        KerasFile(str(file), name, path.name, major(str(version), 2), config, model, weights, notes), options
    )  # fmt: skip


def _weights_alone(
    file: Path, path: Path, entries: Sequence[Entry], notes: tuple[str, ...], options: SourceOptions
) -> Recording:
    """A graph model: its wires are TensorFlow's own operations, which are not read; its weights are."""
    by_name = {entry.name: entry for entry in entries}
    named = infer_named(by_name)
    if named is None:
        raise SourceError(f"{file}: expected weights, got none. {_SAVE}")
    arrays = {p: convert(by_name[name].read()) for p, (name, convert) in named.places.items()}
    left_out = (
        "wires and activations: TensorFlow's operations of a graph model are not read. Convert it as a layers model.",
        *named.left_out, *notes,
    )  # fmt: skip
    moment = Moment(Epoch(0), {}, arrays)
    return Recording(path.stem, path.name, named.graph, (), (moment,), options.class_names(), left_out)


def _weights(file: Path, manifest: JSON) -> tuple[list[Entry], tuple[str, ...], tuple[str, ...]]:
    """All tensors of numbers, what was done to read them, and what was left out. Raises SourceError."""
    if not isinstance(manifest, list) or not all(isinstance(group, Mapping) for group in manifest):
        raise SourceError(f"{file}: expected a weightsManifest, got {str(manifest)[:40]}. {_SAVE}")
    entries: list[Entry] = []
    quantised: dict[str, int] = {}
    texts = 0
    for group in manifest:
        shards, at = _shards(file, group.get("paths")), 0
        listed = group.get("weights")
        for given in listed if isinstance(listed, list) else ():
            name, shape, dtype, quantisation = _described(file, given)
            if dtype == "string":
                at, texts = _after_texts(file, shards, at, prod(shape)), texts + 1
                continue
            stored = str(quantisation.get("dtype", dtype))
            if stored not in _TYPES:
                raise SourceError(f"{file}: {name[:80]}: expected numbers, got {stored[:40]}. {_SAVE}")
            size = np.dtype(_TYPES[stored]).itemsize * prod(shape)
            if at + size > shards.starts[-1]:
                got = f"{shards.starts[-1] - at} left in the shards"
                raise SourceError(f"{file}: {name[:80]}: expected {size} bytes, got {got}. {_SAVE}")
            read = partial(_values, shards, at, size, shape, stored, quantisation)
            entries.append(Entry(name, shape, read, stored if quantisation else dtype))
            at += size
            if quantisation:
                quantised[stored] = quantised.get(stored, 0) + 1
    notes = tuple(f"{kind}: {counted(n, 'tensor')}, shown dequantised" for kind, n in sorted(quantised.items()))
    return entries, notes, ((f"{counted(texts, 'tensor')} of texts",) if texts else ())


def _described(file: Path, given: JSON) -> tuple[str, tuple[int, ...], str, Mapping[str, JSON]]:
    """Name, shape, element type and quantisation of one weight."""
    shape = given.get("shape") if isinstance(given, Mapping) else None
    is_shape = isinstance(shape, list) and len(shape) <= 16 and all(
        isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 31 for n in shape
    )  # fmt: skip
    if not isinstance(given, Mapping) or not is_shape or not isinstance(given.get("name"), str):
        raise SourceError(f"{file}: expected weights with name and shape, got {str(given)[:60]}. {_SAVE}")
    quantisation = given.get("quantization")
    return given["name"], tuple(shape or ()), str(given.get("dtype")), quantisation if isinstance(
        quantisation, Mapping) else {}  # fmt: skip


def _values(
    shards: _Shards, offset: int, size: int, shape: tuple[int, ...], stored: str, quantisation: Mapping[str, JSON]
) -> Array:
    values = np.frombuffer(shards.read(offset, size), _TYPES[stored]).reshape(shape)
    if "scale" in quantisation or "min" in quantisation:
        scale, low = (float(quantisation.get(k, d)) for k, d in (("scale", 1.0), ("min", 0.0)))
        return values.astype(np.float32) * np.float32(scale) + np.float32(low)
    return values.astype(np.float32) if stored.startswith("float") else values


def _after_texts(file: Path, shards: _Shards, at: int, count: int) -> int:
    """Where a tensor of texts ends: each is its length in four bytes, and itself."""
    if count > MOST_TEXTS:
        raise SourceError(f"{file}: expected at most {MOST_TEXTS} texts, got {count}. {_SAVE}")
    for _ in range(count):
        length = int.from_bytes(shards.read(at, 4), "little")
        at += 4 + length
        if at > shards.starts[-1]:
            raise SourceError(f"{file}: expected texts inside the shards, got {length} bytes. {_SAVE}")
    return at


def _shards(file: Path, names: JSON) -> _Shards:
    """The files of a group, all in the model's own folder. Raises SourceError."""
    folder = file.resolve().parent
    paths, starts = [], [0]
    for name in names if isinstance(names, list) else ():
        is_plain = isinstance(name, str) and not PurePosixPath(name).is_absolute() and not set("\\\0") & set(name)
        path = (folder / str(name)).resolve() if is_plain else folder
        if path == folder or not path.is_relative_to(folder):
            raise SourceError(f"{file}: expected shards in its own folder, got {str(name)[:80]}. {_SAVE}")
        if not path.is_file():
            raise SourceError(f"{file}: expected {name[:80]} beside it, got no such file. Copy the whole folder.")
        paths.append(path)
        starts.append(starts[-1] + path.stat().st_size)
    return _Shards(tuple(paths), tuple(starts))


# In a child process, because its activations are computed as soon as it is opened.
FORMAT = Format("tfjs", "TensorFlow.js", _sniff, _record, gives=(GRAPH, WEIGHTS, ACTIVATIONS), is_isolated=True)
