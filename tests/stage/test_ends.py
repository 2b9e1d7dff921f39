"""Laws of the pictures at both ends of a network from image to image."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nn3d.run.memory import run_from_arrays
from nn3d.run.model import InputInfo
from nn3d.run.run import Run
from nn3d.stage.complete import compose
from nn3d.stage.frame import Text
from nn3d.stage.plan import make_plan
from tests.runs import bundled


def image_to_image(channels: int, outputs: int, size: int = 16) -> Run:
    """An input picture, two layers of maps of its resolution and an output of few maps; random values."""
    rng = np.random.default_rng(3)
    values, layers, before = {}, [], 1
    for name, n in (("input", 1), ("a", channels), ("b", channels), ("out", outputs)):
        values[name] = [rng.normal(size=(1, n, size, size)).astype(np.float32)]
        weight = [rng.normal(size=(n, before, 1, 1)).astype(np.float32)]
        layers.append({"name": name, "op": "conv2d", "parameters": {"weight": weight}} if values.keys() - {"input"}
                      else {"name": name, "op": "input"})  # fmt: skip
        before = n
    return run_from_arrays(layers, values, inputs=[InputInfo(node=0, kind="image")], model="picture to picture")


@pytest.mark.parametrize(("channels", "outputs"), [(8, 1), (16, 1), (32, 2), (12, 3)])
def test_the_result_is_as_large_as_the_plates_of_its_resolution(channels: int, outputs: int) -> None:
    plan = make_plan(image_to_image(channels, outputs))
    first, a, _, last = (float(np.prod(p.tiles.extents[3])) for p in plan.layers)
    assert last >= a * (1.0 - 1e-6)
    assert first >= a * (1.0 - 1e-6)
    half = plan.layers[3].tiles.half
    assert half[0] == pytest.approx(half[1])


def test_how_much_larger_pictures_are_drawn_stands_on_the_picture() -> None:
    said = " ".join(m.text for m in compose(image_to_image(16, 1)).marks if isinstance(m, Text))
    assert "input ×" in said
    assert "output ×" in said


def test_a_classifier_keeps_its_sizes() -> None:
    plan = make_plan(bundled())
    said = " ".join(m.text for m in compose(bundled()).marks if isinstance(m, Text))
    assert "output ×" not in said
    assert math.isclose(2.0 * plan.layers[0].tiles.half[0], 1.55 * 0.8 * 28**plan.power, rel_tol=1e-6)
