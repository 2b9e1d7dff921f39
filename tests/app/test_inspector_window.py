"""The inspector in a real window, with a real mouse: weights are scrolled to, saved, copied; the edge is dragged."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nn3d.analysis.tensors import kernel_shape
from nn3d.app import clipboard
from nn3d.app.cards import Box
from nn3d.app.panels.inspector.kernels import sheet_of
from nn3d.app.window import Viewer
from nn3d.run.memory import LayerSpec, run_from_arrays
from nn3d.run.run import Run
from nn3d.stage.commands import Select
from nn3d.stage.state import Thing
from tests.app.test_window import WIDE, Step, click_at, drive, key, move


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


def test_weights_are_scrolled_to_and_saved_and_copied_as_the_run_has_them(
    display: str, small_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small_run
    fc1 = run.layer("fc1")
    assert fc1.weight is not None
    weights = np.asarray(run.parameter(fc1.weight, -1))
    monkeypatch.chdir(tmp_path)

    def are_weights(viewer: Viewer) -> bool:
        lines = [line.split("\t") for line in clipboard.read().splitlines()]
        return len(lines) == 5 and len(lines[0]) == 64 and np.array_equal(np.array(lines, np.float32), weights)

    drive(
        run,
        chosen(fc1.index),
        scroll_to("weights0"),
        (click_at(middle("weights0")), lambda v: any(tmp_path.glob("*.npy"))),
        (click_at(middle("weights1")), lambda v: any(tmp_path.glob("*.png"))),
        (click_at(middle("weights2")), are_weights),
        (key("ctrl+c"), lambda v: len(clipboard.read().splitlines()) == 5 and "\t" not in clipboard.read()),
        size_px=WIDE,
    )
    (path,) = tmp_path.glob("*.npy")
    assert np.array_equal(np.load(path), weights)


def test_a_click_on_a_kernel_selects_its_map_and_another_parameter_takes_its_place(display: str) -> None:
    rng = np.random.default_rng(11)
    values = {"weight": [rng.normal(size=(6, 2, 3, 3)).astype(np.float32)], "bias": [np.ones(6, np.float32)]}
    conv = LayerSpec("conv", "conv2d", parameters=values, attributes={"padding": [1, 1], "stride": [1, 1]})
    maps = {"input": rng.random((1, 2, 8, 8), np.float32), "conv": [rng.random((1, 6, 8, 8), np.float32)]}
    run = run_from_arrays([LayerSpec("input", "input"), conv], maps)
    weight, bias = run.layers[1].parameters
    shape = kernel_shape((6, 2, 3, 3))
    assert shape is not None
    assert run.layers[1].weight == weight

    def kernel(viewer: Viewer) -> tuple[float, float]:
        box = viewer._surface._ui.places["kernels"]
        x, y = sheet_of(shape, box.w, is_colour=False).place(5, 1)
        return box.x + x + 8, box.y + y + 8

    drive(
        run,
        chosen(1),
        scroll_to("weights0"),
        (click_at(kernel), lambda v: v.state.selection == Thing(1, 5)),
        (click_at(middle(f"parameter{bias}")), lambda v: v.state.panels.tensor == bias),
        size_px=WIDE,
    )


def test_the_inspector_follows_its_edge_and_the_picture_makes_room_when_it_is_let_go(
    display: str, small_run: Run
) -> None:
    def free(viewer: Viewer) -> float:
        return viewer.state.anchors.free[2]

    before: list[float] = []

    def drag(viewer: Viewer) -> list[str]:
        before.append(free(viewer))
        box = viewer.layout.boxes["inspector"]
        return [*move(box.x + 2, box.y + 150), "sleep", "0.1", "mousedown", "1", *move(box.x - 60, box.y + 150),
                "sleep", "0.1", *move(box.x - 100, box.y + 150), "sleep", "0.1", "mouseup", "1"]  # fmt: skip

    hand = drive(
        small_run,
        (drag, lambda v: abs(v.layout.boxes["inspector"].w - 424) <= 3 and free(v) < before[0] - 50),
        (click_at(lambda v: (v.layout.boxes["inspector"].x1 - 24, v.layout.boxes["inspector"].y + 24)),
         lambda v: v.state.panels.inspector_w == 324.0),
        size_px=WIDE,
    )  # fmt: skip
    assert hand.last is not None
