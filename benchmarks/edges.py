"""What the edge pass costs beside a bare draw of the same vertices, and a whole picture of edges from weights."""

from __future__ import annotations

import time
from collections.abc import Callable

import moderngl
import numpy as np

from benchmarks.strips import bare_strips, captured
from benchmarks.timing import Row, interleaved
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from nn3d.offscreen import Offscreen
from nn3d.run.run import Run
from nn3d.scene.renderer import common_uniforms
from nn3d.stage.commands import (
    Advance,
    Command,
    SetBudget,
    SetEpoch,
    SetLevel,
    SetMode,
    SetSelection,
    SetStrength,
    apply,
)
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident
from nn3d.stage.state import Budget, ViewState
from tests.runs import SIETZEN, bundled, mlp_run

TITLE = "Edges, 1280×720, 4× MSAA"
SIZE_PX = (1280, 720)
SAMPLES = 24


def rows() -> list[Row]:
    """The edge pass of Sietzen's scene, an MLP from its weights, and what a change uploads."""
    with Offscreen() as screen:
        return [_pass(screen), _mlp(screen, shade=False), _mlp(screen, shade=True), *_uploads(screen)]


def _state(run: Run, resident: Resident, *commands: Command) -> ViewState:
    state = initial_state(run, resident, size_px=SIZE_PX)
    for command in commands:
        state = apply(state, command)
    return state


def _pass(screen: Offscreen) -> Row:
    run = open_source(SIETZEN, SourceOptions())
    resident = Resident(run)
    every = (SetMode("weight"), SetLevel("all", at_once=True), SetSelection("all"), SetBudget(Budget(samples=SAMPLES)))
    frame = compose(run, _state(run, resident, *every), resident=resident)
    screen.draw(frame)
    ctx, ribbons, common = screen.ctx, screen.renderer.ribbons, common_uniforms(frame)
    strips = captured(ctx, ribbons, frame)
    samples = min(4, ctx.max_samples)
    canvas = ctx.framebuffer(
        [ctx.renderbuffer(SIZE_PX, 4, samples=samples)], ctx.depth_renderbuffer(SIZE_PX, samples=samples)
    )
    pal = frame.palette
    shade = (float(pal.is_light), 1.0, 0.5, 0.0)
    uniforms = {**common, "u_positive": pal.positive[:3], "u_negative": pal.negative[:3], "u_halo": pal.halo[:3],
                "u_shade": shade}  # fmt: skip
    bare = bare_strips(ctx, strips, uniforms)

    def fresh() -> None:
        canvas.use()
        ctx.enable_only(moderngl.DEPTH_TEST)
        canvas.clear(depth=1.0)

    def ours() -> None:
        fresh()
        ribbons.draw(frame, common)
        ctx.finish()

    def floor() -> None:
        fresh()
        bare()
        ctx.finish()

    ms, bare_ms = interleaved(ours, floor, rounds=5)
    n = sum(len(s.strands) - s.n_trunk for s in frame.strands)
    n_vertices = sum(s.shape[0] * s.shape[1] for s in strips)
    share = _cpu_secs(ours) / _cpu_secs(floor)
    note = f"{n:,} strands, {n_vertices:,} vertices, {SAMPLES} samples a strand; by CPU time {share:.2f}"
    return Row("edge pass, Sietzen's scene, every product", ms, "bare draw, same vertices and fragments", bare_ms, note)


def _mlp(screen: Offscreen, *, shade: bool) -> Row:
    run = mlp_run((144, 16, 10))
    frames: list[Frame] = []
    budget = SetBudget(Budget(shade=shade))

    def ours() -> None:
        resident = Resident(run)
        frames.append(compose(run, _state(run, resident, SetSelection("all"), budget), resident=resident))
        screen.draw(frames[-1])
        screen.ctx.finish()

    def again() -> None:
        screen.draw(frames[0])
        screen.ctx.finish()

    ms, drawn = interleaved(ours, again, rounds=5)
    n = sum(len(s.strands) - s.n_trunk for s in frames[0].strands)
    note = f"{n:,} strands; CPU time of all threads {1e3 * _cpu_secs(ours):.0f} ms"
    what = "with ambient shade" if shade else "bundled"
    return Row(f"MLP 144-16-10, from weights to the picture, {what}", ms, "the draw alone", drawn, note)


def _cpu_secs(action: Callable[[], None]) -> float:
    """CPU seconds of all threads, the middle of three: what a busy machine does not change."""
    taken = []
    for _ in range(3):
        begin = time.process_time()
        action()
        taken.append(time.process_time() - begin)
    return sorted(taken)[1]


def _uploads(screen: Offscreen) -> list[Row]:
    run = bundled()
    resident = Resident(run)
    state = _state(run, resident)
    renderer, rows = screen.renderer, []
    morph = apply(apply(state, SetLevel("all")), Advance(0.1))
    changes: dict[str, tuple[ViewState, Command]] = {
        "strength": (state, SetStrength(0.4, at_once=True)), "epoch": (state, SetEpoch(5.0, at_once=True)),
        "level on its way": (morph, Advance(0.1)),
    }  # fmt: skip
    for name, (before, change) in changes.items():
        frames = [compose(run, s, resident=resident) for s in (before, apply(before, change))]
        taken: list[int] = []

        def step(frames: list[Frame] = frames, taken: list[int] = taken) -> None:
            for frame in frames:
                renderer.uploads.reset()
                renderer.ribbons.prepare(frame)
                taken.append(renderer.uploads.reset())

        def whole(frame: Frame = frames[1]) -> None:
            for s in frame.strands:
                screen.ctx.buffer(np.ascontiguousarray(s.strands).view(np.uint8).data).release()

        ms, plain = interleaved(step, whole, rounds=5)
        n_all = sum(s.strands.nbytes for s in frames[1].strands)
        note = f"{taken[-1]:,} bytes of {n_all:,}"
        rows.append(Row(f"uploads of strands: {name}, there and back", ms, "buffers of them all", plain, note))
    return rows
