"""Owns what an ONNX model is fed: --input, or random numbers of the declared types and of sizes that it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.inputs import Batch, Wanted, random_batch, read_inputs
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.onnx.session import dims_of, input_type
from nn3d.extract.readers.onnx.values import Values
from nn3d.run.model import Array

_PIXELS = (224, 32, 28, 299, 64)
_STEPS = (16, 8, 4, 128)
_TOKENS = 100
_PLACING = frozenset(("Cast", "Unsqueeze", "Squeeze", "Reshape", "Identity", "Transpose"))


@dataclass(frozen=True, slots=True)
class Port:
    """One input of a model: its name, type, sizes (a name or "" where open), and the axis of its samples (-1: none)."""

    name: str
    dtype: np.dtype[Any]
    dims: tuple[int | str, ...]
    axis: int

    @property
    def fixed(self) -> int:
        """How many samples the file wants, 0 where that is open."""
        size = self.dims[self.axis] if 0 <= self.axis < len(self.dims) else 0
        return size if isinstance(size, int) else 0


@dataclass(frozen=True, slots=True)
class Fed:
    """Arrays for all inputs. batch : what the first of them shows, with names and truth. note : what was made up."""

    arrays: Mapping[str, Array]
    batch: Batch
    n: int
    note: str = ""


def ports_of(path: Path, values: Values) -> tuple[Port, ...]:
    """The inputs of a graph. Raises SourceError where one is not a tensor of numbers."""
    found = []
    for given in values.inputs:
        dtype = input_type(given)
        if dtype is None:
            raise SourceError(f"{path}: input {given.name}: expected a tensor of numbers, got something else.")
        dims = tuple(dims_of(given))
        found.append(Port(given.name, dtype, dims, _sample_axis(dims)))
    return tuple(found)


def _sample_axis(dims: tuple[int | str, ...]) -> int:
    """The axis that is named after a batch, else the first that is open, else the first."""
    if not dims:
        return -1
    named = next((i for i, d in enumerate(dims) if isinstance(d, str) and d.lower() in ("n", "batch")), None)
    named = next((i for i, d in enumerate(dims) if isinstance(d, str) and "batch" in d.lower()), named)
    if named is not None:
        return named
    return next((i for i, d in enumerate(dims) if isinstance(d, str)), 0) if len(dims) < 4 else 0


def feeds(path: Path, ports: tuple[Port, ...], values: Values, options: SourceOptions) -> Iterator[Fed]:
    """What to try, in this order. Raises SourceError when --input does not fit the first input."""
    if not ports:
        yield Fed({}, Batch(np.zeros((1, 1), np.float32), ("as it is",)), 1)
        return
    main = ports[0]
    n = main.fixed if main.fixed > 1 else options.samples or 1
    if options.input not in (None, "random"):
        batch = read_inputs(options, Wanted(_channels(main, values)))
        first = _fitted(path, main, batch, options)
        count = first.shape[main.axis] if main.axis >= 0 else 1
        for size in _sizes(ports[1:]):
            rest = {p.name: _random(p, count, size, values) for p in ports[1:]}
            yield Fed({main.name: first} | rest, batch, count, _others(ports[1:]))
        return
    for size in _sizes(ports):
        arrays = {p.name: _random(p, n, size, values) for p in ports}
        shape = "×".join(str(s) for i, s in enumerate(arrays[main.name].shape) if i != main.axis)
        names = tuple(f"random {i}" for i in range(n))
        yield Fed(arrays, Batch(arrays[main.name], names), n, f"the input is random numbers, {shape}: pass --input")


def _others(ports: tuple[Port, ...]) -> str:
    return f"--input is for the first input; {', '.join(p.name for p in ports)} made up" if ports else ""


def _sizes(ports: tuple[Port, ...]) -> tuple[int, ...]:
    """Sizes to try for what is open beside the samples."""
    is_open = any(isinstance(d, str) and i != p.axis for p in ports for i, d in enumerate(p.dims))
    if not is_open:
        return (0,)
    return _PIXELS if any(len(p.dims) >= 4 for p in ports) else _STEPS


def _channels(port: Port, values: Values) -> int | None:
    """How many channels pictures should have: as declared, else as the first convolution of the input wants."""
    if len(port.dims) == 4:
        second, last = port.dims[1], port.dims[3]
        if isinstance(second, int) and second in (1, 3, 4):
            return second
        if isinstance(last, int) and last in (1, 3, 4):
            return last
    for node in values.made_by.values():
        weight = values.initializers.get(node.input[1]) if node.op_type == "Conv" and len(node.input) > 1 else None
        if weight is not None and port.name in node.input:
            return int(weight.dims[1])
    return None


def _random(port: Port, n: int, size: int, values: Values) -> Array:
    """Even random numbers 0 … 1, or tokens; always the same. Masks are ones, other whole numbers zeros."""
    shape = []
    for i, d in enumerate(port.dims):
        is_channel = len(port.dims) == 4 and i == 1
        if i == port.axis:
            shape.append(n)
        elif isinstance(d, int):
            shape.append(d)
        else:
            shape.append((_channels(port, values) or 3) if is_channel else size)
    if port.dtype.kind == "f":
        rest = tuple(s for i, s in enumerate(shape) if i != port.axis)
        drawn = random_batch(rest, n).values if port.axis >= 0 else random_batch(tuple(shape), 1).values[0]
        return np.ascontiguousarray(np.moveaxis(drawn, 0, port.axis) if port.axis > 0 else drawn).astype(port.dtype)
    words = _vocabulary(port, values)
    if words:
        return np.random.default_rng(0).integers(0, words, shape).astype(port.dtype)
    return (np.ones if "mask" in port.name.lower() or port.dtype.kind == "b" else np.zeros)(shape, port.dtype)


def _vocabulary(port: Port, values: Values) -> int:
    """Rows of the table that an input of whole numbers looks up; 0 where it looks up none."""
    known = {port.name}
    for node in values.made_by.values():
        if node.op_type in _PLACING and node.input[0] in known:
            known |= set(node.output)
        if node.op_type == "Gather" and len(node.input) > 1 and node.input[1] in known:
            table = values.initializers.get(values.root(node.input[0]))
            if table is not None and table.dims:
                return min(int(table.dims[0]), 1 << 30)
    return _TOKENS if "token" in port.name.lower() and "type" not in port.name.lower() else 0


def _fitted(path: Path, port: Port, batch: Batch, options: SourceOptions) -> Array:
    """The samples of --input in the file's own layout and type. Raises SourceError when they cannot be."""
    values = batch.values
    rest = tuple(d for i, d in enumerate(port.dims) if i != port.axis)
    shape = values.shape[1:]
    if not _fits(shape, rest) and len(shape) == 3 and _fits((*shape[1:], shape[0]), rest):
        values = np.moveaxis(values, 1, -1)  # the file wants channels last
    elif not _fits(shape, rest) and (flat := [d for d in rest if isinstance(d, int)]) and prod(flat) == prod(shape):
        values = values.reshape(len(values), *(d if isinstance(d, int) else 1 for d in rest))
    elif not _fits(shape, rest) and rest:
        wanted = "×".join(str(d) or "?" for d in rest)
        got = "×".join(str(s) for s in shape)
        size = f" Pass --resize {rest[-2]}x{rest[-1]}." if len(rest) == 3 and len(shape) == 3 else ""
        raise SourceError(
            f"--input {options.input}: expected {wanted} for {port.name} of {path.name}, got {got}.{size}"
        )
    if port.fixed > 1:
        values = values[np.arange(port.fixed) % len(values)]
    moved = np.moveaxis(values, 0, port.axis) if port.axis > 0 else values
    return np.ascontiguousarray(moved).astype(port.dtype)


def _fits(shape: tuple[int, ...], wanted: tuple[int | str, ...]) -> bool:
    return len(shape) == len(wanted) and all(isinstance(w, str) or s == w for s, w in zip(shape, wanted, strict=True))
