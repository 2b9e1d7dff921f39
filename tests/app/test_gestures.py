"""Every trigger of the table of gestures, exercised by real mouse and key events in one real window."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import glfw
import numpy as np
import pytest

from nn3d.app import settings, visit
from nn3d.app.opening import open_window
from nn3d.app.visit import Visit
from nn3d.app.window import Viewer
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage.bookmarks import DIGITS, marked
from nn3d.stage.commands import (
    Arrange,
    FoldAll,
    Select,
    SetBookmark,
    SetCamera,
    SetCompare,
    SetEpoch,
    SetLevel,
    SetPath,
    SetReach,
    SetSample,
    SetStrength,
    SetTheme,
    StartSlide,
    is_moving,
)
from nn3d.stage.controls import KEYS, Act
from nn3d.stage.controls.requests import GuideTo, Undo
from nn3d.stage.state import Camera, Compare, Thing, ViewState
from nn3d.stage.tour import from_data
from tests.app.test_window import click_at, label_at, move, tile_at

MAX_SECS = 30.0
SIZE = (800, 520)
SAYS = ("One", "Two")
CELL = Thing(1, 0, 4, 4)
FREE = Camera(fit=False, distance=90.0)
SLIDE = (Select(CELL), StartSlide(8, 8))

Hands = Callable[[Viewer], list[str]]


@dataclass(frozen=True, slots=True)
class Exercise:
    """first : how the view is made ready. hands : xdotool's words. effect : from the state before, and the viewer."""

    hands: Hands
    effect: Callable[[ViewState, Viewer], bool]
    first: tuple[Act, ...] = ()


def press(name: str, effect: Callable[[ViewState, Viewer], bool], *first: Act) -> Exercise:
    return Exercise(lambda _: ["key", name], effect, first)


def drag(button: int, effect: Callable[[ViewState, Viewer], bool]) -> Exercise:
    def hands(_: Viewer) -> list[str]:
        return [*move(400, 300), "sleep", "0.05", "mousedown", f"{button}", *move(430, 305), "sleep", "0.05",
                *move(460, 315), "sleep", "0.05", "mouseup", f"{button}"]  # fmt: skip

    return Exercise(hands, effect, (SetCamera(FREE),))


def selects(thing: Thing | None) -> Callable[[ViewState, Viewer], bool]:
    return lambda _, v: v.state.selection == thing


def is_turned(_: ViewState, v: Viewer) -> bool:
    return v.state.camera.yaw_rad < FREE.yaw_rad - 0.1 and v.state.camera.pitch_rad > FREE.pitch_rad


def goes(right: float, forward: float = 0.0) -> Callable[[ViewState, Viewer], bool]:
    """The camera's target goes that way on the screen and into it, as signs."""

    def effect(_: ViewState, v: Viewer) -> bool:
        view, way = v.frame.view, np.array(v.state.camera.target) - np.array(FREE.target)
        along = way @ view.right_world, way @ -np.cross(view.right_world, view.up_world)
        return all(a * sign > 0.5 if sign else abs(a) < 1e-6 for a, sign in zip(along, (right, forward), strict=True))

    return effect


def toast(v: Viewer) -> str:
    return v._surface._toast.message


def clipboard() -> str:
    found = glfw.get_clipboard_string(None)
    return found.decode() if isinstance(found, bytes) else found or ""


def is_saved(_: ViewState, __: Viewer) -> bool:
    return any(Path.cwd().glob("small-net-*.png"))


def is_recording(v: Viewer) -> bool:
    """Whether a film is recorded, which is then let go."""
    take, v._service.filming._take = v._service.filming._take, None
    return take is not None


def arranges(name: str, *first: Act) -> Callable[[ViewState, Viewer], bool]:
    return lambda _, v: v.state.layers[1].arrangement == name and v.state.layers[1].is_open


def view_of_sample(start: ViewState, number: int) -> str:
    return marked(replace(start, sample=number), 1).view


EXERCISES: dict[str, Exercise] = {
    "move": Exercise(lambda v: move(*tile_at(v, 1)),
                     lambda _, v: v.state.hover is not None and v.state.hover.layer == 1),
    "click": Exercise(click_at(lambda v: tile_at(v, 1)),
                      lambda _, v: v.state.selection is not None and v.state.selection.layer == 1),
    "shift click": Exercise(
        lambda v: [*move(*label_at(v, 2)), "sleep", "0.05", "keydown", "shift", "click", "1", "keyup", "shift"],
        lambda _, v: v.state.selection == Thing(1) and v.state.also == (2,), (Select(Thing(1)),)),
    "double click": Exercise(click_at(lambda v: label_at(v, 1), times=2), lambda _, v: not v.state.layers[1].is_open),
    "Alt Right": press("alt+Right", selects(Thing(1)), Select(Thing(0))),
    "Alt Left": press("alt+Left", selects(Thing(0)), Select(Thing(1))),
    "Alt Down": press("alt+Down", selects(Thing(1, 0)), Select(Thing(1))),
    "Alt Up": press("alt+Up", selects(Thing(1)), Select(Thing(1, 0))),
    "Alt Shift Up": press("alt+shift+Up", selects(Thing(1, 0, 3, 4)), Select(CELL)),
    "Alt Shift Down": press("alt+shift+Down", selects(Thing(1, 0, 5, 4)), Select(CELL)),
    "I": press("i", lambda _, v: v.state.reach == 1, Select(Thing(1))),
    "Shift I": press("shift+i", lambda _, v: v.state.reach == 2, Select(Thing(1)), SetReach(1)),
    "H": press("h", lambda _, v: v.state.hidden == (0,), Select(Thing(1))),
    "U": press("u", lambda _, v: v.state.fold.after == (0,), FoldAll(at_once=True)),
    "Shift U": press("shift+u", lambda _, v: v.state.fold.after == ()),
    "Esc": press("Escape", selects(None), Select(Thing(1))),
    "drag left": drag(1, is_turned),
    "drag middle": drag(2, goes(-1)),
    "drag right": drag(3, goes(-1)),
    "wheel": Exercise(lambda v: [*move(500, 300), "sleep", "0.05", "click", "4"],
                      lambda _, v: v.state.camera.distance < FREE.distance, (SetCamera(FREE),)),
    **{f"Ctrl {key}": press(f"ctrl+{key}", goes(*way), SetCamera(FREE))
       for key, way in (("Left", (-1, 0)), ("Right", (1, 0)), ("Up", (0, 1)), ("Down", (0, -1)))},
    "F": press("f", lambda _, v: v.state.camera.fit, SetCamera(FREE)),
    "Shift F": press("shift+f", lambda _, v: not v.state.camera.fit and v.state.flight is None, Select(Thing(1))),
    **{f"{d}": press(f"{d}", lambda s, v: s.sample == 0 and v.state.sample == 3) for d in DIGITS},
    **{f"Ctrl {d}": press(f"ctrl+{d}", lambda _, v, d=d: [b.digit for b in v.state.bookmarks] == [d]) for d in DIGITS},
    "K": press("k", lambda _, v: v.state.slide is not None and v.state.slide.thing == Thing(1, 0), Select(CELL)),
    "Shift K": press("shift+k", lambda s, v: s.slide is not None and v.state.slide is None, *SLIDE),
    ",": press("comma", selects(replace(CELL, col=3)), Select(CELL)),
    ".": press("period", selects(replace(CELL, col=5)), Select(CELL)),
    "<": press("less", lambda s, v: v.state.slide.cells_per_sec < s.slide.cells_per_sec, *SLIDE),
    ">": press("greater", lambda s, v: v.state.slide.cells_per_sec > s.slide.cells_per_sec, *SLIDE),
    "{": press("braceleft", lambda s, v: v.state.lens.depth == s.lens.depth - 1),
    "}": press("braceright", lambda s, v: v.state.lens.depth == s.lens.depth + 1),
    "X": press("x", lambda _, v: v.state.lens.path == 1, Select(CELL)),
    "Shift X": press("shift+x", lambda _, v: v.state.lens.path == 0, Select(CELL), SetPath(2)),
    "C": press("c", lambda _, v: not v.state.layers[1].is_open and v.state.layers[0].is_open, Select(Thing(1))),
    "L": press("l", arranges("line"), Select(Thing(1))),
    "O": press("o", arranges("circle"), Select(Thing(1))),
    "G": press("g", arranges("grid"), Select(Thing(1)), Arrange(1, "line", at_once=True)),
    "[": press("bracketleft", lambda _, v: v.state.edges.level == "maps"),
    "]": press("bracketright", lambda _, v: v.state.edges.level == "kernels", SetLevel("maps", at_once=True)),
    "R": press("r", lambda _, v: v.state.order == "flow"),
    "-": press("minus", lambda _, v: v.state.edges.strength_target == 0.4, SetStrength(0.5, at_once=True)),
    "+": press("plus", lambda _, v: v.state.edges.strength_target == 0.6, SetStrength(0.5, at_once=True)),
    "=": press("equal", lambda _, v: v.state.edges.strength_target == 0.6, SetStrength(0.5, at_once=True)),
    "W": press("w", lambda s, v: v.state.edges.mode != s.edges.mode),
    "E": press("e", lambda _, v: v.state.edges.selection == "top"),
    "Space": press("space", lambda _, v: v.state.time.is_playing, SetEpoch(0.0, at_once=True)),
    "Left": press("Left", lambda _, v: v.state.time.target == 1.0, SetEpoch(2.0, at_once=True)),
    "Right": press("Right", lambda _, v: v.state.time.target == 3.0, SetEpoch(2.0, at_once=True)),
    "Shift Left": press("shift+Left", lambda _, v: v.state.time.target == 2.0, SetEpoch(3.0, at_once=True)),
    "Shift Right": press("shift+Right", lambda _, v: v.state.time.target == 2.0, SetEpoch(0.0, at_once=True)),
    "Home": press("Home", lambda _, v: v.state.time.target == 0.0),
    "End": press("End", lambda _, v: v.state.time.target == 3.0, SetEpoch(1.0, at_once=True)),
    "Up": press("Up", lambda _, v: v.state.sample == 1, SetSample(2)),
    "Down": press("Down", lambda _, v: v.state.sample == 3, SetSample(2)),
    "B": press("b", lambda s, v: (v.state.compare is None) != (s.compare is None)),
    "Shift B": press("shift+b", lambda s, v: v.state.compare == Compare(round(s.time.target)), SetCompare(None)),
    "N": press("n", lambda s, v: v.state.sample != s.sample and v.state.sample in v._facts.wrong(3)),
    "D": press("d", lambda _, v: v.state.panels.pad),
    "Ctrl F": press("ctrl+f", lambda _, v: v.state.search.kind == "layers"),
    "Ctrl P": press("ctrl+p", lambda _, v: v.state.search.kind == "all"),
    "Ctrl Z": press("ctrl+z", lambda s, v: (s.theme, v.state.theme) == ("light", "dark"), SetTheme("light")),
    "Ctrl Shift Z": press("ctrl+shift+z", lambda s, v: (s.theme, v.state.theme) == ("dark", "light"),
                          SetTheme("light"), Undo()),
    "Ctrl Y": press("ctrl+y", lambda s, v: (s.theme, v.state.theme) == ("dark", "light"), SetTheme("light"), Undo()),
    "Tab": press("Tab", lambda _, v: v.state.panels.picture_only),
    "Ctrl B": press("ctrl+b", lambda s, v: v.state.panels.tree != s.panels.tree),
    "Ctrl I": press("ctrl+i", lambda s, v: v.state.panels.inspector != s.panels.inspector),
    "PageUp": press("Prior", lambda s, v: (s.caption, v.state.caption) == SAYS[::-1], GuideTo(1)),
    "PageDown": press("Next", lambda s, v: (s.caption, v.state.caption) == SAYS, GuideTo(0)),
    "Ctrl O": press("ctrl+o", lambda _, v: "No file dialog" in toast(v)),
    "Ctrl C": press("ctrl+c", lambda _, v: clipboard().count("\n") >= 7 and "\t" in clipboard(), Select(Thing(1, 0))),
    "Ctrl Shift C": press("ctrl+shift+c", lambda _, v: clipboard() != "" and "\t" not in clipboard()
                          and "Copied the view" in toast(v)),
    "T": press("t", lambda _, v: v.state.theme == "light"),
    "P": press("p", is_saved),
    "?": press("question", lambda _, v: v.state.panels.help),
    "V": press("v", lambda _, v: is_recording(v)),
    "Shift V": press("shift+v", lambda _, v: v._service.filming.words(0.0).startswith("frame ")),
}  # fmt: skip


def test_every_trigger_of_the_table_has_an_exercise_and_no_other() -> None:
    assert set(EXERCISES) == KEYS, "every row of the table has an exercise here"


class Trainer:
    """One window for all exercises. start : the view that each begins with."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self.start = viewer.state
        self.n_done = 0
        self.is_sent = False
        self.before = viewer.state

    def do(self, exercise: Exercise) -> bool:
        """Whether the exercise had its effect."""
        viewer = self.viewer
        viewer.state = self.start
        viewer._surface.say("", 0.0)
        for act in (SetTheme("dark"), *exercise.first):
            self.n_done -= 1
            viewer.do([act], stroke=self.n_done)
        self.is_sent = False
        had_effect: list[bool] = []

        def on_frame(v: Viewer) -> None:
            if not self.is_sent and self.is_ready:
                self.before, self.is_sent = v.state, True
                subprocess.run(["xdotool", *exercise.hands(v)], check=True)
            elif self.is_sent and v._events._pressed is None and exercise.effect(self.before, v):
                had_effect.append(True)
                v.stop()

        viewer.run(max_secs=MAX_SECS, on_frame=on_frame)
        viewer._window.is_closing = False
        return bool(had_effect)

    @property
    def is_ready(self) -> bool:
        state = self.viewer.state
        return self.viewer.frame.state == state and (state.slide is not None or not is_moving(state))


@pytest.fixture(scope="module")
def trainer(display: str, small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainer]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("gestures")
        patch.setenv(settings.FOLDER, str(folder / "settings"))
        patch.setattr(visit, "DIALOGS", ())
        patch.chdir(folder)
        tour = from_data({"nn3d_tour": 1, "steps": [{"say": say} for say in SAYS]}, {})
        window = open_window("nn3d", SIZE)
        viewer = Viewer(window, small_run, None, Visit(open_run, glfw.post_empty_event, is_forgetful=True), tour=tour)
        try:
            yield Trainer(viewer)
        finally:
            viewer.close()
            window.destroy()


@pytest.mark.parametrize("trigger", EXERCISES)
def test_a_real_event_has_its_effect(trainer: Trainer, trigger: str) -> None:
    exercise = EXERCISES[trigger]
    if trigger.isdecimal():
        view = view_of_sample(trainer.start, 3)
        exercise = replace(exercise, first=(SetBookmark(int(trigger), view),))
    assert trainer.do(exercise), f"{trigger} had no effect in {MAX_SECS:g} s"
