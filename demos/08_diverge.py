"""Let a training diverge: LeNet-5 on MNIST, whose learning rate is too large by six zeros from epoch 7 on.

python demos/08_diverge.py                        downloads MNIST to data/mnist, writes out/lenet-diverges.npz
python demos/08_diverge.py --data FOLDER          takes the four IDX files from there
nn3d info out/lenet-diverges.npz --health         says which units died, and where the first Inf stands
"""

from __future__ import annotations

from importlib import import_module

import mnist
import torch
from torch import Tensor
from torch.nn import functional as F
from training import begun, empty_folder, options, run_epoch, say_done, say_epoch, score

import nn3d

SAMPLES = (18, 3, 2, 1, 4, 15, 11, 0, 61, 7, 247, 340)
PICTURES, BATCH = 3000, 50
HEALTHY, RATE, TOO_LARGE = 6, 0.02, 1e6


class DivergedError(ArithmeticError):
    """The loss is no number any more."""


def checked(loss: Tensor) -> Tensor:
    """The loss, while it is a number: a step from any other would leave nothing to look at."""
    if not torch.isfinite(loss):
        raise DivergedError
    return loss


def main() -> None:
    """Train until the loss is no number, record every epoch with gradients, pack."""
    args = begun(options(__doc__, "out/lenet-diverges.npz", 10, mnist=True))
    train_x, train_y, test_x, test_y = (torch.from_numpy(a) for a in mnist.load(args.data))
    train_x, train_y = train_x[:PICTURES], train_y[:PICTURES]
    model, folder, rows = import_module("01_train_mnist").LeNet5(), empty_folder(args.out), list(SAMPLES)
    recorder = nn3d.Recorder(
        folder, model, test_x[rows], labels=test_y[rows].tolist(), classes=[str(digit) for digit in range(10)],
        names=[f"MNIST test #{row}" for row in rows], gradients=True,
    )  # fmt: skip
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    has_diverged = False
    for epoch in range(args.epochs + 1):
        try:
            if epoch:
                order = torch.randperm(len(train_x))
                run_epoch(optimizer, order, BATCH, lambda k: checked(F.cross_entropy(model(train_x[k]), train_y[k])))
        except DivergedError:
            has_diverged = True
        loss, accuracy = score(model, test_x, test_y)
        recorder.record(epoch, loss=loss, accuracy=accuracy, rate=optimizer.param_groups[0]["lr"])
        say_epoch(epoch, loss, accuracy)
        if has_diverged:
            break
        optimizer.param_groups[0]["lr"] = RATE * (TOO_LARGE if epoch >= HEALTHY else 1.0)
    recorder.pack(args.out)
    say_done(args.out)


if __name__ == "__main__":
    main()
