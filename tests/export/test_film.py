"""Laws of films: each frame is the picture of its state, streams lose nothing, and what is not whole has no name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from nn3d.errors import ExportError, Nn3dError
from nn3d.export.film import Sink, sink_for, write_film
from nn3d.export.gif import GifFile, indexed
from nn3d.export.png import view_inside
from nn3d.export.video import VideoFile, find_ffmpeg
from nn3d.offscreen import Offscreen
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage.commands import SetTheme, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.film import Film, film_of_epochs
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState
from nn3d.stage.viewstring import from_text

U8 = NDArray[np.uint8]
SIZE = (320, 180)


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with open_run(bundled_runs()["lenet-mnist"]) as found:
        yield found


@pytest.fixture(scope="module")
def resident(run: Run) -> Resident:
    return Resident(run)


@pytest.fixture(scope="module")
def start(run: Run, resident: Resident) -> ViewState:
    return initial_state(run, resident, size_px=SIZE)


@pytest.fixture(scope="module")
def drawn(run: Run, start: ViewState) -> list[U8]:
    """Three frames, as `nn3d render` draws their states."""
    return rendered(run, list(short(start).states()))


def short(start: ViewState, n: int = 3) -> Film:
    return film_of_epochs(start, (0.0, 10.0), 0.4, n / 10.0, 10.0)


def rendered(run: Run, states: list[ViewState]) -> list[U8]:
    """Each with nothing in memory."""
    with Offscreen() as screen:
        return [screen.pixels(compose(run, state, resident=Resident(run))) for state in states]


def fed(sink: Sink, frames: list[U8], state: ViewState) -> None:
    sink.begin(iter(frames))
    for k, pixels in enumerate(frames):
        sink.add(k, pixels, state)
    sink.finish()


def decoded(path: Path, channels: str = "rgb24", decoder: tuple[str, ...] = ()) -> U8:
    """(n, H, W, 3 or 4)."""
    command = [find_ffmpeg(), "-loglevel", "error", *decoder, "-i", str(path), "-vf", "scale=in_color_matrix=bt709",
               "-f", "rawvideo", "-pix_fmt", channels, "-"]  # fmt: skip
    raw = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, SIZE[1], SIZE[0], 4 if channels == "rgba" else 3)


@pytest.fixture
def _ffmpeg() -> None:
    try:
        find_ffmpeg()
    except ExportError as error:
        pytest.skip(str(error))


@pytest.mark.soak
def test_a_frame_of_a_film_is_the_picture_of_its_state(
    run: Run, resident: Resident, start: ViewState, tmp_path: Path, soaking: Callable[[int, int], int]
) -> None:
    n = soaking(12, 300)
    film = film_of_epochs(start, (0.0, 10.0), 6.0, n / 30.0, 30.0)
    goal = tmp_path / "f"
    assert write_film(run, film, sink_for(goal, run, film), resident) == n
    states = list(film.states())
    chosen = range(0, n, soaking(6, 30))
    assert len(list(goal.glob("frame-*.png"))) == n
    for k, pixels in zip(chosen, rendered(run, [states[k] for k in chosen]), strict=True):
        path = goal / f"frame-{k:05d}.png"
        assert np.array_equal(np.asarray(Image.open(path)), pixels), k
        assert from_text(view_inside(path) or "") == states[k]


def test_a_gif_holds_each_frame_exactly_in_its_palette(
    run: Run, resident: Resident, start: ViewState, drawn: list[U8], tmp_path: Path
) -> None:
    film, goal = short(start), tmp_path / "a.gif"
    write_film(run, film, sink_for(goal, run, film), resident)
    with Image.open(goal) as gif:
        assert (gif.n_frames, gif.info["loop"], gif.info["duration"]) == (3, 0, 100)  # type: ignore[attr-defined]
        palette = gif.copy()
        shown = []
        for k in range(3):
            gif.seek(k)
            shown.append(np.asarray(gif.convert("RGB")))
    colours = np.array(palette.getpalette()).reshape(-1, 3)
    for pixels, now in zip(drawn, shown, strict=True):
        assert np.array_equal(now, colours[indexed(pixels, palette)].astype(np.uint8))
        assert np.abs(now.astype(int) - pixels).mean() < 3.0


def test_the_times_of_a_gif_do_not_drift_and_still_frames_cost_nothing(
    start: ViewState, drawn: list[U8], tmp_path: Path
) -> None:
    sizes = []
    for n in (1, 6):
        fed(GifFile(tmp_path / "a.gif", 30.0, n), drawn[:1] * n, start)
        sizes.append((tmp_path / "a.gif").stat().st_size)
    assert sizes[1] - sizes[0] < 5 * 30
    with Image.open(tmp_path / "a.gif") as gif:
        times = []
        for k in range(6):
            gif.seek(k)
            times.append(gif.info["duration"])
            assert np.asarray(gif.convert("RGB")).std() > 1.0
    assert times == [30, 40, 30, 30, 40, 30]


@pytest.mark.usefixtures("_ffmpeg")
@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_a_video_shows_the_frames_within_its_error(
    start: ViewState, drawn: list[U8], tmp_path: Path, name: str
) -> None:
    fed(VideoFile(tmp_path / name, 10.0, quality=95), drawn, start)
    shown = decoded(tmp_path / name)
    assert len(shown) == 3
    errors = np.array([[np.abs(a.astype(int) - b).mean() for b in drawn] for a in shown])
    assert errors.diagonal().max() < 4.0
    assert (errors.argmin(1) == np.arange(3)).all()


@pytest.mark.usefixtures("_ffmpeg")
def test_a_transparent_webm_has_alpha(run: Run, resident: Resident, start: ViewState, tmp_path: Path) -> None:
    film, goal = short(start, 1), tmp_path / "a.webm"
    write_film(run, film, sink_for(goal, run, film, transparent=True), resident, transparent=True)
    alpha = decoded(goal, "rgba", ("-c:v", "libvpx-vp9"))[0, ..., 3]
    assert alpha[2, 2] < 8
    assert alpha.max() > 247


@pytest.mark.usefixtures("_ffmpeg")
@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "f"])
def test_a_film_that_is_stopped_has_no_file_under_its_name(
    run: Run, resident: Resident, start: ViewState, tmp_path: Path, name: str
) -> None:
    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    film, goal = short(start), tmp_path / name
    with pytest.raises(KeyboardInterrupt):
        write_film(run, film, sink_for(goal, run, film), resident, on_frame=stop)
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert left == (["f/film.json", "f/frame-00000.png", "f/frame-00001.png"] if name == "f" else [])


def test_a_folder_of_frames_goes_on_from_where_it_was(
    run: Run, resident: Resident, start: ViewState, tmp_path: Path
) -> None:
    def written(film: Film) -> int:
        return write_film(run, film, sink_for(goal, run, film), resident)

    film, goal = short(start), tmp_path / "f"
    assert written(film) == 3
    first = (goal / "frame-00000.png").read_bytes()
    (goal / "frame-00001.png").unlink()
    (goal / "frame-00002.png").write_bytes(first)
    assert written(film) == 2
    assert written(film) == 0
    assert (goal / "frame-00000.png").read_bytes() == first
    assert (goal / "frame-00002.png").read_bytes() != first
    assert written(short(apply(start, SetTheme("light")))) == 3


def test_two_films_never_mix_in_a_folder(run: Run, start: ViewState, tmp_path: Path) -> None:
    goal = tmp_path / "f"
    sink_for(goal, run, short(start))
    with pytest.raises(ExportError, match=r"another film .frames: 3."):
        sink_for(goal, run, short(start, 4))
    (goal / "film.json").write_text(json.dumps([]))
    with pytest.raises(ExportError, match="another film"):
        sink_for(goal, run, short(start))
    (goal / "film.json").unlink()
    (goal / "frame-00000.png").touch()
    with pytest.raises(ExportError, match="something else"):
        sink_for(goal, run, short(start))


@pytest.mark.usefixtures("_ffmpeg")
@pytest.mark.parametrize("name", ["no/a.gif", "no/a.mp4", "file/f"])
def test_what_cannot_be_written_is_told_before_the_first_frame(
    run: Run, start: ViewState, tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot write"):
        sink_for(tmp_path / name, run, short(start))


def test_without_ffmpeg_the_extra_is_named(
    run: Run, start: ViewState, drawn: list[U8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExportError, match=r"nn3d-viewer\[video\]"):
        sink_for(tmp_path / "a.mp4", run, short(start))
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho out of ideas >&2\nexit 1\n")
    program.chmod(0o755)
    assert find_ffmpeg() == str(program)
    sink = VideoFile(tmp_path / "a.mp4", 10.0, quality=80)
    with pytest.raises(ExportError, match="out of ideas"):
        fed(sink, drawn * 9, start)
    sink.abandon()
    assert [p.name for p in tmp_path.iterdir()] == ["ffmpeg"]


@pytest.mark.usefixtures("_ffmpeg")
def test_odd_sides_are_refused_before_ffmpeg_sees_them(start: ViewState, tmp_path: Path) -> None:
    sink = VideoFile(tmp_path / "a.mp4", 10.0, quality=80)
    with pytest.raises(ExportError, match="321 × 180"):
        fed(sink, [np.zeros((180, 321, 3), np.uint8)], start)
    sink.abandon()
    assert not list(tmp_path.iterdir())


def test_a_film_has_a_frame_and_an_end(start: ViewState) -> None:
    for secs in (0.001, 1e6):
        with pytest.raises(Nn3dError, match="1 to 100,000 frames"):
            film_of_epochs(start, None, 1.0, secs, 30.0)
