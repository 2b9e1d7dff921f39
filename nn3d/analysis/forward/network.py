"""A whole traced network computed anew with a run's own weights, in numpy: no framework, no code of anybody's.

What does not depend on the inputs (position codes, masks, constants) is taken from the run as it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from nn3d.analysis.forward import convolving, mixing, moving, normalising, pointwise, pooling, recurrent
from nn3d.analysis.forward.step import ForwardError, Rule, Step, as_float
from nn3d.run.layers import topological
from nn3d.run.model import Array, FloatArray, Node
from nn3d.run.own import following
from nn3d.run.run import Run

RULES: dict[str, Rule] = {
    **convolving.RULES, **pooling.RULES, **pointwise.RULES, **normalising.RULES, **moving.RULES, **mixing.RULES,
    **recurrent.RULES,
}  # fmt: skip
Values = dict[tuple[int, int], Array]
Weights = Callable[[int], FloatArray]


class Network:
    """The nodes of a run's graph that depend on its inputs, in order."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._order = topological(run.graph.nodes)
        self.moving = following(run.graph)
        self.inputs = tuple(n for n in run.graph.nodes if n.op == "input")

    @cached_property
    def reason(self) -> str:
        """Why it cannot be computed, one line; "" when every operation is known."""
        run = self._run
        if run.graph.kind == "inferred":
            return "the graph is inferred from names, not traced"
        if not self.inputs:
            return "the run has no input"
        for node in self._order:
            if node.id not in self.moving or node.op == "input" or node.missing:
                continue
            if node.op not in RULES:
                return f"{node.name}: the operation {node.op.removeprefix('other:')} is not known"
            lost = next((p for p in node.parameters.values() if not run.has_parameter(p, len(run.epochs) - 1)), None)
            if lost is not None:
                return f"{node.name}: {run.parameter_info(lost).name} was not recorded"
        return ""

    @property
    def name(self) -> str:
        """What computes."""
        return "numpy"

    def infer(self, inputs: Sequence[Array], epoch: int, is_stopped: Callable[[], bool] = lambda: False) -> Values:
        """(node id, output) → (N, *shape) of every node that follows from the inputs, at an epoch index.

        inputs : one (N, *shape) an input node, in the order of the graph. is_stopped : asked before each node.
        Raises ForwardError where arithmetic is not known, and when stopped.
        """
        if self.reason:
            raise ForwardError(self.reason)
        n = inputs[0].shape[0]
        held: dict[int, FloatArray] = {}

        def weights(parameter: int) -> FloatArray:
            if parameter not in held:
                held[parameter] = as_float(self._run.parameter(parameter, epoch))
            return held[parameter]

        values: Values = {(node.id, 0): given for node, given in zip(self.inputs, inputs, strict=True)}
        with np.errstate(all="ignore"):
            for node in self._order:
                if is_stopped():
                    raise ForwardError("stopped before it was done")
                if node.id in self.moving and node.op != "input" and not node.missing:
                    self._compute(node, values, n, epoch, weights)
        return {key: found for key, found in values.items() if key[0] in self.moving}

    def _compute(self, node: Node, values: Values, n: int, epoch: int, weights: Weights) -> None:
        for source in node.inputs:
            if (source.node, source.output) not in values:
                values[source.node, source.output] = self._recorded(node, source.node, source.output, n, epoch)
        read = tuple((s.argument, values[s.node, s.output]) for s in node.inputs)
        names = tuple(self._run.output(s.node, s.output).name for s in node.inputs)
        step = Step(node, read, n, weights, names)
        try:
            made = RULES[node.op](step)
        except (ValueError, IndexError, TypeError, KeyError, MemoryError) as error:
            shapes = " and ".join(str(values.shape) for _, values in read)
            raise ForwardError(f"{node.name}: {node.op} could not be computed from {shapes}") from error
        outputs = made if isinstance(made, tuple) else (made,)
        for i, found in enumerate(outputs[: len(node.outputs)]):
            if found.shape != step.shape(i):
                raise ForwardError(f"{node.name}: {node.op} gave {found.shape}, the run has {step.shape(i)}")
            values[node.id, i] = found if found.dtype.kind == "i" else as_float(found)

    def _recorded(self, reader: Node, node: int, output: int, n: int, epoch: int) -> Array:
        """Values that no input moves, as they were recorded; those with samples are the same for each."""
        run = self._run
        if node in self.moving or not run.has_values(node, output, epoch):
            raise ForwardError(f"{reader.name}: reads {run.node(node).name}, whose values are not known")
        info = run.output(node, output)
        found = run.values(node, output, epoch, 0)
        whole = np.repeat(found[None], n, 0) if info.per_sample else found
        return whole.astype(np.int64) if "int" in info.dtype else whole


def recorded_inputs(run: Run, epoch: int, samples: Sequence[int]) -> list[Array]:
    """The run's own inputs, (N, *shape) each, whole numbers where they are tokens. Raises ForwardError without them."""
    found = []
    for node in (n for n in run.graph.nodes if n.op == "input"):
        if not run.has_values(node.id, 0, epoch):
            raise ForwardError(f"{node.name}: its values were not recorded")
        values = np.stack([run.values(node.id, 0, epoch, s) for s in samples])
        info = run.output(node.id, 0)
        values = values if info.per_sample else values[0]
        found.append(values.astype(np.int64) if "int" in info.dtype else as_float(values))
    return found
