"""A checkpoint is read without running it; what it claims is checked; a bare one gives an inferred graph."""

from __future__ import annotations

import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nn3d.errors import SourceError
from nn3d.extract.formats.registry import format_of
from nn3d.extract.infer import infer_graph
from nn3d.extract.options import SourceOptions
from nn3d.extract.output import in_memory
from nn3d.extract.sources import open_source, record
from nn3d.extract.torch_checkpoint import load
from tests import networks

torch.set_num_threads(1)
LENET = SourceOptions(model="tests.networks:lenet", input="random:1,28,28", samples=2)


def key_of(path: Path) -> str:
    found = format_of(path)
    return found.key if found is not None else ""


def state() -> dict[str, torch.Tensor]:
    return networks.lenet().state_dict()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": {f"module.{k}": v for k, v in s.items()}},
        lambda s: {"model_state_dict": s, "optimizer": {"state": {}}},
        lambda s: {f"_orig_mod.{k}": v for k, v in s.items()},
    ],
)
def test_parameters_are_found_in_every_common_wrapper(wrap: Any, tmp_path: Path) -> None:
    torch.save(wrap(state()), tmp_path / "a.pt")
    found = load(tmp_path / "a.pt")
    assert list(found.state) == list(state())
    assert all(torch.equal(found.state[k], v) for k, v in state().items())


def test_the_old_file_format_is_read_too(tmp_path: Path) -> None:
    torch.save({"state_dict": state(), "loss": 0.25}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert key_of(tmp_path / "a.pth") == "torch"
    assert load(tmp_path / "a.pth").metrics == {"loss": 0.25}


def test_a_claim_of_a_trillion_numbers_is_refused_at_once(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(1).expand(10**12)}, tmp_path / "a.pt")
    assert (tmp_path / "a.pt").stat().st_size < 2000
    start = time.perf_counter()
    with pytest.raises(SourceError, match="w: expected a storage of 4000000000000 bytes"):
        load(tmp_path / "a.pt")
    assert time.perf_counter() - start < 2


def test_a_deflated_bomb_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(10_000_000))
    with pytest.raises(SourceError, match="got a claim of 10000000"):
        load(tmp_path / "a.pt")


class Bomb:
    ran = False

    def __reduce__(self) -> Any:
        return set_flag, ()


def set_flag() -> None:
    Bomb.ran = True


def test_a_pickled_module_is_shown_but_not_run(tmp_path: Path) -> None:
    model = networks.lenet()
    model.bomb = Bomb()
    for new in (True, False):
        torch.save(model, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
        with pytest.raises(SourceError, match=r"networks\.LeNet with parameters conv1\.weight, .*--model") as caught:
            load(tmp_path / "a.pt")
        assert "--trust" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not Bomb.ran


def test_a_trusted_module_is_recorded(tmp_path: Path) -> None:
    torch.save(networks.lenet(), tmp_path / "a.pt")
    run = open_source(tmp_path / "a.pt", SourceOptions(trust=True, input="random"))
    assert run.graph.kind == "traced"
    assert np.array_equal(run.weights("conv1.weight"), state()["conv1.weight"].numpy())


def test_one_epoch_a_checkpoint_in_natural_order_with_its_metrics(tmp_path: Path) -> None:
    for epoch in (10, 1, 2):
        model = networks.lenet()
        nn.init.constant_(model.conv1.bias, epoch)
        torch.save({"state_dict": model.state_dict(), "epoch": epoch, "acc": epoch / 10}, tmp_path / f"net_{epoch}.pt")
    assert key_of(tmp_path) == "checkpoints"
    run = in_memory(record([tmp_path], LENET))
    assert [e.id for e in run.epochs] == [1, 2, 10]
    assert [e.metrics["acc"] for e in run.epochs] == [0.1, 0.2, 1.0]
    assert [run.weights("conv1.bias", e)[0] for e in range(3)] == [1, 2, 10]
    assert not np.array_equal(run.activations("conv1", 0), run.activations("conv1", 2))


def test_a_checkpoint_of_another_model_is_refused_by_name(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "a.pt")
    with pytest.raises(SourceError, match=r"expected the parameters of LeNet, got missing conv1\.weight"):
        record([tmp_path / "a.pt"], LENET)


def test_a_bare_state_dict_is_inferred_and_says_so_joint_by_joint(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "a.pt")
    run = open_source(tmp_path / "a.pt", SourceOptions())
    assert run.graph.kind == "inferred"
    assert [n.op for n in run.graph.nodes] == ["input", "conv2d", "conv2d", "linear", "linear", "linear"]
    assert [n.inputs[0].node for n in run.graph.nodes[1:]] == [0, 1, 2, 3, 4]
    assert "conv2 → fc1: 400 = 16 channels × 25 positions (flattened)" in run.graph.notes
    assert any("inferred" in note for note in run.graph.notes)
    assert run.left_out


def test_a_skip_is_joined_to_the_nearest_earlier_match_and_transposes_are_seen() -> None:
    graph = infer_graph(
        {
            "a.weight": (8, 3, 3, 3), "b.weight": (16, 8, 3, 3), "skip.weight": (16, 8, 1, 1),
            "up.weight": (16, 4, 2, 2), "dw.weight": (4, 1, 3, 3), "odd.weight": (5, 7, 3, 3),
        }
    )  # fmt: skip
    by_name = {n.name: n for n in graph.nodes}
    assert by_name["skip"].inputs[0].node == by_name["a"].id
    assert by_name["up"].op == "conv_transpose2d"
    assert by_name["dw"].attributes["groups"] == 4
    assert not by_name["odd"].inputs
    assert any(note.startswith("odd has no joint") for note in graph.notes)


@pytest.mark.parametrize(
    ("content", "key", "hint"),
    [
        ((80).to_bytes(8, "little") + b'{"w":{"dtype":"F32"}}' + bytes(80), "safetensors", "expected whole"),
        (b"hello", "", "Pass a run"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(content: bytes, key: str, hint: str, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(content)
    assert key_of(path) == key
    with pytest.raises(SourceError, match=hint):
        record([path], SourceOptions())


def test_a_cut_off_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save(state(), tmp_path / "a.pt")
    whole = (tmp_path / "a.pt").read_bytes()
    for end in (10, len(whole) // 2, len(whole) - 30):
        (tmp_path / "a.pt").write_bytes(whole[:end])
        with pytest.raises(SourceError):
            load(tmp_path / "a.pt")
