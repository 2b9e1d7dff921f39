"""All maps of VGG-16 and of ResNet-50 open: a frame beside a bare draw of the same vertices, and beside the peer.

A frame is draw and a one-pixel read-back; the camera turns a little each time, so that nothing is kept but what every
turn keeps, and the budget is that of a moving picture: no ambient shade. A still with it, and composing, are rows of
their own. The peer's times come from its own benchmark in the same window with the same multisampling: its lines of
JSON lie in the file that NN3D_PEER_RESULTS names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import moderngl
import numpy as np

from benchmarks.peer_nets import synthetic
from benchmarks.timing import Row, interleaved
from nn3d.offscreen import Offscreen
from nn3d.run.run import Run
from nn3d.stage import camera as cameras
from nn3d.stage.commands import Resize, SetBudget, SetCamera, SetOpen, SetSelection, UnfoldAll, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState

SIZE_PX = (1280, 720)
TITLE = f"Every map open, {SIZE_PX[0]}×{SIZE_PX[1]}, 4× MSAA"
TURN_RAD = 0.004
TURNS = 8
MOTION_SAMPLES = 24  # of a strand, as in the window while something moves
PEER = "NN3D_PEER_RESULTS"

_VERT = """#version 410
layout(location = 0) in vec4 in_clip;
void main() { gl_Position = in_clip; }
"""
_FRAG = """#version 410
layout(location = 0) out vec4 f_colour;
void main() { f_colour = vec4(0.3, 0.5, 0.5, 1.0); }
"""


def rows() -> list[Row]:
    """A frame of each network without strands, and with them; composing it; the peer where its results are given."""
    found = []
    peers = _peers()
    for name, title in (("vgg16", "VGG-16"), ("resnet50", "ResNet-50")):
        run = synthetic(name, weights=True)
        resident = Resident(run)
        with Offscreen() as screen:
            for edges in ("off", "sampled"):
                found += _rows(screen, run, resident, f"{title}, edges {edges}", edges, peers.get(name))
    return found


def _rows(
    screen: Offscreen, run: Run, resident: Resident, title: str, edges: str, peer_ms: float | None
) -> list[Row]:
    state = opened(run, resident, edges)
    frames = [compose(run, turned(state, resident, run, k), resident=resident) for k in range(TURNS)]
    turn = cycle(frames)
    states = cycle([f.state for f in frames])

    def ours() -> None:
        screen.draw(next(turn)).read(viewport=(0, 0, 1, 1))

    def composed() -> None:
        compose_frame(run, next(states), resident)

    still = replace(frames[0], state=replace(state, budget=replace(state.budget, shade=True, seams=True)))

    def at_rest() -> None:
        screen.draw(still).read(viewport=(0, 0, 1, 1))

    actions = ours, bare_faces(screen.ctx, frames[0]), composed, at_rest
    ms, bare_ms, compose_ms, rest_ms = interleaved(*actions, rounds=2 * TURNS)
    n_tiles, calls = sum(t.table.size for t in frames[0].tiles), screen.figures.draw_calls
    note = f"{n_tiles:,} tiles, {calls} draw calls"
    out = [
        Row(title, ms, "bare draw of the same squares", bare_ms, note),
        Row(f"{title}: at rest, with ambient shade", rest_ms, "the moving frame", ms),
        Row(f"{title}: composing", compose_ms, "its frame", ms, f"{len(frames[0].marks)} marks"),
    ]
    if peer_ms is not None:
        out.append(Row(title, ms, "TensorSpace 0.6.1, no edges", peer_ms, f"{peer_ms / ms:.0f} times faster"))
    return out


def opened(run: Run, resident: Resident, edges: str) -> ViewState:
    """The first view with every group and layer open."""
    state = initial_state(run, resident, size_px=SIZE_PX)
    for command in (
        Resize(SIZE_PX, 1.0), UnfoldAll(at_once=True), SetOpen(None, True, at_once=True), SetSelection(edges),
        SetBudget(replace(state.budget, shade=False, seams=False, samples=MOTION_SAMPLES)),
    ):  # fmt: skip
        state = apply(state, command)
    return state


def turned(state: ViewState, resident: Resident, run: Run, k: int) -> ViewState:
    """The view with the camera turned by k small steps."""
    camera = cameras.resolve(compose(run, state, resident=resident))
    return apply(state, SetCamera(cameras.orbit(camera, TURN_RAD * k, 0.0)))


def bare_faces(ctx: moderngl.Context, frame: Frame) -> Callable[[], None]:
    """One square a plate in one colour, 4× MSAA, resolved, one pixel read back: the floor of such a frame."""
    corners = np.array([(-1, -1), (1, -1), (-1, 1), (1, 1)], np.float64)
    half = np.array([t.block_half for t in frame.tiles])
    points = np.zeros((len(frame.tiles), 4, 4))
    points[..., 0] = np.array([t.x for t in frame.tiles])[:, None]
    points[..., 1:3] = corners * half[:, None] + np.array([(t.y, 0.0) for t in frame.tiles])[:, None]
    points[..., 3] = 1.0
    clip = np.ascontiguousarray(points @ frame.view.clip_from_world.T, np.float32)
    strips = np.full((len(clip), 5), 0xFFFFFFFF, np.uint32)
    strips[:, :4] = np.arange(4 * len(clip)).reshape(-1, 4)
    program = ctx.program(vertex_shader=_VERT, fragment_shader=_FRAG)
    array = ctx.vertex_array(program, [(ctx.buffer(clip), "4f", "in_clip")], index_buffer=ctx.buffer(strips))
    samples = min(4, ctx.max_samples)
    canvas = ctx.framebuffer(
        [ctx.renderbuffer(SIZE_PX, samples=samples)], ctx.depth_renderbuffer(SIZE_PX, samples=samples)
    )
    target = ctx.simple_framebuffer(SIZE_PX)

    def draw() -> None:
        canvas.use()
        ctx.enable_only(moderngl.DEPTH_TEST)
        canvas.clear(depth=1.0)
        array.render(moderngl.TRIANGLE_STRIP)
        ctx.copy_framebuffer(target, canvas)
        target.read(viewport=(0, 0, 1, 1))

    return draw


def _peers() -> dict[str, float]:
    """Median ms of a drawn and read-back frame of the peer by network, all layers open; the latest of each."""
    path = os.environ.get(PEER)
    if not path:
        return {}
    lines = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    return {r["net"]: float(r["synced"]["median"]) for r in lines if r.get("mode") == "open" and "synced" in r}
