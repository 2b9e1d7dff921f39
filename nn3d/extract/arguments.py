"""Owns what a model is called with: tensors by the names of its arguments, and which of their axes counts samples."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from nn3d.errors import TraceError

Inputs = Any


def named_inputs(model: torch.nn.Module, inputs: Inputs) -> dict[str, torch.Tensor]:
    """Argument name → tensor; names of positional arguments begin with "*"."""
    if isinstance(inputs, Mapping):
        return {str(k): _tensor(v, str(k)) for k, v in inputs.items()}
    given = inputs if isinstance(inputs, tuple | list) and not _is_nested_numbers(inputs) else (inputs,)
    try:
        names = [p.name for p in inspect.signature(model.forward).parameters.values()]
    except (TypeError, ValueError):
        names = []
    names = [n if i < len(names) else "" for i, n in enumerate(names)]
    return {f"*{names[i] if i < len(names) else f'input{i}'}": _tensor(v, f"input {i}") for i, v in enumerate(given)}


def _is_nested_numbers(inputs: Sequence[Any]) -> bool:
    return bool(inputs) and not isinstance(inputs[0], torch.Tensor | np.ndarray)


def _tensor(value: Any, what: str) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.detach()
    try:
        array = np.asarray(value)
        return torch.as_tensor(array.astype(np.float32) if array.dtype == np.float64 else array.copy())
    except (TypeError, ValueError, RuntimeError) as error:
        raise TraceError(f"{what}: expected a tensor or an array, got {type(value).__name__} ({error}).") from error


def axis_of_samples(model: torch.nn.Module, named: Mapping[str, torch.Tensor]) -> int:
    """1 where the model's first own computation is a recurrent layer or transformer that wants (T, N, F), else 0."""
    sequence = (torch.nn.RNNBase, torch.nn.Transformer, torch.nn.TransformerEncoder, torch.nn.MultiheadAttention)
    leaves = [m for m in model.modules() if isinstance(m, sequence) or not any(True for _ in m.children())]
    first = leaves[0] if leaves else None
    tensor = next(iter(named.values()), None)
    if tensor is None or tensor.ndim != 3 or not isinstance(first, sequence):
        return 0
    inner = first.layers[0].self_attn if isinstance(first, torch.nn.TransformerEncoder) else first
    return 0 if getattr(inner, "batch_first", True) else 1


def count_of(named: Mapping[str, torch.Tensor], axis: int) -> int:
    """How many samples the inputs hold. Raises TraceError where they hold none."""
    first = next((t for t in named.values() if t.ndim > axis), None)
    if first is None or not first.shape[axis]:
        raise TraceError("inputs: expected at least one sample along the sample axis, got none. Pass (N, ...) arrays.")
    return int(first.shape[axis])


def first_of(tensor: torch.Tensor, axis: int, n: int, most: int) -> torch.Tensor:
    """The first samples of an input; one without a sample axis as it is."""
    return tensor.narrow(axis, 0, most).clone() if tensor.ndim > axis and tensor.shape[axis] == n else tensor
