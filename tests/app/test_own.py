"""Own input in the real window: strokes of a real mouse, files that are dropped, and closing while it is computed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from nn3d.app.own_input import Taken, blank, canvas_of, centred, middle_of, moved, stroked, taken, with_canvas
from nn3d.app.window import Viewer, show
from nn3d.extract.own_picture import read_own
from nn3d.offscreen import Offscreen
from nn3d.paths import bundled_runs
from nn3d.run.own import OwnInput
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage.commands import AddOwn, SetEpoch, apply
from nn3d.stage.compose import initial_state
from nn3d.stage.own import own_inputs, sample_number
from nn3d.stage.resident import Resident
from tests.app.test_window import drive, key, move, offscreen, same_scene  # noqa: F401
from tests.run.test_own_text import letters_run
from tests.runs import bundled, mlp_run


def outcome(viewer: Viewer) -> np.ndarray:
    """What the network gives the sample that is shown, as the loader has it."""
    run = viewer._run
    number = sample_number(run, viewer.state)
    return run.values(run.layers[-1].shown, 0, round(viewer.state.time.epoch), number)


def stroke(*places: tuple[float, float]) -> Callable[[Viewer], list[str]]:
    """Press on the sheet of the pad, move along the places (shares of the sheet), let go."""

    def command(viewer: Viewer) -> list[str]:
        box = viewer.layout.boxes["pad"]
        side = box.w - 24
        at = [(box.x + 12 + x * side, box.y + 40 + y * side) for x, y in places]
        words = [*move(*at[0]), "sleep", "0.1", "mousedown", "1", "sleep", "0.1"]
        for x, y in at[1:]:
            words += ["mousemove", str(round(x)), str(round(y)), "sleep", "0.02"]
        return [*words, "sleep", "0.1", "mouseup", "1"]

    return command


def test_strokes_of_the_mouse_change_every_layer_and_the_bars_and_are_undone_one_by_one(display: str) -> None:
    run = open_run(bundled_runs()["mlp-digits"])
    seen: dict[str, np.ndarray] = {}
    sheets: list[OwnInput] = []

    def has_drawn(viewer: Viewer) -> bool:
        if not viewer.state.own or viewer.state.wave is not None:
            return False
        seen["first"] = outcome(viewer).copy()
        sheets.append(viewer.state.own[0])
        return True

    def has_more(viewer: Viewer) -> bool:
        if viewer.state.wave is not None or np.array_equal(outcome(viewer), seen["first"]):
            return False
        seen["later"] = outcome(viewer).copy()
        sheets.append(viewer.state.own[0])
        return True

    hand = drive(
        run,
        (lambda v: move(v.state.size_px[0] / 2, 400), lambda v: True),
        (key("d"), lambda v: v.state.panels.pad and v._facts.taken is not None),
        (stroke((0.5, 0.2), (0.52, 0.5), (0.5, 0.8)), has_drawn),
        (stroke((0.3, 0.5), (0.7, 0.5)), has_more),
        (key("ctrl+z"), lambda v: v.state.own == (sheets[0],)),
        (key("ctrl+z"), lambda v: not v.state.own),
        (key("ctrl+shift+z"), lambda v: v.state.own == (sheets[0],)),
        (key("ctrl+shift+z"), lambda v: v.state.own == (sheets[1],)),
        (key("Home"), lambda v: v.state.time.epoch == 0.0),
    )
    assert hand.last is not None
    assert hand.last.sample == len(run.samples)
    assert hand.last.n_samples == len(run.samples) + 1
    assert int(seen["first"].argmax()) == 1, "a vertical stroke is a one"
    assert np.abs(seen["first"] - seen["later"]).max() > 1.0
    drawn = canvas_of(hand.last.own[0])
    assert drawn.shape == (1, 12, 12)
    assert drawn.max() > 230
    assert 10 < (drawn > 100).sum() < 60
    number, last = sample_number(run, hand.last), len(run.epochs) - 1
    for layer in run.layers[1:]:
        values = run.values(layer.shown, layer.shown_output, 0, number)
        assert np.isfinite(values).all(), layer.name
        later = run.values(layer.shown, layer.shown_output, last, number)
        assert not np.array_equal(values, later), "computed with the weights of epoch 0"
    assert own_inputs(run).error == ""


def dropped(path: Path, until: Callable[[Viewer], bool]) -> Callable[[Viewer], None]:
    """Drops a file by the callback that GLFW calls, and stops when something has come of it."""
    done: list[bool] = []

    def on_frame(viewer: Viewer) -> None:
        if viewer.draws >= 2 and not done:
            done.append(True)
            viewer._window._dropped_on(viewer._window.handle, [str(path)])
        elif done and until(viewer):
            viewer.stop()

    return on_frame


def digit(path: Path) -> Path:
    """A black one on white, 200 × 160 px."""
    picture = Image.new("RGB", (200, 160), "white")
    ImageDraw.Draw(picture).line([(100, 30), (100, 130)], fill="black", width=16)
    picture.save(path)
    return path


def test_a_picture_that_is_dropped_becomes_a_sample_in_the_data_s_polarity(display: str, tmp_path: Path) -> None:
    run = bundled()

    def is_shown(viewer: Viewer) -> bool:
        return bool(viewer.state.own) and viewer.state.wave is None and viewer.is_idle

    last = show(
        run, max_secs=40, on_frame=dropped(digit(tmp_path / "one.png"), is_shown), size_px=(1300, 700), reader=read_own
    )
    assert len(last.own) == 1
    canvas, note = canvas_of(last.own[0]), last.own[0].note
    assert (canvas[0, 0, 0], canvas[0, 14, 14]) == (0, 255)
    assert "cut to its middle" in note
    assert "resized from 200×160 to 28×28" in note
    assert "inverted" in note
    assert int(run.values(run.layers[-1].shown, 0, 10, sample_number(run, last)).argmax()) == 1


def test_a_file_that_is_no_picture_inside_says_so_and_the_window_stays(display: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    said: list[str] = []

    def is_said(viewer: Viewer) -> bool:
        message = viewer._surface._toast.message
        said.extend([message] if message else [])
        return bool(message)

    last = show(bundled(), max_secs=40, on_frame=dropped(broken, is_said), size_px=(1300, 700), reader=read_own)
    assert not last.own
    assert "expected a picture" in said[0]


class Slow:
    """An engine that never ends unless it is stopped."""

    name = "slow"
    reason = ""

    def __init__(self) -> None:
        self.n_begun = 0

    def infer(self, inputs: object, epoch: int, is_stopped: Callable[[], bool] = lambda: False) -> dict[object, object]:
        self.n_begun += 1
        while not is_stopped():
            time.sleep(0.005)
        return {}


def test_the_window_closes_while_it_is_computing_and_never_waits_for_it(display: str, small_run: Run) -> None:
    engine = Slow()
    own_inputs(small_run, engine)
    try:
        state = initial_state(small_run, Resident(small_run), size_px=(1300, 700))
        found = taken_sheet(small_run)
        frames: list[float] = []

        def on_frame(viewer: Viewer) -> None:
            frames.append(time.monotonic())
            if viewer.draws == 3:
                viewer.do([AddOwn(found)])
            if engine.n_begun and len(frames) > 20:
                viewer.stop()
            viewer.do([SetEpoch(float(len(frames) % 4))])

        begin = time.monotonic()
        show(small_run, state=state, max_secs=30, on_frame=on_frame)
        assert engine.n_begun >= 1
        assert time.monotonic() - begin < 25
        assert len(frames) > 20
    finally:
        small_run.own = None


def taken_sheet(run: Run) -> OwnInput:
    shape = run.graph.nodes[0].outputs[0].shape
    return with_canvas(OwnInput("own 1", ()), np.zeros(shape, np.uint8))


def test_an_input_that_does_not_fit_is_refused_with_a_line_and_the_window_stays(display: str) -> None:
    run = bundled()
    other = with_canvas(OwnInput("own 1", ()), np.zeros((1, 8, 8), np.uint8))
    said: list[str] = []

    def on_frame(viewer: Viewer) -> None:
        if viewer.draws == 3:
            viewer.do([AddOwn(other)])
            said.append(viewer._surface._toast.message)
        elif viewer.draws > 6:
            viewer.stop()

    last = show(run, max_secs=30, on_frame=on_frame, size_px=(640, 420))
    assert not last.own
    assert said == ["own input: shape should be (1, 28, 28) for this network, got (1, 8, 8)"]


def test_a_run_whose_values_are_not_its_weights_takes_nothing_and_says_by_how_much(small_run: Run) -> None:
    found = taken(small_run)
    assert found.kind == ""
    assert "features.conv1: computed values differ from the recorded ones by" in found.reason


def test_the_bundled_run_takes_pictures_on_the_data_s_ground() -> None:
    found = taken(bundled())
    assert (found.kind, found.shape, found.ground) == ("picture", (1, 28, 28), 0)
    assert 0.0 < found.error < 0.01
    assert not canvas_of(blank(found, "own 1")).any()


@pytest.mark.parametrize("ink", [0, 255])
def test_a_stroke_only_moves_pixels_toward_its_ink_and_once_is_enough(ink: int) -> None:
    rng = np.random.default_rng(5)
    canvas = rng.integers(0, 256, (1, 20, 30)).astype(np.uint8)
    once = stroked(canvas, ((4.0, 5.0), (25.0, 12.0)), 2.0, (ink,))
    again = stroked(once, ((4.0, 5.0), (25.0, 12.0)), 2.0, (ink,))
    assert np.array_equal(once, again)
    assert (np.abs(once.astype(int) - ink) <= np.abs(canvas.astype(int) - ink)).all()
    assert once[0, 5, 5] == ink
    assert np.array_equal(once[0, 17:, :], canvas[0, 17:, :])


def test_a_colour_is_laid_on_each_channel() -> None:
    drawn = stroked(np.zeros((3, 9, 9), np.uint8), ((4.5, 4.5), (4.5, 4.5)), 2.0, (200, 40, 0))
    assert drawn[:, 4, 4].tolist() == [200, 40, 0]
    assert not drawn[:, 0, 0].any()


@pytest.mark.parametrize("ground", [0, 255])
def test_a_drawing_is_centred_where_the_recorded_ones_are(ground: int) -> None:
    found = Taken("picture", "", (1, 20, 30), ground, middle=(18.5, 7.5))
    canvas = np.full((1, 20, 30), ground, np.uint8)
    canvas[0, 12:15, 2:7] = 255 - ground
    there = centred(canvas, found)
    assert np.allclose(middle_of(there, ground), (18.5, 7.5))
    assert (there != ground).sum() == 15
    assert np.array_equal(centred(there, found), there)
    assert np.array_equal(moved(canvas, (99, 0), ground), np.full_like(canvas, ground))


def test_a_state_with_an_own_input_is_whole(small_run: Run) -> None:
    state = initial_state(small_run, Resident(small_run))
    later = apply(state, AddOwn(taken_sheet(small_run), "at once"))
    assert later.n_recorded == state.n_samples
    assert later.sample == state.n_samples


def test_a_text_is_written_with_the_keyboard_and_sent_through(display: str) -> None:
    run = letters_run("ab c", "c ab")

    def field(viewer: Viewer) -> list[str]:
        box = viewer.layout.boxes["pad"]
        return [*move(box.x + 80, box.y + 60), "sleep", "0.1", "click", "1"]

    hand = drive(
        run,
        (lambda v: move(v.state.size_px[0] / 2, 400), lambda v: True),
        (key("d"), lambda v: v.state.panels.pad and v._facts.taken is not None),
        (field, lambda v: v.state.writing is not None and v.state.writing.text == "ab c"),
        (key("ctrl+a"), lambda v: v.state.writing is not None and v.state.writing.mark == 0),
        (lambda _: ["type", "--delay", "10", "cc b a"], lambda v: v.state.writing.text == "cc b a"),
        (key("Return"), lambda v: bool(v.state.own) and v.state.wave is None),
        (key("Escape"), lambda v: v.state.writing is None),
        (key("t"), lambda v: v.state.theme == "light"),
    )
    assert hand.last is not None
    assert hand.last.own[0].tokens == tuple(" b a")
    shown = run.values(run.layers[-1].shown, 0, 0, sample_number(run, hand.last))
    assert shown.argmax(-1).tolist() == [3, 1, 3, 0]


def test_a_slider_that_is_dragged_makes_its_number_an_input_of_one_s_own(
    display: str, offscreen: Offscreen  # noqa: F811
) -> None:
    run = mlp_run()
    found = taken(run)
    assert (found.kind, len(found.features), len(found.recorded)) == ("features", 5, 2)
    for k, feature in enumerate(found.features):
        assert all(feature.low < row[k] < feature.high for row in found.recorded)

    def drag(viewer: Viewer) -> list[str]:
        box = viewer.layout.boxes["pad"]
        y, low, width = box.y + 40 + 2 * 34 + 23, box.x + 20, box.w - 40
        feature, at = found.features[2], found.recorded[0][2]
        x = low + width * (at - feature.low) / (feature.high - feature.low)
        return [*move(x, y), "sleep", "0.1", "mousedown", "1", "sleep", "0.1", "mousemove", str(round(low + width)),
                str(round(y)), "sleep", "0.1", "mouseup", "1"]  # fmt: skip

    hand = drive(
        run,
        (lambda v: move(v.state.size_px[0] / 2, 400), lambda v: True),
        (key("d"), lambda v: v.state.panels.pad and v._facts.taken is not None),
        (drag, lambda v: bool(v.state.own) and v.state.wave is None),
        size_px=(1300, 660),  # where a pixel of the floor once differed
    )
    assert hand.last is not None
    given = canvas_of(hand.last.own[0])
    assert given[2] == pytest.approx(found.features[2].high)
    assert np.array_equal(np.delete(given, 2), np.delete(np.float32(found.recorded[0]), 2))
    shown = run.values(run.layers[-1].shown, 0, 1, sample_number(run, hand.last))
    hidden = np.maximum(run.weights("fc0.weight") @ given, 0)
    assert np.allclose(shown, run.weights("fc1.weight") @ hidden, atol=1e-4)
    same_scene(run, hand, offscreen)
