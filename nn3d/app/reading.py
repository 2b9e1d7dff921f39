"""How a fact is read from a run by its key: figures, kernels and matrices of the inspector. Runs on the loader thread.

Keys: ("spread", node, output, epoch), ("moments", node, output, epoch), ("scale", parameter, epoch),
("histogram", parameter, epoch), ("kernels", parameter, epoch, outs, ins) with [from, to) pairs,
("matrix", parameter, epoch, (rows, columns)), ("own",) of nn3d.app.own_input, ("health", epoch). Epochs are indices.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from nn3d.analysis.activity import Moments, Spread, moments_of, spread_of
from nn3d.analysis.health.figures import Figures
from nn3d.analysis.health.history import epoch_figures
from nn3d.analysis.tensors import Matrix, Scale, histogram_of, matrix_of, read_kernels, scale_of
from nn3d.app.health import MOST_VALUES
from nn3d.app.own_input import taken
from nn3d.run.model import FloatArray
from nn3d.run.run import Run

Pair = tuple[int, int]


def read_fact(run: Run, key: tuple[Any, ...]) -> Any:
    """What a key names, None where the run has nothing of it. Raises KeyError for a kind that there is none of."""
    return _READERS[key[0]](run, *key[1:])


def size_of(value: Any) -> int:
    """Bytes of the arrays of a fact."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    return value.cells.nbytes if isinstance(value, Matrix) else 4096


def _spread(run: Run, node: int, output: int, epoch: int) -> Spread | None:
    return spread_of(run, node, output, epoch)


def _moments(run: Run, node: int, output: int, epoch: int) -> Moments | None:
    return moments_of(run, node, output, epoch)


def _health(run: Run, epoch: int) -> tuple[Figures, ...]:
    return epoch_figures(run, epoch, most_values=MOST_VALUES)


def _scale(run: Run, parameter: int, epoch: int) -> Scale | None:
    return scale_of(run.parameter(parameter, epoch)) if run.has_parameter(parameter, epoch) else None


def _kernels(run: Run, parameter: int, epoch: int, outs: Pair, ins: Pair) -> FloatArray | None:
    return read_kernels(run.parameter(parameter, epoch), outs, ins) if run.has_parameter(parameter, epoch) else None


def _matrix(run: Run, parameter: int, epoch: int, most: Pair) -> Matrix | None:
    return matrix_of(run.parameter(parameter, epoch), most) if run.has_parameter(parameter, epoch) else None


_READERS: Final = MappingProxyType[str, Callable[..., Any]](
    {
        "own": taken, "health": _health,
        "spread": _spread, "moments": _moments, "scale": _scale, "histogram": histogram_of,
        "kernels": _kernels, "matrix": _matrix,
    }
)  # fmt: skip
