"""Commands of inputs of one's own: adding, changing and removing them, and the wave that carries them through."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nn3d.errors import Nn3dError
from nn3d.run.own import OwnInput
from nn3d.stage.commands.common import Appliers, one_of
from nn3d.stage.state import ViewState, Wave, Writing

WAVE_SECS = 1.8
WAYS = ("wave", "soon", "hold", "at once")


@dataclass(frozen=True, slots=True)
class AddOwn:
    """Add an input of one's own after the samples and show it.

    way : "wave", layer after layer; "soon", the same from StartWave on, once a window knows all values; "hold", at the
    input alone until the next change; or "at once".
    """

    input: OwnInput
    way: str = "wave"


@dataclass(frozen=True, slots=True)
class EditOwn:
    """Put other contents in the place of own input number `which` (from 0) and show it; `way` as of AddOwn."""

    which: int
    input: OwnInput
    way: str = "wave"


@dataclass(frozen=True, slots=True)
class RemoveOwn:
    """Take own input number `which` (from 0) away."""

    which: int


@dataclass(frozen=True, slots=True)
class SetWriting:
    """The text of one's own that has the keyboard; None gives the keyboard back."""

    writing: Writing | None


@dataclass(frozen=True, slots=True)
class StartWave:
    """Let a wave that waits for its values begin."""


def _checked(state: ViewState, which: int) -> int:
    if not 0 <= which < len(state.own):
        raise Nn3dError(f"own input should be below {len(state.own)}, got {which}")
    return which


def _add(state: ViewState, c: AddOwn) -> ViewState:
    wave = _started(state, c.way)
    return replace(state, own=(*state.own, c.input), n_samples=state.n_samples + 1, sample=state.n_samples, wave=wave)


def _edit(state: ViewState, c: EditOwn) -> ViewState:
    which = _checked(state, c.which)
    wave = _started(state, c.way)
    own = (*state.own[:which], c.input, *state.own[which + 1 :])
    return replace(state, own=own, sample=state.n_recorded + which, wave=wave)


def _remove(state: ViewState, c: RemoveOwn) -> ViewState:
    which = _checked(state, c.which)
    own = (*state.own[:which], *state.own[which + 1 :])
    at = state.sample - (state.sample > state.n_recorded + which)
    n = state.n_samples - 1
    return replace(state, own=own, n_samples=n, sample=min(at, max(0, n - 1)), wave=None)


def _started(state: ViewState, way: str) -> Wave | None:
    """A wave over what is on screen; one that still waits at the input goes on with what it was over."""
    if one_of("way", way, WAYS) == "at once":
        return None
    wave, is_held, waits = state.wave, way != "wave", way == "soon"
    if wave is not None and wave.is_held:
        return replace(wave, is_held=is_held, waits=waits)
    index = state.sample - state.n_recorded
    before = state.own[index] if 0 <= index < len(state.own) else None
    return Wave(sample=state.sample if before is None else -1, own=before, is_held=is_held, waits=waits)


def _start(state: ViewState, _: StartWave) -> ViewState:
    wave = state.wave
    return state if wave is None or not wave.waits else replace(state, wave=replace(wave, is_held=False, waits=False))


def advanced(state: ViewState, dt_secs: float) -> ViewState:
    """The wave a little further; at its end there is none."""
    wave = state.wave
    if wave is None or wave.is_held:
        return state
    progress = wave.progress + dt_secs / WAVE_SECS
    return replace(state, wave=replace(wave, progress=progress) if progress < 1.0 else None)


APPLY: Appliers = {
    AddOwn: _add,
    EditOwn: _edit,
    RemoveOwn: _remove,
    StartWave: _start,
    SetWriting: lambda s, c: replace(s, writing=c.writing),
}
