"""Train ResNet-20 on CIFAR-10 and record every epoch: colour, shortcuts, batch normalisation.

python demos/03_resnet_cifar.py                  downloads CIFAR-10 to data/cifar10, records to out/resnet20-cifar10
                                                 and packs three epochs of two pictures, out/resnet20-cifar10.npz
python demos/03_resnet_cifar.py --data SOURCE    takes a zip or folder of pictures by class, or the official archive
Interrupted, the same command goes on after the last recorded epoch.
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path

import cifar
import numpy as np
import torch
from packing import pack_small
from torch import Tensor, nn
from torch.nn import functional as F
from training import begun, options, run_epoch, say_epoch, score

import nn3d
from nn3d.extract.placed import Preprocessing

# Which test pictures of a class are recorded: its n-th, from 0.
SAMPLES = (
    ("horse", 6), ("ship", 5), ("truck", 2), ("frog", 4), ("bird", 5),
    ("airplane", 4), ("automobile", 4), ("cat", 9), ("deer", 8), ("dog", 1),
)  # fmt: skip
# Of these, the two in the small file: one that it knows, one that it takes for something else.
PACKED = (0, 7)


class Block(nn.Module):
    """Two 3 × 3 convolutions around a shortcut; the shortcut is a projection where the shape changes (He 2015)."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut = nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(channels_in, channels, 1, stride=stride, bias=False), bn=nn.BatchNorm2d(channels)
                )
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels_in, H, W) → (N, channels, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet20(nn.Module):
    """He, Zhang, Ren and Sun's ResNet-20 for CIFAR-10 (2015): three stages of three blocks, 272,474 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(16)
        self.stage1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
        self.stage2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.stage3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures (N, 3, 32, 32) → logits (N, 10)."""
        x = F.relu(self.bn(self.conv(x)))
        return self.fc(self.pool(self.stage3(self.stage2(self.stage1(x)))).flatten(1))


# What the title of the picture says.
ResNet20.__name__ = "ResNet-20"


def jittered(pictures: Tensor, draws: torch.Generator) -> Tensor:
    """Each picture (N, 3, 32, 32) moved by up to 4 pixels with grey around it, and mirrored half of the time."""
    n = len(pictures)
    dy, dx = torch.randint(0, 9, (2, n, 1), generator=draws)
    across = torch.arange(32).expand(n, 32)
    across = torch.where(torch.rand(n, 1, generator=draws) < 0.5, 31 - across, across)
    padded = F.pad(pictures, (4, 4, 4, 4))
    rows, columns = (dy + torch.arange(32))[:, None, :, None], (dx + across)[:, None, None, :]
    return padded[torch.arange(n)[:, None, None, None], torch.arange(3)[None, :, None, None], rows, columns]


class Training:
    """A model on its way: SGD with momentum .9, the rate up to .2 and down again along a cosine (Smith 2018)."""

    def __init__(self, model: nn.Module, n_pictures: int, epochs: int, seed: int, batch: int = 128) -> None:
        self.model, self.batch, self.epoch = model, batch, 0
        self.draws = torch.Generator().manual_seed(seed)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
        steps = epochs * -(-n_pictures // batch)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 0.2, total_steps=steps, pct_start=0.2)

    def run_epoch(self, pictures: Tensor, labels: Tensor) -> float:
        """One pass over all pictures; returns the mean loss."""
        self.model.train()
        order = torch.randperm(len(pictures), generator=self.draws)

        def loss_of(rows: Tensor) -> Tensor:
            batch = jittered(pictures[rows], self.draws).contiguous(memory_format=torch.channels_last)
            return F.cross_entropy(self.model(batch), labels[rows])

        loss = run_epoch(self.optimizer, order, self.batch, loss_of, self.schedule)
        self.epoch += 1
        return loss

    def save(self, path: Path) -> None:
        """Everything needed to go on from here, whole or not at all."""
        state = {"epoch": self.epoch, "draws": self.draws.get_state(), "state_dict": self.model.state_dict()}
        state |= {"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict()}
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a saved state."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["state_dict"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.draws.set_state(state["draws"])
        self.epoch = state["epoch"]


def recorder_of(folder: Path, model: nn.Module, test: cifar.Pictures) -> nn3d.Recorder:
    """A recorder of the chosen test pictures, one of each class."""
    rows = [int(np.flatnonzero(test.labels == cifar.CLASSES.index(label))[n]) for label, n in SAMPLES]
    return nn3d.Recorder(
        folder,
        model,
        torch.from_numpy(cifar.normalised(test.pixels[rows])),
        labels=test.labels[rows].tolist(),
        classes=cifar.CLASSES,
        names=[f"CIFAR-10 test {label} #{n}" for label, n in SAMPLES],
        encoding="u8",
        preprocessing=Preprocessing(cifar.MEAN, cifar.STD, (0.0, 1.0)),
    )


def arguments() -> argparse.ArgumentParser:
    """What can be asked for on the command line."""
    parser = options(__doc__, "out/resnet20-cifar10", 16)
    parser.add_argument("--data", type=Path, help="zip or folder (train/CLASS/*.jpg, test/CLASS/*.jpg), or archive")
    parser.add_argument("--pictures", type=int, help="train on so many pictures only, evenly over the classes")
    return parser


def main() -> None:
    """Train, record, go on where an earlier call stopped."""
    args = begun(arguments())
    train, test = cifar.load(args.data)
    step = max(1, len(train.labels) // (args.pictures or len(train.labels)))
    train_x, train_y = torch.from_numpy(cifar.normalised(train.pixels[::step])), torch.from_numpy(train.labels[::step])
    test_x, test_y = torch.from_numpy(cifar.normalised(test.pixels)), torch.from_numpy(test.labels)
    model = ResNet20().to(memory_format=torch.channels_last)
    training, saved = Training(model, len(train_x), args.epochs, args.seed), args.out.with_suffix(".pt")
    recorder = recorder_of(args.out, model, test)
    print(f"{len(train_x):,} pictures to train with, {len(test_x):,} to test; watch: nn3d view {args.out}", flush=True)
    if saved.exists():
        training.resume(saved)
    elif (args.out / "manifest.json").exists():
        raise SystemExit(f"{args.out} holds a run, but {saved} is gone: remove the run, or give another --out")
    else:
        loss, accuracy = score(model, test_x, test_y, 500)
        recorder.record(0, loss=loss, accuracy=accuracy)
        training.save(saved)
    recorded = {epoch.id for epoch in nn3d.load(args.out).epochs}
    while training.epoch < args.epochs:
        train_loss = training.run_epoch(train_x, train_y)
        loss, accuracy = score(model, test_x, test_y, 500)
        if training.epoch not in recorded:
            recorder.record(training.epoch, loss=loss, accuracy=accuracy, train_loss=train_loss)
        training.save(saved)
        say_epoch(training.epoch, loss, accuracy)
    small = args.out.with_suffix(".npz")
    pack_small(args.out, small, keep={0, args.epochs // 4, args.epochs}, samples=PACKED, weights="f16", shown_only=True)
    print(f"Look at it with: nn3d view {args.out}, or at {small}, {small.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
