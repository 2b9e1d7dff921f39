"""Train a bidirectional LSTM that reads a digit row by row, and record every epoch.

python demos/07_lstm_rows.py                        downloads MNIST to data/mnist, writes out/lstm-rows.npz
python demos/07_lstm_rows.py --data FOLDER          takes the four IDX files from there
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

SAMPLES = (18, 3, 2, 1, 61)


class RowReader(nn.Module):
    """Two LSTMs of 32 cells: one reads the 28 rows downward, one upward; what they end with decides."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(28, 32, batch_first=True, bidirectional=True)
        self.digits = nn.Linear(64, 10)

    def forward(self, rows: Tensor) -> Tensor:
        """(N, 28 rows, 28 pixels) → logits (N, 10)."""
        _, (last, _) = self.lstm(rows)
        return self.digits(torch.cat([last[0], last[1]], 1))


# What the title of the picture says.
RowReader.__name__ = "Bidirectional LSTM"


def main() -> None:
    """Train, record, pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the four MNIST IDX files, plain or .gz")
    parser.add_argument("--out", type=Path, default=Path("out/lstm-rows.npz"), help="the packed run")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=20000, help="so many digits to train with")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    x, y, test_x, test_y = (torch.from_numpy(a) for a in mnist.load(args.data))
    x, y, test_x = x[: args.pictures, 0], y[: args.pictures], test_x[:, 0]
    model, folder, rows = RowReader(), args.out.with_suffix(""), list(SAMPLES)
    if folder.exists():
        raise SystemExit(f"{folder} holds an earlier run: remove it, or give another --out")
    recorder = nn3d.Recorder(
        folder,
        model,
        test_x[rows],
        labels=test_y[rows].tolist(),
        classes=[str(digit) for digit in range(10)],
        names=[f"MNIST test #{row}, row by row" for row in rows],
        tokens=[[f"row {i}" for i in range(28)] for _ in rows],
        encoding="f32",
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(args.epochs + 1):
        for batch in torch.randperm(len(x)).split(64) if epoch else ():
            optimizer.zero_grad()
            F.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            logits = torch.cat([model(part) for part in test_x.split(1000)])
        loss, accuracy = F.cross_entropy(logits, test_y), (logits.argmax(1) == test_y).float().mean()
        recorder.record(epoch, loss=loss, accuracy=accuracy)
        print(f"epoch {epoch:2d}  loss {loss:.4f}  accuracy {accuracy:.2%}", flush=True)
    pack_small(folder, args.out, weights="f16")
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB. Look at it with: nn3d view {args.out}")


if __name__ == "__main__":
    main()
