"""Finding, walking, undoing and setting apart in the real window, with real keys and the real mouse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nn3d.app.window import Viewer, show
from nn3d.run.run import Run
from nn3d.stage.state import Search, Thing
from tests.app.test_window import MAX_SECS, Hand, Step, key, move

Hands = Callable[[Viewer], list[str]]
SMALL = (820, 520)
WITH_TREE = (1010, 560)
REST: Step = (lambda v: move(v.state.size_px[0] / 2, 90), lambda v: True)


@pytest.fixture(autouse=True)
def settings_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NN3D_CONFIG_DIR", str(tmp_path))


def drive(run: Run, *steps: Step, size_px: tuple[int, int] = SMALL, remembers: bool = False) -> Hand:
    hand = Hand(list(steps))
    show(run, max_secs=MAX_SECS, on_frame=hand, size_px=size_px, remembers=remembers)
    assert hand.done == len(steps), f"step {hand.done} had no effect in {MAX_SECS} s"
    return hand


def typed(text: str) -> Hands:
    return lambda _: ["type", "--delay", "20", text]


def is_at_rest(v: Viewer) -> bool:
    return v.state.flight is None and v.state.fold.progress == 1.0


def test_find_types_edits_lights_up_opens_the_group_and_flies_there(display: str, small_run: Run) -> None:
    hand = drive(
        small_run,
        REST,
        (key("shift+u"), lambda v: v.state.fold.after == ()),
        (key("ctrl+f"), lambda v: v.state.search.kind == "layers"),
        (typed("fc1x"), lambda v: v.state.search.text == "fc1x"),
        (key("BackSpace"), lambda v: v.state.search.text == "fc1" and v.state.hover == Thing(3)),
        (key("ctrl+a"), lambda v: v.state.search.mark == 0),
        (typed("relu conv2d 3x3"), lambda v: v.state.search.text == "relu conv2d 3x3"),
        (key("ctrl+BackSpace"), lambda v: v.state.search.text == "relu conv2d "),
        (key("ctrl+a"), lambda v: v.state.search.mark == 0),
        (typed("4x8x8"), lambda v: v.state.hover == Thing(1)),
        (key("Return"), lambda v: v.state.fold.after == (0,) and v.state.selection == Thing(1) and is_at_rest(v)),
        (key("ctrl+f"), lambda v: v.state.search.kind == "layers"),
        (typed("fc1"), lambda v: v.state.hover == Thing(3)),
        (key("shift+Return"), lambda v: v.state.also == (3,) and bool(v.state.search.kind)),
        (key("Escape"), lambda v: not v.state.search.kind),
    )
    assert hand.last is not None
    assert hand.last.search == Search()
    assert not hand.last.camera.fit
    assert hand.last.hover is None
    assert all(layer.is_open for layer in hand.last.layers), "letters typed into the field are no gestures"


def test_palette_runs_commands_asks_for_numbers_and_answers_the_mouse(display: str, small_run: Run) -> None:
    def row_at(number: int) -> Hands:
        def click(v: Viewer) -> list[str]:
            first = 0.146 * v.state.size_px[1] + 54 + 4 + 28 + 17
            return [*move(v.state.size_px[0] / 2 - 60, first + 34 * number), "sleep", "0.1", "click", "1"]

        return click

    drive(
        small_run,
        REST,
        (lambda _: ["key", "ctrl+p", "type", "--delay", "1", "magma"], lambda v: v.state.search.text == "magma"),
        (key("Return"), lambda v: v.state.ramp == "magma" and not v.state.search.kind),
        (key("ctrl+p"), lambda v: v.state.search.kind == "all"),
        (typed("go to epoch"), lambda v: v.state.search.text == "go to epoch"),
        (key("Return"), lambda v: v.state.search.text == "epoch "),
        (typed("1"), lambda v: v.state.search.text == "epoch 1"),
        (key("Return"), lambda v: v.state.time.epoch == 1.0 and not v.state.search.kind),
        (key("ctrl+p"), lambda v: v.state.search.kind == "all"),
        (typed("theme"), lambda v: v.state.search.text == "theme"),
        (row_at(1), lambda v: v.state.theme == "light" and not v.state.search.kind),
        (key("ctrl+p"), lambda v: v.state.search.kind == "all"),
        (lambda v: [*move(40, 480), "sleep", "0.1", "click", "1"], lambda v: not v.state.search.kind),
    )


def test_keys_alone_go_from_the_start_to_a_cell_and_out_again_and_focus_follows(display: str, small_run: Run) -> None:
    def shown(v: Viewer) -> set[int]:
        return {t.layer for t in v.frame.tiles if t.scale > 0.5}

    drive(
        small_run,
        REST,
        (key("alt+Right"), lambda v: v.state.selection == Thing(0)),
        (key("i"), lambda v: shown(v) == {0, 1} and is_at_rest(v)),
        (key("alt+Right"), lambda v: shown(v) == {0, 1, 2} and is_at_rest(v)),
        (key("h"), lambda v: shown(v) == {1, 2}),
        (key("Escape"), lambda v: shown(v) == {0, 1, 2}),
        (key("Escape"), lambda v: shown(v) == {0, 1, 2, 3}),
        (key("alt+Down"), lambda v: v.state.selection == Thing(1, 0) and is_at_rest(v)),
        (key("alt+shift+Down"), lambda v: v.state.selection is not None and v.state.selection.tile > 0),
        (key("alt+Down"), lambda v: v.state.selection is not None and v.state.selection.row == 4),
        (key("alt+Left"), lambda v: v.state.selection is not None and v.state.selection.col == 3),
        (key("alt+Up"), lambda v: v.state.selection is not None and v.state.selection.row == -1),
        (key("alt+Up"), lambda v: v.state.selection == Thing(1)),
        (key("alt+Up"), lambda v: v.state.selection == Thing(4) and v.state.fold.after == () and is_at_rest(v)),
    )


def test_a_drag_is_undone_in_one_go_and_done_again(display: str, small_run: Run) -> None:
    def drag(_: Viewer) -> list[str]:
        steps = [part for k in range(1, 9) for part in (*move(500 + 14 * k, 110 + 3 * k), "sleep", "0.05")]
        return [*move(500, 110), "sleep", "0.05", "mousedown", "1", *steps, "mouseup", "1"]

    yaws: list[float] = []

    def is_turned(v: Viewer) -> bool:
        yaws.append(v.state.camera.yaw_rad)
        return not v.state.camera.fit

    drive(
        small_run,
        REST,
        (key("t"), lambda v: v.state.theme == "light"),
        (drag, is_turned),
        (key("ctrl+z"), lambda v: v.state.camera.fit and is_at_rest(v) and v.state.theme == "light"),
        (key("ctrl+z"), lambda v: v.state.theme == "dark"),
        (key("ctrl+shift+z"), lambda v: v.state.theme == "light"),
        (key("ctrl+y"), lambda v: v.state.camera.yaw_rad == yaws[-1] and is_at_rest(v)),
    )


def test_bookmarks_are_gone_to_and_kept_for_the_next_window(display: str, small_run: Run, tmp_path: Path) -> None:
    drive(
        small_run,
        REST,
        (key("Down"), lambda v: v.state.sample == 1),
        (key("ctrl+3"), lambda v: [b.digit for b in v.state.bookmarks] == [3]),
        (key("Down"), lambda v: v.state.sample == 2),
        (key("3"), lambda v: v.state.sample == 1),
        (key("4"), lambda v: v.state.sample == 1),
        remembers=True,
    )
    again = drive(small_run, REST, (key("3"), lambda v: v.state.sample == 1), remembers=True)
    assert again.last is not None
    assert [b.digit for b in again.last.bookmarks] == [3]


def test_tree_and_picture_say_the_same_is_hovered_and_open(display: str, small_run: Run) -> None:
    def row(number: int, x: float) -> Hands:
        def at(v: Viewer) -> list[str]:
            box = v.layout.boxes["tree"]
            return move(box.x + x, box.y + 46 + 24 * number + 12)

        return at

    def click(number: int, x: float) -> Hands:
        place = row(number, x)
        return lambda v: [*place(v), "sleep", "0.1", "click", "1"]

    drive(
        small_run,
        REST,
        (row(2, 120), lambda v: v.state.hover == Thing(1)),
        (click(2, 36), lambda v: v.state.layers[1].opening == 0.0),
        (click(1, 60), lambda v: v.state.fold.after == () and v.state.selection == Thing(4) and is_at_rest(v)),
        (lambda v: [*move(v.layout.boxes["tree"].x + 60, v.layout.boxes["tree"].y + 20), "sleep", "0.1", "click", "1"],
         lambda v: v.state.search.kind == "layers"),
        size_px=WITH_TREE,
    )  # fmt: skip
