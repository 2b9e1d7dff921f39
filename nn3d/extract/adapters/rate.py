"""Owns what all callbacks share: a Recorder made when training begins, called once an epoch or once every N steps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import torch

from nn3d.extract.live import live
from nn3d.extract.recorder import Recorder


class Rate:
    """When to record: at the end of every epoch, or after every `every_n_steps` steps; once before the first of them.

    folder, inputs, options : as for nn3d.Recorder, or nn3d.live where folder is None; the model comes with `begin`.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None, inputs: Any, every_n_steps: int | None, options: Mapping[str, Any]
    ) -> None:
        self._folder, self._inputs, self._options = folder, inputs, dict(options)
        self.every_n_steps = every_n_steps
        self._recorder: Recorder | None = None
        self._recorded = -1

    @property
    def recorder(self) -> Recorder | None:
        """The Recorder, once training has begun."""
        return self._recorder

    def begin(self, model: torch.nn.Module, step: int) -> None:
        """Training begins: record the model as it is, unless the folder holds a run that goes on."""
        if self._recorder is None:
            self._recorder = self._made(model)
            if self._recorder.is_new:
                self._record(step, {})

    def step(self, step: int, metrics: Mapping[str, Any]) -> None:
        """A step of the optimizer has been done, `step` in all."""
        if self.every_n_steps and step > self._recorded and step % self.every_n_steps == 0:
            self._record(step, metrics)

    def epoch(self, step: int, metrics: Mapping[str, Any]) -> None:
        """An epoch is over."""
        if not self.every_n_steps:
            self._record(step, metrics)

    def _made(self, model: torch.nn.Module) -> Recorder:
        if self._folder is None:
            return live(model, self._inputs, **self._options)
        return Recorder(self._folder, model, self._inputs, **self._options)

    def _record(self, step: int, metrics: Mapping[str, Any]) -> None:
        assert self._recorder is not None
        self._recorded = step
        self._recorder.record(None, step=step, **dict[str, Any](numbers(metrics)))


def numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """What of a framework's metrics is one number; all else is passed over."""
    found: dict[str, float] = {}
    for name, value in metrics.items():
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError, RuntimeError):
            continue
    return {name: value for name, value in found.items() if name not in ("epoch", "step")}
