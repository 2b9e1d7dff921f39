"""Owns `--model` beside a finished run: the user's own torch code computes it anew, with the run's weights in it.

Only for networks whose operations nn3d does not know itself; like every engine it is trusted once it gives what was
recorded. The factory's own weights are never used where the run has some.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from threading import Event

import numpy as np
import torch

from nn3d.analysis.forward.check import Check
from nn3d.analysis.forward.engine import Trust
from nn3d.errors import Nn3dError, SourceError
from nn3d.extract import factory
from nn3d.extract.graph import source_weight
from nn3d.extract.trace import Probe
from nn3d.run.model import Array, Epoch
from nn3d.run.run import Run


class TorchEngine:
    """nn3d.run.ports.Engine of a run by a live module. spec : of --model.

    Raises SourceError when the module cannot be made, or lacks a parameter of the run.
    """

    def __init__(self, run: Run, spec: str) -> None:
        self._run = run
        made = factory.make(spec)
        self.name = f"torch by {made.name}"
        self._module: torch.nn.Module = made.module.eval()
        self._tensors = dict([*self._module.named_parameters(), *self._module.named_buffers()])
        self._check_parameters(spec)
        self.stopping = Event()
        self._trust = Trust(run, self, self.stopping)

    @property
    def reason(self) -> str:
        """Why it cannot compute this run, "" when it can; the first question computes recorded samples."""
        return self._trust.check.reason

    @property
    def check(self) -> Check:
        """How far it is from what was recorded."""
        return self._trust.check

    def infer(
        self, inputs: Sequence[Array], epoch: int, is_stopped: Callable[[], bool] = lambda: False
    ) -> Mapping[tuple[int, int], Array]:
        """Values of every node of the run's graph (nn3d.run.ports). Raises Nn3dError."""
        if is_stopped():
            raise Nn3dError("stopped before it was done")
        self._load(epoch)
        probe = self._probe(inputs)
        moment = probe.shoot(Epoch(0))
        theirs = {n.name: n for n in probe.known_graph.nodes}
        found: dict[tuple[int, int], Array] = {}
        for node in self._run.graph.nodes:
            other = theirs.get(node.name)
            if other is None or other.op != node.op:
                raise Nn3dError(f"{self.name}: has no {node.op} {node.name}, which the run has")
            found |= {
                (node.id, i): moment.activations[other.id, i]
                for i in range(len(node.outputs)) if (other.id, i) in moment.activations
            }  # fmt: skip
        return found

    def _probe(self, inputs: Sequence[Array]) -> Probe:
        """The module at some inputs, by keyword where the run's inputs are called as its arguments are."""
        nodes = [n for n in self._run.graph.nodes if n.op == "input"]
        known = inspect.signature(self._module.forward).parameters
        is_named = len(nodes) > 1 and all(n.name in known for n in nodes)

        def given(axis: int) -> object:
            tensors = [torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, 0, axis))) for x in inputs]
            return {n.name: t for n, t in zip(nodes, tensors, strict=True)} if is_named else tuple(tensors)

        probe = Probe(self._module, given(0))
        return probe if probe.batch_axis == 0 else Probe(self._module, given(probe.batch_axis))

    def _load(self, epoch: int) -> None:
        """Put the run's weights of an epoch into the module."""
        with torch.no_grad():
            for p in self._run.graph.parameters:
                if self._run.has_parameter(p.id, epoch):
                    tensor = self._tensors[p.name]
                    values = np.asarray(self._run.parameter(p.id, epoch))
                    raw = source_weight(values, p.source_layout, tuple(tensor.shape))
                    tensor.copy_(torch.from_numpy(np.array(raw)).to(tensor.dtype))

    def _check_parameters(self, spec: str) -> None:
        for p in self._run.graph.parameters:
            if p.name not in self._tensors:
                raise SourceError(f"--model {spec}: expected the run's {p.name}, got no such parameter.")
            ours, theirs = int(np.prod(p.shape)), self._tensors[p.name].numel()
            if ours != theirs:
                raise SourceError(f"--model {spec}: expected {p.name} with {ours} values as the run has, got {theirs}.")
