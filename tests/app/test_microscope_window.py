"""The microscope by hand: point at a cell, pin it, step and slide its kernel, trace and follow it, with real events."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nn3d.app.window import Viewer, show
from nn3d.stage.reference import tile_places
from nn3d.stage.state import Thing
from tests.runs import bundled

CONV2 = bundled().layer("conv2").index
Step = tuple[Callable[[Viewer], list[str]], Callable[[Viewer], bool]]


@dataclass(slots=True)
class Hand:
    """Sends each step's events once the one before has had its effect, also while something moves."""

    steps: list[Step]
    done: int = 0
    is_sent: bool = False

    def __call__(self, viewer: Viewer) -> None:
        if not self.done and not self.is_sent and not (viewer.is_idle and viewer.draws >= 2):
            return
        if self.is_sent and self.steps[self.done][1](viewer):
            self.done, self.is_sent = self.done + 1, False
        if self.done == len(self.steps):
            viewer.stop()
        elif not self.is_sent:
            subprocess.run(["xdotool", *self.steps[self.done][0](viewer)], check=True)
            self.is_sent = True


def drive(*steps: Step) -> None:
    hand = Hand(list(steps))
    show(bundled(), max_secs=180.0, on_frame=hand, size_px=(1300, 560))
    assert hand.done == len(steps), f"step {hand.done} had no effect in 180 s"


def cell_at(viewer: Viewer, tile: int, row: int, col: int) -> tuple[float, float]:
    """The middle of a cell of conv2, logical px."""
    plate = next(t for t in viewer.frame.tiles if t.layer == CONV2)
    centre, half = (a[tile] for a in tile_places(plate))
    rows, cols = plate.cells
    at = centre + np.array(
        [-plate.thickness[0], (1 - 2 * (row + 0.5) / rows) * half[0], (2 * (col + 0.5) / cols - 1) * half[1]]
    )
    x, y = viewer.frame.view.project(at[None], viewer.state.size_px)[0]
    return float(x), float(y)


def move(viewer: Viewer) -> list[str]:
    x, y = cell_at(viewer, 6, 5, 5)
    return ["mousemove", str(round(x) - 2), str(round(y)), "mousemove", str(round(x)), str(round(y))]


def key(name: str) -> Callable[[Viewer], list[str]]:
    return lambda _: ["key", name]


def number(viewer: Viewer) -> int:
    thing = viewer.state.selection
    return -1 if thing is None else thing.row * 10 + thing.col


def hovers(viewer: Viewer) -> bool:
    """The cell, its field, its tooltip and its sum are all there."""
    found = viewer.frame.explained
    if viewer.state.hover is None or viewer.state.focus.share < 1.0 or found is None or not viewer.tooltip:
        return False
    layer, tile, row, col = (getattr(viewer.state.hover, k) for k in ("layer", "tile", "row", "col"))
    values = bundled().values(bundled().layers[CONV2].shown, 0, 10, 0)
    plates = {bundled().layers[t.layer].name for t in viewer.frame.tiles if t.lit is not None}
    said = viewer.tooltip[0] == f"conv2   {values[tile, row, col]:.6g}" and viewer.tooltip[2] == "16 × 10 × 10"
    field = plates == {"input", "conv1", "pool1", "conv2", "pool2"}
    return said and field and (layer, found.explanation.cell) == (CONV2, (tile, row, col)) and found.explanation.known


def test_point_pin_step_slide_trace_and_follow_a_cell(display: str) -> None:
    drive(
        (move, hovers),
        (lambda v: ["click", "1"], lambda v: v.state.selection == v.state.hover and number(v) >= 0),
        (key("comma"), lambda v: number(v) in (53, 54, 55) and v.frame.explained is not None),
        (key("period"), lambda v: v.state.slide is None and v.frame.explained is not None),
        (key("k"), lambda v: v.state.slide is not None and number(v) >= 2),
        (key("k"), lambda v: v.state.slide is not None and not v.state.slide.is_playing),
        (key("greater"), lambda v: v.state.slide is not None and v.state.slide.cells_per_sec == 8.0),
        (key("Escape"), lambda v: v.state.slide is None and number(v) >= 2),
        (key("braceleft"), lambda v: v.state.lens.depth == 3),
        (key("x"), lambda v: any(s.level == "path" for s in v.frame.strands)),
        (key("Escape"), lambda v: v.state.selection is None and v.state.focus.thing == v.state.hover),
    )


def test_a_click_on_another_cell_of_the_tile_lets_the_slide_jump_there(display: str) -> None:
    def click(row: int, col: int) -> Callable[[Viewer], list[str]]:
        def send(viewer: Viewer) -> list[str]:
            x, y = cell_at(viewer, 6, row, col)
            return ["mousemove", str(round(x) - 2), str(round(y)), "mousemove", str(round(x)), str(round(y)),
                    "sleep", "0.05", "click", "1"]  # fmt: skip

        return send

    def is_at(viewer: Viewer, row: int, col: int) -> bool:
        thing = viewer.state.selection
        return thing is not None and abs(thing.row - row) <= 1 and abs(thing.col - col) <= 1 and thing.tile == 6

    drive(
        (click(3, 3), lambda v: is_at(v, 3, 3)),
        (key("k"), lambda v: v.state.slide is not None),
        (key("k"), lambda v: v.state.slide is not None and not v.state.slide.is_playing),
        (click(7, 6), lambda v: is_at(v, 7, 6) and v.state.slide is not None and v.state.slide.at > 50),
        (click(7, 6), lambda v: v.state.selection != Thing(CONV2)),
    )
