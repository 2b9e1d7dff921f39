"""Owns calling torch's operators by name on behalf of a file: those that compute, and none that reach outside.

Only operators of the namespace aten are called, through torch's own functions, so that a trace sees them as it sees
those of a model in Python.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from nn3d.errors import TraceError

_REACHES_OUT = ("file", "save", "load", "open", "print", "warn", "pin_memory", "storage", "set_", "resize", "seed")
_CHECKS = frozenset(
    ("_assert_tensor_metadata", "_assert_scalar", "_assert_async", "sym_constrain_range", "_functional_assert_async")
)
_RELATIONS = ("eq", "ne", "lt", "le", "gt", "ge")
_SYMBOLIC: dict[str, Callable[..., Any]] = {
    name: getattr(operator, name)
    for name in ("add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "getitem", *_RELATIONS)
}
_LAST = (1 << 63) - 1
_DROPPED = frozenset(("layout", "device", "pin_memory", "memory_format", "non_blocking"))


def called(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What an aten operator gives. Raises TraceError for operators that are not called, and what torch raises."""
    plain = {k: v for k, v in kwargs.items() if k not in _DROPPED}
    if name in _CHECKS:
        return None
    special = _SPECIAL.get(name)
    if special is not None:
        return special(*args, **plain)
    if any(part in name for part in _REACHES_OUT) or not name.replace("_", "").isalnum():
        raise TraceError(f"operator {name[:60]}: expected one that only computes. It is not called.")
    return function(name)(*args, **plain)


def function(name: str) -> Callable[..., Any]:
    """Torch's own function of an aten operator. Raises TraceError where there is none."""
    packet = getattr(torch.ops.aten, name, None)
    if not isinstance(packet, torch._ops.OpOverloadPacket) or name == "backward":
        raise TraceError(f"operator {name[:60]}: expected one of aten's, got another. It is not called.")
    for home in (torch, torch._C._nn, torch.Tensor, F):
        found = getattr(home, name, None)
        if callable(found):
            return found  # type: ignore[no-any-return]
    return packet


def symbolic(name: str, args: Sequence[Any]) -> Any:
    """Arithmetic on sizes. Raises TraceError for what is none."""
    found = _SYMBOLIC.get(name)
    if found is None:
        raise TraceError(f"operator {name[:60]}: expected arithmetic on sizes. It is not called.")
    return found(*args)


def _sliced(x: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    index = slice(start or None, None if end is None or end >= _LAST else end, None if step == 1 else step)
    if isinstance(x, list | tuple):
        return x[index]
    return x[(slice(None),) * (dim % x.ndim) + (index,)]


def _indexed(x: Any, indices: Sequence[Any]) -> Any:
    return x[tuple(slice(None) if i is None else i for i in indices)]


def _embedding(weight: Any, indices: Any, *_: Any, **__: Any) -> Any:
    return F.embedding(indices, weight)


def _convolution(
    x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, output_padding: Any,
    groups: int, *_: Any,
) -> Any:  # fmt: skip
    rank = weight.ndim - 2
    if transposed:
        turned = getattr(torch, f"conv_transpose{rank}d")
        return turned(x, weight, bias, stride, padding, output_padding, groups, dilation)
    return getattr(torch, f"conv{rank}d")(x, weight, bias, stride, padding, dilation, groups)


def _to(x: Any, *args: Any, **kwargs: Any) -> Any:
    dtype = next((v for v in (*args, *kwargs.values()) if isinstance(v, torch.dtype)), None)
    return x if dtype is None else x.to(dtype)


def _batch_norm(x: Any, weight: Any, bias: Any, mean: Any, var: Any, momentum: float, eps: float) -> tuple[Any, ...]:
    return (F.batch_norm(x, mean, var, weight, bias, False, momentum, eps), torch.empty(0), torch.empty(0))


def _same(x: Any, *_: Any, **__: Any) -> Any:
    return x


_SPECIAL: dict[str, Callable[..., Any]] = {
    "slice": _sliced, "index": _indexed, "embedding": _embedding, "_convolution": _convolution,
    "convolution": _convolution, "to": _to, "_to_copy": _to, "lift_fresh_copy": _same, "lift_fresh": _same,
    "detach_": _same,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "sym_size": lambda x, dim: x.shape[dim], "size": lambda x, *dim: x.shape[dim[0]] if dim else list(x.shape),
    "_unsafe_view": lambda x, shape: x.reshape(shape),
    "_softmax": lambda x, dim, half: torch.softmax(x, dim),
    "_log_softmax": lambda x, dim, half: torch.log_softmax(x, dim),
    "upsample_nearest2d": lambda x, size=None, *scale: F.interpolate(x, **_size(size, scale), mode="nearest"),
    "upsample_bilinear2d": lambda x, size=None, aligned=False, *scale: F.interpolate(
        x, **_size(size, scale), mode="bilinear", align_corners=bool(aligned)
    ),
}  # fmt: skip


def _size(size: Any, scale: Sequence[Any]) -> dict[str, Any]:
    """A size where one was given, else factors."""
    if size is not None:
        return {"size": list(size)}
    factors = [s for s in scale if s is not None]
    return {"scale_factor": list(factors[0]) if factors and isinstance(factors[0], list | tuple) else factors}
