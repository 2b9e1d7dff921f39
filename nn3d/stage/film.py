"""A film as plain values: its k-th state is a function of k alone, so the same film has the same frames everywhere.

Time passes in steps of 1/fps. The epoch goes linearly from the first frame to the last, fractions between two epochs
being interpolated as in playing; the camera turns evenly, and a film of whole turns alone ends one step before its
beginning, so that it loops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from nn3d.errors import Nn3dError
from nn3d.stage.commands import Advance, Resize, SetBudget, SetCamera, SetEpoch, StartWave, apply
from nn3d.stage.state import EXACT_PASSES, Budget, ViewState
from nn3d.stage.tour import Looker, Tour, played, settled

EPOCH_SECS: Final = 1.0
LONGEST_SECS: Final = 30.0
SHORTEST_SECS: Final = 3.0
TURN_SECS: Final = 8.0
MAX_FRAMES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Film:
    """n_frames states, `fps` of them a second; `states` gives them from the first on, each time it is called."""

    n_frames: int
    fps: float
    states: Callable[[], Iterator[ViewState]]

    @property
    def secs(self) -> float:
        """How long it plays."""
        return self.n_frames / self.fps

    @property
    def first(self) -> ViewState:
        """The first state: it has the size of all."""
        return next(self.states())


def default_secs(epochs: tuple[float, float] | None) -> float:
    """A second an epoch, between 3 and 30; 8 where no epochs pass."""
    if epochs is None or epochs[0] == epochs[1]:
        return TURN_SECS
    return min(LONGEST_SECS, max(SHORTEST_SECS, abs(epochs[1] - epochs[0]) * EPOCH_SECS))


def film_of_epochs(
    start: ViewState, epochs: tuple[float, float] | None, turn_rad: float, secs: float, fps: float
) -> Film:
    """A film of `secs` from `start`, at rest: epoch indices from … to, None to stay; the camera turns by `turn_rad`.

    Raises Nn3dError when it would have no frame, or more than 100,000.
    """
    n = _counted(secs * fps)
    still = settled(start)

    def states() -> Iterator[ViewState]:
        state = still
        is_loop = epochs is None and turn_rad != 0.0 and abs(math.remainder(turn_rad, math.tau)) < 1e-9
        for k in range(n):
            share = k / n if is_loop else k / max(1, n - 1)
            if turn_rad:
                yaw = still.camera.yaw_rad + turn_rad * share
                state = apply(state, SetCamera(replace(still.camera, yaw_rad=yaw)))
            if epochs is not None:
                state = apply(state, SetEpoch(_between(epochs, share), at_once=True))
            state = apply(state, Advance(1.0 / fps)) if k else settled(state)
            yield whole(state)

    return Film(n, fps, states)


def film_of_tour(
    start: ViewState, tour: Tour, look: Looker, fps: float, epochs: tuple[float, float] | None = None
) -> Film:
    """A tour as it plays by itself; `epochs` go their way meanwhile, whatever the tour says of them."""
    n = _counted(sum(1 for _ in played(tour, start, look, 1.0 / fps)))

    def states() -> Iterator[ViewState]:
        for k, state in enumerate(played(tour, start, look, 1.0 / fps)):
            if epochs is not None:
                state = apply(state, SetEpoch(_between(epochs, k / max(1, n - 1)), at_once=True))
            yield whole(state)

    return Film(n, fps, states)


def whole(state: ViewState) -> ViewState:
    """The state as a picture that waits for everything shows it: every pass over the edges, no wave held back."""
    if state.wave is not None and state.wave.waits:
        state = apply(state, StartWave())
    if state.edges.selection == "exact":
        return replace(state, edges=replace(state.edges, passes=EXACT_PASSES))
    return state


def exported(state: ViewState) -> ViewState:
    """A state of the window without its cards and with everything that a still picture may draw."""
    budget = replace(state.budget, samples=Budget().samples, shade=True, seams=True)
    return whole(apply(apply(state, Resize(state.size_px, state.scale)), SetBudget(budget)))


def even(state: ViewState) -> ViewState:
    """The state with a picture of even sides, as video wants them: at most a device pixel less."""
    w, h = (round(v * state.scale) for v in state.size_px)
    if not (w % 2 or h % 2):
        return state
    step = next(k for k in range(1, 9) if abs(k * state.scale / 2 - round(k * state.scale / 2)) < 1e-9 or k == 8)
    goal = (state.size_px[0] // step * step, state.size_px[1] // step * step)
    return apply(state, Resize(goal, state.scale))


def _between(epochs: tuple[float, float], share: float) -> float:
    return epochs[0] + (epochs[1] - epochs[0]) * share


def _counted(frames: float) -> int:
    n = round(frames)
    if not 1 <= n <= MAX_FRAMES:
        raise Nn3dError(f"a film should have 1 to {MAX_FRAMES:,} frames, not {n:,}: fewer seconds or fps")
    return n
