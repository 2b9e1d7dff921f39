"""Golden pictures, one a pass: each shows what only its pass draws, and would fail if that pass were off.

They hold on the software rasterizer llvmpipe; another driver only has to draw something and is skipped, which CI
refuses. To renew them, after looking at what changed and why: `NN3D_RENEW_GOLDEN=1 pytest tests/scene/test_golden.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nn3d.offscreen import Offscreen
from nn3d.scene.renderer import Renderer, common_uniforms
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import BOX, SHADOW, Frame, Line, Mark, Rect, Text
from nn3d.stage.resident import Resident
from nn3d.stage.state import Camera, Thing
from tests.runs import conv_run

FOLDER = Path(__file__).parent.parent / "data" / "golden"
SIZE = (384, 216)
FAR_OFF, MOST = 2, 0.0005
RUN = conv_run()
RESIDENT = Resident(RUN)
INK = (0.91, 0.93, 0.94, 1.0)

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def screen() -> Iterator[Offscreen]:
    with Offscreen() as made:
        yield made


def scene(*commands: c.Command) -> Frame:
    """A picture of one convolution, its camera fixed."""
    camera = Camera(target=(3.6, 0.0, 0.0), distance=45.0, fit=False)
    state = initial_state(RUN, RESIDENT)
    for command in (c.Resize(SIZE), c.SetCamera(camera), *commands):
        state = c.apply(state, command)
    return compose(RUN, state, resident=RESIDENT)


def bare(frame: Frame) -> Frame:
    """Without text and structure."""
    return replace(frame, marks=(), boxes=np.zeros(0, BOX), shadows=np.zeros(0, SHADOW))


def tiles() -> Frame:
    return replace(bare(scene()), strands=())


def strands() -> Frame:
    return bare(scene(c.SetBudget(replace(scene().state.budget, shade=False))))


def structure() -> Frame:
    frame = scene()
    boxes, shadows = np.zeros(3, BOX), np.zeros(2, SHADOW)
    boxes["centre"] = (0.0, 1.0, 0.0), (5.0, -1.0, 0.0), (4.0, -2.9, 0.0)
    boxes["half"] = (0.2, 2.0, 2.0), (1.0, 1.0, 1.0), (7.0, 0.1, 0.2)
    boxes["colour"] = (0.36, 0.40, 0.45), (0.95, 0.60, 0.27), (0.29, 0.33, 0.37)
    boxes["fog"], boxes["ground"] = 1.0, (0.0, 0.0, 1.0)
    shadows["centre"], shadows["half"] = ((0.0, 0.0), (5.0, 0.0)), ((0.3, 2.0), (1.0, 1.0))
    shadows["soft"], shadows["strength"] = 0.6, 0.9
    return replace(frame, marks=(), tiles=(), strands=(), boxes=boxes, shadows=shadows, floor_y=-3.0)


def text() -> Frame:
    marks: tuple[Mark, ...] = (
        Rect(16, 16, 190, 52, (0.07, 0.09, 0.11, 0.9), 12.0),
        Text(28, 34, "conv1 5×5 · ReLU", 15, "semibold", INK, "lm"),
        Text(206, 34, "Σ |c| = 0.37, größer", 11, "regular", INK, "lm"),
        Line(16, 70, 380, 100, 1.5, (0.95, 0.60, 0.27, 1.0)),
        Rect(16, 124, 380, 134, (0.1, 0.13, 0.16, 1.0), 0.0, (0.98, 0.96, 0.82, 1.0)),
        Text(200, 182, "12,345", 40, "display", INK, "mm"),
    )
    return replace(scene(), marks=marks, tiles=(), strands=(), boxes=np.zeros(0, BOX), shadows=np.zeros(0, SHADOW))


def shade() -> Frame:
    return bare(scene())


def veil() -> Frame:
    return bare(scene(c.Hover(Thing(1, 0)), c.Advance(1.0)))


@dataclass(frozen=True)
class Case:
    """A picture, and how to switch off the pass that it is of."""

    frame: Callable[[], Frame]
    off: Callable[[Renderer, pytest.MonkeyPatch], None]


def _without(owner: str, method: str, result: object) -> Callable[[Renderer, pytest.MonkeyPatch], None]:
    return lambda renderer, patch: patch.setattr(getattr(renderer, owner), method, lambda *_, **__: result)


def _no_shade(renderer: Renderer, patch: pytest.MonkeyPatch) -> None:
    def plain(frame: Frame, target: object) -> int:
        renderer.ctx.copy_framebuffer(target, renderer.shade.flat)  # type: ignore[arg-type]
        return 0

    patch.setattr(renderer.shade, "draw", plain)


CASES = {
    "tiles": Case(tiles, _without("tiles", "draw", 0)),
    "strands": Case(strands, _without("ribbons", "draw", (0, 0))),
    "structure": Case(structure, _without("ground", "draw_boxes", 0)),
    "text": Case(text, _without("labels", "draw", None)),
    "shade": Case(shade, _no_shade),
    "veil": Case(veil, _without("veil", "draw", 0)),
}


def difference(a: Pixels, b: Pixels) -> float:
    """Share of px that differ by more than 2/255 in any channel."""
    assert a.shape == b.shape
    return float((np.abs(a.astype(np.int16) - b).max(2) > FAR_OFF).mean())


def check(screen: Offscreen, name: str, pixels: Pixels) -> Pixels:
    """Hold pixels against the golden picture; returns it. On another driver: not flat, and a skip that CI refuses."""
    path = FOLDER / f"{name}.png"
    renderer = str(screen.ctx.info["GL_RENDERER"])
    if "llvmpipe" not in renderer:
        assert pixels.std() > 1.0
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"golden pictures are of llvmpipe, this is {renderer}")
    if os.environ.get("NN3D_RENEW_GOLDEN"):
        Image.fromarray(pixels).save(path, optimize=True)
    golden = np.asarray(Image.open(path).convert("RGB"))
    assert difference(pixels, golden) <= MOST, f"{name} is not what {path} shows: look at both before renewing it"
    return golden


@pytest.mark.parametrize("name", CASES)
def test_a_pass_draws_its_golden_picture_and_it_shows_when_the_pass_is_off(
    screen: Offscreen, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    screen.activate()
    frame = case.frame()
    golden = check(screen, name, screen.pixels(frame))
    case.off(screen.renderer, monkeypatch)
    assert difference(screen.pixels(frame), golden) > 10 * MOST


def id_picture(screen: Offscreen, frame: Frame) -> Pixels:
    """(H, W, 3) of the numbers under each px: layer, tile, and whether it is a face."""
    screen.activate()
    screen.renderer.prepare(frame)
    target = screen.renderer.picking.whole(frame, common_uniforms(frame))
    raw = np.frombuffer(target.read(components=4, alignment=1, dtype="u4"), np.uint32).reshape(*SIZE[::-1], 4)[::-1]
    layer, face = raw[..., 0] & 0x7FFFFFFF, raw[..., 0] >> 31
    return np.stack([layer * 80, raw[..., 1] * 60, face * 200], 2).astype(np.uint8)


def test_the_pick_pass_draws_its_golden_numbers(screen: Offscreen, monkeypatch: pytest.MonkeyPatch) -> None:
    golden = check(screen, "pick", id_picture(screen, tiles()))
    monkeypatch.setattr(screen.renderer.picking.tiles, "draw_ids", lambda *_: None)
    assert difference(id_picture(screen, tiles()), golden) > 10 * MOST


def test_golden_pictures_are_small_and_none_is_left_over() -> None:
    names = {path.stem for path in FOLDER.glob("*.png")}
    assert names == {*CASES, "pick"}
    assert all(path.stat().st_size <= 100_000 for path in FOLDER.glob("*.png"))
