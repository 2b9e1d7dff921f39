"""Owns weights that an ONNX file keeps as whole numbers: value = (number − zero) × scale, by channel where told."""

from __future__ import annotations

import numpy as np

from nn3d.extract.readers.onnx.seen import Seen
from nn3d.run.model import Array


def dequantised(seen: Seen, role: str, array: Array) -> Array | None:
    """A parameter's values as float32; None of parameters that are no whole numbers, or not known."""
    op = seen.node.op_type
    if array.dtype.kind not in "iu" or role not in ("weight", "bias"):
        return None
    if op in ("ConvInteger", "MatMulInteger"):
        zero = seen.known(seen.name(3)) if seen.name(3) else np.zeros(1, np.int32)
        return None if zero is None else _of(array, np.ones(1, np.float32), zero, op)
    if op not in ("QLinearConv", "QLinearMatMul"):
        return None
    scale, zero, into = (seen.known(seen.name(k)) for k in (4, 5, 1))
    if scale is None or zero is None:
        return None
    if role == "weight":
        return _of(array, scale, zero, op)
    if into is None:
        return None
    return array.astype(np.float32) * (scale.reshape(-1) * into.reshape(-1)).astype(np.float32)


def _of(array: Array, scale: Array, zero: Array, op: str) -> Array:
    """Scales of one number a channel lie along the outputs: the first axis of kernels, the last of matrices."""
    axis = 0 if op.endswith(("Conv", "ConvInteger")) else array.ndim - 1
    shape = [1] * array.ndim
    if scale.size > 1 or zero.size > 1:
        shape[axis] = -1
    by, of = (v.reshape(shape) if v.size > 1 else v.reshape(-1)[0] for v in (scale, zero))
    found = (array.astype(np.float32) - np.asarray(of, np.float32)) * np.asarray(by, np.float32)
    return np.asarray(found, np.float32)
