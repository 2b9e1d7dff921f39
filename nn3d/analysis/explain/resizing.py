"""Resizing in space: interpolation (nearest, linear, cubic) and padding. Formulae as PyTorch's UpSample.h has them."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from nn3d.analysis.explain.context import Context
from nn3d.analysis.explain.geometry import Shape, columns, coords_of, flat_of, grid
from nn3d.analysis.explain.terms import F64, I64, Reading, Ref, Terms, Unknown, exactly, weighted_sum
from nn3d.run.model import Node

_TAPS = {"nearest": 1, "nearest-exact": 1, "linear": 2, "bilinear": 2, "trilinear": 2, "bicubic": 4}
_CUBIC = -0.75


def interpolate(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """The nearest cell, or the mix of 2 or 4 neighbours along each axis of space."""
    ref, found = context.only(node), node.attributes
    source, out = context.shape(ref), context.shape(Ref(node.id, output))
    mode = str(found.get("mode", "nearest"))
    if mode not in _TAPS or found.get("antialias"):
        raise Unknown(
            f"{node.name} resizes by {mode}{', smoothed' if found.get('antialias') else ''}, which is not known"
        )
    n = len(source) - 1
    given = found.get("scale_factor") if not found.get("recompute_scale_factor") else None
    scales = given if isinstance(given, list) else [given] * n
    taps = grid((_TAPS[mode],) * n)
    coords, weights = [columns(cells)[0]], np.ones((len(cells), prod((_TAPS[mode],) * n)))
    for d in range(n):
        at, share = _along(
            cells[:, 1 + d], source[1 + d], out[1 + d], mode, scales[d], bool(found.get("align_corners"))
        )
        coords.append(at[:, taps[d]])
        weights = weights * share[:, taps[d]]
    number = flat_of(coords, source)
    formula = "{x}" if _TAPS[mode] == 1 else "Σ a·w"
    values = context.read(ref, number)
    terms = weighted_sum(
        [ref], np.zeros(number.shape[1], np.int64), number, values, exactly(weights), formula=formula
    )  # fmt: skip
    # Shares are float32 as well: what they are rounded by weighs whole values, however small the share.
    scale = np.maximum(terms.scale, 0.01 * np.abs(values.values).sum(1))
    return replace(terms, scale=scale, reach={0: _with_share(number, weights, source)})


def _with_share(number: I64, weights: F64, source: Shape) -> I64:
    """(n, axes, 2) boxes of the cells whose share is not 0: at an edge a neighbour may have none."""
    has_share = (weights != 0)[:, None, :]
    coords = np.stack(coords_of(number, source), 1)
    low = np.where(has_share, coords, np.iinfo(np.int64).max).min(2)
    return np.stack([low, np.where(has_share, coords, -1).max(2) + 1], 2)


def _along(at: I64, size: int, out: int, mode: str, scale: Any, is_aligned: bool) -> tuple[I64, F64]:
    """(n, taps) coordinates and shares along one axis."""
    step = np.float32(1.0 / scale if isinstance(scale, int | float) and scale else size / out)
    if _TAPS[mode] == 1:
        half = np.float32(0.5 if mode == "nearest-exact" else 0.0)
        near = np.floor((at.astype(np.float32) + half) * step).astype(np.int64)
        return np.minimum(near, size - 1)[:, None], np.ones((len(at), 1))
    if is_aligned:
        exact = at * ((size - 1) / (out - 1) if out > 1 else 0.0)
    else:
        exact = (at + 0.5) * float(step) - 0.5
        exact = exact if _TAPS[mode] == 4 else np.maximum(exact, 0.0)
    first = np.floor(exact).astype(np.int64)
    t = exact - first
    if _TAPS[mode] == 2:
        first = np.minimum(first, size - 1)
        return np.stack([first, np.minimum(first + 1, size - 1)], 1), np.stack([1.0 - t, t], 1)
    near = np.clip(first[:, None] + np.arange(-1, 3), 0, size - 1)
    return near, np.stack([_far(1.0 + t), _close(t), _close(1.0 - t), _far(2.0 - t)], 1)


def _close(x: F64) -> F64:
    return ((_CUBIC + 2.0) * x - (_CUBIC + 3.0)) * x * x + 1.0


def _far(x: F64) -> F64:
    return ((_CUBIC * x - 5.0 * _CUBIC) * x + 8.0 * _CUBIC) * x - 4.0 * _CUBIC


def padded(context: Context, node: Node, output: int, cells: I64) -> Terms:
    """A value of the source; in the padding a constant, a reflection, a copy of the edge or of the far side."""
    ref, found = context.only(node), node.attributes
    source = context.shape(ref)
    pads, mode = found.get("pad"), str(found.get("mode", "constant"))
    if not isinstance(pads, list) or len(pads) > 2 * len(source) or mode not in _MODES:
        raise Unknown(f"how {node.name} pads was not recorded")
    coords = [cells[:, k] for k in range(len(source))]
    for k in range(len(pads) // 2):
        axis = len(source) - 1 - k
        coords[axis] = _MODES[mode](coords[axis] - int(pads[2 * k]), source[axis])
    at = flat_of(coords, source)[:, None]
    value = found.get("value")
    fill = float(value) if isinstance(value, int | float) else 0.0
    bias = Reading(np.where(at[:, 0] < 0, fill, 0.0), np.zeros(len(cells)))
    ones = exactly(np.ones(at.shape))
    terms = weighted_sum([ref], np.zeros(1, np.int64), at, context.read(ref, at), ones, formula="{x}", bias=bias)
    return Terms(
        terms.refs, terms.source, terms.at, terms.inputs, terms.weights, terms.products, terms.computed, terms.scale,
        terms.slack, "{x}" if (at >= 0).all() else "the padding", terms.weight_at, None,
        None if (at >= 0).all() else bias.values,
    )  # fmt: skip


def _reflected(at: I64, size: int) -> I64:
    period = max(1, 2 * (size - 1))
    folded = at % period
    return np.where(folded < size, folded, period - folded)


_MODES: dict[str, Any] = {
    "constant": lambda at, size: at,
    "reflect": _reflected,
    "replicate": lambda at, size: np.clip(at, 0, size - 1),
    "circular": lambda at, size: at % size,
}
