"""Owns what a Keras model is computed on: the shapes that its file leaves open, and samples for each of its inputs."""

from __future__ import annotations

from math import prod

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.inputs import Batch, Wanted, random_batch, random_shape, read_inputs
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.keras.build import Shape
from nn3d.extract.readers.keras.config import Model, Tensor, tensors_in
from nn3d.run.model import Array, Graph, Sample

_SIDE, _LENGTH = 224, 16
_MOST_VALUES = 1 << 27


class Feeds:
    """Samples for a model's inputs, chosen as their shapes become known. where : how the file is called."""

    def __init__(self, model: Model, options: SourceOptions, where: str, *, keeps_first: bool) -> None:
        self._options = options
        self._where = where
        self._keeps_first = keeps_first
        self._model = model
        self.shapes: list[Shape] = []
        self.batch = self._read(len(model.inputs))

    def _read(self, n_inputs: int) -> Batch | None:
        """What --input names; None for random numbers of whatever shape the model takes."""
        text = self._options.input
        if text in (None, "random"):
            return None
        if n_inputs > 1:
            raise SourceError(f"--input {text}: expected random for a model of {n_inputs} inputs, got one input.")
        if text is not None and text.startswith("random:"):
            return random_batch(random_shape(text), self._options.samples or 1)
        shape = self._model.inputs[0].shape
        channels = shape[0 if self._keeps_first else -1] if shape is not None and len(shape) == 3 else None
        return read_inputs(self._options, Wanted(channels))

    def fill(self, index: int, tensor: Tensor) -> Shape:
        """An input's shape as the source counts, with what the file leaves open taken from --input, or chosen."""
        declared = tensor.shape
        found = self._fitted(tensor) if self.batch is not None else self._chosen(declared, tensor)
        n = len(self.batch.values) if self.batch is not None else self._options.samples or 1
        if n * prod(found) > _MOST_VALUES:
            raise SourceError(f"{self._where}: expected an input of at most {_MOST_VALUES} values, got {n} × {found}.")
        self.shapes.append(found)
        return found

    def _fitted(self, tensor: Tensor) -> Shape:
        assert self.batch is not None
        given = self.batch.values.shape[1:]
        shape = (*given[1:], given[0]) if len(given) > 2 and not self._keeps_first else given
        declared = tensor.shape
        if declared is None or _fits(shape, declared):
            return shape
        if None not in declared and prod(n or 0 for n in declared) == prod(given) and (len(given) < 3 or given[0] == 1):
            return tuple(n or 0 for n in declared)
        wanted = "×".join("?" if n is None else str(n) for n in declared)
        size = "x".join(str(n) for n in declared[:2]) if len(declared) == 3 and None not in declared else "HxW"
        got = "×".join(map(str, shape))
        raise SourceError(f"--input: expected samples of {wanted}, got {got}. Pass --resize {size}.")

    def _chosen(self, declared: tuple[int | None, ...] | None, tensor: Tensor) -> Shape:
        if declared is None:
            raise SourceError(
                f"{self._where}: expected the shape of {tensor.layer or 'the input'}, got none: the model was saved "
                "before it was built. Pass --input random:3,224,224."
            )
        n_space = len(declared) - 1
        free = _SIDE if n_space == 2 else _LENGTH
        return tuple(free if n is None else n for n in declared)

    def arrays(self, graph: Graph) -> list[Array]:
        """(N, *shape) one an input, in the run's layout."""
        shapes = [node.outputs[0].shape for node in graph.nodes if node.op == "input"]
        kinds = [node.outputs[0].dtype for node in graph.nodes if node.op == "input"]
        if self.batch is not None:
            values = self.batch.values
            values = values.reshape(len(values), *shapes[0])
            return [np.ascontiguousarray(values if "int" in kinds[0] else values.astype(np.float32))]
        n = self._options.samples or 1
        return [
            self._random(shape, n, self._vocabulary(i) if "int" in kind else 0)
            for i, (shape, kind) in enumerate(zip(shapes, kinds, strict=True))
        ]

    def _random(self, shape: Shape, n: int, tokens: int) -> Array:
        """Random numbers, or words other than the first, which often stands for none."""
        if tokens < 3:
            return random_batch(shape, n, tokens=tokens).values
        return random_batch(shape, n, tokens=tokens - 1).values + 1

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Names and truth."""
        if self.batch is None:
            return tuple(Sample(f"random {i}") for i in range(self._options.samples or 1))
        labels = self.batch.labels or (None,) * len(self.batch.names)
        return tuple(Sample(name, label) for name, label in zip(self.batch.names, labels, strict=False))

    @property
    def classes(self) -> tuple[str, ...]:
        """Names that class folders gave."""
        return self.batch.classes if self.batch is not None else ()

    @property
    def note(self) -> str:
        """What was chosen, for people."""
        if self.batch is not None and (self._options.input or "").startswith("random") is False:
            return ""
        return ", on random input of " + " and ".join("×".join(map(str, shape)) for shape in self.shapes)

    def _vocabulary(self, index: int) -> int:
        """How many words the embeddings of an input know, 2 where none is said."""
        at = self._model.inputs[index]
        sizes = [
            call.layer.config.get("input_dim")
            for call in self._model.calls
            for t in tensors_in((call.args, list(call.kwargs.values())))
            if (t.layer, t.call) == (at.layer, at.call)
        ]
        return min((n for n in sizes if isinstance(n, int) and n > 0), default=2)


def _fits(shape: Shape, declared: tuple[int | None, ...]) -> bool:
    return len(shape) == len(declared) and all(d in (None, n) for n, d in zip(shape, declared, strict=True))
