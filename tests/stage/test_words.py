"""Laws of the words on the picture: no line over another, none outside, the same layout at every pixel density."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, Mark, Rect, Text
from nn3d.stage.overlay.facts import percent
from nn3d.stage.overlay.selected import best_place
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing
from nn3d.stage.type import text_width
from tests.runs import bundled, mlp_run

RUNS = {"lenet": bundled, "small": lambda: mlp_run((4, 8, 3)), "wide": lambda: mlp_run((30, 60, 24))}
VIEWS: dict[str, list[c.Command]] = {
    "open": [], "collapsed": [c.SetOpen(None, False, at_once=True)], "selected": [c.Select(Thing(1, 2))],
    "light": [c.SetTheme("light"), c.SetOrder("flow", at_once=True)],
}  # fmt: skip
SIZES = [(1280, 720), (1600, 900), (3840, 2160)]


def frame_of(run: Run, size: tuple[int, int], *commands: c.Command) -> Frame:
    """The first view of a run after commands."""
    resident = Resident(run)
    state = initial_state(run, resident, size_px=size)
    for command in commands:
        state = c.apply(state, command)
    return compose(run, state, resident=resident)


def boxes(marks: tuple[Mark, ...]) -> tuple[np.ndarray, list[str]]:
    """(n, 4) px of the capitals' height of each line of text, and the lines."""
    out, said = [], []
    for m in marks:
        if isinstance(m, Text) and m.text:
            width, cap = text_width(m.text, m.size_px, m.weight), 0.73 * m.size_px
            left = m.x - width * {"l": 0.0, "m": 0.5, "r": 1.0}[m.anchor[0]]
            top = m.y + {"a": 0.24 * m.size_px, "m": -cap / 2, "s": -cap, "b": -cap - 0.24 * m.size_px}[m.anchor[1]]
            out.append((left, top, left + width, top + cap))
            said.append(m.text)
    return np.array(out).reshape(-1, 4), said


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", RUNS)
def test_no_line_of_text_lies_over_another_or_leaves_the_picture(name: str, view: str, size: tuple[int, int]) -> None:
    frame = frame_of(RUNS[name](), size, *VIEWS[view])
    card = next((k for k, m in enumerate(frame.marks) if isinstance(m, Rect) and m.radius == 9.0), len(frame.marks))
    assert (card < len(frame.marks)) == (frame.state.selection is not None)
    for part in (frame.marks[:card], frame.marks[card:]):  # a card may cover what lies under it: its ground does that
        stays_apart(part, size)


def stays_apart(marks: tuple[Mark, ...], size: tuple[int, int]) -> None:
    b, said = boxes(marks)
    across = np.minimum(b[:, None, 2], b[None, :, 2]) - np.maximum(b[:, None, 0], b[None, :, 0])
    down = np.minimum(b[:, None, 3], b[None, :, 3]) - np.maximum(b[:, None, 1], b[None, :, 1])
    over = [(said[i], said[j]) for i, j in np.argwhere((across > 1.0) & (down > 1.0)) if i < j]
    assert over == []
    outside = (b[:, 0] < 0) | (b[:, 1] < 0) | (b[:, 2] > size[0]) | (b[:, 3] > size[1])
    assert [said[k] for k in np.flatnonzero(outside)] == []


def test_twice_the_pixels_are_the_same_layout() -> None:
    resident = Resident(bundled())
    state = initial_state(bundled(), resident)
    one = compose(bundled(), state, resident=resident)
    two = compose(bundled(), replace(state, scale=2.0), resident=resident)
    assert one.marks == two.marks


def test_every_layer_is_named() -> None:
    for size in SIZES:
        said = [m.text for m in frame_of(bundled(), size).marks if isinstance(m, Text)]
        assert {layer.name for layer in bundled().layers} <= set(said)


def test_the_truth_and_the_best_class_are_named_whatever_the_room() -> None:
    frame = frame_of(bundled(), (320, 240))
    said = [m.text for m in frame.marks if isinstance(m, Text)]
    assert "truth" in said
    assert "3" in said


def test_a_card_keeps_clear_of_its_plate_and_stays_on_the_picture() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        x, y = rng.uniform(0, 1200), rng.uniform(0, 600)
        plate = (x, y, x + rng.uniform(10, 300), y + rng.uniform(10, 200))
        taken = rng.uniform(0, 1000, (5, 2))
        left, top = best_place((220.0, 90.0), plate, np.concatenate([taken, taken + 80.0], 1), (1600, 900))
        assert 0 <= left <= 1600 - 220
        assert 0 <= top <= 900 - 90
        is_apart = left >= plate[2] or left + 220 <= plate[0] or top >= plate[3] or top + 90 <= plate[1]
        assert is_apart


def test_shares_round_to_nothing_and_to_everything_only_when_they_are() -> None:
    cases = {0.0: "0 %", 1e-5: "< 0.1 %", 0.0012: "0.1 %", 0.904: "90.4 %", 0.99951: "> 99.9 %", 1.0: "100 %"}
    assert {v: percent(v) for v in cases} == cases
