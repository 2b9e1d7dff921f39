"""The inspector in a real window, with a real mouse: kernels are scrolled to, saved, copied; the edge is dragged."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nn3d.app import clipboard
from nn3d.app.cards import Box
from nn3d.app.window import Viewer
from nn3d.stage.commands import Select
from nn3d.stage.state import Thing
from tests.app.test_window import Step, click_at, drive, key, move
from tests.runs import bundled


def chosen(layer: int, tile: int = -1) -> Step:
    """Select by command, and bring the pointer into the inspector."""

    def select(viewer: Viewer) -> list[str]:
        viewer.do([Select(Thing(layer, tile))])
        box = viewer.layout.boxes["inspector"]
        return move(box.x + 150, box.y + 160)

    return select, lambda v: v.state.selection == Thing(layer, tile)


def place(viewer: Viewer, name: str) -> Box | None:
    """Where something that can be pressed was drawn last, if it is in sight."""
    box = viewer._surface._ui.places.get(name)
    card = viewer.layout.boxes["inspector"]
    return box if box is not None and card.contains(box.x, box.y + box.h) and box.y > card.y + 100 else None


def middle(name: str) -> Callable[[Viewer], tuple[float, float]]:
    def where(viewer: Viewer) -> tuple[float, float]:
        box = place(viewer, name)
        assert box is not None, f"{name} is not in sight"
        return box.x + box.w / 2, box.y + box.h / 2

    return where


def scroll_to(name: str) -> Step:
    """Turn the wheel, a click at a time, until something is in sight."""
    wheel = ["click", "5"]

    def is_there(viewer: Viewer) -> bool:
        if place(viewer, name) is None:
            subprocess.run(["xdotool", *wheel], check=True)
            return False
        return True

    return lambda v: wheel, is_there


def test_kernels_are_scrolled_to_and_saved_and_copied_as_the_run_has_them(
    display: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bundled()
    conv2 = run.layer("conv2")
    assert conv2.weight is not None
    weights = np.asarray(run.parameter(conv2.weight, -1))
    monkeypatch.chdir(tmp_path)

    def are_weights(viewer: Viewer) -> bool:
        lines = [line.split("\t") for line in clipboard.read().splitlines() if line]
        return len(lines) == 16 * 6 * 5 and np.array_equal(np.array(lines, np.float32).reshape(16, 6, 5, 5), weights)

    drive(
        run,
        chosen(conv2.index),
        scroll_to("weights0"),
        (click_at(middle("weights0")), lambda v: any(tmp_path.glob("*.npy"))),
        (click_at(middle("weights1")), lambda v: any(tmp_path.glob("*.png"))),
        (click_at(middle("weights2")), are_weights),
        (key("ctrl+c"), lambda v: len([x for x in clipboard.read().splitlines() if x]) == 16 * 10),
    )
    (path,) = tmp_path.glob("*.npy")
    assert np.array_equal(np.load(path), weights)


def test_a_click_on_a_kernel_selects_its_map_and_another_parameter_takes_its_place(display: str) -> None:
    run = bundled()
    conv2 = run.layer("conv2")
    bias = next(p for p in conv2.parameters if p != conv2.weight)

    def kernel(viewer: Viewer) -> tuple[float, float]:
        box = viewer._surface._ui.places["kernels"]
        return box.x + 20 + 5 * 18 + 8, box.y + 16 + 8

    drive(
        run,
        chosen(conv2.index),
        scroll_to(f"parameter{bias}"),
        (click_at(kernel), lambda v: v.state.selection == Thing(conv2.index, 5)),
        (click_at(middle(f"parameter{bias}")), lambda v: v.state.panels.tensor == bias),
    )


def test_the_inspector_follows_its_edge_and_the_picture_makes_room_when_it_is_let_go(display: str) -> None:
    def free(viewer: Viewer) -> float:
        return viewer.state.anchors.free[2]

    before: list[float] = []

    def drag(viewer: Viewer) -> list[str]:
        before.append(free(viewer))
        box = viewer.layout.boxes["inspector"]
        return [*move(box.x + 2, box.y + 150), "sleep", "0.1", "mousedown", "1", *move(box.x - 60, box.y + 150),
                "sleep", "0.1", *move(box.x - 100, box.y + 150), "sleep", "0.1", "mouseup", "1"]  # fmt: skip

    hand = drive(
        bundled(),
        (drag, lambda v: abs(v.layout.boxes["inspector"].w - 424) <= 3 and free(v) < before[0] - 50),
        (click_at(lambda v: (v.layout.boxes["inspector"].x1 - 24, v.layout.boxes["inspector"].y + 24)),
         lambda v: v.state.panels.inspector_w == 324.0),
    )  # fmt: skip
    assert hand.last is not None
