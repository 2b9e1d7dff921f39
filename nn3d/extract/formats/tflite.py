"""Owns TensorFlow Lite (LiteRT) as a format: a FlatBuffer of operators and tensors; activations computed here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from nn3d.errors import SourceError
from nn3d.extract.formats.format import ACTIVATIONS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.computed import computed
from nn3d.extract.readers.keras.build import Builder
from nn3d.extract.readers.keras.config import Model
from nn3d.extract.readers.keras.config import Tensor as Input
from nn3d.extract.readers.keras.feeds import Feeds
from nn3d.extract.readers.named_tensors import counted
from nn3d.extract.readers.tflite.file import IDENTIFIER, LiteFile, read
from nn3d.extract.readers.tflite.flatbuffer import FlatError
from nn3d.extract.readers.tflite.ops import Walk
from nn3d.extract.recording import Moment, Recording
from nn3d.run.model import Epoch, InputInfo


def _sniff(head: Head) -> bool:
    return head.start[4:8] == IDENTIFIER


def _record(path: Path, options: SourceOptions) -> Recording:
    file = read(path)
    try:
        return _recorded(path, file, options)
    except FlatError as error:
        text = f"expected a TensorFlow Lite model, got: {error}"
        raise SourceError(f"{path}: {text}. Convert the model again.") from error


def _recorded(path: Path, file: LiteFile, options: SourceOptions) -> Recording:
    given = [file.tensors[i] for i in file.inputs if i >= 0]
    if not given or not file.operators:
        raise SourceError(f"{path}: expected a graph with inputs and operators, got none. Convert the model again.")
    builder = Builder(str(path))
    inputs = tuple(Input(t.name, 0, 0, t.shape[1:]) for t in given)
    feeds = Feeds(Model(path.stem, (), (), inputs, ()), options, str(path), keeps_first=False)
    walk = Walk(builder, file)
    for i, tensor in enumerate(given):
        shape = feeds.fill(i, inputs[i])
        if shape != tensor.shape[1:]:
            raise SourceError(f"{path}: expected samples of {tensor.shape[1:]}, got {shape}. Pass --resize.")
        is_first, is_whole = len(shape) == 3, tensor.dtype.startswith("int") and not tensor.is_quantised
        name = tensor.name.partition(":")[0].removeprefix("serving_default_") or "input"
        sym = builder.add("input", name, [], shape, is_first=is_first, dtype="int64" if is_whole else "float32")
        is_picture = is_first and shape[-1] in (1, 3, 4)
        kind = "image" if is_picture else "tokens" if is_whole and len(shape) == 1 else "array"
        builder.inputs.append(InputInfo(sym.node, kind, value_range=(0.0, 1.0) if is_picture else None))
        walk.syms[tensor.index] = sym
    walk.run()
    outputs = [(f"output{i}" if i else "output", walk.syms[o]) for i, o in enumerate(file.outputs) if o in walk.syms]
    builder.module("", path.stem)
    builder.notes += _notes(file, builder, feeds)
    graph = builder.graph(outputs)
    parameters = builder.arrays()
    found = computed(graph, parameters, feeds.arrays(graph))
    left_out = [f"{name}: {why}; shown as one box" for name, why in walk.unknown.items()][:20]
    left_out += [f"{file.n_graphs - 1} more graphs of the file"] if file.n_graphs > 1 else []
    moment = Moment(Epoch(0), found.activations, parameters)
    classes = options.class_names() or feeds.classes
    return Recording(
        path.stem, path.name, graph, feeds.samples, (moment,), classes, (*left_out, *found.left_out)
    )  # fmt: skip


def _notes(file: LiteFile, builder: Builder, feeds: Feeds) -> list[str]:
    constants = [t for t in file.tensors if t.is_constant]
    lines = [
        f"TensorFlow Lite: {counted(len(file.operators), 'operator')}, {counted(len(file.tensors), 'tensor')}, "
        f"{len(constants)} of them stored, {builder.n_tensors} of these weights",
        f"activations are computed here, in numpy, from the file's graph and weights{feeds.note}",
    ]
    quantised = Counter(t.dtype for t in file.tensors if t.is_quantised)
    if quantised:
        kinds = ", ".join(f"{kind}: {counted(n, 'tensor')}" for kind, n in sorted(quantised.items()))
        lines.append(f"quantised ({kinds}): weights are shown dequantised, activations as they are before rounding")
    return lines


# In a child process, because its activations are computed as soon as it is opened.
FORMAT = Format("tflite", "TensorFlow Lite", _sniff, _record, gives=(GRAPH, WEIGHTS, ACTIVATIONS), is_isolated=True)
