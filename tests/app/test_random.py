"""A real window under random commands, files and sizes: nothing breaks, nothing leaks, every state can be kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import glfw
import numpy as np
import pytest

from nn3d.app import settings
from nn3d.app.heap import LOOK_SECS
from nn3d.app.window import Viewer, show
from nn3d.errors import Nn3dError
from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.stage import jsonable, viewstring
from nn3d.stage.commands import apply, from_json, to_json
from nn3d.stage.state import ViewState
from tests.random_commands import random_command

PER_FRAME = 12
WARM_SHARE = 0.4  # until then most programs have been compiled and most words been set
MOST_GROWTH = 1.05
MARK_EVERY = 500
REST_SIZE = 560, 360


def anonymous_mb() -> float:
    """Anonymous memory of this process, MiB."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024.0


class AtRest:
    """Memory at rest every 500 commands: the same run opened anew in a window of the same size, and looked at in full.

    memory : (commands, MiB).
    """

    def __init__(self, run: Path) -> None:
        self.memory: list[tuple[int, float]] = []
        self._run, self._next = run, MARK_EVERY
        self._left: Viewer | None = None
        self._turns = 0

    def is_measuring(self, viewer: Viewer, done: int) -> bool:
        """Whether it is at it, in this turn of the loop: then no command should be given."""
        if self._left is None and done < self._next:
            return False
        if self._left is None:
            self._left, self._turns = viewer, 0
            self._next += MARK_EVERY
        is_there = viewer is not self._left and viewer.is_idle
        if not is_there:
            if self._turns % 50 == 0:
                self._open(viewer)
            self._turns += 1
            return True
        viewer._heap.look(time.monotonic() + 2.0 * LOOK_SECS)  # as the idle loop does a moment later
        self.memory.append((done, anonymous_mb()))
        self._left = None
        return False

    def _open(self, viewer: Viewer) -> None:
        if viewer.visit.error:
            viewer.visit.forgive()
        glfw.set_window_size(viewer._window.handle, *REST_SIZE)
        viewer._window.on_drop([str(self._run)])


@pytest.mark.soak
def test_random_commands_never_break_the_window_and_every_state_survives_json(
    display: str, tmp_path: Path, rng: np.random.Generator, soaking: Callable[[int, int], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv(settings.FOLDER, str(tmp_path / "settings"))
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 but not for long")
    files = [bundled_runs()["lenet-mnist"], bundled_runs()["mlp-digits"], broken]
    n_commands, done, at_rest = soaking(300, 10_000), 0, AtRest(files[0])
    said: list[str] = []

    def step(viewer: Viewer) -> None:
        nonlocal done
        if at_rest.is_measuring(viewer, done):
            return
        for _ in range(PER_FRAME):
            command = random_command(rng, viewer.state)
            said.append(json.dumps(to_json(command))[:300])
            assert from_json(json.loads(json.dumps(to_json(command)))) == command
            try:
                apply(viewer.state, command)
            except Nn3dError:
                continue
            viewer.do([command])
            keeps(viewer.state)
            done += 1
        chance = rng.random()
        if chance < 0.02:
            viewer._window.on_drop([str(files[int(rng.integers(len(files)))])])
            said.append("drop")
        elif chance < 0.05:
            w, h = (int(v) for v in rng.integers((240, 180), (720, 500)))
            glfw.set_window_size(viewer._window.handle, w, h)
            said.append(f"size {w} × {h}")
        if viewer.visit.error and rng.random() < 0.2:
            viewer.visit.forgive()
        assert viewer._window.ctx.error == "GL_NO_ERROR"
        if done >= n_commands:
            viewer.stop()

    def keeps(state: ViewState) -> None:
        assert viewstring.from_text(viewstring.to_text(state)) == state
        assert jsonable.from_json(ViewState, json.loads(json.dumps(jsonable.to_json(state)))) == state

    try:
        with open_run(bundled_runs()["lenet-mnist"]) as run:
            show(run, max_secs=1500.0, on_frame=step, size_px=REST_SIZE, remembers=True)
    except BaseException:
        print("\n".join(said[-25:]))  # noqa: T201
        raise
    assert done >= n_commands
    if n_commands >= 2000:
        print("MiB at rest:", *(f"{n}: {mb:.0f}" for n, mb in at_rest.memory))  # noqa: T201
        warm = [mb for n, mb in at_rest.memory if n > WARM_SHARE * n_commands]
        third = len(warm) // 3
        assert third > 0
        assert np.median(warm[-third:]) < MOST_GROWTH * np.median(warm[:third]), at_rest.memory
