"""Opening the window: on a run, on one run after the other, or empty until there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import glfw

from nn3d.app.following import Following, followed, resumed
from nn3d.app.opening import open_window
from nn3d.app.viewer import Viewer, unheard
from nn3d.app.visit import Visit
from nn3d.paths import bundled_runs
from nn3d.run.ports import Opener, Reader
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage.commands import (
    Command,
)
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState
from nn3d.stage.tour import Tour

__all__ = ['Viewer', 'show']

SIZE: Final = (1600, 900)


def show(
    run: Run | None = None,
    *,
    state: ViewState | None = None,
    script: Iterable[Command] | None = None,
    size_px: tuple[int, int] = SIZE,
    max_secs: float | None = None,
    on_frame: Callable[[Viewer], None] | None = None,
    resident: Resident | None = None,
    opener: Opener = open_run,
    reader: Reader | None = None,
    remembers: bool = False,
    tour: Tour | None = None,
    on_command: Callable[[Command], None] = unheard,
    follow: Path | None = None,
    begin: Callable[[Run, Resident], ViewState] | None = None,
) -> ViewState:
    """Open the window on a run, or empty, and return the last state when it is closed.

    state : what to show first; the window opens in its size, else in `size_px` (logical).
    script : commands to play at the start. max_secs : close by itself after that time.
    reader : of pictures that are dropped on a run. on_frame : called after each turn of the main loop.
    resident : what is in memory already, the plan at least. on_command : called with each command that is applied while
    the first run is shown: applied to its first state again, they give the same picture.
    follow : a folder whose run is followed while it grows; without `run`, the window waits until the folder holds one.
    begin : the first view of a run that was waited for.
    Raises GraphicsError without a display or OpenGL 4.1.
    """
    visit = Visit(opener, glfw.post_empty_event, is_forgetful=not remembers)
    window = open_window("nn3d", state.size_px if state is not None else size_px)
    own: Run | None = None
    following: Following | None = None
    if run is None and follow is not None:
        visit.expect(follow)
    try:
        while True:
            bench = run if run is not None else open_run(next(iter(bundled_runs().values())))
            following = followed(run, follow, opener, glfw.post_empty_event)
            viewer = Viewer(
                window, bench, state, visit, is_empty=run is None, resident=resident, reader=reader, tour=tour,
                on_command=unheard if run is None else on_command, following=following,
            )  # fmt: skip
            try:
                viewer.do(script or ())
                start = time.monotonic()
                last = viewer.run(max_secs=max_secs, on_frame=on_frame)
                if max_secs is not None:
                    max_secs = max(0.0, max_secs - (time.monotonic() - start))
            finally:
                if following is not None:
                    following.close()
                viewer.close()
                if run is None:
                    bench.close()
            if own is not None and viewer.next is not None:
                own.close()
            if viewer.next is None:
                return last
            path, run = viewer.next
            is_awaited = begin is not None and path == follow
            own, script, resident, tour = run, script if is_awaited else None, None, None
            if is_awaited and begin is not None:
                state = begin(run, Resident(run))
            else:
                state = resumed(bench, run, last) if path == follow else None
            state, begin = state or _begun(run, last), None
            on_command = on_command if viewer.is_empty else unheard
            visit.remember(path, run)
    finally:
        visit.close()
        if own is not None:
            own.close()
        window.destroy()


def _begun(run: Run, last: ViewState) -> ViewState:
    """The first view of a run that follows another in the same window: its theme and its panels stay."""
    state = initial_state(run, Resident(run), size_px=last.size_px, scale=last.scale, theme=last.theme)
    return replace(state, panels=replace(last.panels, help=False))
