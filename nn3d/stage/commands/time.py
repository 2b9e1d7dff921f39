"""Commands of time: epochs, playing, samples, and time itself, which enters only through `Advance`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from nn3d.errors import Nn3dError
from nn3d.stage import apart, focus, folds, reorder, slide
from nn3d.stage.commands import own
from nn3d.stage.commands.common import Appliers, one_of, toward
from nn3d.stage.state import (
    AXES,
    Camera,
    Chart,
    LayerView,
    Live,
    ViewState,
)

OPEN_SECS = 0.65
CLOSE_SECS = 0.55
MORPH_SECS = 0.45
EPOCH_SECS = 0.25
SIDE_SECS = 0.35
STRENGTH_SECS = 0.2
LEVEL_SECS = 0.4
MOST_SMOOTHING = 0.99
SIDE_HYSTERESIS_RAD = math.radians(8.0)


@dataclass(frozen=True, slots=True)
class Advance:
    """Let `dt_secs` pass: the only way time enters."""

    dt_secs: float


@dataclass(frozen=True, slots=True)
class SetEpoch:
    """Go to epoch index `epoch` (fractions lie between two recorded epochs); `at_once` skips the 250 ms."""

    epoch: float
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class StepEpoch:
    """Go `n` recorded epochs forward (or back)."""

    n: int


@dataclass(frozen=True, slots=True)
class Play:
    """Start or stop playing; from the last epoch, playing starts over."""

    on: bool


@dataclass(frozen=True, slots=True)
class SetLoop:
    """Start over at the end while playing, or stop there."""

    on: bool


@dataclass(frozen=True, slots=True)
class SetLoopRange:
    """Play over and over from one epoch index to another; None: over all, and only if that was asked for."""

    span: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class SetChart:
    """What the timeline draws, and how."""

    chart: Chart


@dataclass(frozen=True, slots=True)
class SetSpeed:
    """Playing speed in epochs a second."""

    epochs_per_sec: float


@dataclass(frozen=True, slots=True)
class SetSample:
    """Show sample index `sample`."""

    sample: int


@dataclass(frozen=True, slots=True)
class Grow:
    """The run has `n_epochs` epochs now; where it is followed and not held, the playhead goes to the new last one."""

    n_epochs: int


@dataclass(frozen=True, slots=True)
class Follow:
    """Go to the last epoch and along with those that come; or, with `on` False, hold the playhead where it is."""

    on: bool


def _clamp_epoch(state: ViewState, epoch: float) -> float:
    return min(max(epoch, 0.0), float(max(0, state.n_epochs - 1)))


def _advance_time(state: ViewState, dt: float) -> ViewState:
    t, last = state.time, float(max(0, state.n_epochs - 1))
    if not t.is_playing:
        step = dt * max(1.0, abs(t.target - t.epoch)) / EPOCH_SECS
        return replace(state, time=replace(t, epoch=toward(t.epoch, t.target, step)))
    epoch = t.epoch + dt * t.epochs_per_sec
    low, high = (0.0, last) if t.loop is None else (float(t.loop[0]), min(last, float(t.loop[1])))
    if t.is_looping and epoch >= high > low:
        epoch = low + (epoch - high) % (high - low)
    epoch = min(epoch, last)
    playing = epoch < last
    return replace(state, time=replace(t, epoch=epoch, target=epoch, is_playing=playing))


def _advance_layer(view: LayerView, dt: float) -> LayerView:
    goal = 1.0 if view.is_open else 0.0
    opening = toward(view.opening, goal, dt / (OPEN_SECS if view.is_open else CLOSE_SECS))
    blend = toward(view.blend, 1.0, dt / MORPH_SECS)
    if opening == view.opening and blend == view.blend:
        return view
    weights_from = view.weights_from if blend < 1.0 else replace(view, blend=1.0).weights
    return replace(view, opening=opening, blend=blend, weights_from=weights_from)


def _side_of(camera: Camera, side: float) -> float:
    yaw = math.remainder(camera.yaw_rad, 2.0 * math.pi)
    if abs(yaw) < SIDE_HYSTERESIS_RAD or math.pi - abs(yaw) < SIDE_HYSTERESIS_RAD:
        return 1.0 if side >= 0.0 else -1.0
    return 1.0 if yaw > 0 else -1.0


def _facing_of(camera: Camera, facing: float) -> float:
    """1 from the front, −1 from behind: plates turn round when the camera has passed their edge by 8°."""
    aside = abs(math.remainder(camera.yaw_rad, 2.0 * math.pi)) - math.pi / 2.0
    if abs(aside) < SIDE_HYSTERESIS_RAD:
        return 1.0 if facing >= 0.0 else -1.0
    return 1.0 if aside < 0.0 else -1.0


def _advance(state: ViewState, c: Advance) -> ViewState:
    if c.dt_secs < 0 or not math.isfinite(c.dt_secs):
        raise Nn3dError(f"dt_secs should be a finite number ≥ 0, got {c.dt_secs}")
    state = slide.advanced(_advance_time(state, c.dt_secs), c.dt_secs)
    layers = tuple(_advance_layer(v, c.dt_secs) for v in state.layers)
    flight = state.flight
    if flight is not None:
        progress = flight.progress + c.dt_secs / max(1e-6, flight.duration_secs)
        flight = replace(flight, progress=progress) if progress < 1.0 else None
    edges = state.edges
    edges = replace(
        edges, strength=toward(edges.strength, edges.strength_target, c.dt_secs / STRENGTH_SECS),
        level_blend=toward(edges.level_blend, 1.0, c.dt_secs / LEVEL_SECS),
    )  # fmt: skip
    side = toward(state.side, _side_of(state.camera, state.side), 2.0 * c.dt_secs / SIDE_SECS)
    facing = toward(state.facing, _facing_of(state.camera, state.facing), 2.0 * c.dt_secs / SIDE_SECS)
    state = folds.advanced(state, c.dt_secs)
    moved = replace(state, layers=layers, flight=flight, edges=edges, side=side, facing=facing)
    moved = own.advanced(moved, c.dt_secs)
    moved = apart.advanced(moved, c.dt_secs)
    return focus.advanced(reorder.advanced(moved, c.dt_secs), c.dt_secs)


def _set_epoch(state: ViewState, c: SetEpoch) -> ViewState:
    goal = _clamp_epoch(state, c.epoch)
    now = goal if c.at_once else state.time.epoch
    state = _holding(state, is_held=goal < state.n_epochs - 1)
    return replace(state, time=replace(state.time, epoch=now, target=goal, is_playing=False))


def _holding(state: ViewState, *, is_held: bool) -> ViewState:
    return state if state.live is None else replace(state, live=Live(is_held))


def _grow(state: ViewState, c: Grow) -> ViewState:
    n, t = max(state.n_epochs, c.n_epochs), state.time
    grown = replace(state, n_epochs=n)
    if state.live is None or state.live.is_held or t.is_playing:
        return grown
    return replace(grown, time=replace(t, target=float(max(0, n - 1))))


def _follow(state: ViewState, c: Follow) -> ViewState:
    if not c.on:
        here = float(round(state.time.epoch))
        return _holding(replace(state, time=replace(state.time, target=here, is_playing=False)), is_held=True)
    state = replace(state, live=state.live or Live())
    return _set_epoch(state, SetEpoch(float(max(0, state.n_epochs - 1))))


def _step_epoch(state: ViewState, c: StepEpoch) -> ViewState:
    return _set_epoch(state, SetEpoch(float(round(state.time.target) + c.n)))


def _play(state: ViewState, c: Play) -> ViewState:
    t = state.time
    state = _holding(state, is_held=not c.on)
    if not c.on:
        return replace(state, time=replace(t, is_playing=False, target=float(round(t.epoch))))
    first = float(t.loop[0]) if t.loop is not None and t.is_looping else 0.0
    start = first if t.epoch >= state.n_epochs - 1 else t.epoch
    return replace(state, time=replace(t, is_playing=state.n_epochs > 1, epoch=start, target=start))


def _set_loop_range(state: ViewState, c: SetLoopRange) -> ViewState:
    if c.span is None:
        return replace(state, time=replace(state.time, loop=None, is_looping=False))
    low, high = sorted(round(_clamp_epoch(state, float(v))) for v in c.span)
    if low == high:
        raise Nn3dError(f"a loop should run from one epoch to another, got {c.span[0]} to {c.span[1]}")
    return replace(state, time=replace(state.time, loop=(low, high), is_looping=True))


def _set_chart(state: ViewState, c: SetChart) -> ViewState:
    one_of("axis", c.chart.axis, AXES)
    if not 0.0 <= c.chart.smoothing <= MOST_SMOOTHING:
        raise Nn3dError(f"smoothing should be 0 to {MOST_SMOOTHING}, got {c.chart.smoothing}")
    return replace(state, chart=c.chart)


def _set_sample(state: ViewState, c: SetSample) -> ViewState:
    return replace(state, sample=min(max(c.sample, 0), max(0, state.n_samples - 1)), wave=None)


APPLY: Appliers = {
    Advance: _advance,
    SetEpoch: _set_epoch,
    StepEpoch: _step_epoch,
    Play: _play,
    SetLoop: lambda s, c: replace(s, time=replace(s.time, is_looping=c.on)),
    SetLoopRange: _set_loop_range,
    SetChart: _set_chart,
    SetSpeed: lambda s, c: replace(s, time=replace(s.time, epochs_per_sec=min(64.0, max(0.01, c.epochs_per_sec)))),
    SetSample: _set_sample,
    Grow: _grow,
    Follow: _follow,
}
