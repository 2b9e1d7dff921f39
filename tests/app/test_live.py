"""`nn3d.live`: a window beside a training, or a word about why there is none; the run is recorded either way."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
import torch

import nn3d


def test_without_a_display_it_warns_and_records_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.warns(UserWarning, match=r"no display to open a window on; recording into .*run\. Later: nn3d view"):
        watch = nn3d.live(torch.nn.Linear(3, 2), torch.rand(4, 3), labels=[0, 1, 0, 1], folder=tmp_path / "run")
    with watch:
        watch.record(loss=0.5)
        watch.record(loss=0.4)
    assert not watch.is_open
    with nn3d.load(tmp_path / "run") as run:
        assert [e.metrics["loss"] for e in run.epochs] == [0.5, 0.4]
        assert [s.label for s in run.samples] == [0, 1, 0, 1]


def test_a_window_opens_beside_the_training_and_shows_it(tmp_path: Path, display: str) -> None:
    watch = nn3d.live(torch.nn.Linear(3, 2), torch.rand(4, 3), folder=tmp_path / "run")
    try:
        assert watch.is_open
        watch.record(loss=0.5)
        end, found = time.monotonic() + 40.0, ""
        while not found and time.monotonic() < end:
            time.sleep(0.2)
            found = subprocess.run(
                ["xdotool", "search", "--name", "Linear – nn3d"], capture_output=True, text=True, check=False
            ).stdout
            assert watch.is_open
        assert found, "the window takes the name of the model when its run has come"
    finally:
        watch.close()
    watch.record(loss=0.4)
    with nn3d.load(tmp_path / "run") as run:
        assert len(run.epochs) == 2
