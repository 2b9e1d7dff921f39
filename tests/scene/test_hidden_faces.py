"""Strands never cross the face of a tile: the share of face pixels that they hide, from every side."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from nn3d.extract.trace import capture
from nn3d.offscreen import Offscreen
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from tests.networks import SMALL
from tests.runs import bundled, mlp_run

DEFAULT, TURNED = 0.01, 0.03


@pytest.fixture(scope="module")
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


@cache
def loaded(name: str) -> tuple[Run, Resident]:
    """A run and what is resident of it."""
    if name == "digits":
        run = open_run(bundled_runs()["mlp-digits"])
        return run, Resident(run)
    run = bundled() if name == "bundled" else mlp_run((36, 24, 10)) if name == "mlp" else capture(*SMALL[name]())
    return run, Resident(run)


def hidden(screen: Offscreen, name: str, *commands: c.Command, yaw: float | None = None, pitch: float = 13.0) -> float:
    """Share of face pixels that strands hide, at 1280 × 720."""
    run, resident = loaded(name)
    state = c.apply(initial_state(run, resident), c.Resize((1280, 720)))
    if yaw is not None:
        camera = replace(state.camera, yaw_rad=math.radians(yaw), pitch_rad=math.radians(pitch))
        state = c.apply(c.apply(state, c.SetCamera(camera)), c.Advance(1.0))
    for command in commands:
        state = c.apply(state, command)
    screen.activate()
    return screen.renderer.face_hidden_share(compose(run, state, resident=resident))


@pytest.mark.parametrize("name", ["bundled", "mlp", "vgg", "resnet", "densenet", "unet", "lstm_both", "vit", "gpt"])
def test_at_the_default_view_strands_hide_at_most_one_percent(screen: Offscreen, name: str) -> None:
    assert hidden(screen, name) <= DEFAULT


@pytest.mark.parametrize("yaw", [30, 40, 55, 70, 80, -30, -40, -55, -70, -80])
@pytest.mark.parametrize("name", ["bundled", "resnet", "gpt"])
def test_turned_to_either_side_strands_hide_at_most_three_percent(screen: Offscreen, name: str, yaw: float) -> None:
    assert hidden(screen, name, yaw=yaw) <= TURNED


@pytest.mark.parametrize(("yaw", "pitch"), [(88, 13), (100, 13), (127, 13), (-127, 13), (78, 60), (53, 45)])
def test_edge_on_from_behind_and_from_above_too(screen: Offscreen, yaw: float, pitch: float) -> None:
    assert hidden(screen, "bundled", yaw=yaw, pitch=pitch) <= DEFAULT


@pytest.mark.parametrize("name", ["resnet", "densenet", "unet", "gpt", "mlp", "digits"])
def test_from_behind_the_other_kinds_of_links_too(screen: Offscreen, name: str) -> None:
    assert hidden(screen, name, yaw=127.0) <= DEFAULT


@pytest.mark.parametrize("arrangement", ["line", "circle"])
def test_lines_and_circles_too(screen: Offscreen, arrangement: str) -> None:
    assert hidden(screen, "bundled", c.Arrange(None, arrangement, at_once=True)) <= DEFAULT


@pytest.mark.parametrize("yaw", [30, 40, 80, -30, -55])
@pytest.mark.parametrize("arrangement", ["line", "circle"])
def test_lines_and_circles_turned_to_either_side(screen: Offscreen, arrangement: str, yaw: float) -> None:
    assert hidden(screen, "bundled", c.Arrange(None, arrangement, at_once=True), yaw=yaw) <= TURNED


def test_straight_strands_would_hide_much_more(screen: Offscreen) -> None:
    assert hidden(screen, "bundled", c.SetStrength(0.0, at_once=True)) > 2 * TURNED
