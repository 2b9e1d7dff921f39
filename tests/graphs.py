"""Random small networks as runs in memory: chains with branches, additions, concatenations, tokens and lone outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from nn3d.run.memory import LayerSpec, run_from_arrays
from nn3d.run.run import Run

N_SAMPLES = 2
INPUTS = ((3,), (1, 6, 6), (3, 5, 4), (4, 5))
MAPS = ("conv2d", "relu", "max_pool2d", "add", "concat", "linear")
FLAT = ("linear", "relu", "add", "concat")
TOKENS = ("linear", "relu", "add")


class _Builder:
    """A network that grows operation by operation; `made` holds (name, shape) of each, in order."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...], n_epochs: int) -> None:
        self.rng, self.n_epochs = rng, n_epochs
        self.specs = [LayerSpec("input", "input")]
        self.made = [("input", shape)]

    def _add(self, op: str, shape: tuple[int, ...], inputs: tuple[str, ...], **more: Any) -> None:
        name = f"{op}{len(self.specs)}"
        self.specs.append(LayerSpec(name, op, inputs, **more))
        self.made.append((name, shape))

    def _weights(self, *shape: int) -> dict[str, list[np.ndarray]]:
        return {"weight": [self.rng.normal(size=shape).astype(np.float32) for _ in range(self.n_epochs)]}

    def step(self, op: str, back: int, width: int) -> None:
        """One operation on the layer `back` before the last; what its shape does not allow becomes a linear one."""
        name, shape = self.made[max(0, len(self.made) - 1 - back)]
        others = [n for n, s in self.made if s == shape and n != name]
        if op == "conv2d" and len(shape) == 3:
            more = {"attributes": {"stride": [1, 1], "padding": [1, 1]}}
            weight = self._weights(width, shape[0], 3, 3)
            self._add(op, (width, *shape[1:]), (name,), parameters=weight, **more)
        elif op == "max_pool2d" and len(shape) == 3 and min(shape[1:]) >= 2:
            pooled = (shape[0], shape[1] // 2, shape[2] // 2)
            self._add(op, pooled, (name,), attributes={"kernel_size": 2, "stride": 2})
        elif op == "relu":
            self._add(op, shape, (name,))
        elif op == "add" and others:
            self._add(op, shape, (name, others[0]))
        elif op == "concat" and len(shape) != 2 and others:
            self._add(op, (2 * shape[0], *shape[1:]), (name, others[0]), attributes={"dim": 1})
        elif len(shape) == 2:
            self._add("linear", (shape[0], width), (name,), parameters=self._weights(width, shape[1]))
        else:
            self._add("linear", (width,), (name,), parameters=self._weights(width, int(np.prod(shape))))

    def run(self) -> Run:
        """The run, with random values of the right shapes; the output of the last layer is random logits."""
        values = {
            name: [self.rng.normal(size=(N_SAMPLES, *shape)).astype(np.float32) for _ in range(self.n_epochs)]
            for name, shape in self.made
        }
        return run_from_arrays(self.specs, values, model="random net")


def steps() -> st.SearchStrategy[list[tuple[str, int, int]]]:
    """Operations with how far back each reads and how wide it is."""
    one = st.tuples(st.sampled_from(MAPS + FLAT), st.integers(0, 3), st.integers(1, 6))
    return st.lists(one, min_size=1, max_size=9)


@st.composite
def runs(draw: st.DrawFn, n_epochs: int = 2) -> Run:
    """A random small network with two recorded epochs."""
    seed, shape = draw(st.integers(0, 2**16)), draw(st.sampled_from(INPUTS))
    builder = _Builder(np.random.default_rng(seed), shape, n_epochs)
    for op, back, width in draw(steps()):
        builder.step(op, back, width)
    return builder.run()
