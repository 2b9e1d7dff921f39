"""Owns an ONNX file as it is read: protobuf → model, tensors beside it only from its own folder, functions inlined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract import factory
from nn3d.run.model import Array

MOST_VALUES = 1 << 33
MOST_NODES = 200_000
# Protobuf refuses messages of 2 GB; tensors beside a file that are more than this stay there while it runs.
MOST_TAKEN_IN_BYTES = 1 << 30
_EXTERNAL = 1
# How onnxruntime names values that lie at an address instead of in a file.
_IN_MEMORY = "_ORT_MEM_ADDR_"
_BITS = {
    "INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2, "FLOAT6E2M3": 8, "FLOAT6E3M2": 8, "BFLOAT16": 16
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Opened:
    """A model whose function calls are written out.

    model : a ModelProto. folder : where its tensors lie that are still beside the file, None when all are taken in.
    n_nodes, n_initializers : of the graph as it stands in the file. n_calls : how many of its nodes called a function.
    """

    path: Path
    model: Any
    folder: Path | None
    n_nodes: int
    n_initializers: int
    n_calls: int = 0


def open_model(path: Path) -> Opened:
    """Read an ONNX file. Raises SourceError when it is none, is cut off, or wants what lies outside of its folder."""
    onnx = factory.require("onnx", "onnx")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except OSError as error:
        raise SourceError(f"{path}: expected a readable file, got: {error.strerror}.") from error
    except Exception as error:  # protobuf's own kinds of errors have no common base that can be named here
        raise SourceError(f"{path}: expected ONNX, got: {_line(error)}. Save the model again.") from error
    n_nodes, n_initializers = len(model.graph.node), len(model.graph.initializer)
    if not n_nodes or n_nodes > MOST_NODES:
        raise SourceError(f"{path}: expected 1 to {MOST_NODES:,} nodes in its graph, got {n_nodes:,}.")
    if not all(isinstance(text, str) for text in _texts(model.graph)):
        raise SourceError(f"{path}: expected names in UTF-8, got other bytes. The file is damaged.")
    folder = path.resolve().parent
    outside = [t for t in tensors_of(model) if t.data_location == _EXTERNAL]
    n_bytes = sum(_check_beside(path, folder, tensor) for tensor in outside)
    for tensor in tensors_of(model):
        _check_inside(path, tensor)
    is_taken_in = n_bytes <= MOST_TAKEN_IN_BYTES
    if is_taken_in:
        for tensor in outside:
            _take_in(path, folder, tensor)
    model, n_calls = _inlined(path, model)
    return Opened(path, model, None if is_taken_in else folder, n_nodes, n_initializers, n_calls)


def tensors_of(model: Any) -> Iterator[Any]:
    """Every TensorProto of a model: initializers and attributes, in subgraphs and functions too."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_nodes(function.node)


def _of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("sparse_tensor"):
                yield attribute.sparse_tensor.values
                yield attribute.sparse_tensor.indices
            if attribute.HasField("g"):
                yield from _of_graph(attribute.g)
            for graph in attribute.graphs:
                yield from _of_graph(graph)


def _texts(graph: Any) -> Iterator[Any]:
    """Every name in a graph; bytes where one is not UTF-8."""
    yield graph.name
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        yield value.name
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for entry in node.metadata_props:
            yield from (entry.key, entry.value)
        for attribute in node.attribute:
            yield attribute.name
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                yield from _texts(inner)


def type_name(tensor_type: int) -> str:
    """An ONNX element type for people: "float16", "int8", "float8e4m3fn"."""
    onnx = factory.require("onnx", "onnx")
    try:
        name = str(onnx.TensorProto.DataType.Name(tensor_type))
    except ValueError:
        return f"type {tensor_type}"
    return {"FLOAT": "float32", "DOUBLE": "float64"}.get(name, name.lower())


def n_bytes_of(tensor: Any) -> int:
    """Bytes that a tensor's shape and type stand for; -1 for text and unknown types."""
    onnx = factory.require("onnx", "onnx")
    if tensor.data_type == onnx.TensorProto.STRING:
        return -1
    try:
        name = onnx.TensorProto.DataType.Name(tensor.data_type)
        bits = _BITS.get(name) or (8 if name.startswith("FLOAT8") else 0)
        bits = bits or 8 * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except (KeyError, ValueError, TypeError):
        return -1
    return (int(prod(tensor.dims)) * int(bits) + 7) // 8


def array_of(tensor: Any, folder: Path | None = None) -> Array:
    """A tensor, exactly, in float32 or an integer type where the file has smaller floats.

    folder : of tensors that lie beside the file; `open_model` has checked where.
    """
    onnx = factory.require("onnx", "onnx")
    if tensor.data_location == _EXTERNAL:
        if folder is None:
            raise ValueError(f"{tensor.name}: its values lie beside the file")
        whole = onnx.TensorProto()
        whole.CopyFrom(tensor)
        _take_in(folder, folder, whole)
        tensor = whole
    return as_known(onnx.numpy_helper.to_array(tensor))


def as_known(values: Array) -> Array:
    """Element types that numpy does not have as float32 (or int8): exactly, they are all smaller."""
    if values.dtype.kind in "fiub" and values.dtype.name in np.sctypeDict:
        return values
    if values.dtype.name in ("int4", "uint4", "int2", "uint2"):
        return values.astype(np.int8)
    return values.astype(np.float32) if values.dtype.kind in "Vf" else values


def _check_inside(path: Path, tensor: Any) -> None:
    """Raises SourceError unless what a tensor holds is what its shape says."""
    if any(d < 0 for d in tensor.dims) or prod(tensor.dims) > MOST_VALUES:
        raise SourceError(f"{path}: {tensor.name or 'a tensor'}: expected a shape, got {list(tensor.dims)}.")
    if tensor.data_location == _EXTERNAL or not tensor.HasField("raw_data"):
        return
    wanted = n_bytes_of(tensor)
    if wanted >= 0 and len(tensor.raw_data) != wanted:
        raise SourceError(
            f"{path}: {tensor.name or 'a tensor'}: expected {wanted:,} bytes of {type_name(tensor.data_type)} "
            f"{list(tensor.dims)}, got {len(tensor.raw_data):,}. The file is damaged."
        )


def _beside(path: Path, folder: Path, tensor: Any) -> tuple[Path, int, int]:
    """File, offset and length of a tensor beside the model. Raises SourceError outside of its folder."""
    told = {entry.key: entry.value for entry in tensor.external_data}
    location = told.get("location", "")
    if len(told) < len(tensor.external_data) or _IN_MEMORY in location:
        raise SourceError(f"{path}: {tensor.name}: expected one file where its values lie, got several, or memory.")
    try:
        file = (folder / location).resolve()
        offset, length = int(told.get("offset") or 0), int(told.get("length") or n_bytes_of(tensor))
        is_file = file.is_file()
    except (ValueError, OSError, RuntimeError) as error:
        raise SourceError(f"{path}: {tensor.name}: expected where its values lie, got: {_line(error)}.") from error
    if not location or Path(location).is_absolute() or not file.is_relative_to(folder):
        raise SourceError(
            f"{path}: {tensor.name}: expected values in the model's own folder, got {location[:100]!r}. "
            "Nothing outside of it is read."
        )
    if not is_file:
        raise SourceError(f"{path}: {tensor.name}: expected its values in {location[:100]}, got no such file.")
    return file, offset, length


def _check_beside(path: Path, folder: Path, tensor: Any) -> int:
    """Bytes of a tensor beside the model. Raises SourceError unless they are there."""
    file, offset, length = _beside(path, folder, tensor)
    wanted, there = n_bytes_of(tensor), file.stat().st_size
    if any(d < 0 for d in tensor.dims) or length != wanted or offset < 0 or offset + length > there:
        raise SourceError(
            f"{path}: {tensor.name}: expected {wanted:,} bytes from {offset:,} on in {file.name}, got {length:,} of "
            f"{there:,}. The files do not belong together."
        )
    return length


def _take_in(path: Path, folder: Path, tensor: Any) -> None:
    file, offset, length = _beside(path, folder, tensor)
    with file.open("rb") as opened:
        opened.seek(offset)
        tensor.raw_data = opened.read(length)
    del tensor.external_data[:]
    tensor.data_location = 0


def _inlined(path: Path, model: Any) -> tuple[Any, int]:
    if not model.functions:
        return model, 0
    inliner = factory.require("onnx.inliner", "onnx")
    own = {(f.domain, f.name) for f in model.functions}
    n_calls = sum((node.domain, node.op_type) in own for node in model.graph.node)
    if _n_written_out(model) > MOST_NODES:
        raise SourceError(f"{path}: expected functions of at most {MOST_NODES:,} nodes, written out, got more.")
    try:
        found = inliner.inline_local_functions(model)
    except (RuntimeError, ValueError) as error:
        raise SourceError(f"{path}: expected functions that can be written out, got: {_line(error)}.") from error
    return found, n_calls


def _n_written_out(model: Any) -> int:
    """Nodes of a model whose function calls are written out, at least; more than MOST_NODES for a circle of calls."""
    sizes: dict[tuple[str, str], int] = {}
    bodies: dict[tuple[str, str], list[Any]] = {}
    for function in model.functions:
        bodies.setdefault((function.domain, function.name), []).extend(function.node)
    todo = list(bodies)
    open_: set[tuple[str, str]] = set()
    while todo:
        at = todo[-1]
        inner = [(n.domain, n.op_type) for n in bodies[at] if (n.domain, n.op_type) in bodies]
        waiting = [call for call in dict.fromkeys(inner) if call not in sizes]
        if at in sizes or not waiting:
            sizes[todo.pop()] = min(MOST_NODES + 1, len(bodies[at]) + sum(sizes[call] for call in inner))
        elif at in open_:
            return MOST_NODES + 1
        else:
            open_.add(at)
            todo += waiting
    return len(model.graph.node) + sum(sizes.get((n.domain, n.op_type), 0) for n in model.graph.node)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
