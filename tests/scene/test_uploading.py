"""Laws of uploads: no frame uploads more than it may, what is near comes first, and in the end everything is there."""

from __future__ import annotations

from collections.abc import Iterator

import moderngl
import numpy as np
import pytest

from nn3d.app.picture import read_pixels
from nn3d.offscreen import Offscreen
from nn3d.scene.renderer import Renderer
from nn3d.scene.uploading import within
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident
from tests.runs import bundled

SIZE = (480, 270)


@pytest.fixture(scope="module")
def frame() -> Frame:
    resident = Resident(bundled())
    return compose(bundled(), c.apply(initial_state(bundled(), resident), c.Resize(SIZE)), resident=resident)


@pytest.fixture
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


def target_of(ctx: moderngl.Context) -> moderngl.Framebuffer:
    return ctx.framebuffer([ctx.renderbuffer(SIZE, 4)])


@pytest.mark.parametrize("n_bytes", [1, 20_000, 200_000])
def test_a_picture_that_arrives_in_pieces_ends_as_the_one_that_came_at_once(
    screen: Offscreen, frame: Frame, n_bytes: int
) -> None:
    target = target_of(screen.ctx)
    pieces = Renderer(screen.ctx)
    n_draws = 0
    while n_draws == 0 or pieces.n_waiting:
        before = pieces.n_waiting
        drawn = pieces.draw(frame, target, upload_bytes=n_bytes)
        assert n_draws == 0 or pieces.n_waiting < before
        assert (drawn is frame) == (pieces.n_waiting == 0)
        n_draws += 1
    assert n_draws > 1
    in_pieces = read_pixels(target)
    pieces.release()
    assert np.array_equal(in_pieces, screen.pixels(frame))


def test_a_frame_spends_at_most_its_budget_or_one_thing_and_the_nearest_first(frame: Frame) -> None:
    eye = np.linalg.solve(frame.view.world_from_bench, frame.view.eye_world)
    far = [float(np.linalg.norm(eye - (t.x, t.y, 0.0))) for t in frame.tiles]
    sizes = {t.layer: 0 if t.values is None else t.values[0].cells.nbytes for t in frame.tiles}
    for n_bytes in (1, 5_000, 30_000, 1 << 30):
        now, n_waiting = within(frame, n_bytes, lambda t: sizes[t.layer], lambda s: len(s.strands))
        here = [k for k, t in enumerate(now.tiles) if t.values is not None]
        spent = sum(sizes[now.tiles[k].layer] for k in here) + sum(len(s.strands) for s in now.strands)
        assert spent <= n_bytes or len(here) + len(now.strands) == 1
        assert min(far[k] for k in here) == min(far)
        assert n_waiting == len(frame.tiles) - len(here) + len(frame.strands) - len(now.strands)
