"""Laws of recording in the window: one key begins and ends it, the film is of what was done, closing leaves nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nn3d.app import filming
from nn3d.app.filming import Filming
from nn3d.app.window import Viewer, show
from nn3d.offscreen import Offscreen
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.controls.requests import RecordFilm
from nn3d.stage.film import exported
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState

SIZE = (480, 270)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder of its own, six frames a second, and no ffmpeg."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(filming, "FPS", 6.0)
    monkeypatch.setattr(filming, "_format", lambda: (".gif", ""))
    return tmp_path


def told(film: Filming, secs: float = 60.0) -> str:
    end = time.monotonic() + secs
    while time.monotonic() < end:
        said = film.arrived()
        if said is not None:
            return said
        time.sleep(0.02)
    raise AssertionError("no film came")


def frames(path: Path) -> list[np.ndarray]:
    shown = []
    with Image.open(path) as gif:
        for k in range(gif.n_frames):  # type: ignore[attr-defined]
            gif.seek(k)
            shown.append(np.asarray(gif.convert("RGB")).astype(int))
    return shown


def test_a_recording_is_written_with_the_pictures_of_what_was_done(small_run: Run, here: Path) -> None:
    state = initial_state(small_run, Resident(small_run), size_px=SIZE)
    film = Filming(small_run)
    assert (film.turn(state, 10.0), film.words(72.5)) == ("", "1:02")
    light = c.apply(state, c.SetTheme("light"))
    film.note(c.SetTheme("light"), light, 10.4)
    assert film.turn(light, 11.0) == ""
    assert not film.is_recording
    assert told(film) == f"Saved {here / 'small-net-film.gif'}"
    assert not film.is_busy
    shown = frames(here / "small-net-film.gif")
    assert len(shown) == 6
    with Offscreen() as screen:
        for seen, pixels in ((state, shown[0]), (light, shown[-1])):
            assert np.abs(screen.pixels(compose(small_run, exported(seen))) - pixels).mean() < 4.0
    film.close()


def test_closing_leaves_no_file_of_a_film_in_hand_or_in_line(small_run: Run, here: Path) -> None:
    state = initial_state(small_run, Resident(small_run), size_px=SIZE)
    film = Filming(small_run)
    assert film.epochs(state) == film.epochs(state) == ""
    film.close()
    assert not list(here.iterdir())


def test_a_folder_that_cannot_be_written_is_told_at_once(
    small_run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = initial_state(small_run, Resident(small_run), size_px=SIZE)
    monkeypatch.setattr(Path, "cwd", lambda: here / "gone")
    film = Filming(small_run)
    assert "cannot write" in film.epochs(state)
    assert not film.is_busy
    film.close()


def test_a_key_records_and_a_key_writes_without_the_window_standing_still(
    display: str, small_run: Run, here: Path
) -> None:
    todo: list[Callable[[Viewer], None]] = [
        lambda v: v.do([RecordFilm()]),
        lambda v: v.do([c.SetTheme("light")]),
        lambda v: v.do([RecordFilm()]),
    ]
    seen: list[ViewState] = []
    since = [0.0]
    painted: list[int] = []

    def turn(viewer: Viewer) -> None:
        now = time.monotonic()
        if todo and viewer.is_idle and viewer.draws > 2 and now - since[0] > 0.4:
            todo.pop(0)(viewer)
            seen.append(viewer.state)
            since[0] = now
        elif not todo:
            painted.append(viewer.draws)
            if (here / "small-net-film.gif").exists():
                viewer.stop()

    show(small_run, max_secs=40.0, on_frame=turn, size_px=SIZE)
    shown = frames(here / "small-net-film.gif")
    assert shown[0].mean() < 80.0 < shown[-1].mean()
    assert shown[0].shape == (*(v // 2 * 2 for v in reversed(seen[0].size_px)), 3)
    assert len(set(painted)) > 1
    assert sorted(p.name for p in here.iterdir()) == ["small-net-film.gif"]
