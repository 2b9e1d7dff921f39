"""What the demos share: their options, an empty folder to record to, a pass over the data, a score, the last line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def options(doc: str | None, out: str, epochs: int, *, mnist: bool = False) -> argparse.ArgumentParser:
    """The options of every demo; mnist : also --data."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if mnist:
        parser.add_argument("--data", type=Path, help="folder of the four MNIST IDX files, plain or .gz")
    what = "the packed run" if out.endswith(".npz") else "folder of the run"
    parser.add_argument("--out", type=Path, default=Path(out), help=what)
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    return parser


def begun(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """What was asked for; from here on torch draws from its seed and uses so many threads."""
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    return args


def empty_folder(out: Path) -> Path:
    """The folder beside `out` that is recorded to; leaves with a word where an earlier run lies there."""
    folder = out.with_suffix("")
    if folder.exists():
        raise SystemExit(f"{folder} holds an earlier run: remove it, or give another --out")
    return folder


def run_epoch(
    optimizer: torch.optim.Optimizer, order: Tensor, batch: int, loss_of: Callable[[Tensor], Tensor],
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
) -> float:  # fmt: skip
    """One step for each `batch` rows of `order`; returns the mean loss by row. schedule : goes on after each step."""
    total = 0.0
    for rows in order.split(batch):
        loss = loss_of(rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        total += loss.item() * len(rows)
    return total / max(1, len(order))


@torch.no_grad()
def score(model: nn.Module, inputs: Tensor, labels: Tensor, batch: int = 1000) -> tuple[float, float]:
    """Mean cross-entropy and accuracy over a whole set; the model is in evaluation mode afterwards."""
    model.eval()
    logits = torch.cat([model(part) for part in inputs.split(batch)])
    return float(F.cross_entropy(logits, labels)), float((logits.argmax(1) == labels).float().mean())


def say_epoch(epoch: int, loss: float, share: float, what: str = "accuracy") -> None:
    """One line an epoch."""
    print(f"epoch {epoch:2d}  loss {loss:.4f}  {what} {share:.2%}", flush=True)


def say_done(path: Path) -> None:
    """The last line."""
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB. Look at it with: nn3d view {path}")
