"""Normalisation: (x − mean) / √(var + ε) · γ + β, with recorded statistics or those of the values themselves.

How far the encoding may move it: a mean moves by the mean of what its values move, a standard deviation (and a root
of a mean square) by no more than the root of their mean square, since both are norms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import columns, flat_of, grid
from nn3d.analysis.explain.pointwise import same_cell
from nn3d.analysis.explain.terms import F64, I64, Reading, Ref, Terms, Unknown, exactly, function_of
from nn3d.run.model import Node

# Values that are read at once for statistics.
_CHUNK = 1 << 21
_EPS32 = 1.1920928955078125e-07


def affine(
    ref: Ref,
    at: I64,
    x: Reading,
    mean: Reading,
    spread: Reading,
    gamma: Reading,
    beta: Reading,
    extras: dict[str, F64],
    formula: str,
) -> Terms:
    """Terms of (x − mean) / spread · γ + β: one, of weight γ / spread, and a bias. All (n,)."""
    least = np.maximum(spread.values - spread.slack, 1e-3 * spread.values)
    weight = gamma.values / spread.values
    loose = (np.abs(gamma.values) + gamma.slack) / least - np.abs(weight)
    away = np.abs(x.values - mean.values)
    slack = (np.abs(weight) + loose) * (x.slack + mean.slack) + away * loose + beta.slack
    bias = beta.values - mean.values * weight
    scale = np.abs(x.values * weight) + np.abs(mean.values * weight) + np.abs(beta.values)
    computed = Reading((x.values - mean.values) * weight + beta.values, slack)
    return function_of(
        ref, at, x, computed, formula=formula, scale=scale, weight=weight, bias=bias, extras=extras
    )  # fmt: skip


def _trained(context: Context, node: Node, at: I64) -> tuple[Reading, Reading]:
    """γ and β at flat numbers (n,), 1 and 0 where there are none."""
    gamma, beta = context.role(node, "weight", at), context.role(node, "bias", at)
    return gamma or exactly(np.ones(len(at))), beta or exactly(np.zeros(len(at)))


def _extras(node: Node, **numbers: F64) -> dict[str, F64]:
    kept = {"mean", "var", "rms", *(("gamma",) if "weight" in node.parameters else ())}
    kept |= {"beta"} if "bias" in node.parameters else set()
    return {name: values for name, values in numbers.items() if name in kept}


def _formula(node: Node, middle: str) -> str:
    gamma = " · γ" if "weight" in node.parameters else ""
    return middle + gamma + (" + β" if "bias" in node.parameters else "")


def _eps(node: Node, default: float = 1e-5) -> float:
    value = node.attributes.get("eps")
    return float(value) if isinstance(value, int | float) else default


def batch_norm(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """With the running statistics of the channel; without them, those of the channel over all recorded samples."""
    ref, channel = context.only(node), cells[:, 0]
    at = same_cell(context, node, cells)
    mean, var = context.role(node, "running_mean", channel), context.role(node, "running_var", channel)
    reach: I64 | None = None
    if mean is None or var is None:
        mean, spread = _over_samples(context, ref, channel, _eps(node))
        reach = _boxes(cells, context.shape(ref), 1)
        values = spread.values**2 - _eps(node)
    else:
        spread, values = _root(var, _eps(node)), var.values
    x = context.read(ref, at[:, None]).column(0)
    gamma, beta = _trained(context, node, channel)
    extras = _extras(node, mean=mean.values, var=values, gamma=gamma.values, beta=beta.values)
    terms = affine(ref, at, x, mean, spread, gamma, beta, extras, _formula(node, "({x} − mean) / √(var + ε)"))
    return terms if reach is None else replace(terms, reach={0: reach})


def _root(var: Reading, eps: float) -> Reading:
    value = np.sqrt(var.values + eps)
    return Reading(value, value - np.sqrt(np.maximum(var.values - var.slack, 0.0) + eps))


def _over_samples(context: Context, ref: Ref, channel: I64, eps: float) -> tuple[Reading, Reading]:
    """Mean and √(var + ε) of channels over every recorded sample, as batch norm has them without running ones."""
    shape = context.shape(ref)
    n_samples = max(1, len(context.run.samples))
    wanted, back = np.unique(channel, return_inverse=True)
    each = prod(shape[1:])
    at = wanted[:, None] * each + np.arange(each)
    read = [context.of_sample(s).read(ref, at) for s in range(n_samples)]
    values, slack = (np.concatenate([getattr(r, name) for r in read], 1) for name in ("values", "slack"))
    mean, spread = _moments(Reading(values, slack), eps)
    return _taken(mean, back.reshape(-1)), _taken(spread, back.reshape(-1))


def _taken(reading: Reading, at: I64) -> Reading:
    return Reading(reading.values[at], reading.slack[at])


def _moments(values: Reading, eps: float) -> tuple[Reading, Reading]:
    """Mean and √(var + ε) of rows (g, M)."""
    mean = values.values.mean(1)
    var = ((values.values - mean[:, None]) ** 2).mean(1)
    moved = np.sqrt((values.slack**2).mean(1))
    return Reading(mean, values.slack.mean(1)), Reading(np.sqrt(var + eps), moved)


def _mean_square(values: Reading, eps: float) -> tuple[Reading, Reading]:
    """Zero, and √(mean of squares + ε) of rows."""
    root = np.sqrt((values.values**2).mean(1) + eps)
    return exactly(np.zeros(len(root))), Reading(root, np.sqrt((values.slack**2).mean(1)))


def _by_group(
    context: Context, ref: Ref, group: I64, members: Callable[[I64], I64], eps: float, measure: object
) -> tuple[Reading, Reading]:
    """Figures of the group (n,) of each cell; `members` gives (g, M) flat cells of groups. Each group is read once."""
    wanted, back = np.unique(group, return_inverse=True)
    size = max(1, members(wanted[:1]).shape[1])
    step = max(1, _CHUNK // size)
    parts = [
        measure(context.read(ref, members(wanted[k : k + step])), eps)  # type: ignore[operator]
        for k in range(0, len(wanted), step)
    ]
    found = []
    for number in (0, 1):
        values = np.concatenate([part[number].values for part in parts])
        slack = np.concatenate([part[number].slack for part in parts])
        found.append(_taken(Reading(values, slack), back.reshape(-1)))
    return found[0], found[1]


def _boxes(cells: I64, shape: tuple[int, ...], n_own: int, own: tuple[int, int] | None = None) -> I64:
    """(n, axes, 2): the cell's own index on the first `n_own` axes, all of the others; own[0]: a group of axis 0."""
    found = np.zeros((len(cells), len(shape), 2), np.int64)
    found[:, :, 1] = shape
    for axis in range(n_own):
        found[:, axis, 0], found[:, axis, 1] = cells[:, axis], cells[:, axis] + 1
    if own is not None:
        size = own[0]
        found[:, 0, 0] = cells[:, 0] // size * size
        found[:, 0, 1] = found[:, 0, 0] + size
    return found


def row_norm(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Layer norm and RMS norm: statistics of the last axes, one γ and β a feature."""
    ref = context.only(node)
    at, shape = same_cell(context, node, cells), context.shape(ref)
    given = node.attributes.get("normalized_shape")
    n_last = len(given) if isinstance(given, list) else 1
    if n_last > len(shape):
        raise Unknown(f"{node.name} norms over the samples")
    size = prod(shape[len(shape) - n_last :])
    members = _contiguous(size)
    is_rms = node.op == "rms_norm"
    eps = _eps(node, _EPS32 if is_rms else 1e-5)
    mean, spread = _by_group(context, ref, at // size, members, eps, _mean_square if is_rms else _moments)
    gamma, beta = _trained(context, node, at % size)
    x = context.read(ref, at[:, None]).column(0)
    figures = {"rms": spread.values} if is_rms else {"mean": mean.values, "var": spread.values**2 - eps}
    extras = _extras(node, **figures, gamma=gamma.values, beta=beta.values)
    middle = "{x} / √(mean of x² + ε)" if is_rms else "({x} − mean) / √(var + ε)"
    terms = affine(ref, at, x, mean, spread, gamma, beta, extras, _formula(node, middle))
    return replace(terms, reach={0: _boxes(cells, shape, len(shape) - n_last)})


def _contiguous(size: int) -> Callable[[I64], I64]:
    return lambda group: group[:, None] * size + np.arange(size)


def group_norm(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """Group norm and instance norm: statistics of a group of channels, or of one channel, of this sample."""
    ref = context.only(node)
    at, shape = same_cell(context, node, cells), context.shape(ref)
    n_groups = int(node.attributes.get("num_groups") or 1) if node.op == "group_norm" else shape[0]
    channel = cells[:, 0]
    if node.op == "instance_norm" and node.attributes.get("use_input_stats") is False:
        return batch_norm(context, node, output, cells)
    size = prod(shape) // n_groups
    mean, spread = _by_group(context, ref, at // size, _contiguous(size), _eps(node), _moments)
    gamma, beta = _trained(context, node, channel)
    x = context.read(ref, at[:, None]).column(0)
    extras = _extras(
        node, mean=mean.values, var=spread.values**2 - _eps(node), gamma=gamma.values, beta=beta.values
    )  # fmt: skip
    terms = affine(ref, at, x, mean, spread, gamma, beta, extras, _formula(node, "({x} − mean) / √(var + ε)"))
    return replace(terms, reach={0: _boxes(cells, shape, 0, (shape[0] // n_groups, 0))})


def local_response(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """x / (k + α · mean of x² over near channels)^β, channels outside counting as 0 (Krizhevsky et al. 2012)."""
    ref = context.only(node)
    at, shape = same_cell(context, node, cells), context.shape(ref)
    size = int(node.attributes.get("size") or 1)
    alpha, beta, k = (float(node.attributes.get(n, d)) for n, d in (("alpha", 1e-4), ("beta", 0.75), ("k", 1.0)))
    coords = columns(cells)
    near = flat_of([coords[0] - size // 2 + np.arange(size), *coords[1:]], shape)
    read, x = context.read(ref, near), context.read(ref, at[:, None]).column(0)
    base = k + alpha * (read.values**2).sum(1) / size
    moved = alpha * ((2 * np.abs(read.values) + read.slack) * read.slack).sum(1) / size
    divisor = base**beta
    loose = np.abs(1.0 / np.maximum(base - moved, 1e-12) ** beta - 1.0 / divisor)
    slack = x.slack / divisor + (np.abs(x.values) + x.slack) * loose
    reach = _boxes(cells, shape, len(shape))
    reach[:, 0, 0] = np.maximum(cells[:, 0] - size // 2, 0)
    reach[:, 0, 1] = np.minimum(cells[:, 0] - size // 2 + size, shape[0])
    terms = function_of(
        ref, at, x, Reading(x.values / divisor, slack), formula="{x} / (k + α · mean of x²)^β",
        weight=1.0 / divisor, extras={"divisor": divisor},
    )  # fmt: skip
    return replace(terms, reach={0: reach})


def unit(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """x over the norm of its vector along one axis, at least ε (PyTorch, normalize)."""
    ref = context.only(node)
    at, shape = same_cell(context, node, cells), context.shape(ref)
    axis, p = context.axis(ref, int(node.attributes.get("dim", 1))), float(node.attributes.get("p", 2.0))
    if axis < 0:
        raise Unknown(f"{node.name} norms over the samples")
    coords: list[I64] = list(columns(cells))
    coords[axis] = grid((shape[axis],))[0]
    row = np.ascontiguousarray(np.broadcast_to(flat_of(coords, shape), (len(cells), shape[axis])))
    read, x = context.read(ref, row), context.read(ref, at[:, None]).column(0)
    size = np.maximum((np.abs(read.values) ** p).sum(1) ** (1 / p), _eps(node, 1e-12))
    moved = (read.slack**p).sum(1) ** (1 / p)
    loose = 1.0 / np.maximum(size - moved, 1e-3 * size) - 1.0 / size
    slack = x.slack / size + (np.abs(x.values) + x.slack) * loose
    terms = function_of(
        ref, at, x, Reading(x.values / size, slack), formula="{x} / norm", weight=1.0 / size, extras={"norm": size}
    )
    reach = _boxes(cells, shape, len(shape))
    reach[:, axis] = (0, shape[axis])
    return replace(terms, reach={0: reach})
