"""Laws of the composed frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nn3d.stage import commands as c
from nn3d.stage.camera import fitted, view_of
from nn3d.stage.complete import compose
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.frame import Frame, Text
from nn3d.stage.reference import control_points, half_thickness, opened, tile_places
from nn3d.stage.resident import Resident
from nn3d.stage.state import Camera, ViewState
from tests.runs import bundled, mlp_run

RESIDENT = Resident(bundled())
FIRST = initial_state(bundled(), RESIDENT)


def frame_of(*commands: c.Command, state: ViewState = FIRST) -> Frame:
    for command in commands:
        state = c.apply(state, command)
    return compose(bundled(), state, resident=RESIDENT)


MOMENTS = st.lists(
    st.one_of(
        st.builds(c.Advance, st.floats(0, 0.5)),
        st.builds(c.SetOpen, st.integers(0, 7), st.booleans()),
        st.builds(c.Arrange, st.integers(0, 7), st.sampled_from(["line", "circle", "grid"])),
    ),
    max_size=8,
)


@settings(max_examples=25)
@given(MOMENTS)
def test_layers_never_overlap_on_the_axis_even_in_motion(commands: list[c.Command]) -> None:
    frame = frame_of(*commands)
    x = [t.x for t in frame.tiles]
    thick = [float(half_thickness(t, opened(t, np.arange(t.table.size))).max()) for t in frame.tiles]
    for k in range(len(x) - 1):
        assert x[k + 1] - x[k] > thick[k] + thick[k + 1]


@settings(max_examples=25)
@given(MOMENTS)
def test_every_strand_starts_and_ends_on_its_tiles(commands: list[c.Command]) -> None:
    frame = frame_of(*commands)
    for s in frame.strands:
        points = control_points(frame, s)[s.n_trunk :]
        if not len(points):
            continue
        for end, column, k in ((0, s.source, 0), (-1, s.target, 1)):
            tile = s.strands["tiles"][s.n_trunk :, k]
            centre, half = (a[tile] for a in tile_places(frame.tiles[column]))
            off = np.abs(points[:, end, 1:] - centre[:, 1:])
            assert (off <= half * 1.001 + 1e-6).all()


def test_a_collapsed_layer_keeps_its_centre() -> None:
    for layer in range(8):
        closed = frame_of(c.SetOpen(layer, False, at_once=True)).tiles[layer]
        centres, halves = tile_places(closed)
        low, high = (centres[:, 1:] - halves).min(0), (centres[:, 1:] + halves).max(0)
        np.testing.assert_allclose((low + high) / 2.0, [closed.y, 0.0], atol=1e-4)


def test_tile_places_are_linear_in_the_arrangement_weights() -> None:
    layer = frame_of().tiles[3]
    corners = [replace(layer, weights=w, opening=1.0) for w in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    mixed = tile_places(replace(layer, weights=(0.2, 0.3, 0.5), opening=1.0))[0]
    parts = [tile_places(k)[0] for k in corners]
    np.testing.assert_allclose(mixed, 0.2 * parts[0] + 0.3 * parts[1] + 0.5 * parts[2], atol=1e-5)


def test_strength_zero_is_straight() -> None:
    frame = frame_of(c.SetStrength(0.0, at_once=True))
    for s in frame.strands:
        points = control_points(frame, s)
        along = points[:, -1:] - points[:, :1]
        off = points - points[:, :1]
        assert np.linalg.norm(np.cross(np.broadcast_to(along, off.shape), off), axis=-1).max() < 1e-3


def test_the_whole_network_fits_in_the_free_rectangle() -> None:
    for size in ((1600, 900), (1280, 720), (900, 1200), (2560, 1000)):
        frame = frame_of(c.Resize(size))
        x0, y0, x1, y1 = frame.state.anchors.free
        corners = np.concatenate([tile_places(t)[0] for t in frame.tiles])
        px = frame.view.project(corners, size)
        assert x0 - 1 <= px[:, 0].min()
        assert px[:, 0].max() <= x1 + 1
        assert y0 - 1 <= px[:, 1].min()
        assert px[:, 1].max() <= y1 + 1


@given(st.floats(-3.0, 3.0), st.floats(-0.2, 1.2), st.integers(0, 100))
def test_a_fitted_camera_fills_its_rectangle(yaw: float, pitch: float, seed: int) -> None:
    corners = np.random.default_rng(seed).uniform(-1, 1, (12, 3)) * [40, 9, 9]
    camera = fitted(Camera(yaw_rad=yaw, pitch_rad=pitch), corners, (100, 100, 900, 500), (1000, 600))
    px = view_of(camera, (1000, 600), (camera.distance * 0.01, camera.distance * 10)).project(corners, (1000, 600))
    (x0, y0), (x1, y1) = px.min(0), px.max(0)
    assert x0 >= 99
    assert x1 <= 901
    assert y0 >= 99
    assert y1 <= 501
    assert x1 - x0 > 797 or y1 - y0 > 397


def test_labels_do_not_overlap_and_name_every_layer_of_a_small_network() -> None:
    frame = frame_of()
    names = {m.text: m for m in frame.marks if isinstance(m, Text) and m.weight == "semibold"}
    for layer in bundled().layers:
        assert layer.name in names


def test_what_is_missing_is_listed_and_nothing_is_read() -> None:
    fresh = Resident(bundled())
    frame = compose_frame(bundled(), FIRST, fresh)
    assert frame.missing
    assert all(t.values is None for t in frame.tiles)
    for need in frame.missing:
        fresh.warm(need)  # type: ignore[arg-type]
    assert not compose_frame(bundled(), FIRST, fresh).missing


def test_probabilities_are_the_softmax_of_the_stored_logits() -> None:
    run = bundled()
    frame = frame_of(c.SetSample(3), c.SetEpoch(4.0, at_once=True))
    logits = run.values(run.layer("fc3").shown, 0, 4, 3).astype(np.float64)
    shares = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    said = {m.text for m in frame.marks if isinstance(m, Text)}
    best = float(shares.max())
    assert ("> 99.9 %" if best >= 0.9995 else f"{100 * best:.1f} %") in said


def test_between_two_epochs_values_and_strands_are_mixed() -> None:
    frame = frame_of(c.SetEpoch(4.25, at_once=True))
    assert frame.epoch_mix == pytest.approx(0.25)
    assert frame.tiles[1].values is not None
    assert frame.tiles[1].values[0].key != frame.tiles[1].values[1].key


def test_sampled_strands_say_how_many_of_how_many() -> None:
    frame = frame_of()
    said = " ".join(m.text for m in frame.marks if isinstance(m, Text))
    assert "of 48,000" in said
    assert "% of |c|" in said


@pytest.mark.parametrize("epoch", [0.0, 10.0])
def test_shares_of_a_rope_are_shares_of_the_whole(epoch: float) -> None:
    frame = frame_of(c.SetOpen(None, False, at_once=True), c.SetEpoch(epoch, at_once=True))
    for s in frame.strands:
        if s.colour == "sign":
            up = s.strands["area"][s.strands["amount"][:, 0] > 0, 0]
            down = s.strands["area"][s.strands["amount"][:, 0] < 0, 0]
            assert up.max() + down.max() == pytest.approx(1.0, abs=1e-5)


def test_nan_values_are_kept_and_counted() -> None:
    run = mlp_run()
    resident = Resident(run)
    frame = compose(run, resident=resident)
    values = frame.tiles[1].values
    assert values is not None
    from nn3d.stage.frame import Values
    from nn3d.stage.resident import figures

    cells = values[0].cells.copy()
    cells[0, 0, 0], cells[1, 0, 0] = np.nan, np.inf
    assert figures(Values("x", cells)).n_nonfinite == 2


def test_a_link_too_large_to_draw_whole_is_sampled_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from nn3d.stage import edges

    monkeypatch.setattr(edges, "MAX_EVERY", 20_000)
    state = c.apply(FIRST, c.SetSelection("all"))
    frame = compose(bundled(), state, resident=Resident(bundled()))
    said = " ".join(m.text for m in frame.marks if isinstance(m, Text))
    assert "sampled" in said
    assert sum(len(s.strands) - s.n_trunk for s in frame.strands) < 20_000


def said(frame: Frame) -> str:
    return " ".join(m.text for m in frame.marks if isinstance(m, Text))


def test_a_softmax_that_the_run_does_not_hold_is_said_to_be_ours() -> None:
    assert "softmax of the stored logits" in said(frame_of())


def test_a_level_that_cannot_be_drawn_is_named_for_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    from nn3d.analysis import wiring

    assert "kernels" not in said(frame_of(c.SetLevel("all", at_once=True), c.SetSelection("top")))
    monkeypatch.setattr(wiring, "MAX_PRODUCTS", 1000)
    state = c.apply(c.apply(FIRST, c.SetLevel("all", at_once=True)), c.SetSelection("top"))
    assert "kernels" in said(compose(bundled(), state, resident=Resident(bundled())))
    assert "8 × 7 clusters" in said(frame_of(c.SetLevel("maps", at_once=True)))
