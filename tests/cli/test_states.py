"""Laws of `--state`: every form of a view gives the same pixels, and a picture carries its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nn3d.cli.states import read_state
from nn3d.errors import Nn3dError
from nn3d.export.png import view_inside
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.stage import viewstring
from tests.cli.test_render import render

LENET = str(bundled_runs()["lenet-mnist"])
VIEW = ("--epoch", "2", "--open", "conv1", "--yaw", "70", "--size", "640x360")


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("view") / "a.png"
    render(LENET, "-o", str(path), *VIEW)
    return path


@pytest.mark.parametrize("form", ["picture", "string", "string file", "json", "json file", "jpeg"])
def test_every_form_of_a_view_gives_the_same_pixels(picture: Path, tmp_path: Path, form: str) -> None:
    text = view_inside(picture)
    assert text is not None
    whole = json.dumps(viewstring.to_json(viewstring.from_text(text)))
    (tmp_path / "v.txt").write_text(text)
    (tmp_path / "v.json").write_text(whole)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "v.jpg", comment=text)
    given = {
        "picture": str(picture), "string": text, "string file": str(tmp_path / "v.txt"), "json": whole,
        "json file": str(tmp_path / "v.json"), "jpeg": str(tmp_path / "v.jpg"),
    }[form]  # fmt: skip
    again = tmp_path / "b.png"
    render(LENET, "-o", str(again), "--state", given)
    assert np.array_equal(np.asarray(Image.open(picture)), np.asarray(Image.open(again)))


def test_a_picture_without_a_view_and_a_view_of_another_network_are_told(tmp_path: Path, picture: Path) -> None:
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "plain.png")
    with open_run(LENET) as run, pytest.raises(Nn3dError, match="has none"):
        read_state(run, str(tmp_path / "plain.png"))
    with open_run(str(bundled_runs()["mlp-digits"])) as run, pytest.raises(Nn3dError, match="layers"):
        read_state(run, str(picture))
    with open_run(LENET) as run, pytest.raises(Nn3dError, match="cannot read"):
        read_state(run, "x" * 5000)
