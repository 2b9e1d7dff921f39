"""`nn3d diff`: text and JSON of what changed; bad epochs are one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

from nn3d.cli.diff import command
from nn3d.errors import Nn3dError
from nn3d.paths import bundled_runs
from tests.runs import bundled

LENET = str(bundled_runs()["lenet-mnist"])
MLP = str(bundled_runs()["mlp-digits"])


def test_json_has_every_layer_parameter_filter_and_sample_most_changed_first() -> None:
    done = CliRunner().invoke(command, [LENET, "--epochs", "2,id:10", "--json"])
    assert done.exit_code == 0
    said, run = json.loads(done.stdout), bundled()
    assert (said["a"]["id"], said["b"]["id"]) == (2, 10)
    weights = [line["weights"]["relative"] for line in said["layers"] if line["weights"]]
    assert weights == sorted(weights, reverse=True)
    assert len(said["parameters"]) == len(run.parameters)
    assert len(said["predictions"]) == len(run.samples)
    name = run.parameters[-2]
    found = next(p for p in said["parameters"] if p["name"] == name)
    a, b = (np.asarray(run.weights(name, e), np.float64) for e in (2, 10))
    assert found["delta_norm"] == pytest.approx(np.linalg.norm(b - a))


def test_text_names_what_has_no_partner() -> None:
    done = CliRunner().invoke(command, [LENET, MLP])
    assert done.exit_code == 0
    assert "only in B: " in done.stdout
    assert "only in A: conv1" in done.stdout


def test_without_epochs_the_first_is_compared_with_the_last() -> None:
    said = json.loads(CliRunner().invoke(command, [LENET, "--json"]).stdout)
    assert (said["a"]["epoch"], said["b"]["epoch"]) == (0, 10)


@pytest.mark.parametrize(("epochs", "word"), [("0,99", "should be from"), ("0,id:99", "should have id")])
def test_an_epoch_that_is_not_there_is_one_line(epochs: str, word: str) -> None:
    done = CliRunner().invoke(command, [LENET, "--epochs", epochs])
    assert isinstance(done.exception, Nn3dError)
    assert word in str(done.exception)
    assert "\n" not in str(done.exception)


def test_one_epoch_alone_is_wrong_usage() -> None:
    assert CliRunner().invoke(command, [LENET, "--epochs", "3"]).exit_code == 2
