"""Train a network small enough to print its numbers, 4-8-3, on Fisher's irises.

python demos/05_mlp_iris.py        writes out/mlp-iris.npz; the 150 flowers lie beside this file
"""

from __future__ import annotations

import argparse
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import nn3d
from nn3d.extract.graph import Preprocessing

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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/mlp-iris.npz"), help="the packed run")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    species = FLOWERS.read_text().splitlines()[0].split(",")[2:]
    table = torch.from_numpy(np.loadtxt(FLOWERS, np.float32, delimiter=",", skiprows=1))
    x, y = (table[:, :4] - table[:, :4].mean(0)) / table[:, :4].std(0), table[:, 4].long()
    is_test = torch.arange(len(y)) % 5 == 0
    model, folder, rows = Iris(), args.out.with_suffix(""), list(SAMPLES)
    if folder.exists():
        raise SystemExit(f"{folder} holds an earlier run: remove it, or give another --out")
    names = [f"iris #{row}" for row in rows]
    recorder = nn3d.Recorder(
        folder, model, x[rows], labels=y[rows].tolist(), classes=species, names=names, encoding="f32", gradients=True,
        preprocessing=Preprocessing(names=FEATURES),
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for epoch in range(args.epochs + 1):
        for batch in torch.randperm(len(y)).split(15) if epoch else ():
            picked = batch[~is_test[batch]]
            optimizer.zero_grad()
            F.cross_entropy(model(x[picked]), y[picked]).backward()
            optimizer.step()
        with torch.no_grad():
            logits = model(x[is_test])
        loss, accuracy = F.cross_entropy(logits, y[is_test]), (logits.argmax(1) == y[is_test]).float().mean()
        recorder.record(epoch, loss=loss, accuracy=accuracy)
        print(f"epoch {epoch:2d}  loss {loss:.4f}  accuracy {accuracy:.2%}", flush=True)
    recorder.pack(args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB. Look at it with: nn3d view {args.out}")


if __name__ == "__main__":
    main()
