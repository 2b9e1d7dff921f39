"""Owns parameters of a moment that stay in their file until somebody looks, and the run that is made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from nn3d.extract.recording import Moment, Recording
from nn3d.run import keys
from nn3d.run.describe import dump_json, manifest_json
from nn3d.run.lazy import LazyArray, LazyStore, whole
from nn3d.run.manifest import parse_json, parse_manifest
from nn3d.run.model import Array, Graph, Sample
from nn3d.run.record import epoch_arrays, input_arrays
from nn3d.run.run import Run

Key = TypeVar("Key")


class LazyArrays(Mapping[Key, Array]):
    """Key → array, read each time it is asked for; for `Moment.parameters`.

    stamp : what tells these values from others of the same shapes, cheap to know (a hash of header and some bytes).
    close : gives the file back, once the run is closed.
    """

    def __init__(
        self, arrays: Mapping[Key, LazyArray], *, stamp: str = "", close: Callable[[], None] = lambda: None
    ) -> None:
        self.arrays = dict(arrays)
        self.stamp = stamp
        self.close = close

    def __getitem__(self, key: Key) -> Array:
        return whole(str(key), self.arrays[key])

    def __iter__(self) -> Iterator[Key]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    @property
    def shapes(self) -> dict[Key, tuple[int, ...]]:
        """Key → shape, without reading anything."""
        return {key: array.shape for key, array in self.arrays.items()}


def typed(graph: Graph, arrays: Mapping[int, LazyArray]) -> Graph:
    """The graph whose parameters say which element type their file has, where that is not float32."""
    types = {key: array.dtype for key, array in arrays.items() if array.dtype != "F32"}
    found = tuple(replace(p, dtype=p.dtype or types.get(p.id, "")) for p in graph.parameters)
    return replace(graph, parameters=found)


def type_notes(arrays: Mapping[Key, LazyArray], how: Mapping[str, str]) -> tuple[str, ...]:
    """One line for each element type that a run shows otherwise. how : type → what was done with it."""
    lines = []
    for name in sorted({a.dtype for a in arrays.values()} & set(how)):
        n = sum(a.dtype == name for a in arrays.values())
        lines.append(f"{name}: {n} {'tensor' if n == 1 else 'tensors'}, {how[name]}")
    return tuple(lines)


def is_lazy(moments: Sequence[Moment]) -> bool:
    """Whether some parameters are to be read on demand."""
    return any(isinstance(m.parameters, LazyArrays) for m in moments)


def lazy_run(recording: Recording, moments: Sequence[Moment], encoding: str = "f32") -> Run:
    """A run of a recording whose parameters stay where they are; activations lie in memory.

    Raises RunFormatError when arrays do not fit the graph.
    """
    graph = recording.graph
    held = input_arrays(graph, moments[0].activations)
    lazy: dict[str, LazyArray] = {}
    stamp = hashlib.sha256()
    for moment in moments:
        given = moment.parameters
        later = given.arrays if isinstance(given, LazyArrays) else {}
        now = {} if isinstance(given, LazyArrays) else given
        held |= epoch_arrays(graph, moment.epoch.id, moment.activations, now, encoding=encoding)
        lazy |= {keys.parameter_key(moment.epoch.id, k): array for k, array in later.items()}
        stamp.update(given.stamp.encode() if isinstance(given, LazyArrays) else b"")
    for key, array in lazy.items():
        stamp.update(f"{key} {array.dtype} {array.shape}".encode())
    manifest = manifest_json(
        graph,
        model=recording.name,
        source=recording.source,
        run_id=stamp.hexdigest()[:16],
        epochs=[m.epoch for m in moments],
        samples=recording.samples or _samples(moments[0]),
        classes=recording.classes,
        left_out=recording.left_out,
    )
    parsed = parse_manifest(parse_json(dump_json(manifest), "manifest"))
    return Run(LazyStore(held, lazy, lambda: _close(moments)), parsed)


def _samples(moment: Moment) -> tuple[Sample, ...]:
    n = max((a.shape[0] for a in moment.activations.values() if a.ndim), default=0)
    return tuple(Sample(f"sample {i}") for i in range(n))


def _close(moments: Sequence[Moment]) -> None:
    for moment in moments:
        if isinstance(moment.parameters, LazyArrays):
            moment.parameters.close()


__all__ = ["LazyArray", "LazyArrays", "is_lazy", "lazy_run", "type_notes", "typed"]
