"""Owns TensorFlow's checkpoints as formats: NAME.index with its shards, a folder of them, and a SavedModel.

Wires are inferred from names and shapes: a checkpoint has none, and the graph of a SavedModel is not read. Of a folder
each checkpoint is an epoch, in the order of the numbers that end their names (model.ckpt-0, model.ckpt-1, …).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.formats.format import EPOCHS, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.inputs import natural
from nn3d.extract.lazy import LazyArray, LazyArrays, typed
from nn3d.extract.options import SourceOptions
from nn3d.extract.readers.keras.build import Entry
from nn3d.extract.readers.named_tensors import Named, counted, infer_named
from nn3d.extract.readers.tensorflow.bundle import GRAPH_KEY, Bundle, Variable, is_table, shared_names
from nn3d.extract.recording import Moment, Recording
from nn3d.run.model import Array, Epoch

MOST_FILES = 100_000
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_NUMBERED = re.compile(r"(^|/)layer_with_weights-\d+/")
_STEP = re.compile(r"-(\d{1,15})$")
_COUNTS = ("global_step", "save_counter")
_NO_RUN = "activations: a checkpoint has no graph to run. Save the model as .keras, or export it to ONNX."


def _sniff(head: Head) -> bool:
    return not head.is_folder and not head.is_zip and head.size >= 48 and is_table(head.path)


def _sniff_folder(head: Head) -> bool:
    return head.is_folder and any(is_table(p) for p in _indices(head.path))


def _sniff_saved_model(head: Head) -> bool:
    is_saved = head.is_folder and (head.member("saved_model.pb") or head.member("saved_model.pbtxt"))
    return is_saved and any(is_table(p) for p in _indices(head.path / "variables"))


def _indices(folder: Path) -> list[Path]:
    """Tables of a folder, in the order of their names; by name alone."""
    if not folder.is_dir():
        return []
    found = [p for p, _ in zip(folder.iterdir(), range(MOST_FILES), strict=False) if p.name.endswith(".index")]
    return sorted(found, key=lambda p: natural(p.name))


def _record(path: Path, options: SourceOptions) -> Recording:
    return _several([path], options)


def _record_folder(path: Path, options: SourceOptions) -> Recording:
    tables = [p for p in _indices(path) if is_table(p)]
    if not tables:
        raise SourceError(f"{path}: expected tables of checkpoints (.index), got none. Copy the whole folder again.")
    return _several(tables, options)


def _record_saved_model(path: Path, options: SourceOptions) -> Recording:
    tables = [p for p in _indices(path / "variables") if is_table(p)]
    if not tables:
        raise SourceError(f"{path}: expected variables/variables.index, got none. Copy the whole folder again.")
    found = _several(tables[:1], options)
    left_out = tuple(line for line in found.left_out if line != _NO_RUN)
    missing = "activations: the functions of a SavedModel are not run. Save the model as .keras, or export it to ONNX."
    return replace(found, name=path.name, source=path.name, left_out=(missing, *left_out))


def _several(paths: Sequence[Path], options: SourceOptions) -> Recording:
    """One epoch a checkpoint. Raises SourceError unless all hold the same tensors."""
    ordered = sorted(dict.fromkeys(paths), key=lambda p: natural(p.name))
    bundles = [Bundle(path) for path in ordered]
    names = _names(bundles[0])
    known = {names[k]: v for k, v in bundles[0].variables.items() if v.is_known}
    entries = {name: Entry(name, v.shape, partial(bundles[0].read, v), v.dtype) for name, v in known.items()}
    named = infer_named(entries, is_ordered=_is_numbered(bundles[0]))
    if named is None:
        raise SourceError(f"{ordered[0]}: expected a model's variables, got {len(names)} tensors without any.")
    lazy = {p: _later(bundles[0], named, p, known) for p in named.places}
    graph = typed(named.graph, lazy)
    texts = [names[k] for k, v in bundles[0].variables.items() if not v.is_known and k != GRAPH_KEY]
    left_out = [_NO_RUN, *named.left_out]
    left_out += [f"{counted(len(texts), 'tensor')} of texts and states ({texts[0]}, …)"] if texts else []
    count = f"TensorFlow checkpoint: {counted(len(bundles[0].variables), 'tensor')}, {len(lazy)} of them the model's"
    graph = replace(graph, notes=(*graph.notes, count))
    moments = [_moment(bundle, named, epoch) for bundle, epoch in zip(bundles, _epochs(bundles), strict=True)]
    name = _STEP.sub("", ordered[0].name.removesuffix(".index")) or ordered[0].name
    source = ordered[0].name if len(ordered) == 1 else f"{len(ordered)} checkpoints, {ordered[0].parent.name}"
    return Recording(
        name, source, graph, (), moments, options.class_names(), tuple(left_out), expected=len(moments)
    )  # fmt: skip


def _moment(bundle: Bundle, named: Named, epoch: Epoch) -> Moment:
    names = _names(bundle)
    known = {names[k]: v for k, v in bundle.variables.items() if v.is_known}
    later = {p: _later(bundle, named, p, known) for p in named.places}
    crc = "".join(f"{v.crc:08x}" for v in bundle.variables.values())
    return Moment(epoch, {}, LazyArrays(later, stamp=f"{bundle.path.name} {crc}"))


def _later(bundle: Bundle, named: Named, parameter: int, known: dict[str, Variable]) -> LazyArray:
    """A parameter that is read when somebody looks. Raises SourceError where this checkpoint has it otherwise."""
    source, convert = named.places[parameter]
    wanted = next(p for p in named.graph.parameters if p.id == parameter)
    variable = known.get(source)
    if variable is None or prod(variable.shape or (1,)) != prod(wanted.shape):
        got = "no such tensor" if variable is None else str(variable.shape)
        raise SourceError(f"{bundle.path}: {source[:80]}: expected shape {wanted.shape} as in the others, got {got}.")
    return LazyArray(wanted.shape, variable.dtype, partial(_read, bundle, variable, convert), n_bytes=variable.size)


def _read(bundle: Bundle, variable: Variable, convert: Callable[[Array], Array]) -> Array:
    return np.ascontiguousarray(convert(bundle.read(variable)))


def _names(bundle: Bundle) -> dict[str, str]:
    """Key → the variable's own name, or the key without what TensorFlow adds; each once."""
    own = shared_names(bundle)
    found: dict[str, str] = {}
    taken: set[str] = set()
    for key in bundle.variables:
        name = own.get(key, "")
        if "/" not in name or name in taken:
            name = key.removesuffix(_VALUE)
        if ".OPTIMIZER_SLOT" in key or key.startswith(("optimizer/", "_optimizer/")):
            name = f"optimizer/{key.removesuffix(_VALUE)}"
        found[key] = name
        taken.add(name)
    return dict(sorted(found.items(), key=lambda item: natural(item[0])))


def _is_numbered(bundle: Bundle) -> bool:
    """Whether all tensors belong to layers that Keras numbered, in the network's order."""
    keys = [k for k in bundle.variables if k.endswith(_VALUE) and "/" in k.removesuffix(_VALUE)]
    kept = [k for k in keys if ".OPTIMIZER_SLOT" not in k and "optimizer/" not in k]
    return bool(kept) and all(_NUMBERED.search(k) for k in kept)


def _epochs(bundles: Sequence[Bundle]) -> list[Epoch]:
    """Ids are the numbers that end the names where they rise, else places; the step is what the checkpoint counts."""
    numbers = [_STEP.search(b.path.name.removesuffix(".index")) for b in bundles]
    ends = [int(m[1]) if m else -1 for m in numbers]
    rises = len(ends) > 1 and ends[0] >= 0 and all(a < b for a, b in pairwise(ends))
    ids = ends if rises and ends[-1] < 1 << 40 else list(range(len(bundles)))
    return [Epoch(i, _step(b), b.path.stat().st_mtime) for i, b in zip(ids, bundles, strict=True)]


def _step(bundle: Bundle) -> int | None:
    for name in _COUNTS:
        found = bundle.variables.get(name)
        if found is not None and found.is_known and not found.shape and found.dtype.startswith("int"):
            return max(0, int(bundle.read(found)))
    return None


FORMAT = Format(
    "tensorflow", "a TensorFlow checkpoint", _sniff, _record, gives=(WEIGHTS,), record_several=_several,
)  # fmt: skip
FOLDER = Format(
    "tensorflow-folder", "a folder of TensorFlow checkpoints", _sniff_folder, _record_folder, gives=(WEIGHTS, EPOCHS)
)
SAVED_MODEL = Format("saved-model", "a SavedModel", _sniff_saved_model, _record_saved_model, gives=(WEIGHTS,))
