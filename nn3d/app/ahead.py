"""What the next recorded epoch will need, so that it is in memory before the picture gets there."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Final, cast

from nn3d.run.run import Run
from nn3d.stage.compose import compose_frame
from nn3d.stage.resident import Need, Resident
from nn3d.stage.slide import stepped
from nn3d.stage.state import Slide, ViewState

AHEAD_SECS: Final = 0.25


def is_going(state: ViewState) -> bool:
    """Whether a view is on its way to an epoch that was chosen."""
    time = state.time
    return state.wave is None and state.slide is None and not time.is_playing and time.target != time.epoch


class Ahead:
    """Looks at the pair of epochs after the one on screen once for each pair, or at the epoch that was chosen."""

    def __init__(self, run: Run, resident: Resident) -> None:
        self._run, self._resident = run, resident
        self._key: Hashable = None
        self._needs: tuple[Need, ...] = ()

    def of(self, state: ViewState) -> tuple[Need, ...]:
        """What a view needs next while time passes; nothing when it rests, or when its picture takes half of memory.

        On its way to an epoch that was chosen: what that one needs, and nothing of those that it passes.
        """
        time = state.time
        if state.wave is not None and (state.wave.waits or not state.wave.is_held):
            return self._beyond(state)
        if state.slide is not None and state.slide.is_playing:
            return self._next_cells(state, state.slide)
        if not time.is_playing and time.target == time.epoch:
            return ()
        if time.is_playing and self._is_tight(state):
            return ()
        opened = tuple(v.is_open for v in state.layers)
        at = min(int(time.epoch) + 1.5, max(0.0, state.n_epochs - 1.0)) if time.is_playing else time.target
        key = (at, time.is_playing, state.sample, state.edges, state.fold, opened)
        if key != self._key:
            self._key, self._needs = key, self._missing_at(state, at)
        return self._needs

    def _is_tight(self, state: ViewState) -> bool:
        """Whether the picture takes more than half of the memory that it may."""
        return self._resident.held.wanted_bytes * 2 > state.budget.memory_mb << 20

    def _next_cells(self, state: ViewState, slide: Slide) -> tuple[Need, ...]:
        """What the cells need that the kernel slides to in a quarter of a second."""
        key = ("slide", slide.thing, int(slide.at), state.time.epoch, state.sample)
        if key != self._key:
            first = 1 + int(slide.cells_per_sec * AHEAD_SECS)
            later = [stepped(state, n) for n in (first, first + 1)]
            seen = [replace(s, focus=replace(s.focus, thing=s.selection)) for s in later]
            found = [need for s in seen for need in self._missing_at(s, state.time.epoch)]
            self._key, self._needs = key, tuple(dict.fromkeys(found))
        return self._needs

    def _beyond(self, state: ViewState) -> tuple[Need, ...]:
        """What a wave has not reached yet."""
        after = replace(state, wave=None)
        key = ("wave", state.own, state.sample, state.time.epoch, state.edges, state.fold)
        if key != self._key:
            self._key, self._needs = key, self._missing_at(after, state.time.epoch)
        return self._needs

    def _missing_at(self, state: ViewState, epoch: float) -> tuple[Need, ...]:
        later = replace(state, time=replace(state.time, epoch=epoch, target=epoch, is_playing=False))
        return cast(tuple[Need, ...], compose_frame(self._run, later, self._resident).missing)
