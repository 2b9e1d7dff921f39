"""A long training to scrub: a ResNet that really trains on noise, one step and one record an epoch.

`python -m benchmarks.epoch_runs RUN/ [EPOCHS [WIDTH [BLOCKS]]]`; by default ResNet-50 × 100 epochs, 14 GB.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from nn3d.extract.recorder import Recorder
from tests.networks import ResNet

SAMPLES = 2


def write_training(
    folder: Path, epochs: int = 100, width: int = 64, blocks: tuple[int, ...] = (3, 4, 6, 3), size: int = 224,
    classes: int = 1000,
) -> None:  # fmt: skip
    """Record a ResNet at two noise pictures while it learns to tell four of them apart."""
    torch.manual_seed(0)
    model = ResNet(blocks, width, classes)
    pictures, labels = torch.randn(4, 3, size, size), torch.arange(4) % classes
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    recorder = Recorder(folder, model, pictures[:SAMPLES], labels=labels[:SAMPLES].tolist())
    for epoch in range(epochs):
        model.train()
        loss = cross_entropy(model(pictures), labels)
        recorder.record(epoch, loss=loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def main(arguments: list[str]) -> None:
    """Write a run, say how large it became."""
    folder, numbers = Path(arguments[0]), [int(a) for a in arguments[1:]]
    begin = time.perf_counter()
    write_training(folder, *numbers[:2], **({"blocks": tuple(numbers[2:])} if numbers[2:] else {}))
    size = sum(p.stat().st_size for p in folder.iterdir())
    print(f"{folder}: {size / 1e9:.2f} GB in {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
