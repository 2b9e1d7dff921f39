"""Laws of `nn3d render -o film`, in real processes."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from nn3d.cli.main import main
from nn3d.paths import bundled_runs

RUN = str(bundled_runs()["lenet-mnist"])
SMALL = ("--size", "320x180", "--fps", "10")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nn3d", "render", RUN, *SMALL, *arguments]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["-o", "a.gif", "--epochs", "3"], 1, "A..B"),
        (["-o", "a.gif", "--epochs", "3..99"], 1, "99"),
        (["-o", "a.gif", "--tour", "t.json", "--turn", "9"], 2, "--turn"),
        (["-o", "a.gif", "--stats", "s.json"], 2, "--stats"),
        (["-o", "a.png", "--epochs", "0..3"], 2, "--epochs"),
        (["-o", "a.gif", "--transparent"], 1, "transparent"),
        (["-o", "a.gif", "--fps", "60"], 1, "50"),
        (["-o", "gone/a.gif"], 1, "cannot write"),
    ],
)
def test_bad_input_is_one_line_and_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], code: int, said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as done:
        main(["render", RUN, *SMALL, *arguments])
    line = capsys.readouterr().err
    assert (done.value.code, line.count("\n")) == (code, 1)
    assert said in line
    assert not list(tmp_path.iterdir())


def test_a_tour_becomes_a_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steps = [{"say": "Here.", "look": "conv1", "secs": 0.1}, {"say": "There.", "look": "all", "secs": 0.1}]
    goal, tour = tmp_path / "a.gif", json.dumps({"nn3d_tour": 1, "steps": steps})
    with pytest.raises(SystemExit) as done:
        main(["render", RUN, *SMALL, "-o", str(goal), "--tour", tour, "--fps", "2"])
    assert done.value.code == 0
    with Image.open(goal) as gif:
        n = gif.n_frames  # type: ignore[attr-defined]
    assert n > 4
    assert f"a.gif: {n} frames, 320 × 180 px" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["a.gif", "f"])
def test_ctrl_c_on_a_terminal_says_what_stands_and_leaves_nothing_half(tmp_path: Path, name: str) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command("-o", str(tmp_path / name), "--secs", "90"), stderr=theirs, stdout=theirs)
    os.close(theirs)
    said = b""
    while b"of 900" not in said:
        said += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    with suppress(OSError):
        while True:
            said += os.read(ours, 4096)
    os.close(ours)
    assert process.wait(30) == 130
    assert b" left" in said
    assert b"stopped after" in said
    files = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    if name == "f":
        assert files[0] == "film.json"
        assert files[1:] == [f"frame-{k:05d}.png" for k in range(len(files) - 1)]
        assert len(files) > 1
    else:
        assert files == []


def test_a_film_that_is_killed_has_no_file_under_its_name(tmp_path: Path) -> None:
    process = subprocess.Popen(command("-o", str(tmp_path / "a.gif"), "--secs", "90"))
    part = tmp_path / f".a.gif.{process.pid}.part.gif"
    while not (part.exists() and part.stat().st_size > 0):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait(30)
    assert not (tmp_path / "a.gif").exists()
