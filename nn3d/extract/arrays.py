"""Owns torch tensor → numpy copy, with float32 for everything numpy or a run has no type for."""

from __future__ import annotations

import numpy as np
import torch

from nn3d.extract.sharding import whole
from nn3d.run.model import Array


def to_numpy(tensor: torch.Tensor) -> Array:
    """A contiguous copy on the CPU that shares nothing: float32 for floats, integers and booleans alike.

    Complex values become their absolute value; sparse and quantised tensors become dense. What is sharded is gathered,
    which all ranks do together.
    """
    plain = whole(tensor.detach())
    if plain.is_quantized:
        plain = plain.dequantize()
    if plain.layout is not torch.strided:
        plain = plain.to_dense()
    if plain.is_complex():
        plain = plain.abs()
    return np.array(plain.to("cpu", torch.float32).resolve_neg().numpy(), np.float32, order="C", copy=True)


def dtype_name(tensor: torch.Tensor) -> str:
    """torch.float32 → "float32"."""
    return str(tensor.dtype).removeprefix("torch.")
