"""The engine that needs nothing but the run: the forward pass in numpy, trusted once it gives what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event, Lock

from nn3d.analysis.forward.check import MOST_SAMPLES, Check, checked
from nn3d.analysis.forward.network import Network, recorded_inputs
from nn3d.analysis.forward.step import ForwardError
from nn3d.errors import Nn3dError
from nn3d.run.model import Array
from nn3d.run.ports import Engine
from nn3d.run.run import Run


class NumpyEngine:
    """nn3d.run.ports.Engine of a run by its own graph and weights, for any thread. stopping : ends its work soon."""

    name = "numpy"

    def __init__(self, run: Run) -> None:
        self._run = run
        self.stopping = Event()
        self._network = Network(run)
        self._trust = Trust(run, self._network, self.stopping)

    @property
    def reason(self) -> str:
        """Why it cannot compute this run, "" when it can; the first question computes recorded samples."""
        return self._network.reason or self._trust.check.reason

    @property
    def check(self) -> Check:
        """How far it is from what was recorded."""
        return self._trust.check

    def infer(
        self, inputs: Sequence[Array], epoch: int, is_stopped: Callable[[], bool] = lambda: False
    ) -> Mapping[tuple[int, int], Array]:
        """Values of every node that follows from the inputs (nn3d.run.ports). Raises ForwardError."""
        if self.reason:
            raise ForwardError(self.reason)
        return self._network.infer(inputs, epoch, is_stopped)


class Trust:
    """Whether an engine gives what a run recorded, found out once, by whoever asks first and is not stopped."""

    def __init__(self, run: Run, engine: Engine | Network, stopping: Event) -> None:
        self._run = run
        self._engine = engine
        self._stopping = stopping
        self._check: Check | None = None
        self._lock = Lock()

    @property
    def check(self) -> Check:
        """The comparison at the last epoch; a reason instead where it cannot be made."""
        with self._lock:
            if self._check is not None:
                return self._check
            found = self._compared()
            if not self._stopping.is_set():
                self._check = found
            return found

    def _compared(self) -> Check:
        run = self._run
        if not run.epochs or not run.samples:
            return Check("no values were recorded to compare with")
        epoch, samples = len(run.epochs) - 1, range(min(MOST_SAMPLES, len(run.samples)))
        try:
            return checked(run, self._infer, recorded_inputs(run, epoch, samples), epoch, samples)
        except Nn3dError as error:
            return Check(str(error))

    def _infer(self, inputs: Sequence[Array], epoch: int) -> Mapping[tuple[int, int], Array]:
        return self._engine.infer(inputs, epoch, self._stopping.is_set)
