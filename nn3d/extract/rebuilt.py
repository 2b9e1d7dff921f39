"""Owns recording a torch module that was built from a file: wires of the file, values as torch computes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from nn3d.errors import SourceError, TraceError
from nn3d.extract.arrays import to_numpy
from nn3d.extract.infer import infer_graph
from nn3d.extract.inputs import Batch, Wanted, random_batch, read_inputs
from nn3d.extract.moves import checked
from nn3d.extract.options import SourceOptions
from nn3d.extract.placed import Preprocessing
from nn3d.extract.recording import Moment, Recording
from nn3d.extract.trace import Probe, samples_of
from nn3d.run.model import Array, Epoch


@dataclass(frozen=True, slots=True)
class Want:
    """One input as the file declares it: its name, shape with the samples first, and whether it is of whole numbers.

    below : of whole numbers, the first that is too large (a vocabulary), 0 where unknown.
    """

    name: str
    shape: tuple[int, ...]
    is_whole: bool = False
    below: int = 0

    def made(self, n: int) -> Array:
        """Always the same random numbers, n samples."""
        found = random_batch(self.shape[1:], n, tokens=(self.below or 2) if self.is_whole else 0).values
        return found.astype(np.int64) if self.is_whole else found


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A module, which is called with its inputs by name. tries : what its inputs may be like, the likeliest first.

    is_fixed : the file fixes how many samples it takes.
    """

    module: torch.nn.Module
    name: str
    tries: Iterable[tuple[Want, ...]]
    channels: int | None = None
    left_out: tuple[str, ...] = ()
    is_fixed: bool = False


def record_rebuilt(path: Path, rebuilt: Rebuilt, options: SourceOptions) -> Recording:
    """Graph, weights and activations; weights with guessed wires where the module runs on nothing.

    Raises SourceError where --input cannot be read.
    """
    why = "there is nothing to run it on"
    for wants in rebuilt.tries:
        batch, arrays = _inputs(wants, rebuilt, options)
        given = {want.name: array for want, array in zip(wants, arrays, strict=True)}
        probe = Probe(rebuilt.module, given, preprocessing=_shown(batch, options), is_fixed=rebuilt.is_fixed)
        try:
            first = probe.shoot(Epoch(0))
        except TraceError as error:
            hint = " Pass --input of what it was made for, e.g. random:3,32,32." if "to run on" in str(error) else ""
            why = f"{error}{hint}"
            continue
        known = probe.known_graph
        graph = replace(known, kind="file", nodes=checked(known.nodes, first.activations))
        if options.input in (None, "random"):
            shape = "×".join(str(s) for s in arrays[0].shape[1:]) if arrays else "none"
            graph = replace(graph, notes=(*graph.notes, f"the input is random numbers, {shape}: pass --input"))
        samples = samples_of(probe.n_samples, batch.labels or None, batch.names)
        classes = options.class_names() or batch.classes
        return Recording(rebuilt.name, path.name, graph, samples, (first,), classes, rebuilt.left_out)
    return without_running(path, rebuilt.name, dict(rebuilt.module.state_dict()), why, options, rebuilt.left_out)


def without_running(
    path: Path, name: str, tensors: Mapping[str, torch.Tensor], why: str, options: SourceOptions,
    left_out: tuple[str, ...] = (),
) -> Recording:  # fmt: skip
    """Weights, with wires guessed from their names and shapes, and why there is nothing else."""
    if not tensors:
        raise SourceError(f"{path}: expected a network that can be read, got: {why}")
    shapes = {key: tuple(t.shape) or (1,) for key, t in tensors.items()}
    graph = infer_graph(shapes)
    arrays = {p.id: to_numpy(tensors[p.name]).reshape(p.shape) for p in graph.parameters}
    lines = (f"activations and wires: {why}", *left_out)
    return Recording(name, path.name, graph, (), (Moment(Epoch(0), {}, arrays),), options.class_names(), lines)


def _inputs(wants: tuple[Want, ...], rebuilt: Rebuilt, options: SourceOptions) -> tuple[Batch, tuple[Array, ...]]:
    if options.input in (None, "random") or not wants:
        n = options.samples or (wants[0].shape[0] if wants and wants[0].shape and wants[0].shape[0] > 1 else 1)
        arrays = tuple(want.made(n) for want in wants)
        first = arrays[0] if arrays else np.zeros((1, 1), np.float32)
        return Batch(first, tuple(f"random {i}" for i in range(len(first)))), arrays
    batch = read_inputs(options, Wanted(rebuilt.channels))
    values = batch.values.astype(np.int64) if wants[0].is_whole else batch.values
    return batch, (values, *(want.made(len(values)) for want in wants[1:]))


def _shown(batch: Batch, options: SourceOptions) -> Preprocessing | None:
    if not batch.is_picture:
        return None
    channels = batch.values.shape[1]
    mean, std = (v * channels if len(v) == 1 else v for v in (options.mean, options.std))
    return Preprocessing(mean, std)


