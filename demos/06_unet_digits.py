"""Train a U-Net to find the ink of a digit among stripes and noise, and record every epoch.

python demos/06_unet_digits.py                        downloads MNIST to data/mnist, writes out/unet-digits.npz
python demos/06_unet_digits.py --data FOLDER          takes the four IDX files from there
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mnist
import torch
from packing import pack_small
from torch import Tensor, nn
from torch.nn import functional as F

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
def score(model: nn.Module, pictures: Tensor, ink: Tensor) -> tuple[float, float]:
    """Mean cross-entropy, and how much found and true ink overlap (intersection over union)."""
    logits = torch.cat([model(batch) for batch in pictures.split(250)])
    found = logits > 0
    overlap = (found & (ink > 0)).sum() / (found | (ink > 0)).sum()
    return float(F.binary_cross_entropy_with_logits(logits, ink)), float(overlap)


def main() -> None:
    """Train, record, pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the four MNIST IDX files, plain or .gz")
    parser.add_argument("--out", type=Path, default=Path("out/unet-digits.npz"), help="the packed run")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--pictures", type=int, default=6000, help="so many digits to train with")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    draws = torch.Generator().manual_seed(args.seed)
    train, _, test, labels = (torch.from_numpy(a) for a in mnist.load(args.data))
    (x, ink), (test_x, test_ink) = spoiled(train[: args.pictures], draws), spoiled(test[:1000], draws)
    model, folder = UNet(), args.out.with_suffix("")
    if folder.exists():
        raise SystemExit(f"{folder} holds an earlier run: remove it, or give another --out")
    names = [f"MNIST test #{i}, a {labels[i]}, striped" for i in range(4)]
    recorder = nn3d.Recorder(folder, model, test_x[:4], names=names, encoding="f32")
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(args.epochs + 1):
        for rows in torch.randperm(len(x)).split(32) if epoch else ():
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(model(x[rows]), ink[rows]).backward()
            optimizer.step()
        loss, overlap = score(model, test_x, test_ink)
        recorder.record(epoch, loss=loss, overlap=overlap)
        print(f"epoch {epoch:2d}  loss {loss:.4f}  ink found {overlap:.2%}", flush=True)
    pack_small(folder, args.out, weights="f16")
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB. Look at it with: nn3d view {args.out}")


if __name__ == "__main__":
    main()
