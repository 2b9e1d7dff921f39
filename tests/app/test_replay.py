"""What was done in a window, as a list of commands, is done again without one: the same picture, byte for byte."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nn3d.app import settings
from nn3d.app.window import Viewer, show
from nn3d.cli.render import command as render
from nn3d.cli.viewing import play, read_script, write_script
from nn3d.offscreen import Offscreen
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.stage.commands import COMMANDS, Command
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing
from tests.app.test_window import Hand, Step, click_at, key, move, tile_at

SIZE = (900, 600)


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.FOLDER, str(tmp_path / "settings"))


def is_at_rest(v: Viewer) -> bool:
    return v.state.flight is None and v.state.fold.progress == 1.0 and all(w.blend == 1.0 for w in v.state.layers)


class Player(Hand):
    """Does not wait for a picture at rest while epochs are played or a kernel slides."""

    def __call__(self, viewer: Viewer) -> None:
        slide = viewer.state.slide
        if viewer.state.time.is_playing or (slide is not None and slide.is_playing):
            if self.is_sent and self.steps[self.done][1](viewer):
                self.done, self.is_sent = self.done + 1, True
                subprocess.run(["xdotool", *self.steps[self.done][0](viewer)], check=True)
        else:
            Hand.__call__(self, viewer)


STEPS: tuple[Step, ...] = (
    (lambda v: move(v.state.size_px[0] / 2, 90), lambda v: True),
    (key("Home"), lambda v: v.state.time.epoch == 0.0),
    (key("space"), lambda v: v.state.time.epoch > 1.0),
    (key("space"), lambda v: not v.state.time.is_playing),
    (click_at(lambda v: tile_at(v, 1)), lambda v: v.state.selection is not None),
    (key("o"), lambda v: v.state.layers[1].arrangement == "circle" and is_at_rest(v)),
    (key("Escape"), lambda v: v.state.selection is None),
    (lambda v: [*move(400, 420), "sleep", "0.05", "mousedown", "1", *move(430, 430), "sleep", "0.05",
                *move(470, 440), "sleep", "0.05", "mouseup", "1"], lambda v: not v.state.camera.fit),
    (key("ctrl+z"), lambda v: v.state.camera.fit and is_at_rest(v)),
    (key("ctrl+y"), lambda v: not v.state.camera.fit and is_at_rest(v)),
    (key("Down"), lambda v: v.state.sample == 1),
    (key("ctrl+2"), lambda v: len(v.state.bookmarks) == 1),
    (key("t"), lambda v: v.state.theme == "light"),
    (key("Next"), lambda v: v.state.caption != ""),
    (key("Next"), lambda v: v.guide is not None and v.guide.step == 1),
    (key("Prior"), lambda v: v.guide is not None and v.guide.step == 0),
    (key("2"), lambda v: v.state.sample == 1 and not v.state.camera.fit and is_at_rest(v)),
    (key("alt+Right"), lambda v: v.state.selection == Thing(0)),
    (key("alt+Right"), lambda v: v.state.selection == Thing(1)),
    (key("alt+Down"), lambda v: v.state.selection == Thing(1, 0) and is_at_rest(v)),
    (key("k"), lambda v: v.state.slide is not None and v.state.slide.at >= 1.0),
    (key("k"), lambda v: v.state.slide is not None and not v.state.slide.is_playing and v.is_idle),
)  # fmt: skip


def test_what_a_window_did_is_done_again_without_one_to_the_same_pixels(
    display: str, tmp_path: Path
) -> None:
    path = bundled_runs()["lenet-mnist"]
    done: list[Command] = []
    hand = Player(list(STEPS))
    with open_run(path) as run:
        first = initial_state(run, Resident(run), size_px=SIZE)
        show(run, state=first, max_secs=180, on_frame=hand, on_command=done.append)
    assert hand.done == len(STEPS), f"step {hand.done} had no effect"
    assert hand.last is not None
    file = tmp_path / "did.json"
    write_script(file, done)
    with open_run(path) as run:
        again = play(initial_state(run, Resident(run), size_px=SIZE), read_script(str(file)))
        assert again == hand.last
        with Offscreen() as screen:
            if "llvmpipe" not in screen.ctx.info["GL_RENDERER"]:
                pytest.skip("byte for byte only where window and offscreen share the software rasterizer")
            assert np.array_equal(screen.pixels(compose(run, again)), hand.pixels)
    out = tmp_path / "again.png"
    result = CliRunner().invoke(render, [str(path), "-o", str(out), "--size", "900x600", "--script", str(file)])
    assert result.exit_code == 0, result.output
    assert np.array_equal(np.asarray(Image.open(out).convert("RGB")), hand.pixels)
    kinds = {type(command).__name__ for command in done}
    assert kinds <= set(COMMANDS)
    assert {"Advance", "SetCamera", "Restore", "Recall", "StartSlide", "Resize", "SetBookmark"} <= kinds
