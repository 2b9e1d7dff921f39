"""Owns the way from a Keras model's JSON and tensors to a recording: graph, weights, and activations computed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.computed import Computed, computed
from nn3d.extract.readers.keras import activations as keras_activations
from nn3d.extract.readers.keras import cells as keras_cells
from nn3d.extract.readers.keras import maps as keras_maps
from nn3d.extract.readers.keras import sequences as keras_sequences
from nn3d.extract.readers.keras import shapes as keras_shapes
from nn3d.extract.readers.keras import windows as keras_windows
from nn3d.extract.readers.keras.build import Builder
from nn3d.extract.readers.keras.config import Model
from nn3d.extract.readers.keras.feeds import Feeds
from nn3d.extract.readers.keras.rules import Rule, Walk
from nn3d.extract.readers.keras.weights import WeightFile
from nn3d.extract.recording import Moment, Recording
from nn3d.run.model import JSON, Epoch

RULES: Mapping[str, Rule] = keras_sequences.with_time({
    **keras_maps.RULES, **keras_windows.RULES, **keras_activations.RULES, **keras_cells.RULES, **keras_shapes.RULES,
    **keras_sequences.RULES,
})  # fmt: skip
_MASKED = "activations: the input has masked words (0), and masks are not computed here. Pass an input without them."


@dataclass(frozen=True, slots=True)
class KerasFile:
    """What a file holds. where : how it is called. version : of the Keras that wrote it (major). data : the JSON.

    notes : what else is to be said of it.
    """

    where: str
    name: str
    source: str
    version: int
    data: JSON
    model: Model
    weights: WeightFile
    notes: tuple[str, ...] = ()


def major(version: object, default: int) -> int:
    """"2.15.0" → 2."""
    first = version.partition(".")[0] if isinstance(version, str) else ""
    return int(first) if first.isdecimal() and len(first) < 3 else default


def record(file: KerasFile, options: SourceOptions) -> Recording:
    """A recording of one epoch. Raises SourceError."""
    is_first = _keeps_first(file.data)
    builder = Builder(file.where, keeps_first=is_first, version=file.version)
    feeds = Feeds(file.model, options, file.where, keeps_first=is_first)
    walk = Walk(builder, file.weights, RULES, feeds.fill)
    outputs = walk.model(file.model)
    builder.module("", file.model.name)
    builder.notes += [*file.notes, *_notes(file, walk, feeds)]
    graph = builder.graph([(f"output{i}" if len(outputs) > 1 else "output", sym) for i, sym in enumerate(outputs)])
    parameters = builder.arrays()
    inputs = feeds.arrays(graph)
    if builder.is_masking and any((values == 0).any() for values in inputs if values.dtype.kind == "i"):
        found = Computed({}, (_MASKED,))
    else:
        found = computed(graph, parameters, inputs)
    left_out = tuple(f"{name}: {why}; shown as one box" for name, why in walk.unknown.items())[:20]
    moment = Moment(Epoch(0), found.activations, parameters)
    name, classes = file.model.name or file.name, options.class_names() or feeds.classes
    return Recording(name, file.source, graph, feeds.samples, [moment], classes, left_out + found.left_out)


def _notes(file: KerasFile, walk: Walk, feeds: Feeds) -> list[str]:
    n_layers, n_calls = len(set(walk.calls)), len(walk.calls)
    shared = f", {n_calls} calls" if n_calls > n_layers else ""
    n_turned = sum(1 for p in walk.builder.parameters if p.source_layout)
    return [
        f"Keras {file.version}: {n_layers} layers{shared}, {walk.builder.n_tensors} tensors, "
        f"{n_turned} of them turned from Keras's layout",
        f"activations are computed here, in numpy, from the file's graph and weights{feeds.note}",
    ]


def _keeps_first(data: JSON) -> bool:
    """Whether some layer keeps channels first."""
    todo = [data]
    while todo:
        at = todo.pop()
        if isinstance(at, Mapping):
            if at.get("data_format") == "channels_first":
                return True
            todo.extend(at.values())
        elif isinstance(at, list):
            todo.extend(at)
    return False
