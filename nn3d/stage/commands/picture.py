"""Commands of the picture and the pointer: camera, selection, colours, size, budget, panels."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nn3d.errors import Nn3dError
from nn3d.stage.commands.common import Appliers, one_of
from nn3d.stage.state import (
    RAMPS,
    SCOPES,
    SIGNALS,
    THEMES,
    Anchors,
    Budget,
    Camera,
    Flight,
    Panels,
    Thing,
    ViewState,
    default_anchors,
)


@dataclass(frozen=True, slots=True)
class Select:
    """Select a layer, tile or cell; None lets go."""

    thing: Thing | None


@dataclass(frozen=True, slots=True)
class SelectAlso:
    """Add an item, a layer or a group, to what is selected, or take it out again."""

    item: int


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
class Say:
    """Show a caption in the picture, as a tour does; "" takes it away."""

    caption: str


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
class SetSignal:
    """What tiles show: values, zeros, saturated, ratio or gradient."""

    signal: str


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


def _select_also(state: ViewState, c: SelectAlso) -> ViewState:
    n = len(state.layers) + len(state.group_depths)
    if not 0 <= c.item < n:
        raise Nn3dError(f"item should be 0 to {n - 1}, got {c.item}")
    if state.selection is None:
        return replace(state, selection=Thing(c.item))
    if c.item in state.also:
        return replace(state, also=tuple(i for i in state.also if i != c.item))
    if c.item != state.selection.layer:
        return replace(state, also=(*state.also, c.item))
    rest = state.also
    return replace(state, selection=Thing(rest[0]), also=rest[1:]) if rest else replace(state, selection=None)


def _set_camera(state: ViewState, c: SetCamera) -> ViewState:
    return replace(state, camera=c.camera, flight=None)


def _fly_to(state: ViewState, c: FlyTo) -> ViewState:
    return replace(state, camera=c.camera, flight=Flight(start=c.start, duration_secs=c.duration_secs))


def _resize(state: ViewState, c: Resize) -> ViewState:
    return replace(state, size_px=c.size_px, scale=c.scale, anchors=c.anchors or default_anchors(c.size_px))


APPLY: Appliers = {
    Select: lambda s, c: replace(s, selection=c.thing, also=(), came=s.selection if c.thing != s.selection else s.came),
    SelectAlso: _select_also,
    Hover: lambda s, c: replace(s, hover=c.thing),
    SetCamera: _set_camera,
    FlyTo: _fly_to,
    Say: lambda s, c: replace(s, caption=c.caption),
    SetTheme: lambda s, c: replace(s, theme=one_of("theme", c.theme, THEMES)),
    SetScope: lambda s, c: replace(s, scope=one_of("scope", c.scope, SCOPES)),
    SetRamp: lambda s, c: replace(s, ramp=one_of("ramp", c.ramp, RAMPS)),
    SetSignal: lambda s, c: replace(s, signal=one_of("signal", c.signal, SIGNALS)),
    SetBudget: lambda s, c: replace(s, budget=c.budget),
    Resize: _resize,
    SetPanels: lambda s, c: replace(s, panels=c.panels),
}
