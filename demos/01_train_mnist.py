"""Train LeNet-5 on MNIST and record every epoch: this is how the bundled run was made.

python demos/01_train_mnist.py                        downloads MNIST to data/mnist, writes out/lenet-mnist.npz
python demos/01_train_mnist.py --data FOLDER          takes the four IDX files from there
python demos/01_train_mnist.py --checkpoints FOLDER   also keeps a checkpoint an epoch
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import mnist
import numpy as np
import torch
from packing import pack_small
from torch import Tensor, nn
from torch.nn import functional as F
from training import begun, empty_folder, options, run_epoch, say_done, say_epoch, score

import nn3d

# Test pictures to record: a 3 that may be taken for an 8, one of every other digit, and ones where LeNets go wrong.
SAMPLES = (18, 3, 2, 1, 4, 15, 11, 0, 61, 7, 247, 340, 582, 659, 1014, 1901)


class LeNet5(nn.Module):
    """LeCun's LeNet-5 (1998) as it is built today: ReLU and max pooling, every layer with a name."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(1, 6, 5, padding=2),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(6, 16, 5),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
            )
        )
        self.classifier = nn.Sequential(
            OrderedDict(
                fc1=nn.Linear(16 * 5 * 5, 120),
                relu3=nn.ReLU(),
                fc2=nn.Linear(120, 84),
                relu4=nn.ReLU(),
                fc3=nn.Linear(84, 10),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, 1, 28, 28) → logits (N, 10)."""
        return self.classifier(self.features(x).flatten(1))


# What the title of the picture says.
LeNet5.__name__ = "LeNet-5"


def train(model: nn.Module, pictures: Tensor, labels: Tensor, epochs: int, seed: int) -> Iterator[tuple[int, float]]:
    """Yield (epoch, training loss), epoch 0 before the first step; SGD, momentum .9, the rate falls along a cosine."""
    shuffle = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    yield 0, score(model, pictures, labels)[0]
    for epoch in range(1, epochs + 1):
        model.train()
        order = torch.randperm(len(pictures), generator=shuffle)
        loss = run_epoch(optimizer, order, 128, lambda rows: F.cross_entropy(model(pictures[rows]), labels[rows]))
        schedule.step()
        yield epoch, loss


def verify(path: Path, model: nn.Module, pictures: Tensor, labels: Tensor) -> None:
    """Score the weights as the run holds them, epoch by epoch, beside what was measured while training."""
    with nn3d.load(path) as run:
        for index, epoch in enumerate(run.epochs):
            state = {name: torch.from_numpy(np.array(run.weights(name, index), np.float32)) for name in run.parameters}
            model.load_state_dict(state)
            accuracy = score(model, pictures, labels)[1]
            print(f"epoch {epoch.id:2d}  accuracy {epoch.metrics['accuracy']:.2%}  from the run {accuracy:.2%}")


def arguments() -> argparse.ArgumentParser:
    """What can be asked for on the command line."""
    parser = options(__doc__, "out/lenet-mnist.npz", 10, mnist=True)
    parser.add_argument("--checkpoints", type=Path, help="folder for a checkpoint an epoch")
    return parser


def main() -> None:
    """Train, record, pack."""
    args = begun(arguments())
    train_x, train_y, test_x, test_y = (torch.from_numpy(a) for a in mnist.load(args.data))
    model = LeNet5()
    rows = np.array(SAMPLES)
    folder = empty_folder(args.out)
    recorder = nn3d.Recorder(
        folder,
        model,
        test_x[rows],
        labels=test_y[rows].tolist(),
        classes=[str(digit) for digit in range(10)],
        names=[f"MNIST test #{row}" for row in SAMPLES],
        encoding="f32",
    )
    print(f"watch it grow in another terminal: nn3d view {folder}")
    for epoch, train_loss in train(model, train_x, train_y, args.epochs, args.seed):
        loss, accuracy = score(model, test_x, test_y)
        recorder.record(epoch, loss=loss, accuracy=accuracy, train_loss=train_loss)
        if args.checkpoints:
            args.checkpoints.mkdir(parents=True, exist_ok=True)
            torch.save(
                {"epoch": epoch, "loss": loss, "accuracy": accuracy, "state_dict": model.state_dict()},
                args.checkpoints / f"lenet_epoch_{epoch:02d}.pt",
            )
        say_epoch(epoch, loss, accuracy)
    pack_small(folder, args.out)
    verify(args.out, model, test_x, test_y)
    say_done(args.out)


if __name__ == "__main__":
    main()
