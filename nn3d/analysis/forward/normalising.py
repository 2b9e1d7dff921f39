"""Normalisation as it is when a network is not training: by stored statistics, or by those of the values themselves."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nn3d.analysis.forward.step import Result, Rule, Step
from nn3d.run.model import Array, FloatArray


def _by_channel(step: Step, role: str, rank: int) -> FloatArray | None:
    found = step.weight(role)
    return None if found is None else found.reshape(1, -1, *[1] * (rank - 2))


def _scaled(x: Array, weight: Array | None, bias: Array | None) -> Array:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _standard(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    mean = x.mean(axes, keepdims=True, dtype=np.float64)
    var = np.square(x - mean).mean(axes, keepdims=True)
    return np.asarray((x - mean) / np.sqrt(var + eps))


def _batch(step: Step) -> Result:
    """Ioffe & Szegedy 2015, by the running statistics."""
    x = step.x
    mean, var = (_by_channel(step, role, x.ndim) for role in ("running_mean", "running_var"))
    if mean is None or var is None:
        raise step.unknown("by the statistics of a batch")
    factor = 1.0 / np.sqrt(var + step.number("eps", 1e-5))
    return _scaled((x - mean) * factor, _by_channel(step, "weight", x.ndim), _by_channel(step, "bias", x.ndim))


def _last_axes(step: Step) -> tuple[int, ...]:
    shape = step.node.attributes.get("normalized_shape")
    n = len(shape) if isinstance(shape, list) else 1
    return tuple(range(-n, 0))


def _layer(step: Step) -> Result:
    """Ba et al. 2016."""
    found = _standard(step.x, _last_axes(step), step.number("eps", 1e-5))
    return _scaled(found, step.weight("weight"), step.weight("bias"))


def _rms(step: Step) -> Result:
    """Zhang & Sennrich 2019."""
    eps = step.number("eps", float(np.finfo(np.float32).eps))
    mean = np.square(step.x, dtype=np.float64).mean(_last_axes(step), keepdims=True)
    return _scaled(step.x / np.sqrt(mean + eps), step.weight("weight"), None)


def _group(step: Step) -> Result:
    """Wu & He 2018."""
    x, groups = step.x, int(step.number("num_groups", 1))
    parts = x.reshape(x.shape[0], groups, -1)
    found = _standard(parts, (2,), step.number("eps", 1e-5)).reshape(x.shape)
    return _scaled(found, _by_channel(step, "weight", x.ndim), _by_channel(step, "bias", x.ndim))


def _instance(step: Step) -> Result:
    """Ulyanov et al. 2016."""
    x = step.x
    if step.weight("running_mean") is not None and not step.node.attributes.get("use_input_stats", True):
        return _batch(step)
    found = _standard(x, tuple(range(2, x.ndim)), step.number("eps", 1e-5))
    return _scaled(found, _by_channel(step, "weight", x.ndim), _by_channel(step, "bias", x.ndim))


def _response(step: Step) -> Result:
    """Krizhevsky et al. 2012, as torch computes it."""
    x, size = step.x, int(step.number("size", 5))
    pads = [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 2)]
    near = sliding_window_view(np.pad(np.square(x), pads), size, 1).mean(-1)
    return x / (step.number("k", 1.0) + step.number("alpha", 1e-4) * near) ** step.number("beta", 0.75)


def _normalize(step: Step) -> Result:
    """x over its norm along a dimension."""
    p, axis = step.number("p", 2.0), step.dim(1)
    length = np.sum(np.abs(step.x) ** p, axis, keepdims=True) ** (1.0 / p)
    return step.x / np.maximum(length, step.number("eps", 1e-12))


RULES: dict[str, Rule] = {
    "batch_norm": _batch,
    "layer_norm": _layer,
    "rms_norm": _rms,
    "group_norm": _group,
    "instance_norm": _instance,
    "local_response_norm": _response,
    "normalize": _normalize,
}
