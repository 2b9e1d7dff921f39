"""`nn3d view --follow` wants a folder; what cannot be followed is told before a window opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nn3d.cli.view import command
from nn3d.run.folder import holds_epochs
from nn3d.run.model import Epoch, Graph, Node, Output
from nn3d.run.writer import RunWriter

GRAPH = Graph("file", (Node(0, "input", "x", outputs=(Output((3,), ("F",)),)),), ())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{}/run.npz", "--follow"], "--follow needs the folder of a run"),
        (["--follow"], "--follow needs a FILE"),
        (["{}/nothing", "--follow", "--tour", "tour.json"], "--tour needs a run that is there"),
    ],
)
def test_what_cannot_be_followed_is_wrong_usage(arguments: list[str], words: str, tmp_path: Path) -> None:
    (tmp_path / "run.npz").write_bytes(b"")
    result = CliRunner().invoke(command, [a.format(tmp_path) for a in arguments])
    assert result.exit_code == 2
    assert words in result.output


def test_a_folder_holds_epochs_once_one_is_listed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert not holds_epochs(folder)
    writer = RunWriter(folder, GRAPH)
    assert not holds_epochs(folder)
    writer.write_epoch(Epoch(0), {"x": np.zeros((2, 3))}, {})
    assert holds_epochs(folder)
