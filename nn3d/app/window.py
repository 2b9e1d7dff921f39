"""Opening the window: on a run, on one run after the other, or empty until there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import glfw

from nn3d.app.edited import Edited
from nn3d.app.events import Window
from nn3d.app.following import Following, followed, resumed
from nn3d.app.heap import Heap
from nn3d.app.opening import open_window
from nn3d.app.viewer import Viewer, unheard
from nn3d.app.visit import Visit
from nn3d.paths import bundled_runs
from nn3d.run.ports import Opener, Reader
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.scene.programs import release_programs
from nn3d.stage.commands import Command
from nn3d.stage.compose import initial_state
from nn3d.stage.resident import Resident
from nn3d.stage.state import ViewState
from nn3d.stage.tour import Tour

__all__ = ["Viewer", "show"]

SIZE: Final = (1600, 900)
Begin = Callable[[Run, Resident], ViewState]


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
    begin: Begin | None = None,
) -> ViewState:
    """Open the window on a run, or empty, and return the last state when it is closed.

    state : what to show first; the window opens in its size, else in `size_px` (logical).
    script : commands to play at the start. max_secs : close by itself after that time.
    reader : of pictures that are dropped on a run. on_frame : called after each turn of the main loop.
    resident : what is in memory already, the plan at least. on_command : called with each command that is applied while
    the first run is shown: applied to its first state again, they give the same picture.
    follow : a folder whose run is followed while it grows; without `run`, the window waits until the folder holds one.
    Or the file that `run` was read from, which is read anew whenever it is saved.
    begin : the first view of a run that was waited for.
    Raises GraphicsError without a display or OpenGL 4.1.
    """
    visit = Visit(opener, glfw.post_empty_event, is_forgetful=not remembers)
    heap = Heap()
    window = open_window("nn3d", state.size_px if state is not None else size_px)
    if run is None and follow is not None:
        visit.expect(follow)
    end = None if max_secs is None else time.monotonic() + max_secs
    scenes = _Scenes(window, visit, opener, reader, follow, on_frame, end, heap)
    scene = _Scene(run, state, tuple(script or ()), resident, tour, unheard if run is None else on_command)
    try:
        while True:
            with scenes.viewer(scene, is_own=scene.run is not run) as (viewer, bench):
                last = scenes.played(viewer, scene)
                if viewer.next is None:
                    return last
                scene, begin = scenes.after(scene, viewer, bench, last, begin, on_command), None
            del viewer, bench
            release_programs(window.ctx)
            heap.clear()
    finally:
        visit.close()
        release_programs(window.ctx)
        window.destroy()


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the window shows at a time: a run, or nothing yet, and how it begins."""

    run: Run | None
    state: ViewState | None
    script: tuple[Command, ...] = ()
    resident: Resident | None = None
    tour: Tour | None = None
    on_command: Callable[[Command], None] = unheard


@dataclass(frozen=True, slots=True)
class _Scenes:
    """What stays the same from run to run. end : of the monotonic clock, None for never."""

    window: Window
    visit: Visit
    opener: Opener
    reader: Reader | None
    follow: Path | None
    on_frame: Callable[[Viewer], None] | None
    end: float | None
    heap: Heap

    @contextmanager
    def viewer(self, scene: _Scene, *, is_own: bool) -> Iterator[tuple[Viewer, Run]]:
        """A viewer on the scene's run, or on the bundled one behind the drop card, and which run that is.

        is_own : the run was opened here, and is closed afterwards.
        """
        bench = scene.run if scene.run is not None else open_run(next(iter(bundled_runs().values())))
        following = self._followed(scene.run)
        try:
            viewer = Viewer(
                self.window, bench, scene.state, self.visit, is_empty=scene.run is None, resident=scene.resident,
                reader=self.reader, tour=scene.tour, on_command=scene.on_command, following=following,
                heap=self.heap,
            )  # fmt: skip
            try:
                yield viewer, bench
            finally:
                if following is not None:
                    following.close()
                viewer.close()
        finally:
            if is_own or scene.run is None:
                bench.close()

    def _followed(self, run: Run | None) -> Following | None:
        """What watches the run, if it is the one to be followed: its folder, or the file that it was read from."""
        if run is None or self.follow is None or not self.follow.is_file() or run.path != str(self.follow):
            return followed(run, self.follow, self.opener, glfw.post_empty_event)
        return Edited(run, self.follow, self.opener, glfw.post_empty_event)

    def played(self, viewer: Viewer, scene: _Scene) -> ViewState:
        """The last state, once the viewer is closed, or another run has been opened in it."""
        viewer.do(scene.script)
        left = None if self.end is None else max(0.0, self.end - time.monotonic())
        return viewer.run(max_secs=left, on_frame=self.on_frame)

    def after(
        self, scene: _Scene, viewer: Viewer, bench: Run, last: ViewState, begin: Begin | None,
        on_command: Callable[[Command], None],
    ) -> _Scene:  # fmt: skip
        """What comes next: the run that was opened. begin : its first view, where it was waited for."""
        assert viewer.next is not None
        path, run = viewer.next
        state = None
        is_awaited = begin is not None and path == self.follow
        if begin is not None and is_awaited:
            state = begin(run, Resident(run))
        elif path == self.follow:
            state = resumed(bench, run, last)
        self.visit.remember(path, run)
        return _Scene(
            run, state or _begun(run, last), scene.script if is_awaited else (),
            on_command=on_command if viewer.is_empty else unheard,
        )  # fmt: skip



def _begun(run: Run, last: ViewState) -> ViewState:
    """The first view of a run that follows another in the same window: its theme and its panels stay."""
    state = initial_state(run, Resident(run), size_px=last.size_px, scale=last.scale, theme=last.theme)
    return replace(state, panels=replace(last.panels, help=False))
