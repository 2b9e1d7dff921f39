"""Train a bidirectional LSTM that reads a digit row by row, and record every epoch.

python demos/07_lstm_rows.py                        downloads MNIST to data/mnist, writes out/lstm-rows.npz
python demos/07_lstm_rows.py --data FOLDER          takes the four IDX files from there
"""

from __future__ import annotations

import mnist
import torch
from packing import pack_small
from torch import Tensor, nn
from torch.nn import functional as F
from training import begun, empty_folder, options, run_epoch, say_done, say_epoch, score

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
    parser = options(__doc__, "out/lstm-rows.npz", 5, mnist=True)
    parser.add_argument("--pictures", type=int, default=20000, help="so many digits to train with")
    args = begun(parser)
    x, y, test_x, test_y = (torch.from_numpy(a) for a in mnist.load(args.data))
    x, y, test_x = x[: args.pictures, 0], y[: args.pictures], test_x[:, 0]
    model, folder, rows = RowReader(), empty_folder(args.out), list(SAMPLES)
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
        if epoch:
            model.train()
            run_epoch(optimizer, torch.randperm(len(x)), 64, lambda k: F.cross_entropy(model(x[k]), y[k]))
        loss, accuracy = score(model, test_x, test_y)
        recorder.record(epoch, loss=loss, accuracy=accuracy)
        say_epoch(epoch, loss, accuracy)
    pack_small(folder, args.out, weights="f16")
    say_done(args.out)


if __name__ == "__main__":
    main()
