"""Faces of a layer without recorded activations: its filters; for neurons, the mean of the weights that each reads."""

from __future__ import annotations

import numpy as np

from nn3d.run.model import Array, FloatArray
from nn3d.run.run import Run
from nn3d.run.statistics import ParameterStats

SLICE_VALUES = 1 << 20


def filter_faces(run: Run, parameter: int, epoch: int, cells: tuple[int, int]) -> FloatArray:
    """(K, R, C) of a layer's tiles of `cells` (R, C): kernels side by side or their mean; neurons show the mean weight.

    Where the run stores the sums of a matrix, its tensor is not touched; else it is read a few rows at a time.
    """
    rows, cols = cells
    if len(run.parameter_info(parameter).shape) <= 2:
        return _row_means(run, parameter, epoch).reshape(-1, 1, 1)
    w = np.asarray(run.parameter(parameter, epoch), np.float32)
    kernels = w.reshape(w.shape[0], w.shape[1], rows, -1)[..., : w.shape[-1]]
    if cols == w.shape[-1]:
        return np.asarray(kernels.mean(1))
    return np.asarray(kernels.transpose(0, 2, 1, 3).reshape(w.shape[0], rows, cols))


def _row_means(run: Run, parameter: int, epoch: int) -> FloatArray:
    """(rows,) mean of the weights of each row; NaN and Inf stay."""
    stats = run.parameter_stats(parameter, epoch)
    shape = run.parameter_info(parameter).shape
    if stats is not None and len(shape) == 2 and not _has_odd(stats):
        return np.asarray((stats.row_pos + stats.row_neg) / max(1, shape[1]), np.float32)
    w: Array = run.parameter(parameter, epoch)
    w = w.reshape(w.shape[0] if w.ndim else 1, -1)
    step = max(1, SLICE_VALUES // max(1, w.shape[1]))
    means = [np.asarray(w[at : at + step], np.float32).mean(1) for at in range(0, len(w), step)]
    return np.concatenate(means) if means else np.zeros(0, np.float32)


def _has_odd(stats: ParameterStats) -> bool:
    return stats.n_nan + stats.n_posinf + stats.n_neginf > 0
