"""Laws of the names of layers: each is written, none over another, or the picture says how many are left out."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.folds import level, toward
from nn3d.stage.frame import Frame, Text
from nn3d.stage.overlay.facts import text_boxes
from nn3d.stage.resident import Resident


@cache
def resnet() -> Run:
    """The bundled ResNet-20."""
    return open_run(bundled_runs()["resnet20-cifar10"])


def unfolded(size: tuple[int, int]) -> Frame:
    """All of its layers, no group closed."""
    resident = Resident(resnet())
    state = initial_state(resnet(), resident, size_px=size)
    return compose(resnet(), toward(state, level(state), at_once=True), resident=resident)


@pytest.mark.parametrize("size", [(1280, 720), (1600, 900), (2560, 1440)])
def test_every_layer_of_an_unfolded_network_has_its_name_and_none_lies_over_another(size: tuple[int, int]) -> None:
    frame = unfolded(size)
    names = [m for m in frame.marks if isinstance(m, Text) and m.weight == "semibold" and m.anchor == "ma"]
    said = [m.text for m in names]
    assert not Counter(Resident(resnet()).plan.groups.short) - Counter(said)
    boxes = text_boxes(list(names))
    for k, (x0, y0, x1, y1) in enumerate(boxes):
        assert not any(x0 < b[2] and b[0] < x1 and y0 < b[3] and b[1] < y1 for b in boxes[:k])


def test_names_without_room_are_counted_on_the_picture() -> None:
    frame = unfolded((480, 270))
    names = {m.text for m in frame.marks if isinstance(m, Text)}
    assert any(t.endswith("names left out: no room") for t in names)
    assert not any(isinstance(m, Text) and "left out" in m.text for m in unfolded((1600, 900)).marks)
