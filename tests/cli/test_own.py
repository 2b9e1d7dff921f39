"""`--input` and scripts of own input on the command line, and what they say when it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nn3d.cli.explain import command as explain
from nn3d.cli.render import command
from nn3d.errors import Nn3dError
from nn3d.paths import bundled_runs
from tests.runs import SIETZEN

LENET = str(bundled_runs()["lenet-mnist"])


def run(*arguments: str) -> tuple[int, str]:
    """Exit code of `nn3d render` and what was said."""
    done = CliRunner().invoke(command, list(arguments))
    error = done.exception
    assert error is None or isinstance(error, Nn3dError | SystemExit), done.exc_info
    return done.exit_code, done.output + (str(error) if isinstance(error, Nn3dError) else "")


@pytest.fixture
def digit(tmp_path: Path) -> Path:
    """A dark vertical bar on white."""
    pixels = np.full((60, 60), 255, np.uint8)
    pixels[12:48, 27:33] = 0
    Image.fromarray(pixels).save(tmp_path / "one.png")
    return tmp_path / "one.png"


def test_a_picture_is_shown_through_every_layer_and_the_picture_opens_again(tmp_path: Path, digit: Path) -> None:
    out, dump, again = tmp_path / "a.png", tmp_path / "a.npz", tmp_path / "b.npz"
    size = ("--size", "640x400", "--edges", "off")
    code, said = run(LENET, "--input", str(digit), "-o", str(out), "--dump", str(dump), *size)
    assert (code, said) == (0, "")
    first = np.load(dump)
    values = first["tile_value"][first["tile_layer"] == first["tile_layer"].max()]
    assert int(values.argmax()) == 1
    code, said = run(LENET, "--state", str(out), "-o", str(tmp_path / "b.png"), "--dump", str(again))
    assert (code, said) == (0, "")
    assert np.array_equal(first["tile_value"], np.load(again)["tile_value"]), "the picture carries its own input"
    other = tmp_path / "recorded.npz"
    run(LENET, "-o", str(tmp_path / "c.png"), "--dump", str(other), *size)
    assert not np.array_equal(first["tile_value"], np.load(other)["tile_value"])


@pytest.mark.parametrize(("what", "said"), [
    ("text", "expected a picture, got"),
    ("shape", "expected an array of shape (1, 28, 28), got (3, 3)"),
    ("none", "expected a picture, got: No such file"),
])  # fmt: skip
def test_what_is_no_input_of_this_network_is_told_in_one_line(tmp_path: Path, what: str, said: str) -> None:
    path = tmp_path / "input.npy"
    if what == "text":
        path.write_text("nothing")
    elif what == "shape":
        np.save(path, np.zeros((3, 3), np.float32))
    code, words = run(LENET, "--input", str(path), "-o", str(tmp_path / "a.png"))
    assert code != 0
    assert said in words
    assert "\n" not in words.strip()


def test_a_run_that_cannot_be_computed_anew_says_by_how_much(tmp_path: Path, digit: Path) -> None:
    for given in (("--input", str(digit)), ("--script", json.dumps([{"do": "AddOwn", "input": _own()}]))):
        code, words = run(str(SIETZEN), *given, "-o", str(tmp_path / "a.png"))
        assert code != 0
        assert "own input" in words
        assert not (tmp_path / "a.png").exists()


def _own() -> dict[str, object]:
    from nn3d.run.own import OwnInput, packed
    from nn3d.stage import jsonable

    own = OwnInput("own 1", (packed("picture", np.zeros((1, 28, 28), np.uint8)),))
    found: dict[str, object] = jsonable.to_json(own)
    return found


def test_a_cell_of_an_own_input_is_explained_and_adds_up(digit: Path) -> None:
    arguments = [LENET, "--layer", "conv2", "--cell", "3,4,4", "--input", str(digit), "--json"]
    done = CliRunner().invoke(explain, arguments)
    assert done.exit_code == 0, done.exception
    found = json.loads(done.output)
    assert found["known"]
    assert found["abs_error"] <= found["tolerance"]
    recorded = json.loads(CliRunner().invoke(explain, [*arguments[:5], "--json"]).output)
    assert recorded["terms"] != found["terms"]
