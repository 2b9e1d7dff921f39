"""Owns folders of Hugging Face as a format: config.json with safetensors, run by transformers, else wires inferred."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from nn3d.errors import Nn3dError, SourceError
from nn3d.extract.formats.format import ACTIVATIONS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.huggingface import Folder, read_folder
from nn3d.extract.infer import infer_graph
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.safetensors.reader import read
from nn3d.extract.readers.safetensors.shards import INDEX_ENDING, read_index
from nn3d.extract.readers.tensor_file import Tensors, recording_of
from nn3d.extract.recording import Recording
from nn3d.run.model import Graph

# Weights of more bytes than this are not loaded into a model unasked: they are shown from their files.
MOST_BYTES = 4 << 30
_ONE_FILE = "model.safetensors"


def _sniff(head: Head) -> bool:
    has_weights = head.member(_ONE_FILE) or head.any_ends(INDEX_ENDING)
    if not head.is_folder or not head.member("config.json") or not has_weights:
        return False
    try:
        config = read_folder(head.path).config
    except SourceError:
        return False
    return "model_type" in config or "architectures" in config


def _record(path: Path, options: SourceOptions) -> Recording:
    if options.model is not None:
        return _with_model(path, options)
    folder, tensors = read_folder(path), _tensors(path)
    why = _why_not(tensors)
    if why is None:
        try:
            return _run(folder, options)
        except Nn3dError as error:
            if options.input not in (None, "random"):
                raise
            why = f"{error}".removeprefix(f"{path}: ")
    return _inferred(folder, tensors, options, why)


def _why_not(tensors: Tensors) -> str | None:
    """Why the model is not run, None where it can be tried."""
    missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if missing:
        return f"{missing[0]} is not installed. Run: pip install 'nn3d-viewer[hf]'"
    n_bytes = sum(array.n_bytes for array in tensors.arrays.values())
    if n_bytes > MOST_BYTES:
        return f"{n_bytes / 1e9:.1f} GB of weights are not loaded unasked. Pass --model hf:{tensors.path} to run them"
    return None


def _tensors(path: Path) -> Tensors:
    index = sorted(p for p in path.iterdir() if p.name.endswith(INDEX_ENDING))
    found = read_index(index[0]) if index else read(path / _ONE_FILE)
    return replace(found, path=path)


def _run(folder: Folder, options: SourceOptions) -> Recording:
    from nn3d.extract.live_sources import record_model

    made: Recording = record_model(replace(options, model=f"hf:{folder.path}"))
    return replace(
        made, name=folder.path.resolve().name, source=f"{folder.path.name}, transformers",
        classes=made.classes or folder.classes,
    )  # fmt: skip


def _with_model(path: Path, options: SourceOptions) -> Recording:
    """The folder's weights in a model that --model names; hf: of the same folder is the folder itself."""
    if options.model is not None and options.model.startswith("hf:"):
        from nn3d.extract.live_sources import record_model

        made: Recording = record_model(options)
        return made
    if not (path / _ONE_FILE).is_file():
        raise SourceError(f"{path}: expected one {_ONE_FILE} for --model, got pieces. Leave --model away.")
    from nn3d.extract.formats.torch_state import record_files

    return record_files([path / _ONE_FILE], options)


def _inferred(folder: Folder, tensors: Tensors, options: SourceOptions, why: str) -> Recording:
    infer: Callable[[Mapping[str, tuple[int, ...]]], Graph] = partial(_graph, folder)
    found = recording_of(tensors, options, f"{folder.path.name}, not run", infer)
    left_out = (f"activations: {why}.", *found.left_out[1:])
    name = folder.path.resolve().name
    return replace(found, name=name, classes=found.classes or folder.classes, left_out=left_out)


def _graph(folder: Folder, shapes: Mapping[str, tuple[int, ...]]) -> Graph:
    """The inferred graph, with what the configuration says."""
    graph = infer_graph(shapes)
    return replace(graph, notes=(graph.notes[0], folder.facts(), *graph.notes[1:]))


FORMAT = Format(
    "huggingface", "a Hugging Face folder", _sniff, _record, gives=(GRAPH, WEIGHTS, ACTIVATIONS), extra="hf",
)  # fmt: skip
