"""Recording a training loop leaves no trace in what is trained, and a run that is whole at every moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import nn3d
from nn3d.errors import TraceError
from nn3d.extract.recorder import Recorder
from nn3d.extract.undisturbed import undisturbed
from nn3d.run.reader import open_run

torch.set_num_threads(1)
ROOT = Path(__file__).parents[2]


class Net(nn.Module):
    """Everything that a careless probe would disturb: dropout, BatchNorm, own state, a frozen part."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.frozen = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm1d(4)
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(4, 3)
        self.calls, self.seen = 0, [0.0]
        self.register_buffer("total", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen.append(float(x.mean()))
        self.total += x.mean()
        x = self.frozen(F.relu(self.bn(self.conv(x))).mean((2, 3)))
        return self.head(self.drop(x)) + 1e-3 * self.calls + 1e-3 * self.total


def train(folder: Path | None) -> Net:
    torch.manual_seed(0), random.seed(0), np.random.seed(0)  # noqa: NPY002
    model = Net()
    model.frozen.eval()
    sgd = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    data, truth = torch.rand(16, 1, 8, 8), torch.arange(16) % 3
    recorder = Recorder(folder, model, data[:3], labels=[0, 1, 2]) if folder is not None else None
    model.train()
    model.frozen.eval()
    for epoch in range(4):
        order = torch.randperm(16)[:8]
        batch = data[order] * random.random() + 0.1 * torch.rand(8, 1, 8, 8) + float(np.random.rand())  # noqa: NPY002
        loss = F.cross_entropy(model(batch), truth[order])
        if recorder is not None and epoch == 2:
            recorder.record(100)
        sgd.zero_grad()
        loss.backward()
        if recorder is not None:
            recorder.record(epoch if epoch < 2 else 101 + epoch, loss=loss)
        sgd.step()
    return model


def test_training_is_bit_identical_with_and_without_a_recorder(tmp_path: Path) -> None:
    plain, recorded = train(None), train(tmp_path / "run")
    for (name, a), b in zip(plain.state_dict().items(), recorded.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    assert (plain.calls, plain.seen) == (recorded.calls, recorded.seen)
    run = open_run(tmp_path / "run")
    assert [e.id for e in run.epochs] == [0, 1, 100, 103, 104]
    assert not np.array_equal(run.weights("conv.weight", 0), run.weights("conv.weight", 1))


def test_everything_is_as_before_even_when_the_model_fails() -> None:
    model = Net().train()
    model.frozen.eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    flags, rng = [m.training for m in model.modules()], torch.get_rng_state()

    def fail() -> None:
        with undisturbed(model):
            model(torch.rand(2, 1, 8, 8))
            model.new_attribute = 1
            model.bn.running_mean.add_(1)
            torch.rand(3), np.random.rand(), random.random()  # noqa: NPY002
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [m.training for m in model.modules()] == flags
    assert torch.equal(torch.get_rng_state(), rng)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not hasattr(model, "new_attribute")
    assert model.calls == 0
    assert torch.is_grad_enabled()


def test_hooks_and_gradients_are_left_alone(tmp_path: Path) -> None:
    model = Net()
    model(torch.rand(4, 1, 8, 8)).sum().backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    handle = model.conv.register_forward_hook(lambda *_: None)
    Recorder(tmp_path / "run", model, torch.rand(2, 1, 8, 8)).record()
    assert list(model.conv._forward_hooks) == [handle.id]
    assert not model.conv._forward_pre_hooks
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))


class Loop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.step, self.steps = nn.Linear(4, 4), 3

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.steps):
            x = self.step(x)
        return x


def test_steps_that_no_longer_run_have_no_values(tmp_path: Path) -> None:
    model = Loop()
    recorder = Recorder(tmp_path / "run", model, torch.rand(2, 4))
    recorder.record()
    model.steps = 1
    recorder.record()
    run = open_run(tmp_path / "run")
    steps = [n.id for n in run.graph.nodes if n.op == "linear"]
    assert [run.has_values(n, 0, 0) for n in steps] == [True, True, True]
    assert [run.has_values(n, 0, 1) for n in steps] == [True, False, False]


def test_a_recorder_continues_a_run_of_the_same_model(tmp_path: Path) -> None:
    model, x = nn.Linear(3, 2), torch.rand(2, 3)
    Recorder(tmp_path / "run", model, x).record(0)
    Recorder(tmp_path / "run", model, x).record(1, loss=torch.tensor(0.5))
    run = nn3d.load(tmp_path / "run")
    assert [e.id for e in run.epochs] == [0, 1]
    assert run.epochs[1].metrics == {"loss": 0.5}


def test_a_metric_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="loss should be one number, got list"):
        Recorder(tmp_path / "run", nn.Linear(3, 2), torch.rand(2, 3)).record(loss=[1, 2])


SCRIPT = """
import sys, time, torch, nn3d
torch.set_num_threads(1)
model = torch.nn.Linear(4, 4)
recorder = nn3d.Recorder(sys.argv[1], model, torch.rand(2, 4))
for epoch in range(100000):
    recorder.record(epoch, loss=1.0)
    print(epoch, flush=True)
"""


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_recording_is_a_valid_run(kind: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "run")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT, env={**os.environ}
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= 5:
            break
    os.kill(process.pid, kind)
    process.stdout.close()
    process.wait(30)
    run = open_run(tmp_path / "run")
    assert len(run.epochs) >= 6
    assert run.weights("weight", -1).shape == (4, 4)
