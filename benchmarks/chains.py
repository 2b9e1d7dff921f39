"""What a network's size costs: chains of 10⁵ to 10⁹ parameters, their frames, their start and their memory.

`python -m benchmarks.chains FOLDER [OPEN]` looks at one run, as a process of its own, and prints its figures as JSON.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from benchmarks.chain_runs import write_chain
from benchmarks.timing import Row
from nn3d.app.pace import MOTION_SAMPLES
from nn3d.offscreen import Offscreen
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage.commands import Resize, SetBudget, SetCamera, SetOpen, apply
from nn3d.stage.complete import compose
from nn3d.stage.compose import compose_frame, initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState

TITLE = "Size: chains of linear layers, 1280×720, 4× MSAA"

SIZE_PX = (1280, 720)
N_LAYERS = 12
WIDTHS = (91, 289, 913, 2887, 9129)
DEPTHS = (12, 48, 192)
DEEP_PARAMETERS = 10_000_000
MEMORY_MB = 256
TURN_RAD = 0.01
ROUNDS = 7
START_ROUNDS = 3


class Anonymous:
    """Watches this process's anonymous memory while it is entered. peak_mb : the most that was seen."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @staticmethod
    def now_mb() -> float:
        """RssAnon of this process (Linux)."""
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024.0

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self.peak_mb = max(self.peak_mb, self.now_mb())

    def __enter__(self) -> Anonymous:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()


def first_state(run: Run, resident: Resident) -> ViewState:
    """The run as it opens, in the benchmark's size and memory."""
    state = apply(initial_state(run, resident), Resize(SIZE_PX))
    return apply(state, SetBudget(replace(state.budget, memory_mb=MEMORY_MB)))


def _moving(state: ViewState) -> ViewState:
    """The state with the budget of a picture that moves, as in the window."""
    return apply(state, SetBudget(replace(state.budget, samples=MOTION_SAMPLES, shade=False, seams=False)))


def look(folder: Path, *, opens: bool) -> dict[str, float]:
    """Figures of one run: MB at the first picture, and the most while `opens` walks through all layers, open by two."""
    with Anonymous() as memory, open_run(folder) as run, Offscreen() as screen:
        resident = Resident(run)
        state = first_state(run, resident)
        screen.draw(compose(run, state, resident=resident))
        screen.ctx.finish()
        first_mb = memory.now_mb()
        for k in range(1, len(run.layers) - 1) if opens else ():
            seen = apply(state, SetOpen(None, False, at_once=True))
            for layer in (k, k + 1):
                seen = apply(seen, SetOpen(layer, True, at_once=True))
            compose(run, seen, resident=resident)
    return {"first_mb": first_mb, "peak_mb": memory.peak_mb}


def _in_a_process(folder: Path, *options: str) -> tuple[float, dict[str, float]]:
    """Milliseconds of a whole process that shows the run once, and its figures."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.chains", str(folder), *options], check=True, capture_output=True, text=True
    )
    return (time.perf_counter() - begin) * 1000.0, json.loads(done.stdout)


def _frames(folders: Sequence[Path]) -> list[float]:
    """Median milliseconds of compose, draw and finish with a turning camera; the runs in turn."""
    times: list[list[float]] = [[] for _ in folders]
    with ExitStack() as stack:
        screens = [stack.enter_context(Offscreen()) for _ in folders]
        runs = [stack.enter_context(open_run(folder)) for folder in folders]
        residents = [Resident(run) for run in runs]
        states = [_moving(first_state(run, resident)) for run, resident in zip(runs, residents, strict=True)]
        for round_ in range(ROUNDS + 1):
            for k, screen in enumerate(screens):
                camera = states[k].camera
                states[k] = apply(states[k], SetCamera(replace(camera, yaw_rad=camera.yaw_rad + TURN_RAD)))
                screen.activate()
                begin = time.perf_counter()
                if round_ == 0:
                    compose(runs[k], states[k], resident=residents[k])
                screen.draw(compose_frame(runs[k], states[k], residents[k]))
                screen.ctx.finish()
                if round_ > 0:
                    times[k].append((time.perf_counter() - begin) * 1000.0)
    return [statistics.median(taken) for taken in times]


def _starts(folders: Sequence[Path]) -> list[float]:
    """Median milliseconds of whole processes, the runs in turn, after a round that warms up."""
    taken = [[_in_a_process(folder)[0] for folder in folders] for _ in range(START_ROUNDS + 1)]
    return [statistics.median(times) for times in zip(*taken[1:], strict=True)]


def rows() -> list[Row]:
    """Frames, starts and memory of each size, beside the smallest; starts of deeper chains beside the shallowest."""
    with tempfile.TemporaryDirectory() as folder:
        wide = [Path(folder, f"wide-{w}") for w in WIDTHS]
        sizes = [write_chain(p, N_LAYERS, w) for p, w in zip(wide, WIDTHS, strict=True)]
        deep = [Path(folder, f"deep-{n}") for n in DEPTHS]
        for path, n in zip(deep, DEPTHS, strict=True):
            write_chain(path, n, round((DEEP_PARAMETERS / n) ** 0.5))
        frames = _frames(wide)
        starts = _starts([*wide, *deep])
        memory = [_in_a_process(p, "open")[1] for p in wide]
    found = [
        Row(f"frame, {n:,} parameters", ms, "the smallest", frames[0]) for n, ms in zip(sizes, frames, strict=True)
    ]
    for n, ms, mb in zip(sizes, starts, memory, strict=False):
        said = f"anonymous memory {mb['first_mb']:.0f} MB, at most {mb['peak_mb']:.0f} with every layer opened in turn"
        found.append(Row(f"start to first picture, {n:,} parameters", ms, "the smallest", starts[0], said))
    shallow = starts[len(wide)]
    for n, ms in zip(DEPTHS, starts[len(wide) :], strict=True):
        found.append(Row(f"start, {n} layers of {DEEP_PARAMETERS:,} in all", ms, f"{DEPTHS[0]} layers", shallow))
    return found


if __name__ == "__main__":
    print(json.dumps(look(Path(sys.argv[1]), opens=len(sys.argv) > 2)))
