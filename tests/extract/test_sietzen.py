"""Sietzen's JSON becomes a run that is true to the files, and says what they leave out."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nn3d.errors import SourceError
from nn3d.extract.formats import sietzen
from nn3d.extract.output import in_memory
from nn3d.extract.readers.sietzen.check import convolve
from nn3d.run.run import Run

DATA = Path(__file__).parents[1] / "data" / "sietzen-mnist.zip"


@pytest.fixture(scope="module")
def run() -> Run:
    return in_memory(sietzen.read(DATA))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sietzen")
    with zipfile.ZipFile(DATA) as archive:
        archive.extractall(path)
    return path / "jsons"


def raw(folder: Path, kind: str, epoch: int) -> dict[str, np.ndarray]:
    data = json.loads((folder / f"model_{kind}_epoch{epoch:03d}.json").read_text())
    return {e[0]: np.array(e[2], np.float32) for e in data if len(e) == 3}


def test_every_epoch_sample_and_class_is_there(run: Run) -> None:
    assert [e.id for e in run.epochs] == list(range(11))
    assert [s.label for s in run.samples] == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0]
    assert run.classes == tuple("0123456789")


def test_weights_are_oihw(run: Run, folder: Path) -> None:
    stored = raw(folder, "weights", 10)["conv1"]
    weights = run.weights("conv1.weight", epoch=10)
    assert weights.shape == (8, 4, 3, 3)
    assert weights[5, 2, 0, 1] == stored[0, 1, 2, 5]


def test_linear_after_maps_reads_channel_y_x(run: Run, folder: Path) -> None:
    stored = raw(folder, "weights", 10)["fc0"]
    weights = run.weights("fc0.weight", epoch=10)
    y, x, channel = 2, 1, 13
    assert weights[7, channel * 9 + y * 3 + x] == stored[(y * 3 + x) * 16 + channel, 7]
    flat = run.activations("maxpool2", 10).reshape(11, -1)
    there = raw(folder, "activations", 10)["maxpool2"].reshape(11, -1) @ stored
    assert np.allclose(flat @ weights.T, there, atol=1e-4)


def test_shown_values_are_the_stored_ones(run: Run, folder: Path) -> None:
    stored = raw(folder, "activations", 3)
    for layer in ("conv0", "maxpool0", "conv2", "fc0", "fc_out"):
        shown = run.layers[[la.name for la in run.layers].index(layer)]
        values = run.values(shown.shown, shown.shown_output, 3, 4)
        expected = stored[layer][4]
        assert np.array_equal(values, expected.transpose(2, 0, 1) if expected.ndim == 3 else expected), layer


def test_input_is_shown_in_its_true_scale_and_conv0_reproduces(run: Run) -> None:
    image = np.stack([run.values(0, 0, 10, s) for s in range(11)])
    assert image.max() == pytest.approx(1, abs=1e-6)
    made = convolve(image, run.weights("conv0.weight", epoch=10))
    made += run.weights("conv0.bias", epoch=10)[:, None, None]
    assert np.allclose(np.maximum(made, 0), run.activations("conv0.relu", 10), atol=1e-6)
    assert any("×255" in note for note in run.notes)


def test_notes_measure_what_cannot_be_reproduced(run: Run) -> None:
    reasons = {n.name: n.attributes["unreproducible"] for n in run.graph.nodes if "unreproducible" in n.attributes}
    assert list(reasons) == ["conv1", "conv2", "fc0", "fc_out"]
    assert all("off by up to" in text for text in reasons.values())
    assert any("conv0.bias is not in the files" in note for note in run.notes)


def test_folder_and_zip_are_the_same_run(run: Run, folder: Path) -> None:
    other = in_memory(sietzen.read(folder))
    assert other.graph == run.graph
    assert np.array_equal(other.activations("fc_out", 5), run.activations("fc_out", 5))


def test_missing_or_bent_files_are_refused_with_their_name(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "model_weights_epoch004.json").write_text('[["input", [1], [0]]]')
    with pytest.raises(SourceError, match="epoch 4: weights of 'conv0'"):
        list(sietzen.read(copy))
    (copy / sietzen.STRUCTURE).write_text("{")
    with pytest.raises(SourceError, match=r"model_structure\.json should be JSON"):
        sietzen.read(copy)
