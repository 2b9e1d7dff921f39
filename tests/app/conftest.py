"""A small run with everything the panels show, and a real display of its own for the window."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest

from nn3d.run.memory import LayerSpec, run_from_arrays
from nn3d.run.model import Epoch
from nn3d.run.run import Run

N_EPOCHS = 4
ACCURACIES = (0.2, 0.6, 0.9, 0.8)
N_SAMPLES = 6


@pytest.fixture(scope="session")
def small_run() -> Run:
    rng = np.random.default_rng(7)

    def weights(*shape: int) -> list[np.ndarray]:
        return [rng.normal(size=shape).astype(np.float32) for _ in range(N_EPOCHS)]

    def maps(*shape: int) -> list[np.ndarray]:
        return [np.maximum(0, rng.normal(size=(N_SAMPLES, *shape))).astype(np.float32) for _ in range(N_EPOCHS)]

    layers = [
        LayerSpec("input", "input"),
        LayerSpec("features.conv1", "conv2d", parameters={"weight": weights(4, 1, 3, 3)}, module="features.0",
                  attributes={"padding": [1, 1], "stride": [1, 1]}),
        LayerSpec("features.pool1", "max_pool2d", module="features.1", attributes={"kernel_size": 2}),
        LayerSpec("classifier.fc1", "linear", parameters={"weight": weights(5, 64)}, module="classifier.0"),
    ]  # fmt: skip
    activations = {
        "input": rng.random((N_SAMPLES, 1, 8, 8)).astype(np.float32),
        "features.conv1": maps(4, 8, 8),
        "features.pool1": maps(4, 4, 4),
        "classifier.fc1": [rng.normal(size=(N_SAMPLES, 5)).astype(np.float32) for _ in range(N_EPOCHS)],
    }
    epochs = [Epoch(i, None, None, {"loss": 2.0 * 0.5**i, "accuracy": ACCURACIES[i]}) for i in range(N_EPOCHS)]
    return run_from_arrays(
        layers, activations, epochs=epochs, labels=[i % 5 for i in range(N_SAMPLES)],
        classes=["0", "1", "2", "3", "4"], model="Small net",
    )  # fmt: skip


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A virtual screen of 1300 × 900 on a display number that was free. Missing tools skip, but never in CI."""
    missing = [tool for tool in ("Xvfb", "xdotool") if shutil.which(tool) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"CI should have {' and '.join(missing)}: apt-get install xvfb xdotool")
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}")
    reader, writer = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writer), "-screen", "0", "1300x900x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=(writer,), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(writer)
    with os.fdopen(reader) as numbers:
        name = f":{numbers.readline().strip()}"
    before = os.environ.get("DISPLAY")
    os.environ["DISPLAY"] = name
    yield name
    if before is None:
        del os.environ["DISPLAY"]
    else:
        os.environ["DISPLAY"] = before
    server.terminate()
    server.wait()
