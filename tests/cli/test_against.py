"""`--against`, `--against-epoch`, `--side-by-side`: what a view is compared with; what is not there is one line."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nn3d.cli.comparing import compared_with
from nn3d.cli.render import command
from nn3d.cli.sources import SourceOptions
from nn3d.errors import Nn3dError
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import Compare, ViewState

LENET = bundled_runs()["lenet-mnist"]
MLP = bundled_runs()["mlp-digits"]


def seen(run: Run, against: str | None, epoch: str | None, *, sides: bool = False) -> ViewState:
    state = initial_state(run, Resident(run))
    return compared_with(run, state, SourceOptions(), against, epoch, side_by_side=sides)


def test_an_epoch_alone_is_one_of_the_run_itself() -> None:
    run = open_run(LENET)
    assert seen(run, None, "id:3").compare == Compare(3)
    assert seen(run, None, "-2").compare == Compare(9)
    assert seen(run, None, None).compare is None


def test_another_run_is_compared_at_its_last_epoch_or_at_the_one_that_is_named() -> None:
    run = open_run(LENET)
    assert seen(run, str(MLP), None).compare == Compare(12, is_other=True)
    assert run.other is not None
    assert seen(run, str(MLP), "2", sides=True).compare == Compare(2, is_other=True)


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    run = open_run(LENET)
    with pytest.raises(Nn3dError, match="should be from"):
        seen(run, None, "99")
    with pytest.raises((Nn3dError, OSError)):
        seen(run, str(tmp_path / "none.npz"), None)
    with pytest.raises(click.UsageError, match="--side-by-side needs"):
        seen(run, None, None, sides=True)


def test_the_other_run_is_found_missing_in_a_state() -> None:
    run = open_run(LENET)
    state = seen(run, str(MLP), None)
    alone = open_run(LENET)
    with pytest.raises(Nn3dError, match="Give it with --against FILE"):
        compared_with(alone, state, SourceOptions(), None, None, side_by_side=False)


def test_a_picture_of_a_drawn_input_is_compared_too(tmp_path: Path) -> None:
    picture, out = tmp_path / "seven.png", tmp_path / "out.png"
    canvas = np.zeros((28, 28), np.uint8)
    canvas[5:8, 6:22], canvas[8:24, 17:20] = 255, 255
    Image.fromarray(canvas).save(picture)
    options = ["--input", str(picture), "--against-epoch", "0", "--side-by-side", "--size", "900x560"]
    done = CliRunner().invoke(command, [str(LENET), "-o", str(out), *options])
    assert done.exit_code == 0, done.output
    assert Image.open(out).size == (900, 560)
