"""The torch engine: the user's module, with the run's weights of an epoch, gives what the run recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nn3d.analysis.forward.network import Network, recorded_inputs
from nn3d.errors import SourceError
from nn3d.extract.engine import TorchEngine
from nn3d.extract.recorder import Recorder
from nn3d.run.folder import open_folder
from nn3d.run.run import Run
from tests.networks import SMALL, LstmClassifier, UNet


class Odd(nn.Module):
    """With an operation that numpy does not know, and a transposed convolution of groups."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(4, 6, 3, 2, groups=2)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.special.bessel_j0(self.up(x)).mean((2, 3)))


def odd() -> nn.Module:
    """A factory for --model tests.extract.test_engine:odd, with weights that no run has."""
    torch.manual_seed(99)
    return Odd()


def unet() -> nn.Module:
    """A factory of tests.networks' small UNet with fresh weights."""
    return UNet(4, 2)


def lstm() -> nn.Module:
    """A factory of tests.networks' small LSTM with fresh weights."""
    return LstmClassifier(both=True, layers=2)


def recorded(path: Path, model: nn.Module, inputs: Tensor) -> Run:
    """Two epochs of a model whose weights change in between."""
    with Recorder(path, model, inputs) as recorder:
        recorder.record(0)
        with torch.no_grad():
            for p in model.parameters():
                p.mul_(1.5)
        recorder.record(1)
    return open_folder(path)


def test_what_numpy_does_not_know_torch_computes_with_the_weights_of_the_epoch(tmp_path: Path) -> None:
    torch.manual_seed(1)
    run = recorded(tmp_path / "run", Odd(), torch.rand(3, 4, 5, 5))
    assert "bessel" in Network(run).reason
    engine = TorchEngine(run, "tests.extract.test_engine:odd")
    assert engine.reason == ""
    for epoch in (0, 1):
        found = engine.infer(recorded_inputs(run, epoch, [0, 1, 2]), epoch)
        for node in run.graph.nodes:
            stored = np.stack([run.values(node.id, 0, epoch, s) for s in range(3)])
            assert np.abs(found[node.id, 0] - stored).max() < 2e-3 * np.abs(stored).max(), node.name


@pytest.mark.parametrize("name", ["unet", "lstm"])
def test_torch_and_numpy_agree_on_inputs_that_nobody_recorded(tmp_path: Path, name: str) -> None:
    model, inputs = SMALL["unet" if name == "unet" else "lstm_both"]()
    run = recorded(tmp_path / "run", model, inputs)
    engine = TorchEngine(run, f"tests.extract.test_engine:{name}")
    assert engine.reason == ""
    new = torch.rand(1, 1, 16, 16).numpy() if name == "unet" else np.array([[3, 1, 4, 1, 5, 9, 2]])
    ours, theirs = Network(run).infer([new], 1), engine.infer([new], 1)
    for key, values in ours.items():
        assert np.abs(values - theirs[key]).max() <= 1e-5 * max(1e-6, np.abs(theirs[key]).max())


def test_a_module_that_is_not_the_run_s_is_refused(tmp_path: Path) -> None:
    run = recorded(tmp_path / "run", Odd(), torch.rand(2, 4, 5, 5))
    with pytest.raises(SourceError, match=r"expected the run's up\.weight, got no such parameter"):
        TorchEngine(run, "tests.extract.test_engine:unet")
