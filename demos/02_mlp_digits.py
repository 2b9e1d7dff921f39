"""Train a small MLP, 144-16-10, on MNIST digits of 12 × 12 pixels; record weights, values and gradients every epoch.

python demos/02_mlp_digits.py                        downloads MNIST to data/mnist, writes out/mlp-digits.npz
python demos/02_mlp_digits.py --data FOLDER          takes the four IDX files from there
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path

import mnist
import torch
from torch import Tensor, nn
from torch.nn import functional as F

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


@torch.no_grad()
def score(model: nn.Module, pictures: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy and accuracy over a whole set."""
    logits = model(pictures)
    return float(F.cross_entropy(logits, labels)), float((logits.argmax(1) == labels).float().mean())


def run_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, pictures: Tensor, labels: Tensor) -> float:
    """One pass over all pictures in batches of 64; returns the mean loss."""
    total = 0.0
    for rows in torch.randperm(len(pictures)).split(64):
        loss = F.cross_entropy(model(pictures[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    return total / len(pictures)


def arguments() -> argparse.Namespace:
    """What can be asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the four MNIST IDX files, plain or .gz")
    parser.add_argument("--out", type=Path, default=Path("out/mlp-digits.npz"), help="the packed run")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    """Train, record, pack."""
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    train_x, train_y, test_x, test_y = (torch.from_numpy(a) for a in mnist.load(args.data))
    train_x, test_x = small(train_x), small(test_x)
    model, folder = MLP(), args.out.with_suffix("")
    if folder.exists():
        raise SystemExit(f"{folder} holds an earlier run: remove it, or give another --out")
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
        train_loss = run_epoch(model, optimizer, train_x, train_y) if epoch else score(model, train_x, train_y)[0]
        if epoch:
            schedule.step()
        loss, accuracy = score(model, test_x, test_y)
        recorder.record(epoch, loss=loss, accuracy=accuracy, train_loss=train_loss)
        print(f"epoch {epoch:2d}  loss {loss:.4f}  accuracy {accuracy:.2%}", flush=True)
    recorder.pack(args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB. Look at it with: nn3d view {args.out}")


if __name__ == "__main__":
    main()
