"""Laws of the pixels, on the real renderer: shaders equal the reference, faces show the ramp, picking finds cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from nn3d.extract.trace import capture
from nn3d.offscreen import Offscreen
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.reference import control_points, tile_places
from nn3d.stage.resident import Resident
from nn3d.stage.state import Camera, Thing, ViewState
from tests.networks import SMALL
from tests.runs import bundled

RESIDENT = Resident(bundled())
FIRST = c.apply(initial_state(bundled(), RESIDENT), c.Resize((960, 540)))


@pytest.fixture(scope="module")
def _made() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


@pytest.fixture
def screen(_made: Offscreen) -> Offscreen:
    _made.activate()
    return _made


def frame_of(*commands: c.Command, state: ViewState = FIRST) -> Frame:
    for command in commands:
        state = c.apply(state, command)
    return compose(bundled(), state, resident=RESIDENT)


MOMENTS = {
    "open": [],
    "opening": [c.SetOpen(2, False), c.SetOpen(4, False), c.Advance(0.3)],
    "circle on its way": [c.Arrange(3, "circle"), c.Advance(0.2)],
    "line": [c.Arrange(1, "line", at_once=True)],
    "collapsed": [c.SetOpen(None, False, at_once=True)],
    "half strength": [c.SetStrength(0.5, at_once=True)],
    "other side": [c.SetCamera(Camera(yaw_rad=-1.0)), c.Advance(0.1)],
    "from behind": [c.SetCamera(Camera(yaw_rad=2.2)), c.Advance(1.0)],
    "turning round": [c.SetCamera(Camera(yaw_rad=2.2)), c.Advance(0.2)],
    "collapsed from behind": [
        c.SetOpen(None, False, at_once=True), c.SetCamera(Camera(yaw_rad=-2.2)), c.Advance(0.3),
    ],
    "parting": [c.Select(Thing(3)), c.SetReach(1), c.Advance(0.25)],
    "apart": [c.Select(Thing(3)), c.SetReach(1, at_once=True), c.Hide((4,), at_once=True)],
    "between epochs": [c.SetEpoch(3.6, at_once=True), c.SetMode("weight")],
    "maps": [c.SetLevel("maps", at_once=True), c.SetSelection("all")],
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_gpu_computes_what_the_reference_computes(screen: Offscreen, moment: str) -> None:
    frame = frame_of(*MOMENTS[moment])
    screen.draw(frame)
    extent = max(t.x for t in frame.tiles)
    for n, strands in enumerate(frame.strands):
        gpu = screen.renderer.ribbons.control_points(frame, n)
        assert np.abs(gpu - control_points(frame, strands)).max() < 1e-5 * extent


@pytest.mark.parametrize("name", ["gpt", "densenet", "lstm_both", "unet", "mlp-digits"])
@pytest.mark.parametrize("secs", [0.15, 1.0])
def test_it_computes_the_same_from_behind_for_every_kind_of_link(screen: Offscreen, name: str, secs: float) -> None:
    run = capture(*SMALL[name]()) if name in SMALL else open_run(bundled_runs()[name])
    resident = Resident(run)
    state = c.apply(initial_state(run, resident), c.SetCamera(Camera(yaw_rad=-2.3, pitch_rad=0.7)))
    frame = compose(run, c.apply(state, c.Advance(secs)), resident=resident)
    screen.draw(frame)
    extent = max(abs(t.x) for t in frame.tiles)
    for n, strands in enumerate(frame.strands):
        gpu = screen.renderer.ribbons.control_points(frame, n)
        assert np.abs(gpu - control_points(frame, strands)).max() < 1e-5 * extent


def test_the_same_state_is_the_same_picture(screen: Offscreen) -> None:
    first = screen.pixels(frame_of())
    screen.pixels(frame_of(c.SetTheme("light"), c.SetOpen(None, False, at_once=True)))
    assert np.array_equal(screen.pixels(frame_of()), first)
    with Offscreen() as other:
        assert np.array_equal(other.pixels(frame_of()), first)


def test_a_face_shows_the_exact_colour_of_the_ramp(screen: Offscreen) -> None:
    run = bundled()
    fc1 = run.layer("fc1").index
    frame = frame_of(c.SetSelection("off"))
    plate = frame.tiles[fc1]
    assert plate.values is not None
    centres, _ = tile_places(plate)
    face = centres - [plate.thickness[0], 0.0, 0.0]
    px = frame.view.project(face, frame.state.size_px)
    picture = screen.pixels(frame)
    value = plate.values[0].cells.ravel()
    share = np.clip(value * plate.gain[0], 0.0, 1.0) ** plate.power
    ramp = frame.palette.ramps["seq"] * 255.0
    want = ramp[np.round(share * 255).astype(int)]
    got = picture[px[:, 1].astype(int), px[:, 0].astype(int)].astype(float)
    assert np.median(np.abs(got - want).max(1)) <= 2.0


def test_every_tile_can_be_picked_at_its_middle_and_names_its_cell(screen: Offscreen) -> None:
    frame = frame_of(c.SetSelection("off"))
    for layer in ("input", "conv1", "conv2"):
        plate = frame.tiles[bundled().layer(layer).index]
        centres, half = tile_places(plate)
        rows, cols = plate.cells
        for tile in range(plate.table.size):
            row, col = rows // 2, cols // 2
            at = centres[tile] + [
                -plate.thickness[0],
                half[tile, 0] * (1 - 2 * (row + 0.5) / rows),
                half[tile, 1] * (2 * (col + 0.5) / cols - 1),
            ]
            x, y = frame.view.project(at, frame.state.size_px)[0]
            hit = screen.renderer.pick(frame, float(x), float(y))
            assert hit is not None
            assert (hit.layer, hit.tile) == (plate.layer, tile)
            assert abs(hit.row - row) <= 1
            assert abs(hit.col - col) <= 1


def test_the_background_picks_as_nothing(screen: Offscreen) -> None:
    frame = frame_of()
    assert screen.renderer.pick(frame, 5.0, 5.0) is None
    assert screen.renderer.pick(frame, -3.0, 9999.0) is None


def test_at_most_one_draw_call_a_pass_and_layer(screen: Offscreen) -> None:
    frame = frame_of()
    screen.draw(frame)
    n_links = len(frame.strands)
    assert screen.figures.draw_calls <= 6 + 2 * len(frame.tiles) + n_links


def test_strength_and_turning_upload_nothing(screen: Offscreen) -> None:
    screen.draw(frame_of())
    for command in (c.SetStrength(0.3, at_once=True), c.SetCamera(Camera(yaw_rad=0.8))):
        frame = frame_of(command, c.Resize((960, 540)))
        screen.draw(frame)
        marks = 64 * len(frame.marks) * 4
        assert screen.figures.upload_bytes <= marks


def test_strands_hide_at_most_one_percent_of_the_faces(screen: Offscreen) -> None:
    assert screen.renderer.face_hidden_share(frame_of(c.Resize((1600, 900)))) <= 0.01


def test_edges_off_and_nothing_else_changes_the_faces(screen: Offscreen) -> None:
    assert screen.renderer.face_hidden_share(frame_of(c.SetSelection("off"))) == 0.0


def test_a_layer_without_values_is_drawn_empty_not_refused(screen: Offscreen) -> None:
    from dataclasses import replace

    frame = frame_of()
    bare = replace(frame, tiles=tuple(replace(t, values=None) for t in frame.tiles))
    assert screen.pixels(bare).std() > 5.0


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_a_picture_has_the_size_that_was_asked_for(screen: Offscreen, theme: str, scale: float) -> None:
    frame = frame_of(c.SetTheme(theme), c.Resize((400, 240), scale))
    assert screen.pixels(frame).shape == (round(240 * scale), round(400 * scale), 3)
