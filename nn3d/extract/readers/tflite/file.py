"""Owns what a .tflite file says: tensors with their values, quantisation and types, and the operators between them.

Fields are numbered as in tensorflow/compiler/mlir/lite/schema/schema.fbs. Values are read when they are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from nn3d.errors import SourceError
from nn3d.extract.readers.keras.build import Entry
from nn3d.extract.readers.tflite.flatbuffer import FlatError, Table, root
from nn3d.run.model import Array

IDENTIFIER = b"TFL3"
MOST_BYTES = 1 << 31
TYPES = {
    0: ("float32", "<f4"), 1: ("float16", "<f2"), 2: ("int32", "<i4"), 3: ("uint8", "u1"), 4: ("int64", "<i8"),
    6: ("bool", "u1"), 7: ("int16", "<i2"), 9: ("int8", "i1"), 10: ("float64", "<f8"), 15: ("uint32", "<u4"),
    16: ("uint16", "<u2"), 17: ("int4", "u1"), 18: ("bfloat16", "<u2"),
}  # fmt: skip
# Operators that have a rule, or whose name alone is shown.
_IN_ORDER = (
    "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR "
    "FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION "
    "LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH "
    "CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER "
    "BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE "
    "BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM "
    "ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE "
    "TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK "
    "LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL "
    "FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL "
    "REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND "
    "HARD_SWISH IF WHILE"
)
_LATER = {
    126: "BATCH_MATMUL", 130: "BROADCAST_TO", 132: "CONV_3D", 150: "GELU", 151: "DYNAMIC_UPDATE_SLICE", 158: "SIGN",
}  # fmt: skip
NAMES = dict(enumerate(_IN_ORDER.split())) | _LATER


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor. shape : with samples where it has them. data : its bytes, empty where it is computed.

    scale, zero : of its quantisation, () when there is none; axis : along which there are several.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    kind: int
    data: memoryview
    scale: tuple[float, ...] = ()
    zero: tuple[int, ...] = ()
    axis: int = 0

    @property
    def is_constant(self) -> bool:
        """Whether the file holds its values."""
        return len(self.data) > 0

    @property
    def dtype(self) -> str:
        """Its element type, for people."""
        return TYPES.get(self.kind, (f"type {self.kind}",))[0]

    @property
    def is_quantised(self) -> bool:
        """Whether whole numbers stand for real ones."""
        return bool(self.scale) and self.dtype.lstrip("u").startswith("int")

    def values(self) -> Array:
        """float32, dequantised; whole numbers as they are where they stand for themselves. Raises FlatError."""
        if self.kind not in TYPES:
            raise FlatError(f"{self.name[:60]}: element {self.dtype}")
        raw = np.frombuffer(self.data, TYPES[self.kind][1])
        if self.dtype == "int4":
            pairs = np.stack([raw & 0xF, raw >> 4], 1).reshape(-1)[: prod(self.shape)].astype(np.int8)
            raw = np.where(pairs > 7, pairs - 16, pairs).astype(np.int8)
        if raw.size != prod(self.shape):
            raise FlatError(f"{self.name[:60]}: {raw.size} values for {self.shape}")
        raw = raw.reshape(self.shape)
        if self.dtype == "bfloat16":
            return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)
        if not self.is_quantised:
            return raw.astype(np.float32) if raw.dtype.kind == "f" else raw
        wide = [1] * raw.ndim
        if len(self.scale) > 1:
            wide[self.axis] = len(self.scale)
        given = (self.scale, self.zero or (0,) * len(self.scale))
        scale, zero = (np.asarray(v, np.float32).reshape(wide) for v in given)
        return (raw.astype(np.float32) - zero) * scale

    def entry(self) -> Entry:
        """As a parameter's source."""
        return Entry(self.name, self.shape, self.values, self.dtype)


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator. options : its table, None without. inputs : −1 where one is left out."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None


@dataclass(frozen=True, slots=True)
class LiteFile:
    """The first graph of a file. n_graphs : how many it has."""

    name: str
    tensors: Sequence[Tensor]
    operators: Sequence[Operator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    n_graphs: int


def read(path: Path) -> LiteFile:
    """Everything but values. Raises SourceError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SourceError(f"{path}: expected at most {MOST_BYTES} bytes, got {path.stat().st_size}.")
        data = memoryview(path.read_bytes())
        return _read(data)
    except (FlatError, OSError) as error:
        text = f"expected a TensorFlow Lite model, got: {error}"
        raise SourceError(f"{path}: {text}. Convert the model again.") from error


def _read(data: memoryview) -> LiteFile:
    model = root(data)
    codes = [_operator_name(code) for code in model.tables(1)]
    buffers = [_buffer(buffer, data) for buffer in model.tables(4)]
    graphs = list(model.tables(2))
    if not graphs:
        raise FlatError("a model without a graph")
    graph = graphs[0]
    tensors = [_tensor(i, table, buffers) for i, table in enumerate(graph.tables(0))]
    operators = [_operator(table, codes, len(tensors)) for table in graph.tables(3)]
    ends = [_indices(graph.array(field, "<i4"), len(tensors)) for field in (1, 2)]
    return LiteFile(graph.text(4), tensors, operators, ends[0], ends[1], len(graphs))


def _operator_name(code: Table) -> str:
    number = max(code.number(0, "b"), code.number(3, "i"))
    name = NAMES.get(number, f"OPERATOR_{number}")
    return code.text(1)[:80] or name if name == "CUSTOM" else name


def _buffer(buffer: Table, data: memoryview) -> memoryview:
    offset, size = buffer.number(1, "Q"), buffer.number(2, "Q")
    if offset > 1:
        if offset + size > len(data):
            raise FlatError(f"a buffer of {size} bytes at {offset}")
        return data[offset : offset + size]
    return memoryview(buffer.array(0, "u1").data) if buffer.has(0) else memoryview(b"")


def _tensor(index: int, table: Table, buffers: Sequence[memoryview]) -> Tensor:
    shape = tuple(int(n) for n in table.array(0, "<i4"))
    if len(shape) > 16 or any(n < 0 for n in shape) or prod(shape) > 1 << 40:
        raise FlatError(f"a shape {shape[:16]}")
    buffer = table.number(2, "I")
    if buffer >= len(buffers):
        raise FlatError(f"buffer {buffer} of {len(buffers)}")
    scale: tuple[float, ...] = ()
    zero: tuple[int, ...] = ()
    axis = 0
    quantisation = table.table(4)
    if quantisation is not None:
        scale = tuple(float(v) for v in quantisation.array(2, "<f4"))
        zero = tuple(int(v) for v in quantisation.array(3, "<i8"))
        axis = quantisation.number(6, "i")
    is_odd = len(scale) > 1 and (not 0 <= axis < len(shape) or shape[axis] != len(scale))
    if is_odd or len(zero) not in (0, len(scale)):
        raise FlatError(f"{len(scale)} scales along axis {axis} of {shape}")
    name = table.text(3)[:2000] or f"tensor {index}"
    return Tensor(index, name, shape, table.number(1, "b"), buffers[buffer], scale, zero, axis)


def _operator(table: Table, codes: Sequence[str], n_tensors: int) -> Operator:
    code = table.number(0, "I")
    if code >= len(codes):
        raise FlatError(f"operator code {code} of {len(codes)}")
    inputs, outputs = (_indices(table.array(field, "<i4"), n_tensors) for field in (1, 2))
    if not outputs or min(outputs) < 0:
        raise FlatError(f"an operator {codes[code]} without outputs")
    return Operator(codes[code], inputs, outputs, table.table(4))


def _indices(given: Array, n: int) -> tuple[int, ...]:
    found = tuple(int(i) for i in given)
    if any(not -1 <= i < n for i in found):
        raise FlatError(f"tensor {max(found)} of {n}")
    return found
