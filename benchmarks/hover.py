"""What hovering costs: the question what lies under the pointer, beside the frame it is asked of.

ResNet-50 and VGG-16 with every group, layer and map open. At rest the integer pictures are kept and a question reads a
few px; in motion (the camera turns between questions) the neighbourhood of the pointer is drawn for each. The first
question after a change of view, and the second, further away, which draws the whole pictures, are rows of their own.
"""

from __future__ import annotations

from itertools import cycle

import numpy as np

from benchmarks.peer_nets import synthetic
from benchmarks.tiles import TURNS, opened, turned
from benchmarks.timing import Row, interleaved
from nn3d.offscreen import Offscreen
from nn3d.run.run import Run
from nn3d.stage.complete import compose
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident

TITLE = "Hovering, every map open, 1280×720"
FAR_PX = 5.0, 5.0
N_POINTS = 16


def rows() -> list[Row]:
    """A question at rest and in motion, of each network, without strands and with them."""
    found = []
    for name, title in (("vgg16", "VGG-16"), ("resnet50", "ResNet-50")):
        run = synthetic(name, weights=True)
        resident = Resident(run)
        for edges in ("off", "sampled"):
            with Offscreen() as screen:
                found += _rows(screen, run, resident, f"{title}, edges {edges}", edges)
    return found


def _rows(screen: Offscreen, run: Run, resident: Resident, title: str, edges: str) -> list[Row]:
    state = opened(run, resident, edges)
    frames = [compose(run, turned(state, resident, run, k), resident=resident) for k in range(TURNS)]
    turn, points = cycle(frames), cycle(_points(frames[0]))
    still = frames[0]
    moving = cycle(frames)

    def drawn() -> None:
        screen.draw(next(turn)).read(viewport=(0, 0, 1, 1))

    def asked_in_motion() -> None:
        screen.renderer.pointed(next(moving), *next(points))

    def asked_first() -> None:
        screen.renderer.picking.forget()
        screen.renderer.pointed(still, *next(points))

    def asked_again_far_away() -> None:
        screen.renderer.pointed(still, *FAR_PX)

    def asked_at_rest() -> None:
        screen.renderer.pointed(still, *next(points))

    actions = drawn, asked_in_motion, asked_first, asked_again_far_away, asked_at_rest
    frame_ms, motion_ms, first_ms, whole_ms, rest_ms = interleaved(*actions, rounds=2 * TURNS)
    note = f"{sum(t.table.size for t in still.tiles):,} tiles, {sum(len(s.strands) for s in still.strands):,} strands"
    return [
        Row(f"{title}: at rest", rest_ms, "its frame", frame_ms, note),
        Row(f"{title}: in motion", motion_ms, "its frame", frame_ms),
        Row(f"{title}: first after a change", first_ms, "its frame", frame_ms),
        Row(f"{title}: the whole pictures, once", whole_ms, "its frame", frame_ms),
    ]


def _points(frame: Frame) -> list[tuple[float, float]]:
    """Px over plates and between them, along the middle of the picture."""
    plates = np.array([(t.x, t.y, 0.0) for t in frame.tiles])
    px = frame.view.project(plates, frame.state.size_px)
    chosen = px[np.linspace(0, len(px) - 1, N_POINTS).astype(int)]
    return [(float(x) + 7.0 * (k % 2), float(y)) for k, (x, y) in enumerate(chosen)]
