"""What watching costs a real training: a Recorder beside torchlens and a TensorBoard histogram of every parameter.

The training is interleaved with all three in one run: so many steps, then a record of each kind, each timed by itself,
so that a machine that gets busy does so for all of them. torchlens and tensorboard are used where they are installed.
"""

from __future__ import annotations

import importlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import nn3d
from benchmarks.timing import Row
from tests import networks

TITLE = "Watching: share of a training's time, one record every 50 steps and one an epoch"

BATCH, SAMPLES, STEPS, ROUNDS = 128, 16, 50, 5
MNIST_STEPS, CIFAR_STEPS = 469, 391
Data = tuple[torch.Tensor, torch.Tensor]


def _mnist() -> tuple[str, Data]:
    """MNIST from the folder NN3D_MNIST, else noise of the same shape, which takes as long."""
    folder = os.environ.get("NN3D_MNIST")
    if folder is None:
        return "noise like MNIST", (torch.rand(4096, 1, 28, 28), torch.randint(10, (4096,)))
    pictures = np.frombuffer(Path(folder, "train-images-idx3-ubyte").read_bytes(), np.uint8, 4096 * 784, 16)
    labels = np.frombuffer(Path(folder, "train-labels-idx1-ubyte").read_bytes(), np.uint8, 4096, 8)
    x = torch.tensor(pictures.reshape(-1, 1, 28, 28).astype(np.float32) / 255.0)
    return "MNIST", (x, torch.tensor(labels.astype(np.int64)))


def _cifar() -> tuple[str, Data]:
    """CIFAR-10 from the file NN3D_CIFAR, else noise of the same shape."""
    source = os.environ.get("NN3D_CIFAR")
    if source is None:
        return "noise like CIFAR-10", (torch.rand(1024, 3, 32, 32), torch.randint(10, (1024,)))
    _, test = _demo("cifar").load(Path(source))
    pictures = test.pixels[::4].astype(np.float32) / 255.0
    return "CIFAR-10", (torch.tensor(pictures), torch.tensor(test.labels[::4]))


def _demo(name: str) -> Any:
    """A module of the demos, which find each other in their own folder."""
    folder = str(Path(__file__).resolve().parents[1] / "demos")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)


def _watchers(model: nn.Module, watched: torch.Tensor, folder: Path) -> dict[str, Callable[[], object]]:
    """What is compared, by name; each call is one record."""
    recorder = nn3d.Recorder(folder / "run", model, watched)
    found: dict[str, Callable[[], object]] = {"nn3d.Recorder": recorder.record}
    try:
        torchlens: Any = importlib.import_module("torchlens")
    except ImportError:
        pass
    else:
        found["torchlens, in memory"] = lambda: _torchlens(torchlens, model, watched)
    try:
        tensorboard: Any = importlib.import_module("torch.utils.tensorboard")
    except ImportError:
        pass
    else:
        writer = tensorboard.SummaryWriter(str(folder / "board"))
        found["TensorBoard histograms"] = lambda: _histograms(writer, model)
    return found


def _torchlens(torchlens: Any, model: nn.Module, watched: torch.Tensor) -> None:
    was = model.training
    model.eval()
    with torch.no_grad():
        torchlens.trace(model, watched)
    model.train(was)


def _histograms(writer: Any, model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        writer.add_histogram(name, parameter.detach(), 0)
    writer.flush()


def _measure(model: nn.Module, data: Data, steps: int) -> tuple[float, dict[str, float]]:
    """Median ms of STEPS steps of training, and of one record of each kind."""
    x, y = data
    sgd = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    trained: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        watchers = _watchers(model, x[:SAMPLES].clone(), Path(folder))
        taken: dict[str, list[float]] = {name: [] for name in watchers}
        for round_ in range(ROUNDS + 1):
            begin = time.perf_counter()
            model.train()
            for _ in range(steps):
                batch = torch.randint(len(x), (BATCH,))
                sgd.zero_grad()
                F.cross_entropy(model(x[batch]), y[batch]).backward()
                sgd.step()
            if round_ > 0:
                trained.append((time.perf_counter() - begin) * 1000 * STEPS / steps)
            for name, watch in watchers.items():
                begin = time.perf_counter()
                watch()
                if round_ > 0:
                    taken[name].append((time.perf_counter() - begin) * 1000)
    return statistics.median(trained), {name: statistics.median(times) for name, times in taken.items()}


def rows() -> list[Row]:
    """Each way of watching, once every 50 steps, against these steps; the note says its share of an epoch."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    out = []
    resnet = _demo("03_resnet_cifar").ResNet20()
    trainings = ("LeNet", networks.LeNet(), _mnist(), MNIST_STEPS, 50), ("ResNet-20", resnet, _cifar(), CIFAR_STEPS, 10)
    for name, model, (source, data), epoch, steps in trainings:
        training, taken = _measure(model, data, steps)
        for how, ms in taken.items():
            share, whole = ms / training, ms / (training * epoch / STEPS)
            note = f"{share:.1%} of 50 steps, {whole:.2%} of an epoch of {epoch}"
            floor = f"{STEPS} steps of {BATCH}, {source}"
            out.append(Row(f"{name}, {how}, {SAMPLES} samples", ms, floor, training, note))
    return out
