"""Recorded gradients are those of the loss by what was recorded, and recording them leaves no trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nn3d.errors import TraceError
from nn3d.extract.recorder import Recorder
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from tests.networks import SMALL

torch.set_num_threads(1)


class Net(nn.Module):
    """A convolution, a ReLU that writes in place, a frozen layer, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.frozen, self.head = nn.Conv2d(1, 3, 3), nn.Linear(108, 8), nn.Linear(8, 4)
        self.relu = nn.ReLU(inplace=True)
        self.frozen.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.frozen(self.relu(self.conv(x)).flatten(1)))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Net, Tensor, list[int], Run]:
    torch.manual_seed(0)
    model, x, labels = Net().eval(), torch.rand(3, 1, 8, 8), [0, 3, 2]
    folder = tmp_path_factory.mktemp("run")
    Recorder(folder / "run", model, x, labels=labels, encoding="f32", gradients=True).record()
    return model, x, labels, open_run(folder / "run")


def test_they_equal_plain_autograd(recorded: tuple[Net, Tensor, list[int], Run]) -> None:
    model, x, labels, run = recorded
    x = x.clone().requires_grad_()
    before = model.conv(x)
    after = before.relu()
    logits = model.head(model.frozen(after.flatten(1)))
    loss = F.cross_entropy(logits, torch.tensor(labels), reduction="sum")
    weights = [model.conv.weight, model.head.bias]
    expected = [g.numpy() for g in torch.autograd.grad(loss, [x, before, after, logits, *weights])]
    node = {n.name: n.id for n in run.graph.nodes}
    for name, values in zip(("input", "conv", "relu", "head"), expected, strict=False):
        for sample in range(3):
            got = run.activation_gradient(node[name], 0, 0, sample)
            assert got is not None
            np.testing.assert_allclose(got, values[sample], atol=1e-6, err_msg=name)
    for name, values in zip(("conv.weight", "head.bias"), expected[4:], strict=True):
        got = run.parameter_gradient(run.parameter_id(name), 0)
        assert got is not None
        np.testing.assert_allclose(got, values, atol=1e-6, err_msg=name)


def test_a_frozen_parameter_has_none(recorded: tuple[Net, Tensor, list[int], Run]) -> None:
    run = recorded[3]
    assert run.parameter_gradient(run.parameter_id("frozen.weight"), 0) is None
    assert run.parameter_gradient(run.parameter_id("head.weight"), 0) is not None


def test_they_are_the_slope_of_the_loss(recorded: tuple[Net, Tensor, list[int], Run]) -> None:
    """A small step along a parameter changes the summed loss by step · gradient (central difference)."""
    model, x, labels, run = recorded
    slope = run.parameter_gradient(run.parameter_id("head.weight"), 0)
    assert slope is not None
    at, step = np.unravel_index(np.abs(slope).argmax(), slope.shape), 1e-2
    losses = []
    with torch.no_grad():
        for sign in (1, -2, 1):
            model.head.weight[at] += sign * step
            losses.append(float(F.cross_entropy(model(x), torch.tensor(labels), reduction="sum")))
    assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(float(slope[at]), rel=1e-2)


def test_recording_them_leaves_gradients_hooks_and_training_alone(tmp_path: Path) -> None:
    model = Net()
    model(torch.rand(4, 1, 8, 8)).sum().backward()
    model.conv.weight.grad = torch.ones_like(model.conv.weight)
    recorder = Recorder(tmp_path / "run", model, torch.rand(2, 1, 8, 8), labels=[0, 1], gradients=True)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    recorder.record()
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(model.conv.weight.grad, torch.ones_like(model.conv.weight))
    assert not model.conv.weight._backward_hooks
    assert model.training


@pytest.mark.parametrize("name", ["gpt", "lstm_both", "unet", "two_inputs", "vit"])
def test_a_loss_of_ones_own_reaches_every_trained_weight(name: str, tmp_path: Path) -> None:
    model, inputs = SMALL[name]()
    Recorder(tmp_path / "run", model, inputs, gradients=lambda result: result.square().sum()).record()
    run = open_run(tmp_path / "run")
    trained = [p for p in run.graph.parameters if p.kind == "parameter"]
    assert trained
    lacking = [p.name for p in trained if run.parameter_gradient(p.id, 0) is None]
    assert lacking == []
    last = run.graph.outputs[0]
    assert run.activation_gradient(last[1], last[2], 0, 0) is not None


def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="expected labels, one a sample"):
        Recorder(tmp_path / "a", nn.Linear(3, 2), torch.rand(2, 3), gradients=True)
    with pytest.raises(TraceError, match="loss that is one number"):
        Recorder(tmp_path / "b", nn.Linear(3, 2), torch.rand(2, 3), gradients=lambda y: y).record()
    recorder = Recorder(tmp_path / "c", nn.Conv1d(3, 2, 1), torch.rand(2, 3, 4), labels=[0, 1], gradients=True)
    with pytest.raises(TraceError, match=r"expected logits \(2, classes\)"):
        recorder.record()
