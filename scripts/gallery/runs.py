"""Where the gallery's runs come from: bundled ones, ones that a demo makes, and captures with random weights."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import nn3d
from nn3d.run.writer import write_packed

ROOT = Path(__file__).resolve().parents[2]
# Where a run lies in a checkout. What lies in out/gallery is made when it is first asked for.
FILES = {
    "lenet": "assets/runs/lenet-mnist.npz",
    "mlp": "assets/runs/mlp-digits.npz",
    "resnet20": "assets/runs/resnet20-cifar10.npz",
    "gpt": "assets/runs/gpt-python.npz",
    "sietzen": "tests/data/sietzen-mnist.zip",
    "iris": "out/gallery/mlp-iris.npz",
    "unet": "out/gallery/unet-digits.npz",
    "lstm": "out/gallery/lstm-rows.npz",
    "vgg16": "out/gallery/vgg16-random.npz",
    "googlenet": "out/gallery/googlenet-random.npz",
    "resnet50": "out/gallery/resnet50-random.npz",
}
DEMOS = {"iris": "05_mlp_iris.py", "unet": "06_unet_digits.py", "lstm": "07_lstm_rows.py"}
RANDOM = {
    "vgg16": ("vgg", "VGG-16"), "googlenet": ("googlenet", "GoogLeNet"), "resnet50": ("resnet", "ResNet-50"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Places:
    """made : folder of the runs that are made. mnist : IDX files for the demos that need them, None to download."""

    made: Path
    mnist: Path | None


def run_of(key: str, places: Places) -> Path:
    """The file of a run; made now if it is not there."""
    if key not in DEMOS and key not in RANDOM:
        return ROOT / FILES[key]
    path = places.made / Path(FILES[key]).name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _train(DEMOS[key], path, places) if key in DEMOS else _capture(key, path)
    return path


def _train(script: str, path: Path, places: Places) -> None:
    data = ["--data", str(places.mnist)] if places.mnist is not None and "iris" not in script else []
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "demos" / script), "--out", str(path), *data]
    subprocess.run(command, check=True, cwd=ROOT, env=environment)


def _capture(key: str, path: Path) -> None:
    """A network with random weights, always the same, that looks at a picture of ResNet-20's run."""
    from nn3d.extract.graph import Preprocessing
    from tests.networks import FULL

    name, title = RANDOM[key]
    model, _ = FULL[name]()
    type(model).__name__ = title
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    picture = _enlarged(224)
    x = ((picture - np.array(mean)) / np.array(std)).transpose(2, 0, 1)[None].astype(np.float32)
    run = nn3d.capture(
        model, x, names=["CIFAR-10 test horse #6, enlarged; random weights"], encoding="u8",
        preprocessing=Preprocessing(mean, std, (0.0, 1.0)),
    )  # fmt: skip
    write_packed(run, path)


def _enlarged(size: int) -> NDArray[np.float64]:
    """(size, size, 3) float64 in 0 … 1: the first picture of ResNet-20's run."""
    with nn3d.load(ROOT / FILES["resnet20"]) as run:
        info = run.graph.inputs[0]
        stored = np.array(run.activations(run.layers[0].name)[0], np.float64).transpose(1, 2, 0)
    pixels = np.clip(stored * np.array(info.std) + np.array(info.mean), 0, 1)
    image = Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float64) / 255.0
