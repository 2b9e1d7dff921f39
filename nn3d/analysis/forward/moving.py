"""What only moves values: reshaping, permuting, cutting, joining, padding and resizing."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import EllipsisType

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.forward.convolving import padded
from nn3d.analysis.forward.pooling import adaptive_mean
from nn3d.analysis.forward.step import Result, Rule, Step
from nn3d.run.model import FloatArray

Index = int | slice | EllipsisType | None


def index_of(text: str) -> tuple[Index, ...] | None:
    """"[:, 0, ..., 1:3]" → what numpy takes as an index; None where an entry is a tensor or a list."""
    inside = text.strip()[1:-1]
    found: list[Index] = []
    for entry in (part.strip() for part in inside.split(",") if part.strip()):
        if entry == "...":
            found.append(Ellipsis)
        elif entry == "None":
            found.append(None)
        elif re.fullmatch(r"-?\d+", entry):
            found.append(int(entry))
        elif re.fullmatch(r"(-?\d+)?:(-?\d+)?(:(-?\d+))?", entry):
            found.append(slice(*(int(p) if p else None for p in entry.split(":"))))
        else:
            return None
    return tuple(found)


def _slice(step: Step) -> Result:
    one = step.text("index", "").strip("[]")
    if "dim" in step.node.attributes and re.fullmatch(r"-?\d+", one):
        return np.take(step.x, int(one), step.dim(0))
    index = index_of(step.text("index", "")) if isinstance(step.node.attributes.get("index"), str) else None
    if index is None:
        return _narrowed(step)
    if step.names and step.names[0] in ("h_n", "c_n"):  # torch's index counts layers before samples
        found = np.swapaxes(step.x, 0, 1)[index]
        return found if found.ndim < 3 else np.swapaxes(found, 0, 1)
    return step.x[index]


def _narrowed(step: Step) -> Result:
    found = step.node.attributes
    if "start" in found and "length" in found:
        start = int(step.number("start", 0))
        return np.take(step.x, np.arange(start, start + int(step.number("length", 1))), step.dim(0))
    raise step.unknown("by an index that is a tensor")


def _reshaped(step: Step) -> Result:
    shape = step.shape()
    if step.x.size != int(np.prod(shape)):
        raise step.unknown(f"from {step.x.shape} to {shape}")
    return step.x.reshape(shape)


def _expanded(step: Step) -> Result:
    """Broadcast; where the values are repeated instead, tiled."""
    x, shape = step.x, step.shape()
    x = x.reshape((1,) * (len(shape) - x.ndim) + x.shape)
    times = [o // max(1, i) for i, o in zip(x.shape, shape, strict=True)]
    return np.tile(x, times)


def _cast(step: Step) -> Result:
    kind = step.node.outputs[0].dtype
    if "int" in kind:
        return np.trunc(step.x).astype(np.int64)
    if kind == "bool":
        return (step.x != 0).astype(np.float32)
    return step.x.astype(np.float16 if kind == "float16" else np.float32)


def _permuted(step: Step) -> Result:
    order = step.dims("dims")
    if order is None or len(order) != step.x.ndim:
        raise step.unknown("in an order that was not recorded")
    return step.x.transpose(order)


def _transposed(step: Step) -> Result:
    a, b = step.dims("dim0"), step.dims("dim1")
    if a is None or b is None:
        raise step.unknown("of axes that were not recorded")
    return np.swapaxes(step.x, a[0], b[0])


def _rolled(step: Step) -> Result:
    shifts, dims = step.dims("shifts"), step.dims("dims")
    if shifts is None or dims is None:
        raise step.unknown("over all axes")
    return np.roll(step.x, shifts, dims)


def _pixels_out(step: Step) -> Result:
    """Shi et al. 2016: (N, C·r², H, W) → (N, C, rH, rW)."""
    r = int(step.number("upscale_factor", 1))
    n, c, h, w = step.x.shape
    parts = step.x.reshape(n, c // r**2, r, r, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // r**2, h * r, w * r)


def _pixels_in(step: Step) -> Result:
    r = int(step.number("downscale_factor", 1))
    n, c, h, w = step.x.shape
    parts = step.x.reshape(n, c, h // r, r, w // r, r).transpose(0, 1, 3, 5, 2, 4)
    return parts.reshape(n, c * r**2, h // r, w // r)


def _channels(step: Step) -> Result:
    """Zhang et al. 2018."""
    x, groups = step.x, int(step.number("groups", 1))
    return x.reshape(x.shape[0], groups, -1, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)


def _joined(step: Step) -> Result:
    return np.concatenate([values for _, values in step.inputs], step.dim(0))


def _stacked(step: Step) -> Result:
    return np.stack([values for _, values in step.inputs], step.dim(0))


def _parted(step: Step) -> Result:
    """Pieces along a dimension, as large as the outputs are."""
    axis = step.dim(0)
    ends = np.cumsum([step.shape(i)[axis] for i in range(len(step.node.outputs))])
    return tuple(np.split(step.x, ends[:-1], axis))


def _unbound(step: Step) -> Result:
    return tuple(np.moveaxis(step.x, step.dim(0), 0))


def _pad(step: Step) -> Result:
    """torch's order: the last axis first, before and after."""
    given = step.dims("pad")
    if given is None or len(given) % 2:
        raise step.unknown("by amounts that were not recorded")
    pairs = list(zip(given[::2], given[1::2], strict=True))[::-1]
    return padded(step.x, pairs, step.number("value", 0.0), step.text("mode", "constant"))


def _resized(step: Step) -> Result:
    """Nearest, (bi-, tri-)linear and area, as torch's interpolate."""
    mode, x = step.text("mode", "nearest"), step.x
    rank = x.ndim - 2
    if mode == "area":
        return adaptive_mean(x, step.shape()[-rank:])
    weigh = {"nearest": _nearest, "nearest-exact": _nearest_exact}.get(mode)
    if weigh is None and mode not in ("linear", "bilinear", "trilinear"):
        raise step.unknown(f"in mode {mode}")
    factors = _factors(step, rank)
    for i in range(rank):
        axis, size, n = i + 2, x.shape[i + 2], step.shape()[i + 2]
        if weigh is not None:
            x = np.take(x, weigh(size, n, factors[i] or n / size), axis)
        else:
            matrix = _linear(size, n, factors[i] or n / size, is_aligned=step.flag("align_corners"))
            x = np.moveaxis(np.tensordot(x, matrix, ([axis], [1])), -1, axis)
    return x


def _factors(step: Step, rank: int) -> list[float]:
    """Scale factors as they were given, 0 where a size was, or where the size decides."""
    given = step.node.attributes.get("scale_factor")
    if given is None or step.flag("recompute_scale_factor"):
        return [0.0] * rank
    numbers = given if isinstance(given, list) else [given] * rank
    return [float(v) for v in numbers]


def _nearest(size: int, n: int, factor: float) -> NDArray[np.intp]:
    return np.minimum(np.floor(np.arange(n) / factor).astype(np.intp), size - 1)


def _nearest_exact(size: int, n: int, factor: float) -> NDArray[np.intp]:
    return np.asarray(np.clip(np.floor((np.arange(n) + 0.5) / factor).astype(np.intp), 0, size - 1), np.intp)


def _linear(size: int, n: int, factor: float, *, is_aligned: bool) -> FloatArray:
    """(n, size) weights of linear interpolation."""
    at = np.arange(n, dtype=np.float64)
    place = at * ((size - 1) / max(1, n - 1)) if is_aligned else np.maximum((at + 0.5) / factor - 0.5, 0.0)
    low = np.minimum(np.floor(place).astype(np.intp), size - 1)
    high, share = np.minimum(low + 1, size - 1), place - low
    matrix = np.zeros((n, size), np.float32)
    rows = np.arange(n)
    np.add.at(matrix, (rows, low), 1.0 - share)
    np.add.at(matrix, (rows, high), share)
    return matrix


def _same(step: Step) -> Result:
    return step.x


def _flipped(step: Step) -> Result:
    return np.flip(step.x, step.dims("dims"))


_SHAPING: dict[str, Callable[[Step], Result]] = dict.fromkeys(
    ("flatten", "reshape", "squeeze", "unsqueeze", "contiguous"), _reshaped
)

RULES: dict[str, Rule] = {
    **_SHAPING,
    **dict.fromkeys(("identity", "dropout", "alpha_dropout", "drop_path"), _same),
    "cast": _cast,
    "permute": _permuted,
    "transpose": _transposed,
    "flip": _flipped,
    "roll": _rolled,
    "expand": _expanded,
    "pixel_shuffle": _pixels_out,
    "pixel_unshuffle": _pixels_in,
    "channel_shuffle": _channels,
    "concat": _joined,
    "stack": _stacked,
    "split": _parted,
    "chunk": _parted,
    "unbind": _unbound,
    "slice": _slice,
    "pad": _pad,
    "interpolate": _resized,
}
