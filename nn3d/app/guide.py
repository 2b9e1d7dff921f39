"""A tour in the window: which step it is at, when the next one is due, and the way back. Times are seconds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from nn3d.errors import Nn3dError
from nn3d.paths import bundled_runs, bundled_tours
from nn3d.run.run import Run
from nn3d.stage import camera as cameras
from nn3d.stage.commands import Command, Recall, Say, apply
from nn3d.stage.frame import Frame
from nn3d.stage.framing import framed
from nn3d.stage.state import Camera, Thing, ViewState
from nn3d.stage.tour import Tour, entered, from_data


class Guide:
    """One tour on one run. `compose` makes the frame of a state.

    step : index of the step that stands, −1 before the first. is_playing : steps follow each other by themselves.
    """

    def __init__(self, tour: Tour, compose: Callable[[ViewState], Frame]) -> None:
        self.tour = tour
        self.step = -1
        self.is_playing = False
        self._compose = compose
        self._left = 0.0
        self._before: list[ViewState] = []

    def go(self, step: int, state: ViewState) -> tuple[Command, ...]:
        """What begins a step: of an earlier one, first the view that it began with. Beyond the ends: nothing."""
        if not 0 <= step < len(self.tour.steps):
            return ()
        todo: list[Command] = []
        for k in range(self.step + 1, step):
            self._keep(k, state)
            entering = self._enter(k, state)
            todo += entering
            for command in entering:
                state = apply(state, command)
        if step < len(self._before):
            back = Recall(self._before[step])
            todo.append(back)
            state = apply(state, back)
        self._keep(step, state)
        self.step, self._left = step, self.tour.steps[step].secs
        return (*todo, *self._enter(step, state))

    def play(self, *, on: bool) -> None:
        """Let steps follow each other, or stop."""
        self.is_playing = on
        self._left = self.tour.steps[max(0, self.step)].secs

    def pass_time(self, secs: float, *, is_moving: bool) -> int | None:
        """The step that is due now, if any; a step stands for its time once nothing moves any more."""
        if not self.is_playing or self.step < 0:
            return None
        if not is_moving:
            self._left -= secs
        if self._left > 0.0:
            return None
        if self.step + 1 >= len(self.tour.steps):
            self.is_playing = False
            return None
        return self.step + 1

    def end(self) -> Command:
        """What leaves the tour: everything stays, without the caption."""
        self.step, self.is_playing, self._before = -1, False, []
        return Say("")

    def _keep(self, step: int, state: ViewState) -> None:
        del self._before[step:]
        self._before.append(state)

    def _enter(self, step: int, state: ViewState) -> tuple[Command, ...]:
        return entered(self.tour.steps[step], state, self._look)

    def _look(self, state: ViewState, thing: Thing | None) -> tuple[Camera, Camera]:
        frame = self._compose(state)
        return cameras.resolve(frame), cameras.fit(state.camera) if thing is None else framed(frame, thing)


def tour_of(run: Run) -> Tour | None:
    """The tour that comes along with a bundled run. Raises Nn3dError when it does not fit the run."""
    if not run.path:
        return None
    name = next((n for n, path in bundled_runs().items() if path == Path(run.path).absolute()), None)
    file = bundled_tours().get(name) if name is not None else None
    if file is None:
        return None
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Nn3dError(f"{file.name}: cannot be read ({error})") from None
    return from_data(data, {layer.name: layer.index for layer in run.layers})
