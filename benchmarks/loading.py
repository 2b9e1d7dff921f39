"""What loading costs the frames that are drawn meanwhile: the longest while large layers open, and those after."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.chain_runs import write_chain
from benchmarks.timing import Row
from nn3d.app.facts import Facts
from nn3d.app.loader import Loader
from nn3d.app.pace import MOTION_SAMPLES
from nn3d.app.picture import UPLOAD_BYTES
from nn3d.offscreen import Offscreen
from nn3d.run.reader import open_run
from nn3d.stage.commands import Resize, SetBudget, SetCamera, SetOpen, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState

TITLE = "Loading: frames while two layers of 83 million weights open, 1280×720"

SIZE_PX = (1280, 720)
WIDTH = 9129
PAIR = (3, 4)
# Opened before, so that the driver has compiled what it compiles at first use.
WARM_UP = (7, 8)
REST_FRAMES = 9


def rows() -> list[Row]:
    """A chain of 10⁹ parameters, 12 layers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "chain")
        write_chain(path, 12, WIDTH)
        return [_row(path)]


def _row(path: Path) -> Row:
    with open_run(path) as run, Offscreen() as screen:
        resident = Resident(run)
        state = apply(initial_state(run, resident), Resize(SIZE_PX))
        state = apply(state, SetBudget(replace(state.budget, samples=MOTION_SAMPLES, shade=False, seams=False)))
        loader = Loader(resident, Facts(run, resident), lambda: None)
        target = screen.ctx.framebuffer([screen.ctx.renderbuffer(SIZE_PX, 4)])

        def draw(seen: ViewState) -> bool:
            frame = compose_frame(run, seen, resident)
            loader.want(frame.missing, frame.wanted)  # type: ignore[arg-type]
            screen.renderer.draw(frame, target, upload_bytes=UPLOAD_BYTES)
            screen.ctx.finish()
            return bool(frame.missing) or screen.renderer.n_waiting > 0

        try:
            compose(run, state, resident=resident)
            _times(draw, _opened(state, WARM_UP), lambda _, lacks: lacks)
            state = _opened(state, PAIR)
            begin = time.perf_counter()
            busy = _times(draw, state, lambda _, lacks: lacks)
            secs = time.perf_counter() - begin
            after = _times(draw, state, lambda n, _: n < REST_FRAMES)
        finally:
            loader.close()
    note = f"median {statistics.median(busy):.0f} ms of {len(busy)} frames in {secs:.1f} s until everything was there"
    return Row("longest frame while loading", max(busy), "median frame after it", statistics.median(after), note)


def _opened(state: ViewState, layers: tuple[int, ...]) -> ViewState:
    for layer in layers:
        state = apply(state, SetOpen(layer, True, at_once=True))
    return state


def _times(draw: Callable[[ViewState], bool], state: ViewState, goes_on: Callable[[int, bool], bool]) -> list[float]:
    """Milliseconds of each frame with a turning camera."""
    times: list[float] = []
    lacks = True
    while goes_on(len(times), lacks):
        camera = replace(state.camera, yaw_rad=state.camera.yaw_rad + 0.01 * len(times))
        begin = time.perf_counter()
        lacks = draw(apply(state, SetCamera(camera)))
        times.append((time.perf_counter() - begin) * 1000.0)
    return times
