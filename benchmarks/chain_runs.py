"""Chains of linear layers with up to 10⁹ parameters as run folders that take little disk: only some rows are not 0.

The weights lie in sparse files: a few rows of random numbers, the rest holes, which the system reads as zeros. The
stored statistics are those of the whole tensors. Nothing of this is special to a reader: it is the format as written
by nn3d, apart from the holes.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nn3d.run import keys
from nn3d.run.archive import ALIGNMENT
from nn3d.run.describe import dump_json, epoch_json, manifest_json
from nn3d.run.folder import EPOCHS_FILE, INPUTS_FILE, MANIFEST_FILE, epoch_file
from nn3d.run.memory import LayerSpec, graph_of
from nn3d.run.model import Epoch, Sample
from nn3d.run.npy import header_bytes
from nn3d.run.statistics import PARAMETER_BINS, PARAMETER_COLUMNS, PYRAMID, parameter_vector

F32 = NDArray[np.float32]
REAL_VALUES = 1 << 18
_ZEROS = bytes(16 << 20)


class _SparseFile:
    """A file in which pieces of `_ZEROS` become holes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: Any) -> int:
        """Write, or step over."""
        if getattr(data, "obj", None) is _ZEROS:
            self._file.seek(len(data), os.SEEK_CUR)
            return len(data)
        return self._file.write(data)


def _add(archive: zipfile.ZipFile, file: _SparseFile, key: str, real: F32, shape: tuple[int, ...]) -> None:
    """A member of `shape` whose first rows are `real` and whose other rows are a hole."""
    info = zipfile.ZipInfo(key + ".npy", (1980, 1, 1, 0, 0, 0))
    gap = -(file.tell() + 30 + len(info.filename) + 20 + 4) % ALIGNMENT
    info.extra = (0xD935).to_bytes(2, "little") + gap.to_bytes(2, "little") + bytes(gap)
    rest = int(np.prod(shape)) * 4 - real.nbytes
    with archive.open(info, "w", force_zip64=True) as member:
        member.write(_header(shape))
        member.write(np.ascontiguousarray(real).tobytes())
        while rest > 0:
            piece = memoryview(_ZEROS)[: min(rest, len(_ZEROS))]
            member.write(piece)
            rest -= len(piece)


def _header(shape: tuple[int, ...]) -> bytes:
    """The .npy header of a float32 array in C order."""
    return header_bytes(np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), shape, _strides(shape)))


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(4 * int(np.prod(shape[k + 1 :])) for k in range(len(shape)))


def statistics(real: F32, rows: int) -> F32:
    """The stored statistics of a (rows, columns) matrix whose first rows are `real` and whose others are 0."""
    n_real, columns = real.shape
    lengths = np.cumsum([len(PARAMETER_COLUMNS), PARAMETER_BINS, 2 * columns, n_real, n_real])
    head, histogram, by_column, up, down, _ = np.split(parameter_vector(real).astype(np.float64), lengths)
    share = n_real / rows
    mean, std = head[0] * share, 0.0
    std = float(np.sqrt(max(0.0, (head[1] ** 2 + head[0] ** 2) * share - mean**2)))
    first = [mean, std, min(0.0, head[2]), max(0.0, head[3]), 1.0 - (1.0 - head[4]) * share, *head[5:]]
    histogram[PARAMETER_BINS // 2] += (rows - n_real) * columns
    pad = np.zeros(rows - n_real)
    parts = [first, histogram, by_column, up, pad, down, pad, _pyramid(real, rows).ravel()]
    return np.concatenate([np.asarray(p, np.float64) for p in parts]).astype(np.float32)


def _pyramid(real: F32, rows: int) -> NDArray[np.float64]:
    n_real, columns = real.shape
    tall, wide = min(rows, PYRAMID), min(columns, PYRAMID)
    bands, cuts = np.arange(tall + 1) * rows // tall, np.arange(wide) * columns // wide
    width = np.diff(np.append(cuts, columns))
    out = np.zeros((3, tall, wide))
    for p in range(tall):
        band = real[bands[p] : min(bands[p + 1], n_real)].astype(np.float64)
        if len(band):
            size, n = np.abs(band), bands[p + 1] - bands[p]
            out[0, p] = np.add.reduceat(band.sum(0), cuts) / n / width
            out[1, p] = np.add.reduceat(size.sum(0), cuts) / n / width
            out[2, p] = np.maximum.reduceat(size.max(0), cuts)
    return out


def write_chain(folder: Path, n_layers: int, width: int, *, has_statistics: bool = True, seed: int = 0) -> int:
    """Write a chain of `n_layers` linear layers of width² weights each; returns how many parameters it has."""
    rng = np.random.default_rng(seed)
    names = [f"fc{k + 1}" for k in range(n_layers)]
    weight = np.broadcast_to(np.float32(0), (width, width))
    specs = [LayerSpec("input", "input"), *(LayerSpec(n, "linear", parameters={"weight": weight}) for n in names)]
    values = {n: rng.normal(size=(1, width)).astype(np.float32) for n in ("input", *names)}
    graph = graph_of(specs, values, {f"{n}.weight": weight for n in names})
    folder.mkdir(parents=True)
    manifest = manifest_json(graph, model="chain", run_id=f"chain-{n_layers}-{width}", samples=[Sample("sample 0")])
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
    with zipfile.ZipFile(folder / INPUTS_FILE, "w") as archive, archive.open("in/0.npy", "w") as member:
        np.lib.format.write_array(member, values["input"])
    real = rng.normal(size=(min(width, max(1, REAL_VALUES // width)), width)).astype(np.float32)
    vector = statistics(real, width)
    with (folder / epoch_file(0)).open("wb") as plain:
        file = _SparseFile(plain)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[arg-type]
            for node in graph.nodes[1:]:
                _add(archive, file, keys.activation_key(0, node.id, 0), values[node.name], (1, width))
                parameter = node.parameters["weight"]
                _add(archive, file, keys.parameter_key(0, parameter), real, (width, width))
                if has_statistics:
                    _add(archive, file, keys.parameter_stats_key(0, parameter), vector, vector.shape)
    (folder / EPOCHS_FILE).write_bytes(dump_json(epoch_json(Epoch(0))) + b"\n")
    return n_layers * width * width
