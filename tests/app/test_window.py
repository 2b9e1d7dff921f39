"""The real window on a virtual screen, driven by real mouse and key events, against the same scene without a window."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from nn3d.app.window import Viewer, show
from nn3d.errors import GraphicsError
from nn3d.offscreen import Offscreen
from nn3d.run.run import Run
from nn3d.stage.commands import SetTheme
from nn3d.stage.complete import compose
from nn3d.stage.state import Thing, ViewState

ROOT = Path(__file__).resolve().parents[2]
MAX_SECS = 120.0
SIZE = (1140, 560)  # larger, the software rasterizer takes longer
WIDE = (1300, 560)  # with room for the inspector
Step = tuple[Callable[[Viewer], list[str]], Callable[[Viewer], bool]]


@dataclass(slots=True)
class Hand:
    """Sends events with xdotool, one step after the other, each when the window rests and shows the last one's effect.

    last : the state at the end, and the picture that belonged to it.
    """

    steps: list[Step]
    last: ViewState | None = None
    pixels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    done: int = 0
    is_sent: bool = False

    def __call__(self, viewer: Viewer) -> None:
        if not viewer.is_idle or viewer.draws < 2:
            return
        if self.is_sent and self.steps[self.done][1](viewer):
            self.done, self.is_sent = self.done + 1, False
        if self.done == len(self.steps):
            self.last, self.pixels = viewer.state, viewer.scene_pixels()
            viewer.stop()
        elif not self.is_sent:
            subprocess.run(["xdotool", *self.steps[self.done][0](viewer)], check=True)
            self.is_sent = True


def drive(run: Run, *steps: Step, size_px: tuple[int, int] = SIZE) -> Hand:
    hand = Hand(list(steps))
    show(run, max_secs=MAX_SECS, on_frame=hand, size_px=size_px)
    assert hand.done == len(steps), f"step {hand.done} had no effect in {MAX_SECS} s"
    return hand


def move(x: float, y: float) -> list[str]:
    """In two steps, since a pointer that is there already tells nobody."""
    return ["mousemove", str(round(x) - 2), str(round(y)), "mousemove", str(round(x)), str(round(y))]


def key(name: str) -> Callable[[Viewer], list[str]]:
    return lambda _: ["key", name]


def click_at(place: Callable[[Viewer], tuple[float, float]], times: int = 1) -> Callable[[Viewer], list[str]]:
    return lambda v: [*move(*place(v)), "sleep", "0.05", "click", "--repeat", str(times), "--delay", "60", "1"]


def tile_at(viewer: Viewer, layer: int) -> tuple[float, float]:
    """The middle of a layer's first tile, logical px."""
    plate = viewer.frame.tiles[layer]
    y, z = (float(v) for v in plate.table[0]["grid"])
    at = viewer.frame.view.project(np.array([[plate.x, plate.y + y, z]]), viewer.state.size_px)[0]
    return float(at[0]), float(at[1])


def label_at(viewer: Viewer, layer: int) -> tuple[float, float]:
    plate = viewer.frame.tiles[layer]
    foot = np.array([[plate.x, viewer.frame.floor_y, 0.0]])
    at = viewer.frame.view.project(foot, viewer.state.size_px)[0]
    return float(at[0]), float(at[1]) + 22.0


def plot_at(viewer: Viewer, share: float) -> tuple[float, float]:
    box = viewer.layout.boxes["timeline"]
    left, right = box.x + 186 + 28, box.x1 - 104
    return left + (right - left) * share, box.y + 70


@pytest.fixture(scope="module")
def offscreen() -> Iterator[Offscreen]:
    """A context without a window, current only inside `with offscreen.ctx`: windows come and go beside it."""
    with Offscreen() as screen:
        with screen.ctx:
            pass
        yield screen
        screen.ctx.__enter__()


def same_scene(run: Run, hand: Hand, offscreen: Offscreen) -> None:
    """The window's picture equals the one without a window, byte for byte."""
    assert hand.last is not None
    with offscreen.ctx:
        if "llvmpipe" not in offscreen.ctx.info["GL_RENDERER"]:
            pytest.skip("byte for byte only where window and offscreen share the software rasterizer")
        alone = offscreen.pixels(compose(run, hand.last))
    assert hand.pixels.shape == alone.shape
    assert np.array_equal(hand.pixels, alone)


def test_mouse_and_keys_reach_the_state_and_the_picture_is_the_one_without_a_window(
    display: str, small_run: Run, offscreen: Offscreen
) -> None:
    hand = drive(
        small_run,
        (lambda v: move(v.state.size_px[0] / 2, 70), lambda v: True),
        (key("Home"), lambda v: v.state.time.epoch == 0.0),
        (lambda v: [*move(*plot_at(v, 0.34)), "sleep", "0.05", "mousedown", "1", "sleep", "0.05", "mouseup", "1"],
         lambda v: v.state.time.epoch == 1.0),
        (click_at(lambda v: tile_at(v, 1)), lambda v: v.state.selection is not None),
        (key("Escape"), lambda v: v.state.selection is None),
        (click_at(lambda v: label_at(v, 1), times=2), lambda v: v.state.layers[1].opening == 0.0),
        (key("t"), lambda v: v.state.theme == "light"),
        (key("Down"), lambda v: v.state.sample == 1),
        (key("question"), lambda v: v.state.panels.help),
        (key("Escape"), lambda v: not v.state.panels.help),
    )  # fmt: skip
    assert hand.last is not None
    assert [v.is_open for v in hand.last.layers] == [True, False, True, True]
    assert (hand.last.theme, hand.last.sample, hand.last.time.epoch) == ("light", 1, 1.0)
    same_scene(small_run, hand, offscreen)


def test_space_plays_to_the_last_epoch_and_stops(display: str, small_run: Run) -> None:
    hand = drive(
        small_run,
        (lambda v: move(v.state.size_px[0] / 2, 70), lambda v: True),
        (key("Home"), lambda v: v.state.time.epoch == 0.0),
        (key("space"), lambda v: v.state.time.epoch == 3.0 and not v.state.time.is_playing),
    )
    assert hand.last is not None
    assert hand.last.budget.samples == 44


def test_drag_and_wheel_move_the_camera_and_cards_keep_theirs(display: str, small_run: Run) -> None:
    hand = drive(
        small_run,
        (lambda v: [*move(500, 120), "sleep", "0.05", "mousedown", "1", *move(560, 130), "sleep", "0.05",
                    *move(600, 140), "mouseup", "1"], lambda v: not v.state.camera.fit),
        (lambda v: [*move(700, 500), "click", "4"], lambda v: v.state.camera.distance < v.frame.view.distance + 1e-6),
        (lambda v: [*move(v.layout.boxes["tree"].x + 60, v.layout.boxes["tree"].y + 106), "sleep", "0.1", "click", "1"],
         lambda v: v.state.selection == Thing(1)),
    )  # fmt: skip
    assert hand.last is not None
    assert hand.last.camera.yaw_rad < np.radians(53.0)
    assert hand.last.selection == Thing(1)


def test_folding_a_module_shortens_the_tree_and_the_slider_straightens(display: str, small_run: Run) -> None:
    hand = drive(
        small_run,
        (lambda v: [*move(v.layout.boxes["tree"].x + 60, v.layout.boxes["tree"].y + 82), "sleep", "0.1", "click", "1"],
         lambda v: v.layout.boxes["tree"].h == 4 * 24 + 54),
        (lambda v: [*move(v.layout.boxes["view"].x1 - 120, 32), "sleep", "0.05", "mousedown", "1", "sleep", "0.05",
                    *move(v.layout.boxes["view"].x1 - 300, 32), "sleep", "0.1", "mouseup", "1"],
         lambda v: v.state.edges.strength == 0.0),
    )  # fmt: skip
    assert hand.last is not None
    assert hand.last.edges.strength_target == 0.0


def test_a_group_folds_by_key_and_opens_in_place_by_a_double_click(
    display: str, small_run: Run, offscreen: Offscreen
) -> None:
    def is_at_rest(v: Viewer) -> bool:
        return v.state.fold.progress == 1.0 and v.state.flight is None

    def block_at(v: Viewer) -> tuple[float, float]:
        block = next(t for t in v.frame.tiles if t.layer >= len(small_run.layers))
        at = v.frame.view.project(np.array([[block.x - block.thickness[1], block.y, 0.0]]), v.state.size_px)[0]
        return float(at[0]), float(at[1])

    hand = drive(
        small_run,
        (lambda v: move(v.state.size_px[0] / 2, 70), lambda v: True),
        (click_at(lambda v: tile_at(v, 1)), lambda v: v.state.selection is not None),
        (key("shift+u"), lambda v: v.state.fold.after == () and is_at_rest(v)),
        (click_at(block_at, times=2), lambda v: v.state.fold.after == (0,) and is_at_rest(v)),
        (key("shift+u"), lambda v: v.state.fold.after == () and is_at_rest(v)),
    )  # fmt: skip
    assert hand.last is not None
    assert hand.last.selection == Thing(len(small_run.layers))
    same_scene(small_run, hand, offscreen)


def test_picture_only_hides_the_cards_and_refits(display: str, small_run: Run, offscreen: Offscreen) -> None:
    hand = drive(
        small_run,
        (lambda v: move(v.state.size_px[0] / 2, 70), lambda v: True),
        (key("Tab"), lambda v: v.state.panels.picture_only and v.state.flight is None),
    )
    assert hand.last is not None
    assert hand.last.anchors.title is not None
    same_scene(small_run, hand, offscreen)


def test_idle_window_draws_nothing(display: str, small_run: Run) -> None:
    rest = {"draws": -1, "turns": 0, "since": math.inf}

    def on_frame(viewer: Viewer) -> None:
        if viewer.draws != rest["draws"] or not viewer.is_idle:
            rest.update(draws=viewer.draws, turns=0, since=time.monotonic())
            viewers.append(viewer)
        else:
            rest["turns"] += 1

    def watch() -> None:
        while not is_over.wait(0.1):
            if time.monotonic() - rest["since"] > 1.5:
                viewers[-1].stop()

    viewers: list[Viewer] = []
    is_over = threading.Event()
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    begin = time.monotonic()
    try:
        show(small_run, max_secs=MAX_SECS, on_frame=on_frame, size_px=(900, 600))
    finally:
        is_over.set()
        watcher.join()
    assert time.monotonic() - begin < MAX_SECS, "it never rests for 1.5 s"
    assert rest["draws"] >= 1
    assert rest["turns"] <= 2, "the loop turns though nothing happens"


def test_save_writes_a_png_that_says_what_it_shows(
    display: str, small_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    drive(
        small_run,
        (lambda v: move(v.state.size_px[0] / 2, 70), lambda v: True),
        (key("p"), lambda v: (tmp_path / "small-net-epoch3-sample0.png").exists()),
    )
    assert (tmp_path / "small-net-epoch3-sample0.png").read_bytes()[:4] == b"\x89PNG"


def test_script_is_played_at_the_start(display: str, small_run: Run) -> None:
    state = show(small_run, script=[SetTheme("light")], max_secs=0.5, size_px=(800, 500))
    assert state.theme == "light"
    assert not state.panels.tree


def test_window_opens_on_plain_opengl_41(display: str) -> None:
    code = (
        "import numpy as np; from nn3d.run.memory import LayerSpec, run_from_arrays; from nn3d.app.window import show\n"
        "w = np.ones((3, 4), np.float32)\n"
        "run = run_from_arrays([LayerSpec('x', 'input'), LayerSpec('fc', 'linear', parameters={'weight': w})],"
        " {'x': np.ones((2, 4), np.float32), 'fc': np.ones((2, 3), np.float32)})\n"
        "seen = []\n"
        "show(run, max_secs=1.5, size_px=(900, 600), on_frame=lambda v: seen.append((v.gl_version, v.draws)))\n"
        "print(seen[-1])\n"
    )
    old = {"MESA_GL_VERSION_OVERRIDE": "4.1", "MESA_GLSL_VERSION_OVERRIDE": "410", "DISPLAY": display}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | old, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    version, draws = eval(done.stdout)
    assert version == 410
    assert draws > 0


def test_missing_display_is_a_graphics_error_that_names_render(small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":9999")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(GraphicsError, match="nn3d render"):
        show(small_run, max_secs=0.1)
