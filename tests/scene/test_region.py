"""Laws of the multisampled region: it changes no pixel, and it is smaller than the screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from nn3d.offscreen import Offscreen
from nn3d.scene import renderer
from nn3d.scene.region import STRIPS, everywhere, strip_px, strips_of
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident
from nn3d.stage.state import ARRANGEMENTS, Camera
from tests.runs import conv_run

SIZE = (500, 300)
RUN = conv_run()
RESIDENT = Resident(RUN)


@pytest.fixture(scope="module")
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


def random_view(rng: np.random.Generator) -> Frame:
    """The network from anywhere around it, layers on their way, without strands and without shade."""
    camera = Camera(
        yaw_rad=rng.uniform(-3.1, 3.1), pitch_rad=rng.uniform(-0.4, 1.5), distance=10 ** rng.uniform(0.6, 2.2),
        target=tuple(rng.uniform(-6, 10, 3)), fit=False,
    )  # fmt: skip
    state = initial_state(RUN, RESIDENT)
    layer = int(rng.integers(len(RUN.layers)))
    for command in (
        c.Resize(SIZE, float(rng.choice([1.0, 1.5]))), c.SetTheme(str(rng.choice(["dark", "light"]))),
        c.SetSelection("off"), c.SetBudget(replace(state.budget, shade=False)),
        c.SetOpen(None, bool(rng.integers(2)), at_once=bool(rng.integers(2))),
        c.Arrange(layer, str(rng.choice(ARRANGEMENTS)), at_once=False), c.Advance(float(rng.uniform(0, 0.6))),
        c.SetCamera(camera),
    ):  # fmt: skip
        state = c.apply(state, command)
    return compose(RUN, state, resident=RESIDENT)


def test_nothing_stands_outside_of_its_region(
    screen: Offscreen, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = []
    for _ in range(30):
        screen.activate()
        frame = random_view(rng)
        target = screen.draw(frame)
        strips = strips_of(frame, target.size)
        within = screen.pixels(frame)
        with monkeypatch.context() as patch:
            patch.setattr(renderer, "strips_of", lambda _, size: everywhere(size))
            np.testing.assert_array_equal(within, screen.pixels(frame))
        used.append((strips[:, 1] - strips[:, 0]).sum() * strip_px(target.size[0]) / np.prod(target.size))
    assert min(used) < 0.5


def test_strips_cover_every_width() -> None:
    for width in (1, 63, 64, 65, 1280, 3841):
        assert STRIPS * strip_px(width) >= width
