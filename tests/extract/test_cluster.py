"""A dask cluster makes what one process makes, whichever of its workers dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from nn3d.cli import extract
from nn3d.errors import SourceError
from nn3d.extract.checkpoints import cluster
from nn3d.extract.checkpoints.opening import write_checkpoints
from nn3d.extract.options import SourceOptions
from nn3d.run.reader import open_run
from nn3d.run.validate import validate
from tests import networks
from tests.conftest import SOAK

ROOT = Path(__file__).parents[2]
SOURCE = SourceOptions(model="tests.networks:lenet", input="random:1,28,28", samples=2)


def checkpoints(folder: Path, n: int) -> list[Path]:
    folder.mkdir()
    torch.manual_seed(0)
    state = networks.lenet().state_dict()
    for k in range(n):
        state["conv1.bias"][:] = k
        torch.save(state, folder / f"epoch_{k}.pt")
    return sorted(folder.iterdir(), key=lambda p: int(p.stem[6:]))


def epochs(folder: Path) -> dict[str, bytes]:
    """Bytes of a run's epochs, and its list without times."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name.startswith("epoch")}


@pytest.fixture
def one_thread() -> Iterator[str]:
    """The address of a cluster in this process: a scheduler and one worker, all in threads."""
    distributed = pytest.importorskip("distributed")
    settings = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**settings, protocol="tcp://", host="127.0.0.1") as local:
        yield local.scheduler_address


def test_a_cluster_makes_the_same_files_and_passes_over_the_same(one_thread: str, tmp_path: Path) -> None:
    files = checkpoints(tmp_path / "ckpts", 4)
    files[2].write_bytes(files[1].read_bytes()[:5000])
    here = write_checkpoints(tmp_path / "here", files, SOURCE)
    there = write_checkpoints(tmp_path / "there", files, SOURCE, engine=f"dask:{one_thread}")
    assert here == there
    assert len(there) == 1
    assert "epoch_2.pt" in there[0]
    assert epochs(tmp_path / "here") == epochs(tmp_path / "there")
    assert len(epochs(tmp_path / "there")) == 4  # with the list


def test_what_a_cluster_cannot_do_is_one_line(
    one_thread: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = checkpoints(tmp_path / "ckpts", 4)
    monkeypatch.setattr(cluster, "CONNECT_SECS", 0.3)
    for engine, text in (
        ("spark", "expected local, or dask:ADDRESS"),
        ("dask:", "expected local, or dask:ADDRESS"),
        ("dask:tcp://127.0.0.1:9", "expected a dask scheduler there"),
    ):
        with pytest.raises(SourceError, match=text):
            write_checkpoints(tmp_path / "run", files, SOURCE, engine=engine)
    monkeypatch.setattr(cluster.remote, "graph_digest", lambda graph: "another")
    with pytest.raises(SourceError, match="a worker makes another graph"):
        write_checkpoints(tmp_path / "run", files, SOURCE, engine=f"dask:{one_thread}")
    monkeypatch.undo()
    write_checkpoints(tmp_path / "run", files, SOURCE, engine=f"dask:{one_thread}")
    with open_run(tmp_path / "run") as run:
        assert [e.id for e in run.epochs] == [0, 1, 2, 3]


def test_what_workers_cannot_reach_is_made_here(
    one_thread: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = checkpoints(tmp_path / "ckpts", 3)
    assert cluster.remote.make("", str(tmp_path / "nowhere.pt"), 0) == ({"again": True}, b"")
    monkeypatch.setattr(cluster.remote, "make", lambda setup, file, epoch: ({"again": True}, b""))
    assert write_checkpoints(tmp_path / "run", files, SOURCE, engine=f"dask:{one_thread}") == ()
    with open_run(tmp_path / "run") as run:
        assert [e.id for e in run.epochs] == [0, 1, 2]


def test_a_cluster_without_workers_is_not_waited_for_and_what_is_listed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "PATIENCE_SECS", 0.3)
    files = checkpoints(tmp_path / "ckpts", 3)
    settings = {"n_workers": 0, "processes": False, "dashboard_address": None}
    with (
        distributed.LocalCluster(**settings, protocol="tcp://", host="127.0.0.1") as empty,
        pytest.raises(SourceError, match="expected workers, got none"),
    ):
        write_checkpoints(tmp_path / "run", files, SOURCE, engine=f"dask:{empty.scheduler_address}")
    with open_run(tmp_path / "run") as run:
        assert [e.id for e in run.epochs] == [0]


def test_one_checkpoint_needs_no_cluster(tmp_path: Path) -> None:
    (file,) = checkpoints(tmp_path / "ckpts", 1)
    done = CliRunner().invoke(extract.command, [str(file), "-o", str(tmp_path / "run"), "--engine", "dask:x"])
    assert done.exit_code == 2
    assert "expected several checkpoints" in done.output


@pytest.mark.soak
@pytest.mark.skipif(not SOAK, reason="three processes that import torch: in make soak")
def test_a_worker_killed_half_way_loses_nothing(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    n = 40
    files = checkpoints(tmp_path / "ckpts", n)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    where = tmp_path / "scheduler.json"

    def start(what: str, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", str(where), *more]
        return subprocess.Popen([*command, "--no-dashboard"], env=environment, stderr=subprocess.DEVNULL, cwd=tmp_path)

    started = [start("scheduler", "--port", "0", "--host", "127.0.0.1")]
    started += [start("worker", "--nthreads", "1", "--no-nanny") for _ in range(2)]
    done: list[int] = []
    killed = threading.Event()

    def progress(n_done: int, _: int) -> None:
        done.append(n_done)
        if n_done == n // 4:
            os.kill(started[1].pid, signal.SIGKILL)
            killed.set()

    try:
        address = _address(where)
        passed = write_checkpoints(tmp_path / "run", files, SOURCE, engine=f"dask:{address}", progress=progress)
    finally:
        for process in started:
            process.kill()
            process.wait()
    assert killed.is_set()
    assert started[1].returncode == -signal.SIGKILL
    assert passed == ()
    assert done == list(range(1, n + 1))
    write_checkpoints(tmp_path / "here", files, SOURCE, jobs=1)
    assert epochs(tmp_path / "here") == epochs(tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        assert [float(run.weights("conv1.bias", e)[0]) for e in range(n)] == list(range(n))
        assert validate(run) > 0


def _address(where: Path) -> str:
    """A scheduler's address, once two workers are there."""
    import distributed

    while not where.exists():
        time.sleep(0.1)
    with distributed.Client(scheduler_file=str(where), set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        address: str = client.scheduler.address
    return address
