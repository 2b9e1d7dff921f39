"""Owns where a kernel lies on its source: strides, dilations and paddings of a run's attributes, by axis of space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]


def each(value: Any, n: int, default: int = 1) -> tuple[int, ...]:
    """An attribute as n integers, one an axis; one stands for all, none for the default."""
    if isinstance(value, list | tuple) and value:
        return tuple(int(v) for v in value) if len(value) == n else (int(value[0]),) * n
    return (int(value),) * n if isinstance(value, int | float) and not isinstance(value, bool) else (default,) * n


def padding_of(attributes: Mapping[str, Any], kernel: tuple[int, ...]) -> list[tuple[int, int]]:
    """(before, after) of each space dimension; "same" and "valid" as PyTorch means them, pairs as they are."""
    padding = attributes.get("padding", 0)
    if padding == "same":
        dilation = each(attributes.get("dilation"), len(kernel))
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return [(t // 2, t - t // 2) for t in total]
    if isinstance(padding, list | tuple) and any(isinstance(p, list | tuple) for p in padding):
        return [(int(p[0]), int(p[1])) if isinstance(p, list | tuple) else (int(p), int(p)) for p in padding]
    return [(p, p) for p in each(padding, len(kernel), 0)]


def window(attributes: Mapping[str, Any], kernel: tuple[int, ...], out: Sequence[I64], at: Sequence[I64]) -> list[I64]:
    """Source coordinates, one array an axis, of kernel cells `at` for output cells `out`; some lie in the padding."""
    n = len(kernel)
    stride, dilation = each(attributes.get("stride"), n), each(attributes.get("dilation"), n)
    pads = padding_of(attributes, kernel)
    return [out[d] * stride[d] - pads[d][0] + at[d] * dilation[d] for d in range(n)]
