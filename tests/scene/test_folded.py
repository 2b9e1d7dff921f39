"""Laws of folded pictures on the real renderer: shaders equal the reference half-way, and blocks can be picked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from nn3d.extract.trace import capture
from nn3d.offscreen import Offscreen
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.camera import view_of
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.framing import corners_of, framed, group_at
from nn3d.stage.reference import control_points
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing, ViewState
from tests.networks import SMALL


@pytest.fixture(scope="module")
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


def case(name: str) -> tuple[Run, Resident, ViewState]:
    run = capture(*SMALL[name]())
    resident = Resident(run)
    state = c.apply(initial_state(run, resident), c.Resize((960, 540)))
    return run, resident, c.apply(state, c.FoldAll(at_once=True))


@pytest.mark.parametrize("name", ["resnet", "vit", "googlenet"])
def test_the_gpu_computes_what_the_reference_computes_while_groups_open(screen: Offscreen, name: str) -> None:
    run, resident, state = case(name)
    for command in (c.UnfoldAll(), c.Advance(0.25)):
        state = c.apply(state, command)
    frame = compose(run, state, resident=resident)
    assert 0.0 < min(t.scale for t in frame.tiles) < 1.0
    screen.activate()
    assert screen.pixels(frame).std() > 4.0
    extent = max(t.x for t in frame.tiles)
    for n, strands in enumerate(frame.strands):
        gpu = screen.renderer.ribbons.control_points(frame, n)
        assert np.abs(gpu - control_points(frame, strands)).max() < 1e-5 * extent


def test_a_closed_block_picks_as_its_group_and_can_be_flown_to(screen: Offscreen) -> None:
    run, resident, state = case("resnet")
    frame = compose(run, c.apply(state, c.SetSelection("off")), resident=resident)
    screen.activate()
    screen.draw(frame)
    block = next(t for t in frame.tiles if t.layer >= len(run.layers))
    x, y = frame.view.project(np.array([[block.x - block.thickness[1], block.y, 0.0]]), frame.state.size_px)[0]
    hit = screen.renderer.pick(frame, float(x), float(y))
    assert hit is not None
    assert hit.layer == block.layer
    inside = resident.plan.groups.all[block.layer - len(run.layers)].layers[0]
    assert framed(frame, Thing(inside)) == framed(frame, Thing(block.layer))


def test_the_camera_frames_all_plates_of_an_open_group() -> None:
    run, resident, state = case("resnet")
    frame = compose(run, c.apply(state, c.OpenGroup(0, True, at_once=True)), resident=resident)
    group = resident.plan.groups.all[0]
    camera = framed(frame, Thing(len(run.layers)))
    corners = np.concatenate([corners_of(t) for t in frame.tiles if t.layer in group.layers])
    size = frame.state.size_px
    px = view_of(camera, size, (camera.distance * 0.05, camera.distance * 10.0)).project(corners, size)
    x0, y0, x1, y1 = frame.state.anchors.free
    assert (px.min(0) >= (x0 - 1, y0 - 1)).all()
    assert (px.max(0) <= (x1 + 1, y1 + 1)).all()


def test_a_pill_and_a_bracket_belong_to_their_groups(screen: Offscreen) -> None:
    run, resident, state = case("resnet")
    for opened in ((), (1,)):
        group = 1
        state = c.apply(c.apply(state, c.FoldAll(at_once=True)), c.OpenGroup(group, bool(opened), at_once=True))
        frame = compose(run, c.apply(state, c.Resize((1600, 900))), resident=resident)
        item, (x0, y0, x1, y1) = next(h for h in frame.handles if h[0] == len(run.layers) + group)
        assert group_at(frame, (x0 + x1) / 2, (y0 + y1) / 2) == Thing(item)
    assert group_at(frame, 2.0, 2.0) is None
