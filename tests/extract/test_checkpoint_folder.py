"""A folder of checkpoints is a run: in natural order, what is bad said and passed over, only what is new made again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from nn3d.errors import SourceError
from nn3d.extract.checkpoints import cache, opening, pool
from nn3d.extract.checkpoints.files import candidates, counted, ids
from nn3d.extract.checkpoints.ledger import Ledger
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from tests import networks

ROOT = Path(__file__).parents[2]
SOURCE = SourceOptions(model="tests.networks:lenet", input="random:1,28,28", samples=2)
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.FOLDER, str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the checkpoints that epochs were made from, in this process."""
    from nn3d.extract.checkpoints import filling

    names: list[str] = []
    real = filling.make_epoch

    def spy(shots: object, order: object, file: str, epoch_id: int) -> object:
        names.append(Path(file).name)
        return real(shots, order, file, epoch_id)  # type: ignore[arg-type]

    monkeypatch.setattr(filling, "make_epoch", spy)
    return names


def save(path: Path, value: float, wrap: Callable[[dict[str, torch.Tensor]], object] = lambda s: s) -> None:
    """A LeNet whose first bias is `value` everywhere."""
    torch.manual_seed(0)
    state = networks.lenet().state_dict()
    state["conv1.bias"][:] = value
    torch.save(wrap(state), path)


def firsts(run: Run) -> list[float]:
    return [float(run.weights("conv1.bias", e)[0]) for e in range(len(run.epochs))]


def test_names_count_epochs_and_steps_where_their_numbers_rise() -> None:
    assert counted(["epoch_2.pt", "epoch_10.pt", "best.pt"])[0] == [2, 10, None]
    assert counted(["checkpoint-500", "checkpoint-1000"]) == ([None, None], [500, 1000])
    assert counted(["epoch=0-step=40.ckpt", "epoch=1-step=80.ckpt"]) == ([0, 1], [40, 80])
    assert counted(["v2_seed7_3.pt", "v2_seed7_4.pt"])[0] == [3, 4]
    assert ids([None, None, None], [2, 10, None], [None] * 3) == [2, 10, 11]
    assert ids([5, 5, 5], [None] * 3, [None] * 3) == [0, 1, 2]
    assert ids([5, 7, 9], [1, 2, 3], [None] * 3) == [5, 7, 9]
    assert ids([None, None], [None, None], [500, 1000]) == [500, 1000]


def test_files_of_both_kinds_and_any_nesting_come_in_natural_order_with_their_numbers(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    save(tmp_path / "net_10.pt", 10, lambda s: {"trainer": 1.5, "model": {"state_dict": s}, "loss": torch.tensor(0.25)})
    save(tmp_path / "net_1.pth", 1, lambda s: {"state_dict": {f"net.{k}": v for k, v in s.items()}, "acc": 0.5})
    save(tmp_path / "net_9.ckpt", 9, lambda s: {"model_state_dict": s, "optimizer": {"state": {}}, "global_step": 90})
    state = networks.lenet().state_dict() | {"conv1.bias": torch.full((6,), 2.0)}
    safetensors.save_file(state, tmp_path / "net_2.safetensors", {"loss": "0.75", "format": "pt"})
    with open_source(tmp_path, SOURCE) as run:
        assert firsts(run) == [1, 2, 9, 10]
        assert [e.id for e in run.epochs] == [1, 2, 9, 10]
        assert [e.step for e in run.epochs] == [None, None, 90, None]
        said = [dict(e.metrics) for e in run.epochs]
        assert said == [{"acc": 0.5}, {"loss": 0.75}, {}, {"trainer": 1.5, "loss": 0.25}]
        assert run.epochs[0].wall_time == pytest.approx((tmp_path / "net_1.pth").stat().st_mtime)
        values = run.activations("conv1", 0)
        assert values.shape == (2, 6, 28, 28)
        assert not np.array_equal(values, run.activations("conv1", 3))


def test_bad_files_are_passed_over_with_a_line_each(tmp_path: Path) -> None:
    for k in (1, 2, 4):
        save(tmp_path / f"a_{k}.pt", k)
    whole = (tmp_path / "a_1.pt").read_bytes()
    (tmp_path / "a_3.pt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.pt").write_bytes(b"")
    torch.save({"optimizer": {"lr": 0.1}}, tmp_path / "optimizer.pt")
    torch.save(torch.nn.Linear(2, 3).state_dict(), tmp_path / "other.pt")
    (tmp_path / "broken.safetensors").write_bytes((80).to_bytes(8, "little") + b"{" + bytes(80))
    (tmp_path / "notes.txt").write_text("no checkpoint")
    for source in (SOURCE, SourceOptions()):
        with open_source(tmp_path, source) as run:
            assert firsts(run) == [1, 2, 4]
            lines = [line for line in run.left_out if line.startswith("passed over: ")]
            named = sorted(next(n for n in os.listdir(tmp_path) if n in line) for line in lines)
            assert named == ["a_3.pt", "broken.safetensors", "empty.pt", "optimizer.pt", "other.pt"]
            assert all("expected" in line and "\n" not in line for line in lines)


def test_a_folder_without_any_good_file_says_what_is_wrong_with_the_first(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 3).state_dict(), tmp_path / "a.pt")
    with pytest.raises(SourceError, match=r"a\.pt: expected the parameters of LeNet, got missing conv1\.weight"):
        open_source(tmp_path, SOURCE)


def test_the_second_opening_reads_no_checkpoint_and_a_changed_file_alone_is_made_again(
    tmp_path: Path, made: list[str]
) -> None:
    for k in range(4):
        save(tmp_path / f"e{k}.pt", k)
    open_source(tmp_path, SOURCE).close()
    assert made == [f"e{k}.pt" for k in range(4)]
    made.clear()
    open_source(tmp_path, SOURCE).close()
    assert not made
    save(tmp_path / "e2.pt", 20)
    with open_source(tmp_path, SOURCE) as run:
        assert (made, firsts(run)) == (["e2.pt"], [0, 1, 20, 3])
    save(tmp_path / "e4.pt", 4)
    (tmp_path / "e0.pt").unlink()
    with open_source(tmp_path, SOURCE) as run:
        assert (made, firsts(run)) == (["e2.pt", "e4.pt"], [1, 20, 3, 4])
        assert [e.id for e in run.epochs] == [1, 2, 3, 4]
    other = SourceOptions(model=SOURCE.model, input=SOURCE.input, samples=1)
    with open_source(tmp_path, other) as run:
        assert len(run.samples) == 1


def test_a_file_that_was_only_touched_is_known_by_what_it_holds(tmp_path: Path, made: list[str]) -> None:
    save(tmp_path / "e0.pt", 0)
    save(tmp_path / "e1.pt", 1)
    open_source(tmp_path, SOURCE).close()
    made.clear()
    for name in ("e0.pt", "e1.pt"):
        os.utime(tmp_path / name, (1e9, 1e9))
    open_source(tmp_path, SOURCE).close()
    assert not made
    before = (tmp_path / "e1.pt").stat()
    save(tmp_path / "e1.pt", 5)
    assert (tmp_path / "e1.pt").stat().st_size == before.st_size
    with open_source(tmp_path, SOURCE) as run:
        assert (made, firsts(run)) == (["e1.pt"], [0, 5])


def test_files_without_numbers_keep_their_values_when_one_comes_between(tmp_path: Path) -> None:
    for k, name in enumerate("acd"):
        save(tmp_path / f"{name}.pt", k)
    open_source(tmp_path, SOURCE).close()
    save(tmp_path / "b.pt", 7)
    with open_source(tmp_path, SOURCE) as run:
        assert firsts(run) == [0, 7, 1, 2]
    (tmp_path / "b.pt").unlink()
    with open_source(tmp_path, SOURCE) as run:
        assert firsts(run) == [0, 1, 2]


def test_without_cache_nothing_stays(tmp_path: Path) -> None:
    save(tmp_path / "e0.pt", 3)
    run = open_source(tmp_path, SourceOptions(model=SOURCE.model, input=SOURCE.input, cache=False))
    folder = Path(run.store.folder)  # type: ignore[attr-defined]
    assert firsts(run) == [3]
    run.close()
    del run
    assert not folder.exists()
    assert not cache.cache_folder().exists()


def test_a_cached_run_that_was_damaged_is_made_anew(tmp_path: Path) -> None:
    save(tmp_path / "e0.pt", 3)
    open_source(tmp_path, SOURCE).close()
    kept = cache.cached_run(tmp_path, SOURCE)
    (kept / "manifest.json").write_text("{}")
    with open_source(tmp_path, SOURCE) as run:
        assert firsts(run) == [3]
    (kept / "epoch_000000.npz").unlink()
    with open_source(tmp_path, SOURCE) as run:
        assert firsts(run) == [3]


def test_a_changed_model_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text("import torch\ndef make():\n    return torch.nn.Linear(3, 2)\n")
    monkeypatch.chdir(tmp_path)
    source = SourceOptions(model="net:make")
    before = cache.cached_run(tmp_path, source)
    assert before == cache.cached_run(tmp_path, source)
    (tmp_path / "net.py").write_text("import torch\ndef make():\n    return torch.nn.Linear(3, 2, bias=False)\n")
    assert before != cache.cached_run(tmp_path, source)


def test_hugging_faces_checkpoint_folders_are_steps(tmp_path: Path) -> None:
    for step in (1000, 500):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        save(folder / "pytorch_model.bin", step)
        torch.save({"state": {}}, folder / "optimizer.pt")
    assert [p.parent.name for p in candidates(tmp_path)] == ["checkpoint-500", "checkpoint-1000"]
    with open_source(tmp_path, SOURCE) as run:
        assert [(e.id, e.step) for e in run.epochs] == [(500, 500), (1000, 1000)]
        assert firsts(run) == [500, 1000]


def command(folder: Path, out: Path, *more: object) -> list[str]:
    source = ["--model", "tests.networks:lenet", "--input", "random:1,28,28", "--samples", "2"]
    return [sys.executable, "-m", "nn3d", "extract", str(folder), "-o", str(out), *source, *map(str, more)]


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_make_what_one_process_makes_and_a_kill_half_way_loses_nothing(tmp_path: Path) -> None:
    """Killed with -9 after some epochs, started again: what was listed stays, and the whole equals one process's."""
    folder = tmp_path / "ckpts"
    folder.mkdir()
    for k in range(12):
        save(folder / f"e{k}.pt", k)
    (folder / "e12.pt").write_bytes(b"PK\x03\x04 cut off")
    out = tmp_path / "run"
    process = start(command(folder, out, "--jobs", 2))
    deadline = time.monotonic() + 60
    while listed(out) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    n = listed(out)
    assert n >= 3
    with open_run(out) as run:
        assert firsts(run) == list(range(n))
    stamps = {p.name: p.stat().st_mtime_ns for p in out.glob("epoch_*.npz")}
    (line,) = opening.write_checkpoints(out, candidates(folder), SOURCE, jobs=1)
    assert "e12.pt: expected" in line
    kept = [name for name, stamp in stamps.items() if (out / name).stat().st_mtime_ns == stamp]
    assert len(kept) >= n
    opening.write_checkpoints(tmp_path / "alone", candidates(folder), SOURCE, jobs=1)
    with open_run(out) as run, open_run(tmp_path / "alone") as alone:
        names = set(alone.store.keys())
        assert set(run.store.keys()) == names
        assert all(np.array_equal(run.store[key], alone.store[key]) for key in names)


def listed(out: Path) -> int:
    try:
        return (out / "epochs.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def test_a_run_of_checkpoints_that_are_gone_is_not_emptied(tmp_path: Path) -> None:
    folder, out = tmp_path / "ckpts", tmp_path / "run"
    folder.mkdir()
    save(folder / "e0.pt", 0)
    save(folder / "e1.pt", 1)
    opening.write_checkpoints(out, candidates(folder), SOURCE)
    (folder / "e0.pt").unlink()
    with pytest.raises(Exception, match=r"gone \(.*e0\.pt\)"):
        opening.write_checkpoints(out, candidates(folder), SOURCE)
    with open_run(out) as run:
        assert firsts(run) == [0, 1]


def test_a_process_that_dies_costs_its_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that kills its process on one checkpoint: the others are made, and that one is said."""
    (tmp_path / "fatal.py").write_text(
        "import os, torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def forward(self, x):\n"
        "        if float(self.bias[0]) == 1: os._exit(9)\n"
        "        return super().forward(x)\n"
        "def make():\n    return Net(3, 2)\n"
    )
    folder = tmp_path / "ckpts"
    folder.mkdir()
    for k in range(3):
        torch.save({"weight": torch.ones(2, 3), "bias": torch.full((2,), float(k))}, folder / f"e{k}.pt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pool, "TRIES", 1)
    source = SourceOptions(model="fatal:make")
    (line,) = opening.write_checkpoints(tmp_path / "run", candidates(folder), source, jobs=2)
    assert "e1.pt: the process that read it died" in line
    with open_run(tmp_path / "run") as run:
        assert [e.id for e in run.epochs] == [0, 2]


def test_a_ledger_with_torn_lines_knows_the_others(tmp_path: Path) -> None:
    save(tmp_path / "e0.pt", 3)
    out = tmp_path / "run"
    opening.write_checkpoints(out, candidates(tmp_path), SOURCE)
    with (out / ".sources.jsonl").open("ab") as file:
        file.write(b'{"file": 3}\n[]\n{"file": "x", "si')
    assert list(Ledger(out).entries) == [str(tmp_path / "e0.pt")]
    shutil.rmtree(out)
