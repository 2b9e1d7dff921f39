"""A pickled module is shown by what its pickle says: classes, settings, shapes and weights, and none of it runs."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nn3d.errors import SourceError  # noqa: E402
from nn3d.extract.options import SourceOptions  # noqa: E402
from nn3d.extract.pickled_tree import read_tree  # noqa: E402
from nn3d.extract.sources import open_source  # noqa: E402
from tests import networks  # noqa: E402

PLAIN = SourceOptions()


class Evil:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.canary}'",)


def saved(path: Path, content: Any, *, new: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=new)
    return path


@pytest.mark.parametrize("new", [True, False])
def test_tree_settings_and_weights_come_out_and_no_code_runs(new: bool, tmp_path: Path) -> None:
    model, _ = networks.SMALL["resnet"]()
    expected = {k: v.numpy() for k, v in model.state_dict().items() if not k.endswith("tracked")}
    model.evil = Evil(tmp_path / "canary")
    path = saved(tmp_path / "a.pt", {"model": model, "epoch": 3}, new=new)
    run = open_source(path, PLAIN)
    assert not (tmp_path / "canary").exists()
    assert run.graph.kind == "inferred"
    for name, values in expected.items():
        assert np.array_equal(run.weights(name), values), name
    types = {m.path: m.type for m in run.graph.modules}
    assert (types[""], types["layer1.0"], types["layer1.0.relu"]) == ("ResNet", "Bottleneck", "ReLU")
    node = next(n for n in run.graph.nodes if n.name == "conv1")
    assert (node.attributes["stride"], node.attributes["padding"]) == ([2, 2], [3, 3])
    assert "layer1.0.add" in {n.name for n in run.graph.nodes}
    assert "--trust" in run.left_out[0]
    assert any("which was not run" in note for note in run.graph.notes)


def test_half_precision_views_and_shared_storages_are_read_as_torch_has_them(tmp_path: Path) -> None:
    class Views(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            whole = torch.arange(24.0).to(torch.bfloat16).reshape(4, 6)
            self.a = torch.nn.Linear(4, 6)
            self.a.weight = torch.nn.Parameter(whole.T)
            self.register_buffer("tail", whole.reshape(-1)[20:])

    model = Views()
    found = read_tree(saved(tmp_path / "a.pt", torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.GroupNorm(2, 4))))
    assert found.types["1"] == "GroupNorm"
    assert found.settings["1"]["num_groups"] == 2
    torch.nn.modules.Views = Views
    Views.__module__, Views.__qualname__ = "torch.nn.modules", "Views"
    try:
        path = saved(tmp_path / "b.pt", model)
    finally:
        del torch.nn.modules.Views
    run = open_source(path, PLAIN)
    assert np.array_equal(run.weights("a.weight"), np.arange(24.0).reshape(4, 6).T)
    assert np.array_equal(run.weights("tail"), np.arange(20.0, 24.0))


def rewritten(path: Path, change: Any) -> Path:
    """The same archive with another pickle."""
    with zipfile.ZipFile(path) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, change(data) if name.endswith("/data.pkl") else data)
    return path


def test_what_a_pickle_claims_is_checked_against_the_file(tmp_path: Path) -> None:
    def lie(data: bytes) -> bytes:
        size = pickle.BININT1 + bytes([8])
        assert size in data
        return data.replace(size, pickle.BININT + (1 << 30).to_bytes(4, "little"))

    path = rewritten(saved(tmp_path / "a.pt", torch.nn.Linear(8, 8)), lie)
    with pytest.raises(SourceError, match="expected"):
        open_source(path, PLAIN)
    for end in (60, 400):
        whole = saved(tmp_path / "b.pt", torch.nn.Linear(8, 8), new=False).read_bytes()
        (tmp_path / "b.pt").write_bytes(whole[:end])
        with pytest.raises(SourceError):
            open_source(tmp_path / "b.pt", PLAIN)


class Settings:
    def __init__(self) -> None:
        self.lr = 0.1


@pytest.mark.parametrize("new", [True, False])
def test_a_checkpoint_with_objects_beside_its_tensors_opens_without_running_them(new: bool, tmp_path: Path) -> None:
    state = dict(networks.lenet().state_dict())
    content = {"state_dict": {f"model.{k}": v for k, v in state.items()}, "hyper_parameters": Settings(), "epoch": 7}
    content["callbacks"] = Evil(tmp_path / "canary")
    run = open_source(saved(tmp_path / "a.ckpt", content, new=new), PLAIN)
    assert not (tmp_path / "canary").exists()
    assert [e.id for e in run.epochs] == [7]
    for name, tensor in state.items():
        assert np.array_equal(run.weights(name), tensor.numpy())
    with_model = open_source(tmp_path / "a.ckpt", SourceOptions(model="tests.networks:lenet", input="random:1,28,28"))
    assert with_model.graph.kind == "traced"


def test_state_dicts_side_by_side_are_one_and_optimizers_stay_aside(tmp_path: Path) -> None:
    parts = {name: torch.nn.Linear(3, 4).state_dict() for name in ("generator", "critic")}
    content = {**parts, "optimizer_g": {"state": {0: {"exp_avg": torch.zeros(3)}}}, "step": 5}
    run = open_source(saved(tmp_path / "a.pt", content), PLAIN)
    assert run.parameters == ("generator.weight", "generator.bias", "critic.weight", "critic.bias")
    assert run.epochs[0].step == 5
