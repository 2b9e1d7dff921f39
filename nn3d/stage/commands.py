"""Every change of the view is one of these values; `apply` is the only function that makes a new ViewState.

Commands are what gets recorded and replayed: `to_json` and `from_json` are an interaction test, a tour, a bug report.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from nn3d.errors import Nn3dError
from nn3d.stage import exact, focus, folds, jsonable, reorder
from nn3d.stage.state import (
    ARRANGEMENTS,
    EXACT_PASSES,
    LEVELS,
    MODES,
    ORDERS,
    PRINTS,
    RAMPS,
    SCOPES,
    SELECTIONS,
    THEMES,
    Anchors,
    Budget,
    Camera,
    Flight,
    LayerView,
    Panels,
    Thing,
    ViewState,
    default_anchors,
)

OPEN_SECS = 0.65
CLOSE_SECS = 0.55
MORPH_SECS = 0.45
EPOCH_SECS = 0.25
SIDE_SECS = 0.35
STRENGTH_SECS = 0.2
LEVEL_SECS = 0.4
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
class SetSpeed:
    """Playing speed in epochs a second."""

    epochs_per_sec: float


@dataclass(frozen=True, slots=True)
class SetSample:
    """Show sample index `sample`."""

    sample: int


@dataclass(frozen=True, slots=True)
class SetOpen:
    """Open or collapse one layer, or all when `layer` is None. `at_once` skips the motion."""

    layer: int | None
    is_open: bool
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """Open or close one group of the module tree in place; inside a closed one it shows once that is open."""

    group: int
    is_open: bool
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class OpenLevel:
    """Open all groups less deep than `depth` and close the others: 0 folds everything, a large number unfolds it."""

    depth: int
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class UnfoldAll:
    """Open every group."""

    at_once: bool = False


@dataclass(frozen=True, slots=True)
class FoldAll:
    """Close every group."""

    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Arrange:
    """Put the tiles of one layer (or of all) in a line, a circle or a grid, opening it if it is collapsed."""

    layer: int | None
    arrangement: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class SetStage:
    """Show a layer's values after its stage number `stage`, of those that were recorded; −1: after the last."""

    layer: int
    stage: int


@dataclass(frozen=True, slots=True)
class Select:
    """Select a layer, tile or cell; None lets go."""

    thing: Thing | None


@dataclass(frozen=True, slots=True)
class Hover:
    """The pointer is over a thing, or over nothing."""

    thing: Thing | None


@dataclass(frozen=True, slots=True)
class SetCamera:
    """Put the camera somewhere at once (a drag); nn3d.stage.camera computes it from a gesture."""

    camera: Camera


@dataclass(frozen=True, slots=True)
class FlyTo:
    """Let the camera travel from `start` (where it is now, resolved) to `camera`."""

    start: Camera
    camera: Camera
    duration_secs: float = 0.7


@dataclass(frozen=True, slots=True)
class SetLevel:
    """Level of the edges: trunk, maps, kernels or all; `at_once` skips the morph."""

    level: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class SetMode:
    """What an edge shows: weight, contribution, or gradient (contribution times the gradient of what it enters)."""

    mode: str


@dataclass(frozen=True, slots=True)
class SetSelection:
    """Which edges are drawn: off, sampled, top, exact or all. `at_once` counts all edges of "exact" in one go."""

    selection: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class SetPrint:
    """Print in "colour", or in "grey": then the negative strands are dashed."""

    print: str


@dataclass(frozen=True, slots=True)
class SetStrength:
    """Bundling strength, 0 straight … 1 bundled."""

    strength: float
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class SetOrder:
    """Order of the tiles in their layers: index, or flow (strong connections cross little). `at_once`: no motion."""

    order: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class SetTheme:
    """dark or light."""

    theme: str


@dataclass(frozen=True, slots=True)
class SetScope:
    """Whose largest values have full colour: those of each map, of each layer or of the network."""

    scope: str


@dataclass(frozen=True, slots=True)
class SetRamp:
    """Colours of activations: jade, or another of state.RAMPS."""

    ramp: str


@dataclass(frozen=True, slots=True)
class SetBudget:
    """What may be drawn (the window adjusts it from the frame time)."""

    budget: Budget


@dataclass(frozen=True, slots=True)
class Resize:
    """The picture's size in logical px, and framebuffer px a logical px; anchors None: those without a window."""

    size_px: tuple[int, int]
    scale: float = 1.0
    anchors: Anchors | None = None


@dataclass(frozen=True, slots=True)
class SetPanels:
    """Open and close cards of the window."""

    panels: Panels


Command = (
    Advance | SetEpoch | StepEpoch | Play | SetLoop | SetSpeed | SetSample | SetOpen | OpenGroup | OpenLevel | UnfoldAll
    | FoldAll | Arrange | Select | Hover | SetCamera | FlyTo | SetLevel | SetMode | SetSelection | SetStrength
    | SetOrder | SetTheme | SetScope | SetStage | SetRamp | SetBudget | SetPrint | Resize | SetPanels
)  # fmt: skip

COMMANDS: dict[str, type[Any]] = {c.__name__: c for c in Command.__args__}


def _toward(value: float, goal: float, step: float) -> float:
    return goal if abs(goal - value) <= step else value + math.copysign(step, goal - value)


def _clamp_epoch(state: ViewState, epoch: float) -> float:
    return min(max(epoch, 0.0), float(max(0, state.n_epochs - 1)))


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise Nn3dError(f"{what} should be one of {', '.join(allowed)}, got {value!r}")
    return value


def _edit_layers(state: ViewState, layer: int | None, edit: Callable[[LayerView], LayerView]) -> ViewState:
    if layer is not None and not 0 <= layer < len(state.layers):
        raise Nn3dError(f"layer should be 0 to {len(state.layers) - 1}, got {layer}")
    return replace(
        state, layers=tuple(edit(v) if layer is None or i == layer else v for i, v in enumerate(state.layers))
    )


def _advance_time(state: ViewState, dt: float) -> ViewState:
    t, last = state.time, float(max(0, state.n_epochs - 1))
    if not t.is_playing:
        step = dt * max(1.0, abs(t.target - t.epoch)) / EPOCH_SECS
        return replace(state, time=replace(t, epoch=_toward(t.epoch, t.target, step)))
    epoch = t.epoch + dt * t.epochs_per_sec
    if epoch >= last:
        epoch = epoch % last if t.is_looping and last > 0 else last
    playing = epoch < last
    return replace(state, time=replace(t, epoch=epoch, target=epoch, is_playing=playing))


def _advance_layer(view: LayerView, dt: float) -> LayerView:
    goal = 1.0 if view.is_open else 0.0
    opening = _toward(view.opening, goal, dt / (OPEN_SECS if view.is_open else CLOSE_SECS))
    blend = _toward(view.blend, 1.0, dt / MORPH_SECS)
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
    state = _advance_time(state, c.dt_secs)
    layers = tuple(_advance_layer(v, c.dt_secs) for v in state.layers)
    flight = state.flight
    if flight is not None:
        progress = flight.progress + c.dt_secs / max(1e-6, flight.duration_secs)
        flight = replace(flight, progress=progress) if progress < 1.0 else None
    edges = state.edges
    edges = replace(
        edges, strength=_toward(edges.strength, edges.strength_target, c.dt_secs / STRENGTH_SECS),
        level_blend=_toward(edges.level_blend, 1.0, c.dt_secs / LEVEL_SECS),
    )  # fmt: skip
    side = _toward(state.side, _side_of(state.camera, state.side), 2.0 * c.dt_secs / SIDE_SECS)
    facing = _toward(state.facing, _facing_of(state.camera, state.facing), 2.0 * c.dt_secs / SIDE_SECS)
    state = folds.advanced(state, c.dt_secs)
    moved = replace(state, layers=layers, flight=flight, edges=edges, side=side, facing=facing)
    return focus.advanced(reorder.advanced(moved, c.dt_secs), c.dt_secs)


def _set_epoch(state: ViewState, c: SetEpoch) -> ViewState:
    goal = _clamp_epoch(state, c.epoch)
    now = goal if c.at_once else state.time.epoch
    return replace(state, time=replace(state.time, epoch=now, target=goal, is_playing=False))


def _step_epoch(state: ViewState, c: StepEpoch) -> ViewState:
    return _set_epoch(state, SetEpoch(float(round(state.time.target) + c.n)))


def _play(state: ViewState, c: Play) -> ViewState:
    t = state.time
    if not c.on:
        return replace(state, time=replace(t, is_playing=False, target=float(round(t.epoch))))
    start = 0.0 if t.epoch >= state.n_epochs - 1 else t.epoch
    return replace(state, time=replace(t, is_playing=state.n_epochs > 1, epoch=start, target=start))


def _set_open(state: ViewState, c: SetOpen) -> ViewState:
    goal = 1.0 if c.is_open else 0.0
    return _edit_layers(
        state, c.layer, lambda v: replace(v, is_open=c.is_open, opening=goal if c.at_once else v.opening)
    )


def _arrange(state: ViewState, c: Arrange) -> ViewState:
    name = _one_of("arrangement", c.arrangement, ARRANGEMENTS)

    def edit(v: LayerView) -> LayerView:
        if c.at_once or v.opening == 0.0:
            goal = replace(v, arrangement=name, blend=1.0).weights
            return replace(
                v, arrangement=name, blend=1.0, weights_from=goal, is_open=True, opening=1.0 if c.at_once else v.opening
            )
        return replace(v, arrangement=name, weights_from=v.weights, blend=0.0, is_open=True)

    return _edit_layers(state, c.layer, edit)


def _set_stage(state: ViewState, c: SetStage) -> ViewState:
    if c.stage < -1:
        raise Nn3dError(f"stage should be 0 or more, or -1 for the last, got {c.stage}")
    return _edit_layers(state, c.layer, lambda v: replace(v, stage=c.stage))


def _set_camera(state: ViewState, c: SetCamera) -> ViewState:
    return replace(state, camera=c.camera, flight=None)


def _fly_to(state: ViewState, c: FlyTo) -> ViewState:
    return replace(state, camera=c.camera, flight=Flight(start=c.start, duration_secs=c.duration_secs))


def _set_strength(state: ViewState, c: SetStrength) -> ViewState:
    b = min(1.0, max(0.0, c.strength))
    now = b if c.at_once else state.edges.strength
    return replace(state, edges=replace(state.edges, strength=now, strength_target=b))


def _set_level(state: ViewState, c: SetLevel) -> ViewState:
    edges, level = state.edges, _one_of("level", c.level, LEVELS)
    if level == edges.level and not c.at_once:
        return state
    if c.at_once or edges.selection == "off":
        return replace(state, edges=replace(edges, level=level, level_from=level, level_blend=1.0))
    turned = edges.level_blend < 1.0 and level == edges.level_from
    blend = 1.0 - edges.level_blend if turned else 0.0
    return replace(state, edges=replace(edges, level=level, level_from=edges.level, level_blend=blend))


def _set_sample(state: ViewState, c: SetSample) -> ViewState:
    return replace(state, sample=min(max(c.sample, 0), max(0, state.n_samples - 1)))


def _resize(state: ViewState, c: Resize) -> ViewState:
    return replace(state, size_px=c.size_px, scale=c.scale, anchors=c.anchors or default_anchors(c.size_px))


_APPLY: dict[type[Any], Callable[[ViewState, Any], ViewState]] = {
    Advance: _advance,
    SetEpoch: _set_epoch,
    StepEpoch: _step_epoch,
    Play: _play,
    SetLoop: lambda s, c: replace(s, time=replace(s.time, is_looping=c.on)),
    SetSpeed: lambda s, c: replace(s, time=replace(s.time, epochs_per_sec=min(64.0, max(0.01, c.epochs_per_sec)))),
    SetSample: _set_sample,
    SetOpen: _set_open,
    OpenGroup: lambda s, c: folds.opened(s, c.group, is_open=c.is_open, at_once=c.at_once),
    OpenLevel: lambda s, c: folds.toward(s, folds.level(s, c.depth), at_once=c.at_once),
    UnfoldAll: lambda s, c: folds.toward(s, folds.level(s), at_once=c.at_once),
    FoldAll: lambda s, c: folds.toward(s, (), at_once=c.at_once),
    Arrange: _arrange,
    Select: lambda s, c: replace(s, selection=c.thing),
    Hover: lambda s, c: replace(s, hover=c.thing),
    SetCamera: _set_camera,
    FlyTo: _fly_to,
    SetLevel: _set_level,
    SetMode: lambda s, c: replace(s, edges=replace(s.edges, mode=_one_of("mode", c.mode, MODES))),
    SetSelection: lambda s, c: replace(
        s, edges=replace(s.edges, selection=_one_of("selection", c.selection, SELECTIONS))
    ),
    SetPrint: lambda s, c: replace(s, edges=replace(s.edges, print=_one_of("print", c.print, PRINTS))),
    SetStrength: _set_strength,
    SetOrder: lambda s, c: reorder.reordered(s, _one_of("order", c.order, ORDERS), at_once=c.at_once),
    SetTheme: lambda s, c: replace(s, theme=_one_of("theme", c.theme, THEMES)),
    SetStage: _set_stage,
    SetScope: lambda s, c: replace(s, scope=_one_of("scope", c.scope, SCOPES)),
    SetRamp: lambda s, c: replace(s, ramp=_one_of("ramp", c.ramp, RAMPS)),
    SetBudget: lambda s, c: replace(s, budget=c.budget),
    Resize: _resize,
    SetPanels: lambda s, c: replace(s, panels=c.panels),
}


def apply(state: ViewState, command: Command) -> ViewState:
    """The view after `command`. Raises Nn3dError when the command names something that does not exist."""
    after = _APPLY[type(command)](state, command)
    if isinstance(command, SetSelection) and command.at_once and command.selection == "exact":
        return replace(after, edges=replace(after.edges, passes=EXACT_PASSES))
    return exact.counted(state, after, command.dt_secs if isinstance(command, Advance) else None)


def is_moving(state: ViewState) -> bool:
    """True while letting time pass would change the picture."""
    return apply(state, Advance(1e-3)) != state


def to_json(command: Command) -> dict[str, Any]:
    """The command as a JSON object with its name under "do"."""
    return {"do": type(command).__name__, **jsonable.to_json(command)}


def from_json(data: Any) -> Command:
    """The command of a JSON object. Raises Nn3dError that names what is wrong."""
    if not isinstance(data, dict) or data.get("do") not in COMMANDS:
        raise Nn3dError(f'a command should be an object with "do" one of {", ".join(COMMANDS)}, got {str(data)[:80]}')
    kind = COMMANDS[data["do"]]
    command: Command = jsonable.from_json(kind, {k: v for k, v in data.items() if k != "do"})
    return command
