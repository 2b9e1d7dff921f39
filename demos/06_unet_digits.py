"""Train a U-Net to find the ink of a digit among stripes and noise, and record every epoch.

python demos/06_unet_digits.py                        downloads MNIST to data/mnist, writes out/unet-digits.npz
python demos/06_unet_digits.py --data FOLDER          takes the four IDX files from there
"""

from __future__ import annotations

import mnist
import torch
from packing import pack_small
from torch import Tensor, nn
from torch.nn import functional as F
from training import begun, empty_folder, options, run_epoch, say_done, say_epoch

import nn3d


def double(before: int, after: int) -> nn.Sequential:
    """Two 3 × 3 convolutions, each with a ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.Conv2d(after, after, 3, padding=1), nn.ReLU()
    )


class UNet(nn.Module):
    """Ronneberger, Fischer and Brox's U-Net (2015), small: 8, 16, 32 and 64 maps."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.down3, self.floor = double(1, 8), double(8, 16), double(16, 32), double(32, 64)
        self.pool = nn.MaxPool2d(2)
        self.rise3, self.up3 = nn.ConvTranspose2d(64, 32, 2, stride=2), double(64, 32)
        self.rise2, self.up2 = nn.ConvTranspose2d(32, 16, 2, stride=2), double(32, 16)
        self.rise1, self.up1 = nn.ConvTranspose2d(16, 8, 2, stride=2), double(16, 8)
        self.ink = nn.Conv2d(8, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, 1, 32, 32) → logits of ink (N, 1, 32, 32)."""
        a = self.down1(x)
        b = self.down2(self.pool(a))
        c = self.down3(self.pool(b))
        d = self.floor(self.pool(c))
        c = self.up3(torch.cat([c, self.rise3(d)], 1))
        b = self.up2(torch.cat([b, self.rise2(c)], 1))
        a = self.up1(torch.cat([a, self.rise1(b)], 1))
        return self.ink(a)


# What the title of the picture says.
UNet.__name__ = "U-Net"


def spoiled(digits: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Digits (N, 1, 28, 28) → pictures (N, 1, 32, 32) with stripes and noise, and where their ink is, 0 or 1."""
    clean = F.pad(digits, (2, 2, 2, 2))
    n = len(clean)
    turn, width, phase = torch.rand(3, n, 1, 1, 1, generator=draws)
    rows, columns = torch.arange(32.0)[:, None], torch.arange(32.0)
    across = rows * torch.cos(3.14159 * turn) + columns * torch.sin(3.14159 * turn)
    stripes = (torch.sin(across * (0.6 + width) + 6.28318 * phase) > 0.6).float()
    noise = torch.rand(n, 1, 32, 32, generator=draws)
    return torch.maximum(clean, 0.6 * stripes) * 0.8 + 0.2 * noise, (clean > 0.5).float()


@torch.no_grad()
def overlapping(model: nn.Module, pictures: Tensor, ink: Tensor) -> tuple[float, float]:
    """Mean cross-entropy, and how much found and true ink overlap (intersection over union)."""
    logits = torch.cat([model(batch) for batch in pictures.split(250)])
    found = logits > 0
    overlap = (found & (ink > 0)).sum() / (found | (ink > 0)).sum()
    return float(F.binary_cross_entropy_with_logits(logits, ink)), float(overlap)


def main() -> None:
    """Train, record, pack."""
    parser = options(__doc__, "out/unet-digits.npz", 6, mnist=True)
    parser.add_argument("--pictures", type=int, default=6000, help="so many digits to train with")
    args = begun(parser)
    draws = torch.Generator().manual_seed(args.seed)
    train, _, test, labels = (torch.from_numpy(a) for a in mnist.load(args.data))
    (x, ink), (test_x, test_ink) = spoiled(train[: args.pictures], draws), spoiled(test[:1000], draws)
    model, folder = UNet(), empty_folder(args.out)
    names = [f"MNIST test #{i}, a {labels[i]}, striped" for i in range(4)]
    recorder = nn3d.Recorder(folder, model, test_x[:4], names=names, encoding="f32")
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(args.epochs + 1):
        if epoch:
            order = torch.randperm(len(x))
            run_epoch(optimizer, order, 32, lambda k: F.binary_cross_entropy_with_logits(model(x[k]), ink[k]))
        loss, overlap = overlapping(model, test_x, test_ink)
        recorder.record(epoch, loss=loss, overlap=overlap)
        say_epoch(epoch, loss, overlap, "ink found")
    pack_small(folder, args.out, weights="f16")
    say_done(args.out)


if __name__ == "__main__":
    main()
