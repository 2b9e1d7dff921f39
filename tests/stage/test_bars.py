"""A class's name stands at the height of its own bar."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import nn3d
from nn3d.cli.pointing import pointed
from nn3d.paths import bundled_runs
from nn3d.stage import compose as composing
from nn3d.stage.bars import Bars
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Text
from nn3d.stage.resident import Resident


def test_close_up_nothing_is_said_about_bars_out_of_sight() -> None:
    with nn3d.load(bundled_runs()["lenet-mnist"]) as run:
        resident = Resident(run)
        whole = initial_state(run, resident)
        near = pointed(run, whole, resident, near="conv1/2")
        said = [
            [mark.text for mark in compose(run, state, resident=resident).marks if isinstance(mark, Text)]
            for state in (whole, near)
        ]
    assert [any("softmax" in text for text in texts) for texts in said] == [True, False]


@pytest.mark.parametrize("yaw", [40.0, 47.0, 60.0])
@pytest.mark.parametrize("name", ["resnet20-cifar10", "lenet-mnist"])
def test_a_name_is_nearer_to_its_own_bar_than_to_any_other(
    name: str, yaw: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nn3d.load(bundled_runs()[name]) as run:
        resident = Resident(run)
        state = initial_state(run, resident)
        state = replace(state, camera=replace(state.camera, yaw_rad=math.radians(yaw)))
        seen: list[Bars] = []
        made = composing.bar_marks
        monkeypatch.setattr(composing, "bar_marks", lambda f, bars, view: seen.append(bars) or made(f, bars, view))
        frame = compose(run, state, resident=resident)
    texts = [mark for mark in frame.marks if isinstance(mark, Text) and mark.anchor == "rm"]
    heights = {text.text: text.y for text in texts if text.text in run.classes}
    bars = seen[-1].rows
    starts = {run.classes[bar.index]: frame.view.project(np.array([bar.start_at]), state.size_px)[0, 1] for bar in bars}
    assert len(heights) == len(run.classes)
    for label, y in heights.items():
        assert min(starts, key=lambda other: abs(starts[other] - y)) == label
