"""Each demo trains, records, packs; the same seed gives the same run, and the run holds a plain forward of its weights.

Tiny trainings on made-up data of the real shapes: what is tested is the demo, not the network's skill.
"""

from __future__ import annotations

import importlib.util
import io
import runpy
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import nn3d
from nn3d.analysis.health.history import read_history
from nn3d.analysis.health.marks import find_marks
from nn3d.run.run import Run
from nn3d.run.validate import validate

torch = pytest.importorskip("torch")

ROOT = Path(__file__).parents[1]
DEMOS = ROOT / "demos"
SCRIPTS = sorted(path.name for path in DEMOS.glob("[0-9][0-9]_*.py"))


def demo(monkeypatch: pytest.MonkeyPatch, script: str, *arguments: object) -> None:
    """Run a demo as a command of its own would, in this process: importing torch once is enough."""
    monkeypatch.syspath_prepend(str(DEMOS))
    monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
    runpy.run_path(str(DEMOS / script), run_name="__main__")


def module(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A demo's module, imported from its file."""
    monkeypatch.syspath_prepend(str(DEMOS))
    spec = importlib.util.spec_from_file_location(name.replace(".py", ""), DEMOS / name)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def loaded(run: Run, model: torch.nn.Module, epoch: int) -> torch.nn.Module:
    """The model with the run's own weights."""
    state = {}
    for info in run.graph.parameters:
        weight = torch.from_numpy(np.array(run.weights(info.id, epoch), np.float32))
        state[info.name] = weight.transpose(0, 1) if info.source_layout.startswith("IO") else weight
    missing = model.load_state_dict(state, strict=False).missing_keys
    assert all("num_batches" in name or name == "words.weight" for name in missing)  # not read, or shared
    return model.eval()


def assert_holds_a_plain_forward(run: Run, model: torch.nn.Module, epoch: int = -1) -> None:
    """Its output values are those of the model with its weights, within float16 weights and 8-bit values."""
    name = run.layers[0].name
    x = torch.from_numpy(np.array(run.activations(name, epoch)))
    x = x.long() if run.graph.inputs[0].kind == "tokens" else x
    with torch.no_grad():
        expected = loaded(run, model, epoch)(x).numpy()
    node, output = run.graph.outputs[0][1:]
    got = np.stack([run.values(node, output, epoch, sample) for sample in range(len(x))])
    span = expected.max() - expected.min()
    np.testing.assert_allclose(got, expected, atol=0.01 * span)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like MNIST's: 2,000 blobs at ten places, in IDX files."""
    folder, rng = tmp_path_factory.mktemp("idx"), np.random.default_rng(0)
    for split, n in (("train", 300), ("t10k", 1000)):
        labels = rng.integers(0, 10, n).astype(np.uint8)
        pictures = rng.integers(0, 60, (n, 28, 28)).astype(np.uint8)
        for picture, label in zip(pictures, labels, strict=True):
            picture[4 + 2 * int(label) : 8 + 2 * int(label), 6:22] = 220
        for kind, array in (("images-idx3", pictures), ("labels-idx1", labels)):
            head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            (folder / f"{split}-{kind}-ubyte").write_bytes(head + array.tobytes())
    return folder


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip like CIFAR-10's pictures by class: a colour each, ten to train with and ten to test with."""
    path, rng = tmp_path_factory.mktemp("zip") / "colours.zip", np.random.default_rng(0)
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    with zipfile.ZipFile(path, "w") as archive:
        for i, label in enumerate(classes):
            for split in ("train", "test"):
                for k in range(10):
                    pixels = rng.integers(0, 40, (32, 32, 3)) + 20 * i
                    file = io.BytesIO()
                    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
                    archive.writestr(f"{split}/{label}/{k:04d}.png", file.getvalue())
    return path


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_demo_says_what_it_does(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        demo(monkeypatch, script, "--help")
    assert f"python demos/{script}" in capsys.readouterr().out


def test_the_digits_mlp_is_the_same_for_the_same_seed(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for name in ("a", "b"):
        out = tmp_path / f"{name}.npz"
        demo(monkeypatch, "02_mlp_digits.py", "--data", digits, "--out", out, "--epochs", 1, "--threads", 1)
        runs.append(nn3d.load(out))
    first, second = runs
    validate(first)
    for parameter in first.parameters:
        assert np.array_equal(first.weights(parameter), second.weights(parameter))
    assert first.epochs[-1].metrics["accuracy"] > first.epochs[0].metrics["accuracy"]
    assert_holds_a_plain_forward(first, module("02_mlp_digits.py", monkeypatch).MLP())
    assert first.parameter_gradient(first.parameter_id("layers.hidden.weight"), -1) is not None


def test_resnet_is_recorded_resumed_and_packed_small(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = tmp_path / "run", tmp_path / "whole"
    script = module("03_resnet_cifar.py", monkeypatch)
    run_epoch = script.Training.run_epoch

    def interrupted(training: object, *data: object) -> float:
        if training.epoch == 1:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return float(run_epoch(training, *data))

    arguments = ["--data", colours, "--epochs", 2, "--pictures", 20, "--threads", 1, "--out"]
    monkeypatch.setattr(script.Training, "run_epoch", interrupted)
    monkeypatch.setattr(sys, "argv", ["03_resnet_cifar.py", *map(str, [*arguments, out])])
    with pytest.raises(KeyboardInterrupt):
        script.main()
    demo(monkeypatch, "03_resnet_cifar.py", *arguments, out)
    demo(monkeypatch, "03_resnet_cifar.py", *arguments, whole)
    run, small = nn3d.load(out), nn3d.load(out.with_suffix(".npz"))
    validate(run)
    validate(small)
    assert [epoch.id for epoch in run.epochs] == [0, 1, 2]
    for name, again in ((name, nn3d.load(whole).weights(name, -1)) for name in run.parameters):
        np.testing.assert_array_equal(run.weights(name, -1), again, err_msg=name)
    assert len(run.samples) == 10
    assert len(small.samples) == 2
    model = script.ResNet20()
    assert sum(p.numel() for p in model.parameters()) == 272_474
    assert_holds_a_plain_forward(run, model)
    assert_holds_a_plain_forward(small, model)
    for layer in small.layers[1:]:
        assert small.has_values(layer.shown, layer.shown_output, -1)
        of_run = run.values(layer.shown, layer.shown_output, -1, 7)
        np.testing.assert_array_equal(small.values(layer.shown, layer.shown_output, -1, 1), of_run)


def test_official_archive_and_pictures_by_class_are_read_alike(
    colours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cifar = module("cifar.py", monkeypatch)
    train, test = cifar.load(colours)
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name, part in [(f"data_batch_{i}.bin", train) for i in range(1, 6)] + [("test_batch.bin", test)]:
            rows = np.concatenate([part.labels[:, None].astype(np.uint8), part.pixels.reshape(len(part.labels), -1)], 1)
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = rows.size
            archive.addfile(info, io.BytesIO(rows.tobytes()))
    again, same = cifar.load(tmp_path / "cifar-10-binary.tar.gz")
    np.testing.assert_array_equal(same.pixels, test.pixels)
    np.testing.assert_array_equal(same.labels, test.labels)
    np.testing.assert_array_equal(again.pixels[: len(train.labels)], train.pixels)


def test_the_transformer_has_words_and_holds_a_plain_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "gpt.npz"
    demo(monkeypatch, "04_transformer_text.py", "--out", out, "--epochs", 1, "--paragraphs", 150, "--threads", 1)
    run = nn3d.load(out)
    validate(run)
    assert [len(sample.tokens) for sample in run.samples] == [16, 16, 16]
    transformer = module("04_transformer_text.py", monkeypatch)
    for sample, sentence in zip(run.samples, transformer.SENTENCES, strict=True):
        assert sample.label is not None
        assert run.classes[sample.label] in (sentence.split()[-1], "<rare>")
        assert " ".join(sample.tokens) == sentence.rsplit(" ", 1)[0]
    assert_holds_a_plain_forward(run, transformer.Transformer())


@pytest.mark.parametrize(
    ("script", "model"),
    [("05_mlp_iris.py", "Iris"), ("06_unet_digits.py", "UNet"), ("07_lstm_rows.py", "RowReader")],
)
def test_the_short_ones_hold_a_plain_forward(
    script: str, model: str, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = () if "iris" in script else ("--data", digits, "--pictures", 64, "--threads", 1)
    demo(monkeypatch, script, "--out", tmp_path / "run.npz", "--epochs", 1, *more)
    run = nn3d.load(tmp_path / "run.npz")
    validate(run)
    assert_holds_a_plain_forward(run, getattr(module(script, monkeypatch), model)())


def test_the_live_demo_records_and_learns_without_a_display(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.warns(UserWarning, match="no display"):
        demo(monkeypatch, "09_live_spirals.py", "--out", tmp_path / "run", "--epochs", 12, "--pause", 0, "--threads", 1)
    with nn3d.load(tmp_path / "run") as run:
        assert validate(run) > 0
        assert len(run.epochs) == 12
        assert run.epochs[-1].metrics["accuracy"] > 0.8
        assert run.epochs[0].metrics["accuracy"] < 0.7


def test_the_diverging_training_ends_where_its_health_says(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "bad.npz"
    demo(monkeypatch, "08_diverge.py", "--data", digits, "--out", out, "--threads", 1)
    run = nn3d.load(out)
    validate(run)
    history = read_history(run)
    is_odd = np.array([not np.isfinite(list(e.metrics.values())).all() for e in run.epochs])
    assert is_odd.tolist() == [*[False] * (len(run.epochs) - 1), True]
    marks = [m for m in find_marks(history) if m.kind == "not finite"]
    assert {m.epoch for m in marks} == {len(run.epochs) - 1}
    layer = run.layers[marks[0].layer]
    values = np.asarray(run.activations(layer.name, -1))
    at = [la.index for la in history.layers].index(layer.index)
    assert history.n_nan[-1, at] + history.n_inf[-1, at] >= (~np.isfinite(values)).sum() > 0
