"""What a Recorder costs a training loop: a record beside a plain save of the same arrays, steps with and without."""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import nn3d
from benchmarks.timing import Row, interleaved
from tests import networks

TITLE = "Recording: what watching costs a training"

STEPS, BATCH, SAMPLES = 100, 128, 16


def _train(model: nn.Module, pictures: torch.Tensor, labels: torch.Tensor) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    model.train()
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.cross_entropy(model(pictures), labels).backward()
        optimizer.step()


def _save(path: Path, arrays: list[np.ndarray]) -> None:
    with path.open("wb") as file:
        for array in arrays:
            np.save(file, array)
        os.fsync(file.fileno())


def rows() -> list[Row]:
    """A record against np.save; steps of training with one record against the same without."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = networks.LeNet()
    pictures, labels = torch.rand(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))
    watched = pictures[:SAMPLES]
    run = nn3d.capture(model, watched)
    arrays = [np.asarray(run.weights(name)) for name in run.parameters]
    arrays += [np.asarray(run.activations(layer.name)) for layer in run.layers]
    with tempfile.TemporaryDirectory() as folder:
        recorder = nn3d.Recorder(Path(folder, "run"), model, watched)
        epochs = itertools.count()

        def with_recorder() -> None:
            _train(model, pictures, labels)
            recorder.record(next(epochs))

        record, save = interleaved(
            lambda: recorder.record(next(epochs)), lambda: _save(Path(folder, "plain.npy"), arrays), rounds=9
        )
        watched_epoch, plain_epoch = interleaved(with_recorder, lambda: _train(model, pictures, labels), rounds=7)
    megabytes = sum(array.nbytes for array in arrays) / 1e6
    return [
        Row(f"record LeNet, {SAMPLES} samples", record, "np.save, fsync", save, f"{megabytes:.1f} MB float32"),
        Row(f"train {STEPS} steps of {BATCH}, one record", watched_epoch, "the same without", plain_epoch),
    ]
