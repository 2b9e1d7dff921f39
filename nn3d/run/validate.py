"""Owns the checks of arrays against the manifest: shapes and types when opening, every number for `info --validate`."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from nn3d.errors import RunFormatError
from nn3d.run import keys
from nn3d.run.archive import MAX_CHECKED_AT_ONCE, ArchiveStore
from nn3d.run.encoding import row_shape
from nn3d.run.folder import FolderStore
from nn3d.run.manifest import Manifest
from nn3d.run.model import Array, Node, Output, Store
from nn3d.run.npy import Header
from nn3d.run.run import Run
from nn3d.run.statistics import CHANNEL_BINS, CHANNEL_COLUMNS, SAMPLE_COLUMNS, n_channels, parameter_vector_size

_INSIDE = re.compile(r"(a|ga|s)/(\d{1,16})\.(\d{1,6})(\.samples|\.lo|\.scale|\.nonfinite)?")
_WEIGHT = re.compile(r"(w|gw|u|s/w|s/u)/(\d{1,16})(\.lo|\.scale|\.nonfinite)?")
_INPUT = re.compile(r"in/(\d{1,6})(\.lo|\.scale|\.nonfinite)?")
UPDATES = 5
Shape = tuple[int, ...]


class Expectations:
    """What shape a key should have; None for keys that the format does not know (they are kept, and passed over)."""

    def __init__(self, manifest: Manifest) -> None:
        self._nodes = {n.id: n for n in manifest.graph.nodes}
        self._inputs = [n for n in manifest.graph.nodes if n.op == "input"]
        self._parameters = {p.id: p for p in manifest.graph.parameters}
        self._n_samples = len(manifest.samples) or None

    def shape_of(self, key: str) -> tuple[int | None, ...] | None:
        """Expected shape of the array or sidecar `key`; None in it stands for any extent."""
        found = keys.EPOCH_KEY.fullmatch(key)
        part = found[2] if found else key
        inside = _INSIDE.fullmatch(part) if found else None
        weight = _WEIGHT.fullmatch(part) if found else None
        first = _INPUT.fullmatch(part) if not found else None
        if inside:
            return self._output(key, inside[1], int(inside[2]), int(inside[3]), inside[4] or "")
        if weight:
            return self._weight(key, weight[1], int(weight[2]), weight[3] or "")
        if first:
            if int(first[1]) >= len(self._inputs):
                raise RunFormatError(f"{key}: should be an input of the graph's {len(self._inputs)}, got {first[1]}")
            return self._recorded(self._inputs[int(first[1])].outputs[0], first[2] or "")
        return None

    def _output(self, key: str, kind: str, node: int, output: int, suffix: str) -> tuple[int | None, ...]:
        home: Node | None = self._nodes.get(node)
        if home is None or output >= len(home.outputs):
            raise RunFormatError(f"{key}: should be an output of a node of the graph, got node {node}, output {output}")
        info = home.outputs[output]
        if kind != "s":
            return self._recorded(info, suffix)
        if suffix == ".samples":
            return (self._n_samples, len(SAMPLE_COLUMNS))
        return (n_channels(info.shape, info.axes), len(CHANNEL_COLUMNS) + CHANNEL_BINS)

    def _recorded(self, info: Output, suffix: str) -> tuple[int | None, ...]:
        whole = (self._n_samples, *info.shape) if info.per_sample else info.shape
        return _sidecar(whole, suffix)

    def _weight(self, key: str, kind: str, parameter: int, suffix: str) -> tuple[int | None, ...]:
        if parameter not in self._parameters:
            raise RunFormatError(f"{key}: should be a parameter of the graph, got {parameter}")
        shape = self._parameters[parameter].shape
        if kind == "s/u":
            return (UPDATES,)
        return (parameter_vector_size(shape),) if kind == "s/w" else _sidecar(shape, suffix)


def _sidecar(shape: tuple[int | None, ...], suffix: str) -> tuple[int | None, ...]:
    if suffix in (".lo", ".scale"):
        return shape[:2] if len(shape) >= 3 else shape[:1]
    return (None, 2) if suffix == ".nonfinite" else shape


def _check_shape(key: str, expected: tuple[int | None, ...] | None, shape: Shape) -> None:
    if expected is None:
        return
    if len(expected) != len(shape) or any(e not in (None, n) for e, n in zip(expected, shape, strict=True)):
        words = "(" + ", ".join("samples" if n is None else str(n) for n in expected) + ")"
        raise RunFormatError(f"{key}: should be {words}, got {shape}")


def check_members(manifest: Manifest, store: Store) -> None:
    """Compare headers with the manifest, without reading data; beyond 5,000 members only their names."""
    expectations = Expectations(manifest)
    names = list(store.keys())
    for key in names:
        expected = expectations.shape_of(key)
        if len(names) > MAX_CHECKED_AT_ONCE:
            continue
        shape = store.header(key).shape if isinstance(store, ArchiveStore) else store[key].shape
        _check_shape(key, expected, shape)
        if key.endswith((".lo", ".scale", ".nonfinite")) and key.rsplit(".", 1)[0] not in store:
            raise RunFormatError(f"{key}: should stand beside {key.rsplit('.', 1)[0]}, got it alone")


def header_check(manifest: Manifest) -> Callable[[str, Header], None]:
    """What raises RunFormatError for an array whose header does not fit the manifest."""
    expectations = Expectations(manifest)
    return lambda key, header: _check_shape(key, expectations.shape_of(key), header.shape)


def validate(run: Run, *, progress: Callable[[int, int], Any] | None = None) -> int:
    """Check every array of a run, reading all of it; returns how many there are.

    Raises RunFormatError for the first that is wrong: checksum, shape, element type, sidecars, missing epochs.
    progress : called with (done, total).
    """
    manifest_expectations = Expectations(run.header)
    names = list(run.store.keys())
    for i, key in enumerate(names):
        if isinstance(run.store, ArchiveStore | FolderStore):
            run.store.check(key)
        if key != keys.MANIFEST:
            array = run.store[key]
            _check_shape(key, manifest_expectations.shape_of(key), array.shape)
            _check_numbers(run.store, key, array)
        if progress is not None:
            progress(i + 1, len(names))
    recorded = {int(m[1]) for m in (keys.EPOCH_KEY.fullmatch(k) for k in names) if m}
    for epoch in run.epochs:
        if epoch.id not in recorded and run.graph.parameters:
            raise RunFormatError(f"epoch {epoch.id}: is listed, so it should have arrays, got none")
    return len(names)


def _check_numbers(store: Store, key: str, array: Array) -> None:
    """Sidecars are finite and complete; listed positions lie inside, sorted."""
    base = key.rsplit(".", 1)[0]
    if key.endswith((".lo", ".scale")):
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise RunFormatError(f"{key}: should be finite float32, got {array.dtype}")
        if array.shape != row_shape(store[base].shape):
            raise RunFormatError(f"{key}: should be {row_shape(store[base].shape)}, got {array.shape}")
    elif key.endswith(".nonfinite"):
        at, kind = array[:, 0], array[:, 1]
        inside = not at.size or (at[0] >= 0 and at[-1] < prod(store[base].shape) and bool((np.diff(at) > 0).all()))
        if not inside or not np.isin(kind, (0, 1, 2)).all():
            raise RunFormatError(f"{key}: should list rising positions inside {base} with kinds 0, 1, 2")
    elif array.dtype == np.uint8 and key + ".lo" in store and key + ".scale" not in store:
        raise RunFormatError(f"{key}: has .lo, so it should have .scale, got none")
