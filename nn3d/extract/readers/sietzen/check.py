"""Owns the honest part of Sietzen's files: which stored values follow from the stored weights, and by how much not.

Arrays are canonical here: maps (N, C, H, W), weights (O, I, kH, kW) or (out, in).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nn3d.run.model import FloatArray

_REPRODUCED = 1e-5


@dataclass(frozen=True, slots=True)
class Finding:
    """What recomputing every weighted layer from its stored input showed.

    first : name of the first weighted layer; bias : (O,) float32, its unrecorded bias, recovered as the constant
        residual of its channels; empty when the residual is not constant.
    reasons : layer → why its values cannot be reproduced. notes, left_out : lines for the run.
    """

    first: str
    bias: FloatArray
    reasons: Mapping[str, str]
    notes: tuple[str, ...]
    left_out: tuple[str, ...]


def input_scale(raw: Mapping[str, FloatArray]) -> float:
    """255 when the stored input was divided by 255 once too often (its maximum is 1/255), else 1."""
    largest = float(np.abs(next(iter(raw.values()))).max(initial=0))
    return 255.0 if 0 < largest <= 1.001 / 255 else 1.0


def convolve(maps: FloatArray, weight: FloatArray) -> FloatArray:
    """Stride 1, "same" zero padding. maps (N, C, H, W), weight (O, C, kH, kW) → (N, O, H, W)."""
    kh, kw = weight.shape[2:]
    padded = np.pad(maps, ((0, 0), (0, 0), (kh // 2, (kh - 1) // 2), (kw // 2, (kw - 1) // 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kh, kw), axis=(2, 3))
    made: FloatArray = np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True)
    return made


@np.errstate(all="ignore")
def measure(weights: Mapping[str, FloatArray], maps: Mapping[str, FloatArray]) -> Finding:
    """Recompute each weighted layer from what is stored before it; compare where the stored value is not rectified."""
    names = list(maps)
    weighted = [n for n in names if n in weights]
    first, bias = weighted[0] if weighted else "", np.zeros(0, np.float32)
    reasons: dict[str, str] = {}
    for name in weighted:
        found = maps[names[names.index(name) - 1]]
        weight = weights[name]
        made = convolve(found, weight) if weight.ndim == 4 else found.reshape(len(found), -1) @ weight.T
        residual, spread = _residual(maps[name], made)
        size = float(np.abs(maps[name]).max(initial=0)) or 1.0
        if spread <= _REPRODUCED * size and name == first:
            bias = residual
        elif spread > _REPRODUCED * size or np.abs(residual).max(initial=0) > _REPRODUCED * size:
            reasons[name] = (
                f"cannot be reproduced from the recorded weights: something before it was not recorded "
                f"(off by up to {spread:.3g} after its mean per channel, largest value {size:.3g})"
            )
    return Finding(first, bias, reasons, *_said(first, bias, reasons))


def _residual(stored: FloatArray, made: FloatArray) -> tuple[FloatArray, float]:
    """Mean of stored − made by channel over cells that are not rectified to 0, and the largest distance from it."""
    shown = stored != 0
    axes = (0, *range(2, stored.ndim))
    difference = np.where(shown, stored.astype(np.float64) - made, 0.0)
    mean = difference.sum(axes) / np.maximum(shown.sum(axes), 1)
    column = mean.reshape(-1, *[1] * (stored.ndim - 2))
    spread = np.where(shown, np.abs(difference - column), 0.0).max(initial=0)
    return mean.astype(np.float32), float(spread)


def _said(first: str, bias: FloatArray, reasons: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    notes, left_out = [], []
    if bias.size:
        notes.append(f"{first}.bias is not in the files: recovered, it is the constant residual of each channel.")
    if reasons:
        start = next(iter(reasons))
        notes.append(f"From {start} on stored values cannot be reproduced from the files (last epoch, by layer):")
        notes += [f"{name}: {text}" for name, text in reasons.items()]
    left_out.append("biases: not in the files" + (f" ({first}'s recovered)" if bias.size else ""))
    if reasons:
        left_out.append(f"what stands between the layers from {next(iter(reasons))} on: not in the files")
    return tuple(notes), tuple(left_out)
