"""Two processes that train one network record what one process would; whoever is missing is told, not waited for."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nn3d
from nn3d.errors import TraceError
from nn3d.extract.options import SourceOptions
from nn3d.extract.sharding import Gathered
from nn3d.extract.sources import open_source
from nn3d.extract.trace import Probe
from nn3d.run import keys
from nn3d.run.model import Epoch
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.run.updates import update_stats
from nn3d.run.validate import validate
from nn3d.run.writer import RunWriter
from tests.extract.rank import PICTURES, Net

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available() or not torch.distributed.is_gloo_available(), reason="torch without gloo"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two ranks left behind."""
    root = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, str(ROOT / "tests/extract/rank.py"), str(root)]
    own = {name: text for name, text in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment = own | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen([*command, str(rank), "2", port], env=environment, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    try:
        texts = [rank.communicate(timeout=120)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0, 9], "\n".join(texts)[-3000:]
    return root


def said(root: Path, what: str) -> list[Any]:
    """What each rank met."""
    return [json.loads((root / f"said-{rank}.json").read_text()).get(what) for rank in range(2)]


def of_one_process(state: Path) -> Run:
    """The run of a single process that loads a final checkpoint."""
    model = Net()
    model.load_state_dict(torch.load(state, weights_only=True))
    return nn3d.capture(model, PICTURES[:3])


@pytest.mark.parametrize("kind", ["fsdp", "ddp"])
def test_two_ranks_record_what_one_process_with_the_final_checkpoint_does(trained: Path, kind: str) -> None:
    alone = of_one_process(trained / f"{kind}.pt")
    with open_run(trained / kind) as run:
        assert validate(run) > 0
        assert [e.id for e in run.epochs] == [0, 10, 11, 20]
        assert run.graph == alone.graph
        for name in alone.parameters:
            assert np.array_equal(run.weights(name, -1), alone.weights(name)), name
        for layer in alone.layers:
            np.testing.assert_allclose(
                run.activations(layer.name, -1), alone.activations(layer.name), rtol=1e-5, atol=1e-6
            )
        for p in (p for p in alone.graph.parameters if p.kind == "parameter"):
            moved = run.parameter(p.id, 3) - run.parameter(p.id, 2)
            stats = update_stats(run, p.id, 3)
            assert stats is not None
            assert np.array_equal(run.store[keys.update_key(20, p.id)], moved)
            assert stats.change == pytest.approx(float(np.linalg.norm(moved)), rel=1e-5)
            assert stats.gradient > 0
        assert not np.array_equal(run.weights("conv.weight", 0), run.weights("conv.weight", -1))
        assert run.manifest["model"] == "Net"


@pytest.mark.parametrize("kind", ["fsdp", "ddp"])
def test_training_is_bit_identical_on_every_rank_with_and_without_recorders(trained: Path, kind: str) -> None:
    assert said(trained, f"{kind} same") == [True, True]


def test_a_checkpoint_that_two_ranks_wrote_opens_as_one(trained: Path) -> None:
    alone = of_one_process(trained / "fsdp.pt")
    assert len(list((trained / "dcp").glob("*.distcp"))) == 2
    with open_source(trained / "dcp", SourceOptions()) as run:
        assert run.epochs[0].id == 20
        assert set(run.parameters) == set(alone.parameters)
        for name in (p.name for p in alone.graph.parameters if p.kind == "parameter"):  # each rank has its buffers
            assert np.array_equal(run.weights(name), alone.weights(name)), name


def test_chosen_layers_of_a_sharded_model_are_all_that_is_gathered(trained: Path) -> None:
    assert said(trained, "layers") == ["", ""]
    with open_run(trained / "some") as run:
        kept = [p.name for p in run.graph.parameters if run.has_parameter(p.id, 0)]
        assert kept == ["scale", "hidden.weight", "hidden.bias", "head.weight", "head.bias"]


def test_ranks_that_do_not_know_each_other_yet_are_told(trained: Path) -> None:
    assert all("init_process_group" in text for text in said(trained, "early"))


def test_another_folder_on_another_rank_is_one_clear_line(trained: Path) -> None:
    writer, replica = said(trained, "folder, replicas")
    assert writer == ""
    assert "expected one folder on all ranks" in replica
    assert all("expected the same folder on every rank" in text for text in said(trained, "folder, shards"))


def test_gradients_of_a_sharded_model_are_refused(trained: Path) -> None:
    assert all("gradients=False" in text for text in said(trained, "gradients"))


def test_values_in_parts_are_refused_where_no_rank_has_them_whole(trained: Path) -> None:
    assert all("got hidden.weight in parts (tensor parallel)" in text for text in said(trained, "parts"))


def test_callbacks_on_every_rank_agree_whether_a_run_goes_on(trained: Path) -> None:
    with open_run(trained / "rate") as run:
        assert [(e.id, e.step) for e in run.epochs] == [(0, 0), (1, 1), (2, 3)]


def test_a_live_training_has_its_folder_and_window_beside_rank_0(trained: Path) -> None:
    assert said(trained, "live") == [[True, 1, 1], [False, 0, 0]]


def test_ranks_at_different_epochs_are_told(trained: Path) -> None:
    assert all("got 5 on rank 0 and 6 on rank 1" in text for text in said(trained, "epoch"))


def test_an_epoch_that_rank_0_cannot_write_is_known_to_all(trained: Path) -> None:
    writer, other = said(trained, "id")
    assert "ids should rise above 4, got 3" in writer
    assert other == f"record: rank 0 could not write the epoch: {writer}"


def test_a_rank_that_does_not_record_is_named_in_time(trained: Path) -> None:
    assert "expected all 2 ranks to record this step within 1 s" in said(trained, "alone")[0]


def test_what_is_listed_stays_whole_when_a_rank_dies_while_it_records(trained: Path) -> None:
    assert "expected every rank to gather it" in said(trained, "death")[0]
    with open_run(trained / "killed") as run:
        assert [e.id for e in run.epochs] == [0]
        assert validate(run) > 0
    assert not list((trained / "killed").glob(".*.tmp"))


def test_one_whole_parameter_is_held_while_a_sharded_model_is_written(tmp_path: Path) -> None:
    model = torch.nn.Sequential(*[torch.nn.Linear(8, 8) for _ in range(6)])
    probe = Probe(model, torch.rand(2, 8))
    moment = probe.shoot(Epoch(0))
    held: list[int] = []
    most = 0

    def read(k: int) -> Any:
        nonlocal most
        values = moment.parameters[k].copy()
        held.append(k)
        weakref.finalize(values, held.remove, k)
        most = max(most, len(held))
        return values

    gathered = Gathered(tuple(moment.parameters), read)
    RunWriter(tmp_path / "run", probe.known_graph).write_epoch(Epoch(0), moment.activations, gathered)
    assert most == 1
    with open_run(tmp_path / "run") as run:
        assert len(run.parameters) == 12
        assert all(run.has_parameter(k, 0) for k in moment.parameters)
    with pytest.raises(TraceError, match="in order and once"):
        gathered[0]
