"""What recording every value of a network costs beside one plain forward of it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

import nn3d
from benchmarks.timing import Row, interleaved
from tests import networks

TITLE = "Extraction: capture of every node, against one plain forward"


def rows() -> list[Row]:
    """One row a network."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    cases: dict[str, tuple[Callable[[], nn.Module], Tensor]] = {
        "LeNet, 16 × 1×28×28": (networks.LeNet, torch.rand(16, 1, 28, 28)),
        "ResNet-50, 1 × 3×224×224": (networks.resnet50, torch.rand(1, 3, 224, 224)),
    }
    return [_row(name, make().eval(), inputs) for name, (make, inputs) in cases.items()]


def _row(name: str, model: nn.Module, inputs: Tensor) -> Row:
    @torch.no_grad()
    def forward() -> Tensor:
        return model(inputs)

    captured, plain = interleaved(lambda: nn3d.capture(model, inputs), forward, rounds=5)
    return Row(name, captured, "plain forward", plain, f"{len(nn3d.capture(model, inputs).graph.nodes)} nodes")
