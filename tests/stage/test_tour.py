"""Laws of tours: what is named exists, steps come to rest, and the same tour leads to the same view."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from nn3d.cli.tours import at_step, read_tour
from nn3d.errors import Nn3dError
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Rect, Text
from nn3d.stage.overlay.caption import balanced
from nn3d.stage.reference import tile_places
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing
from nn3d.stage.type import text_width

TOUR: dict[str, Any] = {
    "nn3d_tour": 1,
    "title": "Digits",
    "steps": [
        {"say": "All of it.", "look": "all"},
        {"say": "The first layer.", "look": "conv1/2",
         "do": [{"do": "Select", "thing": {"layer": "conv1", "tile": 2}}]},
        {"say": "Before training.", "do": [{"do": "SetEpoch", "epoch": 0}, {"do": "SetOpen", "layer": "conv2",
         "is_open": False}], "secs": 2},
    ],
}  # fmt: skip


def test_each_step_ends_at_rest_with_its_caption_and_its_view() -> None:
    with open_run(bundled_runs()["lenet-mnist"]) as run:
        resident = Resident(run)
        first = initial_state(run, resident)
        states = [at_step(run, first, resident, f"{json.dumps(TOUR)}#{k}") for k in (1, 2, 3)]
        conv1, conv2 = run.layer("conv1").index, run.layer("conv2").index
        assert [s.caption for s in states] == ["All of it.", "The first layer.", "Before training."]
        assert not any(c.is_moving(s) for s in states)
        assert states[0].camera.fit
        assert not states[1].camera.fit
        assert states[1].selection == Thing(conv1, 2)
        assert (states[2].time.epoch, states[2].layers[conv2].opening) == (0.0, 0.0)
        assert states[2].camera == states[1].camera
        assert at_step(run, first, resident, json.dumps(TOUR)) == states[2]


def test_the_tile_that_is_looked_at_stands_in_the_middle() -> None:
    with open_run(bundled_runs()["lenet-mnist"]) as run:
        resident = Resident(run)
        state = at_step(run, initial_state(run, resident), resident, f"{json.dumps(TOUR)}#2")
        frame = compose(run, state, resident=resident)
        layer = next(t for t in frame.tiles if t.layer == run.layer("conv1").index)
        centre, _ = tile_places(layer)
        x, y = frame.view.project(centre[[2]], state.size_px)[0, :2]
        x0, y0, x1, y1 = state.anchors.free
        assert abs(x - (x0 + x1) / 2) < 0.12 * (x1 - x0)
        assert abs(y - (y0 + y1) / 2) < 0.12 * (y1 - y0)


def test_a_caption_is_in_the_picture_on_a_ground_that_holds_it() -> None:
    with open_run(bundled_runs()["lenet-mnist"]) as run:
        resident = Resident(run)
        said = "Words " * 40
        state = c.apply(initial_state(run, resident), c.Say(said))
        marks = compose(run, state, resident=resident).marks
        lines = [m for m in marks if isinstance(m, Text) and m.text.startswith("Words")]
        ground = next(m for m in marks[marks.index(lines[0]) - 1 :: -1] if isinstance(m, Rect))
        assert " ".join(line.text for line in lines).split() == said.split()
        for line in lines:
            half = text_width(line.text, line.size_px, line.weight) / 2
            assert ground.x0 <= line.x - half
            assert line.x + half <= ground.x1
            assert ground.y0 < line.y < ground.y1


def test_lines_of_a_caption_are_about_equally_long() -> None:
    lines = balanced("one two three four five six seven eight nine ten eleven twelve", 15.0, 300.0)
    widths = np.array([text_width(line, 15.0, "medium") for line in lines])
    assert len(lines) == 2
    assert widths.min() > 0.75 * widths.max()


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"nn3d_tour": 2}, "nn3d_tour"),
        ({"steps": []}, "1 to"),
        ({"steps": [{"say": 3}]}, "step 1"),
        ({"steps": [{}, {"look": "nowhere"}]}, "step 2.*nowhere"),
        ({"steps": [{"look": "conv1/9999999999"}]}, "conv1/9999999999"),
        ({"steps": [{"do": [{"do": "SetOpen", "layer": "conv9", "is_open": True}]}]}, "step 1.*conv9"),
        ({"steps": [{"do": [{"do": "Explode"}]}]}, "step 1"),
        ({"steps": [{"secs": -1}]}, "secs"),
        ({"steps": [{"sey": "x"}]}, "sey"),
        ({"subtitle": "x"}, "subtitle"),
    ],
)  # fmt: skip
def test_what_a_tour_gets_wrong_is_named(edit: dict[str, Any], said: str) -> None:
    with open_run(bundled_runs()["lenet-mnist"]) as run, pytest.raises(Nn3dError, match=said):
        read_tour(run, json.dumps({**TOUR, **edit}))


def test_a_step_that_there_is_not_is_named() -> None:
    with open_run(bundled_runs()["lenet-mnist"]) as run:
        resident = Resident(run)
        state = initial_state(run, resident)
        with pytest.raises(Nn3dError, match="1 to 3"):
            at_step(run, state, resident, f"{json.dumps(TOUR)}#4")
