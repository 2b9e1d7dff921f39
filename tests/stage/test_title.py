"""The title names the epoch by what the run calls it, not by its place in the file."""

from __future__ import annotations

from dataclasses import replace

import pytest

import nn3d
from nn3d.paths import bundled_runs
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Text
from nn3d.stage.resident import Resident


@pytest.mark.parametrize(("index", "said"), [(0.0, "epoch 0 of 16"), (1.0, "epoch 4 of 16"), (1.5, "epoch 10.0 of 16")])
def test_the_epoch_is_called_by_its_id(index: float, said: str) -> None:
    with nn3d.load(bundled_runs()["resnet20-cifar10"]) as run:
        assert [epoch.id for epoch in run.epochs] == [0, 4, 16]
        state = initial_state(run, Resident(run))
        frame = compose(run, replace(state, time=replace(state.time, epoch=index, target=index)))
    texts = [mark.text for mark in frame.marks if isinstance(mark, Text)]
    assert any(said in text.split("   ·   ") for text in texts)
