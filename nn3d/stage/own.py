"""Inputs of one's own in the picture: under which number a run knows them, and how far their wave has come.

A wave passes along the axis at constant speed: what stands at share s of the network's length changes from the values
of the input before to those of the new one while the wave's progress p passes s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from nn3d.analysis.forward.engine import NumpyEngine
from nn3d.errors import Nn3dError
from nn3d.run.own import OwnInput, OwnInputs
from nn3d.run.ports import Engine
from nn3d.run.run import Run
from nn3d.stage.state import ViewState, smooth

# Of the wave's time, how long one layer takes to change.
FADE = 0.15
_MAKING = Lock()


def own_inputs(run: Run, engine: Engine | None = None) -> OwnInputs:
    """What a run makes of inputs of one's own; computed in numpy from the run itself unless an engine is given."""
    with _MAKING:
        if run.own is None or engine is not None:
            run.own = OwnInputs(run, NumpyEngine(run) if engine is None else engine)
        return run.own


def sample_number(run: Run, state: ViewState) -> int:
    """The sample that is shown, as the run counts: an index of a recorded one, or the number of one's own."""
    which = state.sample - state.n_recorded
    return own_inputs(run).number(state.own[which]) if 0 <= which < len(state.own) else state.sample


def check_inputs(run: Run, contents: Iterable[OwnInput]) -> None:
    """Raise Nn3dError when inputs of one's own do not fit a run, or when it cannot be computed anew."""
    for content in contents:
        found = own_inputs(run)
        if found.engine.reason:
            raise Nn3dError(f"own input: this run cannot be computed anew ({found.engine.reason})")
        found.number(content)


def check_own(run: Run, state: ViewState) -> None:
    """`check_inputs` of all that a state holds."""
    before = state.wave.own if state.wave is not None else None
    check_inputs(run, (*state.own, *(() if before is None else (before,))))


@dataclass(frozen=True, slots=True)
class Front:
    """How far a new input has come. now, before : sample numbers; shares : of each row, 0 … 1 of the way to `now`."""

    now: int
    before: int
    shares: NDArray[np.float64]

    @property
    def is_moving(self) -> bool:
        """Whether some rows show other samples than others."""
        return self.now != self.before

    def number(self, row: int) -> int:
        """What a row shows, of the two."""
        return self.now if not self.is_moving or self.shares[row] >= 0.5 else self.before

    def share(self, row: int) -> float:
        """How far a row has changed, 0 … 1."""
        return float(self.shares[row]) if self.is_moving else 1.0

    @property
    def at_middle(self) -> int:
        """What is shown where single layers are not told apart: the new one once half of the rows show it."""
        return self.now if 2 * self.n_reached >= len(self.shares) else self.before

    @property
    def n_reached(self) -> int:
        """How many rows show the new input."""
        return int((self.shares >= 0.5).sum())


def at_rest(number: int, n_rows: int) -> Front:
    """All rows show one sample."""
    return Front(number, number, np.ones(n_rows))


def front_of(run: Run, state: ViewState, x: NDArray[np.float64]) -> Front:
    """The front over rows that stand at x on the axis."""
    now, wave = sample_number(run, state), state.wave
    if wave is None:
        return at_rest(now, len(x))
    before = wave.sample if wave.own is None else own_inputs(run).number(wave.own)
    place = (x - x.min(initial=0.0)) / max(float(np.ptp(x)) if x.size else 0.0, 1e-9) * (1.0 - FADE)
    progress = 0.0 if wave.is_held else wave.progress
    linear = np.clip((progress - place) / FADE, 0.0, 1.0)
    linear[place <= 0.0] = 1.0  # the input itself changes at once
    return Front(now, before, np.array([smooth(float(v)) for v in linear]))
