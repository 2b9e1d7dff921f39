"""Every recorded output of a run, explained at random cells: what tests of the explanations hold against the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nn3d.analysis.explain import Errors, check_cells
from nn3d.run.model import Node
from nn3d.run.run import Run

GIVEN = ("input", "parameter", "constant")


@dataclass(frozen=True)
class Checked:
    """One output: by what name it was asked for, the node that makes it, and what came of its cells."""

    name: str
    node: Node
    output: int
    cells: np.ndarray
    errors: Errors
    largest: float


def random_cells(shape: tuple[int, ...], n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, axes) cells; every cell of an array that has no more than n."""
    total = int(np.prod(shape, dtype=np.int64))
    if total <= n:
        return np.stack(np.unravel_index(np.arange(total), shape), 1) if shape else np.zeros((1, 0), np.int64)
    return np.stack([rng.integers(0, size, n) for size in shape], 1)


def layers(run: Run, n: int, rng: np.random.Generator, *, epoch: int = -1, sample: int = 0) -> Iterator[Checked]:
    """Every layer that computes something, at n random cells."""
    for layer in run.layers:
        if layer.op in GIVEN or layer.missing:
            continue
        cells = random_cells(layer.shape, n, rng)
        errors = check_cells(run, layer.index, cells, epoch=epoch, sample=sample)
        ref = layer.shown, layer.shown_output
        largest = np.abs(run.values(*ref, epoch, sample)).max(initial=0.0) if run.has_values(*ref, epoch) else 0.0
        yield Checked(layer.name, run.node(layer.shown), layer.shown_output, cells, errors, float(largest))


def outputs(run: Run, n: int, rng: np.random.Generator, *, epoch: int = -1, sample: int = 0) -> Iterator[Checked]:
    """Every recorded output of every operation, by itself, at n random cells."""
    for node in run.graph.nodes:
        for k, output in enumerate(node.outputs):
            holds_places = node.op in ("max", "min") and k > 0
            if node.op in GIVEN or holds_places or not run.has_values(node.id, k, epoch) or 0 in output.shape:
                continue
            cells = random_cells(output.shape, n, rng)
            errors = check_cells(run, node.name, cells, epoch=epoch, sample=sample, output=k, alone=True)
            largest = float(np.abs(run.values(node.id, k, epoch, sample)).max(initial=0.0))
            yield Checked(node.name, node, k, cells, errors, largest)


def unknown(checked: Iterator[Checked]) -> list[str]:
    """A line for each output of which some cell is not known, with its worst cell."""
    lines = []
    for one in checked:
        e = one.errors
        if e.is_known.all():
            continue
        worst = int(np.argmax(np.nan_to_num(e.abs_error - e.tolerance, nan=np.inf)))
        lines.append(
            f"{one.name} ({one.node.op}.{one.output}): {e.reason or 'differs'} at {one.cells[worst].tolist()}: "
            f"stored {e.stored[worst]:.6g}, computed {e.computed[worst]:.6g}, tolerance {e.tolerance[worst]:.3g}"
        )
    return lines
