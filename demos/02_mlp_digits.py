"""Train a small MLP, 144-16-10, on MNIST digits of 12 × 12 pixels; record weights, values and gradients every epoch.

python demos/02_mlp_digits.py                        downloads MNIST to data/mnist, writes out/mlp-digits.npz
python demos/02_mlp_digits.py --data FOLDER          takes the four IDX files from there
"""

from __future__ import annotations

from collections import OrderedDict

import mnist
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from training import begun, empty_folder, options, run_epoch, say_done, say_epoch, score

import nn3d

# Test pictures to record: one of every digit, and two that small networks take for others.
SAMPLES = (18, 3, 2, 1, 4, 15, 11, 0, 61, 7, 247, 340)


class MLP(nn.Module):
    """One hidden layer of 16 neurons between 12 × 12 pixels and ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.layers = nn.Sequential(
            OrderedDict(hidden=nn.Linear(144, 16), relu=nn.ReLU(), digits=nn.Linear(16, 10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, 1, 12, 12) → logits (N, 10)."""
        return self.layers(self.flatten(x))


# What the title of the picture says.
MLP.__name__ = "MLP 144-16-10"


def small(pictures: Tensor) -> Tensor:
    """MNIST pictures (N, 1, 28, 28) → their middle 24 × 24 pixels, halved: (N, 1, 12, 12)."""
    return F.avg_pool2d(pictures[:, :, 2:26, 2:26], 2)


def main() -> None:
    """Train, record, pack."""
    args = begun(options(__doc__, "out/mlp-digits.npz", 12, mnist=True))
    train_x, train_y, test_x, test_y = (torch.from_numpy(a) for a in mnist.load(args.data))
    train_x, test_x = small(train_x), small(test_x)
    model, folder = MLP(), empty_folder(args.out)
    recorder = nn3d.Recorder(
        folder,
        model,
        test_x[list(SAMPLES)],
        labels=test_y[list(SAMPLES)].tolist(),
        classes=[str(digit) for digit in range(10)],
        names=[f"MNIST test #{row}, 12 × 12" for row in SAMPLES],
        encoding="f32",
        gradients=True,
    )
    print(f"watch it grow in another terminal: nn3d view {folder}")
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, args.epochs), eta_min=1e-4)
    for epoch in range(args.epochs + 1):
        train_loss = score(model, train_x, train_y)[0]
        if epoch:
            order = torch.randperm(len(train_x))
            train_loss = run_epoch(optimizer, order, 64, lambda k: F.cross_entropy(model(train_x[k]), train_y[k]))
            schedule.step()
        loss, accuracy = score(model, test_x, test_y)
        recorder.record(epoch, loss=loss, accuracy=accuracy, train_loss=train_loss)
        say_epoch(epoch, loss, accuracy)
    recorder.pack(args.out)
    say_done(args.out)


if __name__ == "__main__":
    main()
