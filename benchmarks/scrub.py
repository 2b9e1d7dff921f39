"""Scrubbing a training: bytes, latency and memory of going to another epoch, beside a plain copy of what is visible.

`NN3D_LONG_RUN=FOLDER` names a run of several GB (`python -m benchmarks.epoch_runs FOLDER 35`); without it a ResNet-50
is trained for four epochs first. Where there is a display, the window is scrubbed too, NN3D_SCRUBS times (1,000).
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.epoch_runs import write_training
from benchmarks.scenes import SIZE_PX, bundled
from benchmarks.timing import Row
from benchmarks.visible import copier, n_bytes, parts
from nn3d.offscreen import Offscreen
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage.commands import SetEpoch, SetOpen, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState

TITLE = "Scrubbing: going to another epoch"

Times = tuple[float, float]
ROUNDS = 12
MARKS = (100, 500, 1000)
N_SCRUBS = int(os.environ.get("NN3D_SCRUBS", "1000"))


def rows() -> list[Row]:
    """LeNet, bundled, and ResNet-50."""
    named = os.environ.get("NN3D_LONG_RUN")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(named) if named else Path(folder, "run")
        if not named:
            write_training(path, 4)
        with bundled() as small, open_run(path) as large:
            found = [*_steps(small, "LeNet"), *_steps(large, "ResNet-50")]
            found += _memory(large, "ResNet-50") + (_window(large, "ResNet-50") if _has_display() else [])
    return found


def _has_display() -> bool:
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _steps(run: Run, name: str) -> list[Row]:
    first = initial_state(run, Resident(run), size_px=SIZE_PX)
    out: list[Row] = []
    for what, state in ((f"{name}, first view", first), (f"{name}, all open", apply(first, SetOpen(None, True, True)))):
        with Offscreen() as screen:
            out += _views(run, what, state, screen)
    return out


def _views(run: Run, what: str, state: ViewState, screen: Offscreen) -> list[Row]:
    """Bytes, and latencies of an epoch that is not in memory and of one that was read ahead; without the draw."""
    turns = np.random.default_rng(0).permutation(len(run.epochs))
    lacking, ahead, copying, read = list[Times](), list[Times](), list[Times](), 0
    for k in range(ROUNDS):
        at = apply(state, SetEpoch(float(turns[k % len(turns)]), at_once=True))
        resident = Resident(run)
        _ = resident.plan, resident.folds, resident.identity
        run.forget()
        before = run.bytes_read
        lacking.append(_times(lambda: _shown(compose(run, at, resident=resident), screen)))  # noqa: B023
        read = run.bytes_read - before
        frame = compose(run, at, resident=resident)
        screen.renderer.prepare(compose_frame(run, state, Resident(run)))
        ahead.append(_times(lambda: _shown(compose(run, at, resident=resident), screen)))  # noqa: B023
        found = parts(run, resident, frame)
        copy = copier(run, found)
        copying.append(_times(copy))
    shown, floor = n_bytes(run, found), _median(copying)
    return [
        Row(f"{what}: MB read, not ms", read / 1e6, "MB of what is visible", shown / 1e6),
        Row(f"{what}: not in memory", _median(lacking), "memcpy of these bytes", floor, _said(lacking, copying)),
        Row(f"{what}: read ahead", _median(ahead), "memcpy of these bytes", floor, _said(ahead, copying)),
    ]


def _shown(frame: Frame, screen: Offscreen) -> None:
    screen.renderer.prepare(frame)
    screen.ctx.finish()


def _times(action: Callable[[], object]) -> Times:
    """Milliseconds that an action took: on the clock, and of the processor, which a busy machine does not stretch."""
    begin, cpu = time.perf_counter(), time.process_time()
    action()
    return (time.perf_counter() - begin) * 1000.0, (time.process_time() - cpu) * 1000.0


def _median(times: list[Times], which: int = 0) -> float:
    return statistics.median(t[which] for t in times)


def _said(times: list[Times], floor: list[Times]) -> str:
    cpu, copied = _median(times, 1), _median(floor, 1)
    return f"{_p95([t[0] for t in times])}; of the processor {cpu:,.0f} ms, {cpu / max(copied, 1e-6):,.0f} times"


def _p95(times: list[float]) -> str:
    return f"95 %: {np.percentile(times, 95):,.0f} ms"


def _memory(run: Run, name: str) -> list[Row]:
    """Anonymous memory while epochs are composed at random."""
    rng, resident, held = np.random.default_rng(1), Resident(run), dict[int, float]()
    state = initial_state(run, resident, size_px=SIZE_PX)
    for k in range(1, N_SCRUBS + 1):
        epoch = float(rng.integers(len(run.epochs)))
        compose(run, apply(state, SetEpoch(epoch, at_once=True)), resident=resident)
        if k in MARKS:
            held[k] = anonymous_mb()
    return _memory_rows(f"{name}: MB after {N_SCRUBS:,} random epochs, composed", held, state.budget.memory_mb)


def _memory_rows(what: str, held: dict[int, float], budget_mb: int) -> list[Row]:
    if len(held) < 2:
        return []
    first, *between, last = held
    middle = ", ".join(f"after {k}: {held[k]:,.0f}" for k in between)
    return [Row(what, held[last], f"after {first}", held[first], f"anonymous; {middle}; budget {budget_mb:,} MB")]


def anonymous_mb() -> float:
    """Anonymous memory of this process; NaN where the system does not say."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Anonymous:"))


def _window(run: Run, name: str) -> list[Row]:
    """The window itself: until it answers, and until all of an epoch is drawn."""
    from benchmarks.scrub_window import scrubbed

    found = scrubbed(run, N_SCRUBS, MARKS)
    draw = statistics.median(found.draws)
    said = f"{np.mean(found.lacking) * 100:.0f} % of what it shows is another epoch's, and named"
    return [
        Row(f"{name}, window: first answer", statistics.median(found.first), "one draw of the scene", draw, said),
        Row(f"{name}, window: whole", statistics.median(found.whole), "one draw of the scene", draw, _p95(found.whole)),
        *_memory_rows(f"{name}, window: MB after {N_SCRUBS:,} scrubs", found.held, found.budget_mb),
    ]
