"""Train a network small enough to print its numbers, 4-8-3, on Fisher's irises.

python demos/05_mlp_iris.py        writes out/mlp-iris.npz; the 150 flowers lie beside this file
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from training import begun, empty_folder, options, run_epoch, say_done, say_epoch, score

import nn3d
from nn3d.extract.placed import Preprocessing

# Edgar Anderson's measurements, published by R. A. Fisher, "The use of multiple measurements in taxonomic problems",
# 1936: sepal length and width, petal length and width in cm, then the species.
FLOWERS = Path(__file__).with_name("iris.csv")
SAMPLES = (100, 0, 50, 70, 106, 133)
FEATURES = ("sepal length", "sepal width", "petal length", "petal width")


class Iris(nn.Sequential):
    """Four measurements → eight hidden neurons → three species."""

    def __init__(self) -> None:
        super().__init__(OrderedDict(hidden=nn.Linear(4, 8), relu=nn.ReLU(), species=nn.Linear(8, 3)))


# What the title of the picture says.
Iris.__name__ = "MLP 4-8-3"


def main() -> None:
    """Train on four of five flowers, record six flowers every epoch, pack."""
    parser = options(__doc__, "out/mlp-iris.npz", 30)
    parser.set_defaults(seed=3, threads=1)
    args = begun(parser)
    species = FLOWERS.read_text().splitlines()[0].split(",")[2:]
    table = torch.from_numpy(np.loadtxt(FLOWERS, np.float32, delimiter=",", skiprows=1))
    x, y = (table[:, :4] - table[:, :4].mean(0)) / table[:, :4].std(0), table[:, 4].long()
    is_test = torch.arange(len(y)) % 5 == 0
    model, folder, rows = Iris(), empty_folder(args.out), list(SAMPLES)
    names = [f"iris #{row}" for row in rows]
    recorder = nn3d.Recorder(
        folder, model, x[rows], labels=y[rows].tolist(), classes=species, names=names, encoding="f32", gradients=True,
        preprocessing=Preprocessing(names=FEATURES),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for epoch in range(args.epochs + 1):
        if epoch:
            order = torch.randperm(len(y))
            run_epoch(optimizer, order[~is_test[order]], 12, lambda k: F.cross_entropy(model(x[k]), y[k]))
        loss, accuracy = score(model, x[is_test], y[is_test])
        recorder.record(epoch, loss=loss, accuracy=accuracy)
        say_epoch(epoch, loss, accuracy)
    recorder.pack(args.out)
    say_done(args.out)


if __name__ == "__main__":
    main()
