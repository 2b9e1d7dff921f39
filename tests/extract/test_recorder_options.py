"""What a recorder may be asked to leave out, to add, or to keep small: it says so, and the run stays whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nn3d.errors import TraceError
from nn3d.extract.recorder import Recorder
from nn3d.run.folder import open_folder
from nn3d.run.reader import open_run
from nn3d.run.thinning import thinned
from nn3d.run.updates import update_stats
from nn3d.run.validate import validate
from tests import networks

torch.set_num_threads(1)


def train(model: nn.Module, recorder: Recorder | None, steps: int = 12) -> nn.Module:
    torch.manual_seed(1)
    x, y = torch.rand(8, 1, 28, 28), torch.arange(8)
    sgd = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    model.train()
    for _ in range(steps):
        sgd.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        sgd.step()
        if recorder is not None:
            recorder.record(loss=loss)
    return model


def lenet() -> nn.Module:
    torch.manual_seed(0)
    return networks.LeNet()


PICTURES = torch.rand(6, 1, 28, 28, generator=torch.Generator().manual_seed(3))


def test_every_option_leaves_training_bit_identical(tmp_path: Path) -> None:
    model = lenet()
    recorder = Recorder(
        tmp_path / "run", model, PICTURES, labels=list(range(6)), every=3, layers=["conv*", "fc2"], samples=4,
        max_bytes=20_000_000, gradients=True, updates="full",
    )  # fmt: skip
    train(model, recorder)
    for a, b in zip(model.state_dict().values(), train(lenet(), None).state_dict().values(), strict=True):
        assert torch.equal(a, b)
    with open_run(tmp_path / "run") as run:
        assert validate(run) > 0
        assert len(run.samples) == 4
        assert [e.step for e in run.epochs] == [0, 3, 6, 9]


def test_layers_that_are_not_named_are_left_out_and_said(tmp_path: Path) -> None:
    Recorder(tmp_path / "run", lenet(), PICTURES, layers=["conv1"]).record()
    with open_run(tmp_path / "run") as run:
        held = {layer.name: run.has_values(layer.shown, layer.shown_output, 0) for layer in run.layers}
        assert held["conv1"]
        assert held["fc3"], "what the model returns is always recorded"
        assert not held["conv2"]
        assert not held["fc1"]
        assert [run.has_parameter(run.layer(n).weight, 0) for n in ("conv1", "conv2")] == [True, False]
        assert "5 were not recorded" in run.left_out[0]
    with pytest.raises(TraceError, match=r"expected names or patterns of this model .*conv2.*got 'conv9'"):
        Recorder(tmp_path / "other", lenet(), PICTURES, layers=["conv9"]).record()


def test_updates_are_those_of_numpy(tmp_path: Path) -> None:
    model = lenet()
    train(model, Recorder(tmp_path / "run", model, PICTURES, encoding="f32", updates="full"), steps=3)
    gradient = model.fc1.weight.grad
    assert gradient is not None
    with open_run(tmp_path / "run") as run:
        which = next(p.id for p in run.graph.parameters if p.name == "fc1.weight")
        assert update_stats(run, which, 0) is None
        before, after = (np.asarray(run.weights("fc1.weight", e), np.float64) for e in (1, 2))
        stats = update_stats(run, which, 2)
        assert stats is not None
        assert stats.change == pytest.approx(np.linalg.norm(after - before), rel=1e-5)
        assert stats.ratio == pytest.approx(np.linalg.norm(after - before) / np.linalg.norm(before), rel=1e-5)
        assert stats.largest == pytest.approx(np.abs(after - before).max(), rel=1e-5)
        assert stats.gradient == pytest.approx(float(gradient.norm()), rel=1e-5)
        change = np.asarray(run.store[f"e000002/u/{which}"])
        np.testing.assert_array_equal(change, (after - before).astype(np.float32))


def test_a_run_above_its_bytes_keeps_first_and_newest_and_says_what_went(tmp_path: Path) -> None:
    model, most = lenet(), 3_000_000
    recorder = Recorder(tmp_path / "run", model, PICTURES, max_bytes=most)
    train(model, recorder, steps=15)
    with open_folder(tmp_path / "run") as run:
        ids = [e.id for e in run.epochs]
        assert ids[0] == 0
        assert ids[-2:] == [13, 14]
        assert sum(p.stat().st_size for p in (tmp_path / "run").glob("epoch_*.npz")) <= most
        assert {p.name for p in (tmp_path / "run").glob("epoch_*")} == {f"epoch_{i:06d}.npz" for i in ids}
        assert validate(run) > 0
        assert run.manifest["thinned"] == 15 - len(ids)
        assert any(f"{15 - len(ids)} of the older epochs were dropped" in note for note in run.notes)
        Recorder(tmp_path / "run", model, PICTURES, max_bytes=most).record()
        assert run.is_replaced or run.refresh(), "a reader learns of it either way"
    with open_run(tmp_path / "run") as run:
        assert run.epochs[-1].id == 15


@pytest.mark.parametrize("n", [1, 2, 3, 10, 101])
def test_thinning_keeps_the_first_and_the_newest_and_fits(n: int) -> None:
    rng = np.random.default_rng(n)
    sizes = [int(v) for v in rng.integers(1, 50, n)]
    for most in (1, sum(sizes) // 3, sum(sizes)):
        stays = thinned(sizes, most)
        kept = [i for i, stay in enumerate(stays) if stay]
        assert kept[0] == 0
        assert kept[-1] == n - 1
        assert sum(sizes[i] for i in kept) <= most or len(kept) <= 2


def test_a_number_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="every: expected a whole number above 0, got 0"):
        Recorder(tmp_path / "run", lenet(), PICTURES, every=0)


def test_a_new_recorder_counts_on_where_the_folder_ends(tmp_path: Path) -> None:
    model = lenet()
    Recorder(tmp_path / "run", model, PICTURES).record(7)
    Recorder(tmp_path / "run", model, PICTURES).record()
    with open_run(tmp_path / "run") as run:
        assert [e.id for e in run.epochs] == [7, 8]
