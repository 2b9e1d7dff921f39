"""Owns the last step: a recording becomes a run in memory, a growing folder, or one file."""

from __future__ import annotations

from typing import Any

from nn3d.extract.recording import Recording
from nn3d.run.memory import run_from_arrays
from nn3d.run.run import Run


def in_memory(recording: Recording, encoding: str = "f32") -> Run:
    """A run whose arrays lie in memory. Raises RunFormatError when arrays do not fit the graph."""
    moments = list(recording)
    activations: list[Any] = [dict(m.activations) for m in moments]
    parameters: list[Any] = [dict(m.parameters) for m in moments]
    return run_from_arrays(
        recording.graph,
        activations,
        parameters,
        epochs=[m.epoch for m in moments],
        samples=recording.samples,
        classes=recording.classes,
        model=recording.name,
        source=recording.source,
        left_out=recording.left_out,
        encoding=encoding,
    )
