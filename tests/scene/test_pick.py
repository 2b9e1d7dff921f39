"""Laws of picking, with the real renderer: what is asked for at the middle of a thing is that thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nn3d.extract.trace import capture
from nn3d.offscreen import Offscreen
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, StrandLayer, Text
from nn3d.stage.pointed import is_rope, text_boxes
from nn3d.stage.reference import control_points
from nn3d.stage.resident import Resident
from nn3d.stage.state import LEVELS, Thing, ViewState
from tests.networks import SMALL
from tests.runs import bundled

SIZE = (960, 540)
RESIDENT = Resident(bundled())
FIRST = c.apply(initial_state(bundled(), RESIDENT), c.Resize(SIZE))
FEW = c.SetBudget(replace(FIRST.budget, strands=60, shade=False))
MOMENTS = {
    **{level: (c.SetLevel(level, at_once=True),) for level in LEVELS},
    "level on its way": (c.SetLevel("maps"), c.Advance(0.2)),
    "layer on its way": (c.SetOpen(2, False), c.Advance(0.3)),
    "circle on its way": (c.Arrange(3, "circle"), c.Advance(0.2)),
    "between epochs": (c.SetEpoch(3.6, at_once=True),),
    "from behind": (c.SetCamera(replace(FIRST.camera, yaw_rad=2.2)), c.Advance(1.0)),
}


@pytest.fixture(scope="module")
def _made() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


@pytest.fixture
def screen(_made: Offscreen) -> Offscreen:
    _made.activate()
    return _made


def frame_of(*commands: c.Command, state: ViewState = FIRST) -> Frame:
    for command in (FEW, *commands):
        state = c.apply(state, command)
    return compose(bundled(), state, resident=RESIDENT)


def curve(points: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m, 3) points at (m,) of (n, 11, 3) clamped cubic B-splines with knots in eighths (Cox-de Boor)."""
    knots = np.clip((np.arange(15) - 3) / 8.0, 0.0, 1.0)
    basis = ((knots[:-1] <= t[:, None]) & (t[:, None] < knots[1:])).astype(np.float64)
    for degree in (1, 2, 3):
        n = len(knots) - 1 - degree
        low, high = knots[:n], knots[degree + 1 :][:n]
        rise = np.maximum(knots[degree:][:n] - low, 1e-12)
        fall = np.maximum(high - knots[1:][:n], 1e-12)
        basis = (t[:, None] - low) / rise * basis[:, :n] + (high - t[:, None]) / fall * basis[:, 1 : n + 1]
    return np.einsum("mk,nkd->nmd", basis, points)


def strand_px(frame: Frame, s: StrandLayer, t: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m, 2) logical px of each strand at (m,) places along it."""
    at = curve(control_points(frame, s), t)
    return frame.view.project(at.reshape(-1, 3), frame.state.size_px).reshape(*at.shape[:2], 2)


def alone(frame: Frame, link: int, row: int) -> Frame:
    """The frame with one strand, without plates or text before it."""
    strands = frame.strands[link].strands.copy()
    area = strands["area"][row].copy()
    strands["area"] = 0.0
    strands["area"][row] = np.maximum(area, 0.02)
    only = replace(frame.strands[link], strands=strands, key=("alone", link, row, id(strands)), shape_key=None)
    layers = tuple(only if k == link else replace(s, grow=0.0) for k, s in enumerate(frame.strands))
    tiles = tuple(replace(t, open_half=(0.0, 0.0), mosaic_half=(0.0, 0.0)) for t in frame.tiles)
    return replace(frame, strands=layers, tiles=tiles, marks=())


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_middle_of_a_strand_is_that_strand(screen: Offscreen, rng: np.random.Generator, moment: str) -> None:
    frame = frame_of(*MOMENTS[moment])
    found = 0
    for link, s in enumerate(frame.strands):
        single = np.arange(s.n_trunk, len(s.strands)) if s.rope_share < 1.0 else np.arange(0)
        rope = np.arange(s.n_trunk) if s.rope_share > 0.0 or not single.size else np.arange(0)
        for row in (*rng.permutation(single)[:2].tolist(), *rng.permutation(rope)[:1].tolist()):
            only = alone(frame, link, row)
            x, y = strand_px(only, only.strands[link], np.array([0.47]))[row, 0]
            want = ("trunk", row) if is_rope(s, row) else ("edge", row - s.n_trunk)
            hit = screen.renderer.pointed(only, float(x), float(y))
            assert hit is not None
            assert (hit.kind, hit.link, hit.row) == (want[0], link, want[1])
            found += 1
    assert found >= len(frame.strands)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_strand_that_is_picked_passes_under_the_pointer(
    screen: Offscreen, rng: np.random.Generator, moment: str
) -> None:
    frame = replace(frame_of(*MOMENTS[moment]), marks=())
    places = [strand_px(frame, s, np.linspace(0.0, 0.999, 400)) for s in frame.strands]
    hits = 0
    for link in rng.integers(len(places), size=12):
        rows = len(places[link])
        x, y = places[link][rng.integers(rows), rng.integers(100, 300)]
        hit = screen.renderer.pointed(frame, float(x), float(y))
        if hit is None or hit.kind not in ("edge", "trunk"):
            continue
        s = frame.strands[hit.link]
        row = hit.row + (s.n_trunk if hit.kind == "edge" else 0)
        away = np.hypot(*(places[hit.link][row] - (x, y)).T).min()
        assert away <= 4.0 + 2.0 * s.rope[0] / (frame.view.px_per_unit * frame.view.distance)
        hits += 1
    assert hits >= 1


def test_every_line_of_text_is_picked_as_a_label(screen: Offscreen) -> None:
    frame = frame_of()
    boxes = text_boxes(frame)
    assert len(boxes) > 10
    for x0, y0, x1, y1, mark in boxes:
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        hit = screen.renderer.pointed(frame, x, y)
        assert hit is not None
        assert hit.kind == "label"
        a, b, p, q, _ = boxes[boxes[:, 4] == hit.mark][0]
        assert a <= x <= p
        assert b <= y <= q
        assert hit.mark >= mark
    names = {m.text for m in frame.marks if isinstance(m, Text)}
    card = next(b for b in boxes if frame.marks[int(b[4])].text == "conv1")  # type: ignore[union-attr]
    assert "conv1" in names
    hit = screen.renderer.pointed(frame, *((card[:2] + card[2:4]) / 2).tolist())
    assert hit is not None
    assert hit.thing == Thing(bundled().layer("conv1").index)


def test_groups_are_picked_by_block_pill_and_bracket(screen: Offscreen) -> None:
    run = capture(*SMALL["resnet"]())
    resident = Resident(run)
    state = c.apply(initial_state(run, resident), c.Resize(SIZE))
    frame = compose(run, c.apply(state, c.FoldAll(at_once=True)), resident=resident)
    bare = replace(frame, marks=(), strands=())
    for block in [t for t in frame.tiles if t.layer >= len(run.layers)]:
        x, y = frame.view.project(np.array([[block.x - block.thickness[1], block.y, 0.0]]), SIZE)[0]
        hit = screen.renderer.pointed(bare, float(x), float(y))
        assert hit is not None
        assert hit.thing is not None
        assert (hit.kind, hit.thing.layer) == ("group", block.layer)
    opened = compose(run, c.apply(state, c.UnfoldAll(at_once=True)), resident=resident)
    for shown in (frame, opened):
        assert shown.handles
        for item, (x0, y0, x1, y1) in shown.handles:
            hit = screen.renderer.pointed(shown, (x0 + x1) / 2, (y0 + y1) / 2)
            assert hit is not None
            assert hit.thing == Thing(item)


def test_hovering_draws_nothing_while_the_view_rests(screen: Offscreen, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    draw = screen.renderer.tiles.draw_ids
    monkeypatch.setattr(screen.renderer.tiles, "draw_ids", lambda frame: (drawn.append(1), draw(frame)))
    for k in range(30):
        thing = Thing(1, k % 6, k % 20, 3)
        frame = frame_of(c.SetLevel("maps", at_once=True), c.Hover(thing), c.Advance(0.03 * k))
        screen.renderer.pointed(frame, 200.0 + 20.0 * k, 270.0)
        screen.renderer.pick(frame, 210.0 + 20.0 * k, 260.0)
    assert len(drawn) <= 2


def test_a_glance_while_things_move_tells_what_the_whole_picture_tells(
    screen: Offscreen, rng: np.random.Generator
) -> None:
    kinds = set()
    for k in range(12):
        frame = frame_of(c.SetLevel("maps"), c.SetOpen(2, False), c.Advance(0.02 + 0.03 * k))
        x, y = float(rng.uniform(60, 900)), float(rng.uniform(150, 420))
        glance = screen.renderer.pointed(frame, x, y)
        screen.renderer.pointed(frame, 5.0, 5.0)
        screen.renderer.pointed(frame, 900.0, 500.0)
        assert screen.renderer.pointed(frame, x, y) == glance
        kinds.add(None if glance is None else glance.kind)
    assert len(kinds) > 1
