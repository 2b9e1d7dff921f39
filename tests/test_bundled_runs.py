"""The bundled runs beside LeNet: whole, small, true to a plain forward of their own weights; and they have learnt."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import nn3d
from nn3d.paths import bundled_runs
from nn3d.run.validate import validate

torch = pytest.importorskip("torch")

DEMOS = Path(__file__).parents[1] / "demos"
# Run → its demo, model, last accuracy at least, of how many samples at least the last prediction is right.
RUNS = {
    "mlp-digits": ("02_mlp_digits.py", "MLP", 0.92, 9),
    "resnet20-cifar10": ("03_resnet_cifar.py", "ResNet20", 0.80, 1),
    "gpt-python": ("04_transformer_text.py", "Transformer", 0.25, 1),
}


@pytest.mark.parametrize("name", RUNS)
def test_it_is_whole_and_at_most_4_mb(name: str) -> None:
    path = bundled_runs()[name]
    assert path.stat().st_size <= 4_000_000
    with nn3d.load(path) as run:
        validate(run)
        assert run.graph.kind == "traced"
        for layer in run.layers:
            for epoch in range(len(run.epochs)):
                assert run.has_values(layer.shown, layer.shown_output, epoch), layer.name


@pytest.mark.parametrize("name", RUNS)
def test_it_holds_a_plain_forward_of_its_weights_at_every_epoch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.test_demos import assert_holds_a_plain_forward, module

    script, model = RUNS[name][:2]
    before = set(sys.modules)
    with nn3d.load(bundled_runs()[name]) as run:
        for epoch in range(len(run.epochs)):
            assert_holds_a_plain_forward(run, getattr(module(script, monkeypatch), model)(), epoch)
    for added in set(sys.modules) - before:
        if added in ("cifar", "mnist", "manual", "packing"):
            del sys.modules[added]


@pytest.mark.parametrize("name", RUNS)
def test_it_has_learnt(name: str) -> None:
    _, _, accuracy, right = RUNS[name]
    with nn3d.load(bundled_runs()[name]) as run:
        assert run.epochs[-1].metrics["accuracy"] >= accuracy > 2 * run.epochs[0].metrics["accuracy"]
        node, output = run.graph.outputs[0][1:]
        logits = np.stack([run.values(node, output, -1, sample) for sample in range(len(run.samples))])
    guessed = logits.reshape(len(logits), -1, logits.shape[-1])[:, -1].argmax(-1)
    assert sum(guess == sample.label for guess, sample in zip(guessed, run.samples, strict=True)) >= right
