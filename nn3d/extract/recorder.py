"""Owns recording a training loop, epoch by epoch, without changing what is trained by a single bit."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from nn3d.errors import TraceError
from nn3d.extract.gradients import Loss, cross_entropy_of
from nn3d.extract.graph import Preprocessing
from nn3d.extract.trace import Probe, samples_of
from nn3d.run.model import Epoch
from nn3d.run.writer import RunWriter, write_packed


class Recorder:
    """Records a model at some inputs into a folder, once for every call of `record`.

    The folder is a whole run after every epoch, whatever happens to the process; `nn3d view RUN/ --follow` watches it
    grow. A folder that holds a run of the same model is continued. Arguments as for `nn3d.capture`.

    gradients : True records the gradients of the samples' cross-entropy (logits against labels, summed over the
    samples) too, by the parameters and by the activations; a function of what the model returns is another loss.

    Raises TraceError when the model cannot run on the inputs, RunFormatError when the folder holds something else.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        model: torch.nn.Module,
        inputs: Any,
        *,
        labels: Sequence[int | None] | None = None,
        classes: Sequence[str] = (),
        names: Sequence[str] | None = None,
        tokens: Sequence[Sequence[str]] | None = None,
        encoding: str | None = None,
        batch_axis: int | None = None,
        preprocessing: Preprocessing | None = None,
        gradients: bool | Loss = False,
    ) -> None:
        self._loss = gradients if callable(gradients) else cross_entropy_of(labels) if gradients else None
        self.folder = Path(folder)
        self._probe = Probe(model, inputs, batch_axis=batch_axis, preprocessing=preprocessing)
        self._samples = samples_of(self._probe.n_samples, labels, names, tokens)
        self._classes = tuple(classes)
        self._encoding = encoding
        self._writer: RunWriter | None = None
        self._next = 0

    def record(self, epoch: int | None = None, *, step: int | None = None, **metrics: Any) -> Epoch:
        """Record this moment; returns when it is on the disk.

        epoch : its id, rising; by default one more than the last. metrics : numbers, e.g. loss=0.3; tensors of one
        element will do.
        """
        number = self._next if epoch is None else int(epoch)
        values = {name: _number(name, value) for name, value in metrics.items()}
        moment = self._probe.shoot(Epoch(number, step, time.time(), values), self._loss)
        if self._writer is None:
            self._writer = self._open()
        self._writer.write_epoch(
            moment.epoch,
            moment.activations,
            moment.parameters,
            parameter_gradients=moment.parameter_gradients,
            activation_gradients=moment.activation_gradients,
        )
        self._next = number + 1
        return moment.epoch

    def pack(self, path: str | os.PathLike[str]) -> None:
        """Write what was recorded so far as one file."""
        write_packed(self.folder, path)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing to close: every epoch is whole when `record` returns."""

    def _open(self) -> RunWriter:
        return RunWriter(
            self.folder,
            self._probe.known_graph,
            model=type(self._probe.model).__name__,
            source=f"torch {torch.__version__}",
            samples=self._samples,
            classes=self._classes,
            encoding=self._encoding,
        )


def _number(name: str, value: Any) -> float:
    try:
        return float(value.detach() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TraceError(f"record: {name} should be one number, got {type(value).__name__}. Pass a float.") from error
