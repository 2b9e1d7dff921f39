"""Owns what readers of tensor files share: the file mapped, and what is known of its tensors without reading."""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from nn3d.errors import SourceError
from nn3d.extract.infer import canonical_later, infer_graph
from nn3d.extract.lazy import LazyArray, LazyArrays, type_notes, typed
from nn3d.extract.options import SourceOptions
from nn3d.extract.prefixes import without_prefix
from nn3d.extract.recording import Moment, Recording
from nn3d.run.model import JSON, Array, Epoch, Graph

Shapes = Mapping[str, tuple[int, ...]]
_STAMPED = 1 << 16
MOST_EPOCH = 1 << 40
NO_MODEL = "activations: there is no model to run. Pass --model PKG.MOD:FACTORY and --input."


class Mapped:
    """A file as one read-only map of memory: nothing is read but the pages that are looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self.size = os.fstat(file.fileno()).st_size
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if self.size else None
        except (OSError, ValueError) as error:
            raise SourceError(f"{path}: expected a readable file, got: {error}.") from error

    def bytes_at(self, begin: int, end: int) -> bytes:
        """A copy of some bytes; shorter where the file ends."""
        return b"" if self._map is None else self._map[max(0, begin) : max(0, end)]

    def array(self, begin: int, count: int, dtype: DTypeLike) -> Array:
        """A flat view of `count` elements from an offset, which the caller has checked against `size`."""
        if self._map is None or not count:
            return np.empty(0, dtype)
        return np.frombuffer(self._map, dtype, count, begin)

    @property
    def buffer(self) -> bytes | mmap.mmap:
        """All of it, mapped."""
        return b"" if self._map is None else self._map

    def stamp(self, head: bytes) -> str:
        """What tells this file's content from another's with the same tensors: head, size and both ends."""
        digest = hashlib.sha256(head)
        digest.update(str(self.size).encode())
        digest.update(self.bytes_at(len(head), len(head) + _STAMPED) + self.bytes_at(self.size - _STAMPED, self.size))
        return digest.hexdigest()

    def close(self) -> None:
        """Give the map back, unless an array that was handed out still needs it."""
        with suppress(BufferError):
            if self._map is not None:
                self._map.close()


@dataclass(frozen=True, slots=True)
class Tensors:
    """What a file of tensors holds. arrays : by name, in the file's order. numbers : what it says beside them.

    how : element type → what was done with it, for the notes. layouts : by name, where the file had others. close :
    gives the file back. left_out : tensors that cannot be shown, and why.
    """

    path: Path
    arrays: Mapping[str, LazyArray]
    stamp: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    how: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    layouts: Mapping[str, str] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None


def recording_of(
    tensors: Tensors, options: SourceOptions, source: str = "", infer: Callable[[Shapes], Graph] = infer_graph
) -> Recording:
    """One epoch of weights with an inferred graph, nothing of them read. Raises SourceError where there are none."""
    return recording_of_many([tensors], options, source, infer)


def recording_of_many(
    files: Sequence[Tensors], options: SourceOptions, source: str = "", infer: Callable[[Shapes], Graph] = infer_graph
) -> Recording:
    """The same of several epochs of one network, whose tensors have the same names and shapes."""
    first = _without_empty(files[0])
    arrays = without_prefix(first.arrays)
    if not arrays:
        why = f": {first.left_out[0]}" if first.left_out else ""
        raise SourceError(f"{first.path}: expected tensors, got none that can be shown{why}.")
    graph = infer({name: array.shape for name, array in arrays.items()})
    by_id = {p.id: canonical_later(arrays[p.name], p) for p in graph.parameters}
    notes = graph.notes + type_notes(by_id, first.how) + first.notes
    moments, last = [], -1
    for file in files:
        epoch = _epoch(file, last)
        moments.append(_moment(file, epoch, graph, by_id))
        last = epoch.id
    parameters = tuple(replace(p, source_layout=first.layouts.get(p.name, p.source_layout)) for p in graph.parameters)
    graph = typed(replace(graph, parameters=parameters, notes=notes), by_id)
    left_out, name = (NO_MODEL, *first.left_out), first.path.name.split(".")[0] or first.path.name
    source = source or first.path.name
    return Recording(name, source, graph, (), tuple(moments), options.class_names(), left_out, len(moments))


def _without_empty(tensors: Tensors) -> Tensors:
    """The same without tensors that hold no value, which are named."""
    empty = [name for name, array in tensors.arrays.items() if not array.size]
    if not empty:
        return tensors
    kept = {name: array for name, array in tensors.arrays.items() if array.size}
    words = f"{', '.join(name[:80] for name in empty[:3])}{' and more' if len(empty) > 3 else ''}: no values"
    return replace(tensors, arrays=kept, left_out=(*tensors.left_out, words))


def _moment(file: Tensors, epoch: Epoch, graph: Graph, first: Mapping[int, LazyArray]) -> Moment:
    """An epoch of a graph. Raises SourceError unless its tensors are those of the first one."""
    arrays = without_prefix(file.arrays)
    found = {p.id: canonical_later(arrays[p.name], p) for p in graph.parameters if p.name in arrays}
    for p in graph.parameters:
        got = found[p.id].shape if p.id in found else None
        if got != first[p.id].shape:
            what = "no such tensor" if got is None else str(got)
            raise SourceError(f"{file.path}: {p.name}: expected {first[p.id].shape} as in the first, got {what}.")
    return Moment(epoch, {}, LazyArrays(found, stamp=file.stamp, close=file.close))


def _epoch(tensors: Tensors, last: int) -> Epoch:
    """The epoch that the file's own numbers name, while they rise, else the next one; the others are its metrics."""
    numbers = dict(tensors.numbers)
    said, step = numbers.pop("epoch", None), numbers.pop("step", None)
    step = numbers.pop("global_step", step)
    number = int(said) if said is not None and last < said < MOST_EPOCH else last + 1
    time = None
    with suppress(OSError):
        time = tensors.path.stat().st_mtime
    return Epoch(number, int(step) if step is not None and 0 <= step < MOST_EPOCH else None, time, numbers)


def plain(value: JSON, what: str) -> int:
    """A whole number that is not negative. Raises ValueError saying what it should have been."""
    if type(value) is not int or not 0 <= value < 1 << 60:
        raise ValueError(f"{what} should be a number that is not negative, got {str(value)[:40]}")
    return value
