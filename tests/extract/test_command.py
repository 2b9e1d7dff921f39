"""nn3d extract, as a person calls it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nn3d.run.reader import open_run
from tests import networks

ROOT = Path(__file__).parents[2]
SIETZEN = ROOT / "tests" / "data" / "sietzen-mnist.zip"


def extract(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nn3d", "extract", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("out", ["run.npz", "run", "run.json"])
def test_sietzen_becomes_each_kind_of_run(out: str, tmp_path: Path) -> None:
    done = extract(SIETZEN, "-o", tmp_path / out)
    assert done.returncode == 0, done.stderr
    assert "11 epochs, 11 samples" in done.stdout
    with open_run(tmp_path / out) as run:
        assert len(run.epochs) == 11
        assert run.values(0, 0, -1, 0).max() == pytest.approx(1, abs=1e-3)
    assert [p.name for p in tmp_path.iterdir()] == [out]


def test_a_model_of_the_working_directory_is_recorded(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import torch\ndef make():\n    return torch.nn.Linear(3, 2)\n")
    done = extract("--model", "net:make", "--input", "random", "--samples", 2, "-o", "run.npz", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with open_run(tmp_path / "run.npz") as run:
        assert run.graph.kind == "traced"
        assert len(run.samples) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.pt"], "no such path"),
        ([], "got neither"),
        (["--model", "no_such_module:make"], "importable"),
        (["--model", "tests.networks:SMALL"], "torch module"),
        (["README.md"], "expected a run or something to extract"),
    ],
)
def test_a_fault_of_the_input_is_one_line_and_exit_1(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = extract(*arguments, "-o", tmp_path / "run.npz")
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_interrupted_extraction_leaves_what_it_has(tmp_path: Path) -> None:
    for i in range(150):
        torch.save(networks.lenet().state_dict(), tmp_path / f"net_{i}.pt")
    out = tmp_path / "run.npz"
    command = [sys.executable, "-m", "nn3d", "extract", str(tmp_path), "--model", "tests.networks:lenet"]
    process = subprocess.Popen([*command, "--input", "random", "-o", str(out)], cwd=ROOT, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(tmp_path.glob(".run-*/run/epoch_000005.npz")):
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    with open_run(out) as run:
        assert 5 <= len(run.epochs) < 150
    assert not list(tmp_path.glob(".run-*"))
