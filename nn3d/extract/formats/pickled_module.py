"""Owns files in which torch.save put a whole module, as a format: shown by what the pickle says, which is never run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.elements import bfloat16
from nn3d.extract.formats.format import ACTIVATIONS, GRAPH, WEIGHTS, Format
from nn3d.extract.formats.head import Head
from nn3d.extract.infer import infer_graph
from nn3d.extract.lazy import LazyArray
from nn3d.extract.options import SourceOptions
from nn3d.extract.pickled_tree import ITEM_BYTES, Held, Tree, may_hold_module, read_tree
from nn3d.extract.readers.tensor_file import Tensors, recording_of
from nn3d.extract.recording import Recording
from nn3d.run.model import Array, Graph, Node
from nn3d.run.ops import canonical

_NUMPY = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "<u2", "LongStorage": "<i8",
    "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "u1",
}  # fmt: skip
_NAMES = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}  # fmt: skip
# Settings of torch's modules that are attributes of the operation, too.
_ATTRIBUTES = ("kernel_size", "stride", "padding", "dilation", "groups", "eps", "num_heads", "num_groups", "num_layers")
NO_CODE = (
    "activations: the file is a pickled module, and its code is not run. Pass --model PKG.MOD:FACTORY, or --trust to "
    "run what the file says."
)


def _sniff(head: Head) -> bool:
    if head.is_folder or head.any_ends("/constants.pkl"):
        return False
    is_torch = any(n.count("/") == 1 and n.endswith("/data.pkl") for n in head.names)
    return (is_torch if head.is_zip else head.start[:1] == b"\x80") and may_hold_module(head.path, head.is_zip)


def _record(path: Path, options: SourceOptions) -> Recording:
    if options.trust or options.model is not None:
        from nn3d.extract.formats.torch_state import record_files

        return record_files([path], options)
    return read(path, options)


def read(path: Path, options: SourceOptions) -> Recording:
    """Tree, settings, shapes and weights, with inferred wires. Raises SourceError where the pickle tells no module."""
    tree = read_tree(path)
    arrays, left_out = {}, []
    for name, held in tree.tensors.items():
        read_one = reader_of(path, tree, held)
        if read_one is None:
            left_out.append(
                f"{name}: {held.type or 'an unknown type'}, {held.count} numbers that the file does not hold"
            )
            continue
        n_bytes = held.count * ITEM_BYTES[held.type]
        arrays[name] = LazyArray(held.shape or (1,), _NAMES[held.type], read_one, n_bytes=n_bytes)
    tensors = Tensors(path, arrays, f"{path.stat().st_size} {len(arrays)}", left_out=tuple(left_out))
    found = recording_of(tensors, options, f"{path.name}, not run", lambda shapes: _graph(shapes, tree))
    return replace(found, name=tree.types.get("") or found.name, left_out=(NO_CODE, *found.left_out[1:]))


def _graph(shapes: Mapping[str, tuple[int, ...]], tree: Tree) -> Graph:
    """The inferred graph with the classes and settings that the pickle tells."""
    graph = infer_graph(shapes, tree.types)
    nodes = tuple(_told(node, tree) for node in graph.nodes)
    buffers = {n for n in tree.buffers if n in shapes}
    parameters = tuple(replace(p, kind="buffer") if p.name in buffers else p for p in graph.parameters)
    note = "Classes and settings are the pickle's own, which was not run; only the wires are inferred."
    return replace(graph, nodes=nodes, parameters=parameters, notes=(graph.notes[0], note, *graph.notes[1:]))


def _told(node: Node, tree: Tree) -> Node:
    if not node.parameters or node.module not in tree.types:
        return node
    settings = tree.settings[node.module]
    known = {k: settings[k] for k in _ATTRIBUTES if k in settings}
    op = canonical(tree.types[node.module])
    is_same = op.split("_")[0].rstrip("123d") == node.op.split("_")[0].rstrip("123d") or op.endswith("_norm")
    return replace(
        node, op=op if is_same and not op.startswith("other") else node.op, attributes={**node.attributes, **known}
    )


def reader_of(path: Path, tree: Tree, held: Held) -> Callable[[], Array] | None:
    """How to read one tensor when somebody looks; None where its storage is not what it claims."""
    begin = tree.storages.get(held.key)
    if held.type not in _NUMPY or begin is None:
        return None
    return lambda: _shaped(_at(path, begin, held.count * ITEM_BYTES[held.type]), held)


def _at(path: Path, begin: int, n_bytes: int) -> bytes:
    with path.open("rb") as file:
        file.seek(begin)
        return file.read(n_bytes)


def _shaped(data: bytes, held: Held) -> Array:
    """Numbers of a storage as its tensor has them. Raises SourceError when the file ended before."""
    if len(data) < held.count * ITEM_BYTES[held.type]:
        raise SourceError(f"storage {held.key}: expected {held.count} numbers, got fewer. The file is cut off.")
    flat = np.frombuffer(data, _NUMPY[held.type])
    step = flat.itemsize
    view = np.lib.stride_tricks.as_strided(
        flat[held.offset :], held.shape or (1,), [s * step for s in held.strides or (0,)]
    )
    values = bfloat16(view) if held.type == "BFloat16Storage" else view
    return np.ascontiguousarray(values.astype(np.float32) if values.dtype in (np.float64, np.int64) else values)


FORMAT = Format(
    "pickled-module", "a pickled module", _sniff, _record, gives=(GRAPH, WEIGHTS, ACTIVATIONS), is_checkpoint=False,
)  # fmt: skip
