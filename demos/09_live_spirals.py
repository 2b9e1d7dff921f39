"""Watch a small network learn three spirals: a window opens beside the training and shows each epoch as it lands.

python demos/09_live_spirals.py                      without a display it records on, into out/spirals, and says so
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from training import begun, empty_folder, options, say_epoch

import nn3d

ARMS, POINTS = 3, 200


def spirals() -> tuple[Tensor, Tensor]:
    """Points (600, 2) on three arms that wind outward, a little scattered, and the arm of each."""
    radius = torch.linspace(0.1, 1.0, POINTS).repeat(ARMS)
    arm = torch.arange(ARMS).repeat_interleave(POINTS)
    angle = 4.0 * radius + 2.0 * math.pi / ARMS * arm + 0.15 * torch.randn(ARMS * POINTS)
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], 1), arm


class Spirals(nn.Sequential):
    """Two hidden layers of twelve neurons between a point and its arm."""

    def __init__(self) -> None:
        layers = {"inner": nn.Linear(2, 12), "bent": nn.Tanh(), "outer": nn.Linear(12, 12), "bent2": nn.Tanh()}
        super().__init__(OrderedDict(layers, arms=nn.Linear(12, ARMS)))


def main() -> None:
    """Train, and let the window look on."""
    parser = options(__doc__, "out/spirals", 40)
    parser.add_argument("--pause", type=float, default=0.5, help="seconds after each epoch, to watch it")
    args = begun(parser)
    x, y = spirals()
    model = Spirals()
    adam = torch.optim.Adam(model.parameters(), 0.03)
    watched = slice(40, None, 50)
    names = [f"arm {k}, radius {r:.2f}" for k, r in zip(y[watched].tolist(), x[watched].norm(dim=1), strict=True)]
    with nn3d.live(
        model, x[watched], labels=y[watched].tolist(), classes=["arm 0", "arm 1", "arm 2"], names=names,
        folder=empty_folder(args.out), updates=True,
    ) as watch:  # fmt: skip
        for epoch in range(args.epochs):
            for batch in torch.randperm(len(x)).split(64):
                loss = F.cross_entropy(model(x[batch]), y[batch])
                adam.zero_grad()
                loss.backward()
                adam.step()
            accuracy = (model(x).argmax(1) == y).float().mean()
            watch.record(loss=loss, accuracy=accuracy)
            say_epoch(epoch, loss.item(), accuracy.item())
            time.sleep(args.pause)
        watch.wait()


if __name__ == "__main__":
    main()
