"""A real training in a process of its own, recorded into a folder: a small network on the pictures of a bundled run.

MNIST digits with two convolutions, or CIFAR-10 with a small residual network; pictures are moved about by a pixel or
two. Run as a script: python training.py FOLDER SECONDS_BETWEEN_RECORDS EPOCHS mnist|cifar. It goes on where its folder
ends.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import nn3d
from nn3d.paths import bundled_runs
from tests import networks


class Small(nn.Module):
    """Two convolutions and a classifier of 28 × 28 pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.fc = nn.Conv2d(1, 4, 5), nn.Conv2d(4, 8, 5), nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        return self.fc(F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1))


def train(folder: Path, pause_secs: float, epochs: int, kind: str) -> None:
    """Train, with a record every epoch; prints each id when its record is on the disk."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    name = {"mnist": "lenet-mnist", "cifar": "resnet20-cifar10"}[kind]
    with nn3d.load(bundled_runs()[name]) as run:
        x = torch.tensor(np.stack([run.values(run.graph.inputs[0].node, 0, 0, i) for i in range(len(run.samples))]))
        y = torch.tensor([sample.label for sample in run.samples])
    model = Small() if kind == "mnist" else networks.ResNet((1, 2), 8, 10)
    sgd = torch.optim.SGD(model.parameters(), 0.1)
    recorder = nn3d.Recorder(folder, model, x[:4], labels=y[:4].tolist())
    for _ in range(epochs):
        for _ in range(8):
            moved = torch.roll(x, torch.randint(-2, 3, (2,)).tolist(), (2, 3))
            loss = F.cross_entropy(model(moved), y)
            sgd.zero_grad()
            loss.backward()
            sgd.step()
        epoch = recorder.record(loss=loss)
        assert epoch is not None
        sys.stdout.write(f"{epoch.id}\n")
        sys.stdout.flush()
        time.sleep(pause_secs)


if __name__ == "__main__":
    train(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
