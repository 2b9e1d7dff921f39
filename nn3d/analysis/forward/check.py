"""Whether a forward pass gives what the run recorded: only then are its numbers shown for other inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nn3d.run.encoding import error_bound
from nn3d.run.model import Array
from nn3d.run.own import following
from nn3d.run.run import Run

# Of a layer's largest value, beside the error of its encoding: rounded weights add up along a deep network.
ROUNDED, EXACT = 0.02, 1e-3
MOST_SAMPLES = 2
Infer = Callable[[Sequence[Array], int], Mapping[tuple[int, int], Array]]


@dataclass(frozen=True, slots=True)
class Check:
    """How far computed values are from recorded ones.

    reason : why they cannot be shown, "" when they can. worst : largest difference over a layer's largest value, and
    `where` it is. n_outputs : how many recorded outputs were compared.
    """

    reason: str
    worst: float = 0.0
    where: str = ""
    n_outputs: int = 0


def checked(run: Run, infer: Infer, inputs: Sequence[Array], epoch: int, samples: Sequence[int]) -> Check:
    """Compare what `infer` gives for recorded inputs (samples by index) with all values recorded at an epoch index."""
    found, moving = infer(inputs, epoch), following(run.graph)
    worst, where, count = 0.0, "", 0
    for node in run.graph.nodes:
        for output in range(len(node.outputs)):
            if node.op == "input" or not run.has_values(node.id, output, epoch):
                continue
            if (node.id, output) not in found:
                if node.id in moving:
                    return Check(f"{node.name}: output {output} was recorded, but is not computed", where=node.name)
                continue
            error, allowed = _difference(run, (node.id, output), found[node.id, output], epoch, samples)
            count += 1
            if not error <= allowed:
                return Check(f"{node.name}: computed values differ from the recorded ones by {error:.1%}", error,
                             node.name, count)  # fmt: skip
            if error > worst:
                worst, where = error, node.name
    return Check("" if count else "no values were recorded to compare with", worst, where, count)


def _difference(
    run: Run, at: tuple[int, int], found: Array, epoch: int, samples: Sequence[int]
) -> tuple[float, float]:
    """Largest difference over the largest recorded value, and what of it encodings explain."""
    stored = np.stack([run.values(*at, epoch, s) for s in samples])
    stored = stored if run.output(*at).per_sample else stored[0]
    finite = np.isfinite(stored)
    if not np.array_equal(finite, np.isfinite(found)):
        return float("inf"), 0.0
    if not finite.any():
        return 0.0, 0.0
    largest = float(np.abs(stored[finite]).max()) or 1e-12
    error = float(np.abs(stored[finite] - found[finite]).max()) / largest
    return error, _allowed(run) + error_bound(run.stored(*at, epoch)) / largest


def _allowed(run: Run) -> float:
    """Share of a layer's largest value that computed values may differ by, beside the encoding's own error."""
    epoch = len(run.epochs) - 1
    kept = [run.parameter(p.id, epoch).dtype for p in run.graph.parameters if run.has_parameter(p.id, epoch)]
    return EXACT if all(dtype in (np.float32, np.int64) for dtype in kept) else ROUNDED
