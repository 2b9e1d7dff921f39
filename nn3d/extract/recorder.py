"""Owns recording a training loop, epoch by epoch, without changing what is trained by a single bit."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import torch

from nn3d.errors import TraceError
from nn3d.extract.choice import Choice, chosen
from nn3d.extract.distributed import Ranks
from nn3d.extract.gradients import Loss, cross_entropy_of
from nn3d.extract.placed import Preprocessing
from nn3d.extract.recording import Moment
from nn3d.extract.sharding import class_name
from nn3d.extract.trace import Probe, samples_of
from nn3d.extract.updates import ShardedUpdates, Updates
from nn3d.run.folder import holds_epochs, open_folder
from nn3d.run.model import Array, Epoch
from nn3d.run.writer import RunWriter, write_packed


class Recorder:
    """Records a model at some inputs into a folder, once for every call of `record`.

    The folder is a whole run after every epoch, whatever happens to the process; `nn3d view RUN/ --follow` watches it
    grow. A folder that holds a run of the same model is continued. Arguments as for `nn3d.capture`.

    every : of so many calls of `record`, one records; the others return None at once. layers : names or patterns
    ("conv*", "features") of the layers that are recorded, None for all. samples : only the first so many inputs.
    max_bytes : of the recorded epochs together; above it, every second of the older ones goes, and the run says so.
    gradients : True records the gradients of the samples' cross-entropy (logits against labels, summed over the
    samples) too, by the parameters and by the activations; a function of what the model returns is another loss.
    updates : True records for each parameter the norms of its change since the last record and of the gradient that
    training left; "full" the changes as well.

    Under torch.distributed rank 0 writes. Replicas on other ranks do nothing; of a sharded model (fully_shard)
    every rank makes a Recorder and calls `record` at the same steps. Other ranks may leave the folder to it: None.
    patience_secs : how long ranks wait for each other.

    Raises TraceError when the model cannot run on the inputs, RunFormatError when the folder holds something else.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None,
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
        every: int = 1,
        layers: Sequence[str] | None = None,
        samples: int | None = None,
        max_bytes: int | None = None,
        gradients: bool | Loss = False,
        updates: bool | Literal["full"] = False,
        patience_secs: float = 600.0,
    ) -> None:
        for name, value in (("every", every), ("samples", samples), ("max_bytes", max_bytes)):
            if value is not None and int(value) < 1:
                raise TraceError(f"{name}: expected a whole number above 0, got {value}")
        labels = None if labels is None else labels[:samples]
        names = None if names is None else names[:samples]
        tokens = None if tokens is None else tokens[:samples]
        self._loss = gradients if callable(gradients) else cross_entropy_of(labels) if gradients else None
        self.folder = Path("" if folder is None else folder)
        self._probe = Probe(model, inputs, batch_axis=batch_axis, preprocessing=preprocessing, samples=samples)
        self._ranks = Ranks(self._probe.model, None if folder is None else self.folder, patience_secs)
        if self._probe.is_sharded and gradients:
            raise TraceError(
                "Recorder: expected gradients=False for a sharded model, whose backward pass is its training's. Leave "
                "it away; updates=True records norms of the gradients that training leaves."
            )
        self._samples = samples_of(self._probe.n_samples, labels, names, tokens)
        self._classes = tuple(classes)
        self._encoding, self._max_bytes = encoding, max_bytes
        self._layers = None if layers is None else (layers,) if isinstance(layers, str) else tuple(layers)
        self._choice: Choice | None = None
        kind = ShardedUpdates if self._probe.is_sharded else Updates
        self._updates = kind(self._probe.parameters, is_full=updates == "full") if updates else None
        self._writer: RunWriter | None = None
        self._every, self._calls = int(every), 0
        self._next = self._ranks.first_epoch(_next_id(self.folder) if self._ranks.is_writer else 0)

    def record(self, epoch: int | None = None, *, step: int | None = None, **metrics: Any) -> Epoch | None:
        """Record this moment; returns when it is on the disk. None where `every` passes it over.

        epoch : its id, rising; by default one more than the last. step : of training; by default, with `every`, how
        often `record` was called before. metrics : numbers, e.g. loss=0.3; tensors of one element will do.

        None on other ranks than 0 too. Raises TraceError, RunFormatError; where a rank is missing, on all that wait.
        """
        calls, self._calls = self._calls, self._calls + 1
        if calls % self._every:
            return None
        if self._ranks.is_idle:
            self._ranks.check_folder()
            return None
        number = self._next if epoch is None else int(epoch)
        self._ranks.agree(calls, number, step)
        step = calls if step is None and self._every > 1 else step
        values = {name: _number(name, value) for name, value in metrics.items()}
        moment = self._probe.shoot(Epoch(number, step, time.time(), values), self._loss)
        if self._layers is not None and self._choice is None:
            self._choice = chosen(self._probe.known_graph, self._layers)
        moment = moment if self._choice is None else self._choice.of(moment)
        known = self._probe.known_graph
        updates, changes = ({}, {}) if self._updates is None else self._updates.since(known, moment.parameters)
        with self._ranks.together(moment.parameters, updates, changes):
            if self._ranks.is_writer:
                self._write(moment, updates, changes)
        self._next = number + 1
        return moment.epoch if self._ranks.is_writer else None

    def _write(self, moment: Moment, updates: Mapping[int, Array], changes: Mapping[int, Array]) -> None:
        if self._writer is None:
            self._writer = self._open()
        self._writer.write_epoch(
            moment.epoch,
            moment.activations,
            moment.parameters,
            parameter_gradients=moment.parameter_gradients,
            activation_gradients=moment.activation_gradients,
            updates=updates,
            changes=changes,
        )

    @property
    def is_writer(self) -> bool:
        """Whether this process writes: the only one, or rank 0 of several."""
        return self._ranks.is_writer

    @property
    def is_new(self) -> bool:
        """Nothing lies in the folder yet."""
        return self._next == 0

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
            model=class_name(self._probe.model),
            source=f"torch {torch.__version__}",
            samples=self._samples,
            classes=self._classes,
            left_out=() if self._choice is None else self._choice.left_out,
            encoding=self._encoding,
            max_bytes=self._max_bytes,
        )


def _next_id(folder: Path) -> int:
    """One more than the last epoch that a folder holds, 0 where it holds none. Raises RunFormatError."""
    if not holds_epochs(folder):
        return 0
    with open_folder(folder) as run:
        return run.epochs[-1].id + 1


def _number(name: str, value: Any) -> float:
    try:
        return float(value.detach() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TraceError(f"record: {name} should be one number, got {type(value).__name__}. Pass a float.") from error
