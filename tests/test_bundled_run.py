"""The bundled run: complete, small, and true to a plain forward of its own weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import nn3d
from nn3d.paths import bundled_runs
from nn3d.run.run import Run

torch = pytest.importorskip("torch")

PATH = bundled_runs()["lenet-mnist"]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with nn3d.load(PATH) as opened:
        yield opened


def plain_forward(run: Run, epoch: int) -> dict[str, np.ndarray]:
    """Values of the named layers from the run's own weights and inputs, by plain torch calls."""
    F = torch.nn.functional
    weights = {name: np.array(run.weights(name, epoch), np.float32) for name in run.parameters}
    w = {name.split(".", 1)[1]: torch.from_numpy(array) for name, array in weights.items()}
    x = torch.from_numpy(np.array(run.activations(run.layers[0].name, epoch), np.float32))
    values = {}
    values["conv1"] = F.conv2d(x, w["conv1.weight"], w["conv1.bias"], padding=2).relu()
    values["pool1"] = F.max_pool2d(values["conv1"], 2)
    values["conv2"] = F.conv2d(values["pool1"], w["conv2.weight"], w["conv2.bias"]).relu()
    values["pool2"] = F.max_pool2d(values["conv2"], 2)
    values["fc1"] = F.linear(values["pool2"].flatten(1), w["fc1.weight"], w["fc1.bias"]).relu()
    values["fc2"] = F.linear(values["fc1"], w["fc2.weight"], w["fc2.bias"]).relu()
    values["fc3"] = F.linear(values["fc2"], w["fc3.weight"], w["fc3.bias"])
    return {name: value.numpy() for name, value in values.items()}


def test_it_holds_epochs_0_to_10_sixteen_samples_and_every_layer_in_at_most_6_mb(run: Run) -> None:
    assert [epoch.id for epoch in run.epochs] == list(range(11))
    assert len(run.samples) == 16
    assert run.samples[0].name == "MNIST test #18"
    assert [layer.name for layer in run.layers[1:]] == ["conv1", "pool1", "conv2", "pool2", "fc1", "fc2", "fc3"]
    assert PATH.stat().st_size <= 6_000_000


def test_its_accuracy_grows_from_chance_to_99_percent(run: Run) -> None:
    accuracies = [epoch.metrics["accuracy"] for epoch in run.epochs]
    assert 0.05 < accuracies[0] < 0.2
    assert accuracies[-1] >= 0.99
    assert all({"loss", "accuracy", "train_loss"} <= set(epoch.metrics) for epoch in run.epochs)


def test_every_node_has_values_at_every_epoch(run: Run) -> None:
    lacking = [
        (node.name, epoch)
        for node in run.graph.nodes
        for output in range(len(node.outputs))
        for epoch in range(len(run.epochs))
        if not run.has_values(node.id, output, epoch)
    ]
    assert lacking == []


@pytest.mark.parametrize("epoch", [0, 1, 5, 10])
def test_stored_values_equal_a_plain_forward_of_the_stored_weights(run: Run, epoch: int) -> None:
    torch.set_num_threads(1)
    for name, expected in plain_forward(run, epoch).items():
        got = np.asarray(run.activations(name, epoch))
        # Each layer reads exact values here, so nothing adds up: half a step of the uint8 range, and rounding.
        tolerance = (expected.max() - min(expected.min(), 0)) * 0.6 / 255 + 1e-5
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, atol=tolerance, err_msg=name)


def test_it_shows_mistakes_as_well_as_hits(run: Run) -> None:
    predictions = np.asarray(run.activations("fc3", -1)).argmax(1)
    hits = [prediction == sample.label for prediction, sample in zip(predictions, run.samples, strict=True)]
    assert hits[0]
    assert 8 <= sum(hits) <= 15
