"""Owns the one table of gestures: from it come dispatch, the help card, tooltips and the guide.

A trigger is a word: "drag left", "drag middle", "drag right", "wheel", "move", "click", "double click", or a key:
"Ctrl B", "Shift F", "Space", "Left", "[", "?". Ctrl is ⌘ on macOS. Lengths are logical px, top left origin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from nn3d.stage import camera as cameras
from nn3d.stage.commands import (
    Arrange,
    Command,
    FlyTo,
    Hover,
    OpenGroup,
    OpenLevel,
    Play,
    Select,
    SetCamera,
    SetEpoch,
    SetLevel,
    SetMode,
    SetOpen,
    SetOrder,
    SetPanels,
    SetSample,
    SetSelection,
    SetStrength,
    SetTheme,
    StepEpoch,
)
from nn3d.stage.frame import Frame
from nn3d.stage.framing import framed
from nn3d.stage.state import LEVELS, MODES, Camera, Panels, Thing, ViewState

RAD_PER_PX: Final = math.radians(0.28)
WHEEL_FACTOR: Final = 0.88
FLY_SHARE: Final = 0.12
FLY_SECS: Final = 0.25
CYCLE: Final = ("sampled", "top", "exact", "all", "off")
GROUPS: Final = ("Camera", "Picture", "Time and samples", "Window")


@dataclass(frozen=True, slots=True)
class SavePicture:
    """Asks the window for a PNG of the picture: it changes no state, so it is no command."""


Act = Command | SavePicture
Acts = tuple[Act, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """What a gesture is answered from.

    frame : the picture that the user sees; its state may be older than `state`.
    wrong : indices of the samples that are predicted wrong at this epoch, ascending.
    at_px, delta_px : pointer, and how far it moved (drag). wheel : clicks of the wheel, away from the user positive.
    thing : what is under the pointer.
    """

    state: ViewState
    frame: Frame
    wrong: tuple[int, ...] = ()
    at_px: tuple[float, float] = (0.0, 0.0)
    delta_px: tuple[float, float] = (0.0, 0.0)
    wheel: float = 0.0
    thing: Thing | None = None

    @property
    def camera(self) -> Camera:
        """The camera as it is now, free of fit; exact even when the frame is older than the state."""
        if self.state.camera.fit or self.state.flight is not None:
            return cameras.resolve(self.frame)
        return self.state.camera


Handler = Callable[[Context], Acts]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. caps : what help shows, key by key. handlers : trigger → what it does."""

    group: str
    words: str
    caps: tuple[str, ...]
    handlers: MappingProxyType[str, Handler]


def _row(group: str, words: str, caps: tuple[str, ...], **handlers: Handler) -> Row:
    """Triggers are written with _ for a space ("drag_left") where they are words."""
    return _keys(group, words, caps, {name.replace("_", " "): handler for name, handler in handlers.items()})


def _keys(group: str, words: str, caps: tuple[str, ...], handlers: dict[str, Handler]) -> Row:
    return Row(group, words, caps, MappingProxyType(handlers))


def _turn(c: Context) -> Acts:
    dx, dy = c.delta_px
    return (SetCamera(cameras.orbit(c.camera, -dx * RAD_PER_PX, dy * RAD_PER_PX)),)


def _move(c: Context) -> Acts:
    return (SetCamera(cameras.pan(c.camera, c.frame.view, *c.delta_px)),)


def _nearer(c: Context) -> Acts:
    factor = WHEEL_FACTOR**c.wheel
    return (SetCamera(cameras.dolly(c.camera, c.frame.view, factor, c.at_px, c.state.size_px)),)


def _fly(forward: float, right: float) -> Handler:
    def handler(c: Context) -> Acts:
        start = c.camera
        goal = start if c.state.camera.fit else c.state.camera
        step = FLY_SHARE * goal.distance
        return (FlyTo(start, cameras.fly(goal, c.frame.view, forward * step, right * step, 0.0), FLY_SECS),)

    return handler


def _fit(c: Context) -> Acts:
    return (FlyTo(c.camera, cameras.fit(c.state.camera)),)


def _fit_selection(c: Context) -> Acts:
    thing = c.state.selection
    return _fit(c) if thing is None else fly_to(c, thing)


def fly_to(c: Context, thing: Thing) -> Acts:
    """Let the camera travel to a layer, or to one of its tiles."""
    return (FlyTo(c.camera, framed(c.frame, thing)),)


def _hover(c: Context) -> Acts:
    return () if c.thing == c.state.hover else (Hover(c.thing),)


def _select(c: Context) -> Acts:
    return () if c.thing == c.state.selection else (Select(c.thing),)


def _open_or_fly(c: Context) -> Acts:
    thing = c.thing
    if thing is None:
        return ()
    closed, n_layers = _closed_group(c, thing), len(c.state.layers)
    if closed is not None:
        return (OpenGroup(closed, True),)
    if thing.layer >= n_layers:
        return (OpenGroup(thing.layer - n_layers, False),)
    is_open = c.state.layers[thing.layer].is_open
    if is_open and thing.tile >= 0:
        return fly_to(c, thing)
    return (SetOpen(thing.layer, not is_open),)


def _closed_group(c: Context, thing: Thing) -> int | None:
    """The closed group that stands for a thing in the picture, the outermost; None where the thing itself does."""
    groups, n_layers = c.frame.groups, len(c.state.layers)
    if groups is None:
        return None
    item = groups.shown_as(thing.layer, frozenset(c.state.fold.after))
    is_closed = item >= n_layers and item - n_layers not in c.state.fold.after
    return item - n_layers if is_closed else None


def _chosen(c: Context) -> int | None:
    return None if c.state.selection is None else c.state.selection.layer


def _arrange(arrangement: str) -> Handler:
    """A group has no arrangement of its own."""

    def handler(c: Context) -> Acts:
        chosen = _chosen(c)
        return () if chosen is not None and chosen >= len(c.state.layers) else (Arrange(chosen, arrangement),)

    return handler


def _collapse(c: Context) -> Acts:
    chosen = _chosen(c)
    if chosen is not None and chosen >= len(c.state.layers):
        return (OpenGroup(chosen - len(c.state.layers), False),)
    return (SetOpen(chosen, False),)


def _unfold(c: Context) -> Acts:
    """Open the group that stands for the selection, else all groups of the next level."""
    thing, state = c.state.selection, c.state
    if thing is not None:
        closed = _closed_group(c, thing)
        return () if closed is None else (OpenGroup(closed, True),)
    left = [d for g, d in enumerate(state.group_depths) if g not in state.fold.after]
    return (OpenLevel(min(left) + 1),) if left else ()


def _fold(c: Context) -> Acts:
    """Close the innermost open group around the selection and select it, else all groups of the deepest open level."""
    thing, state, groups = c.state.selection, c.state, c.frame.groups
    if thing is not None and groups is not None:
        n = groups.n_layers
        inside = [thing.layer - n] if thing.layer - n in state.fold.after else groups.around(thing.layer)
        found = next((g for g in inside if g in state.fold.after), None)
        return () if found is None else (OpenGroup(found, False), Select(Thing(n + found)))
    deep = [state.group_depths[g] for g in state.fold.after]
    return (OpenLevel(max(deep)),) if deep else ()


def _level(step: int) -> Handler:
    def handler(c: Context) -> Acts:
        at = min(max(LEVELS.index(c.state.edges.level) + step, 0), len(LEVELS) - 1)
        return (SetLevel(LEVELS[at]),)

    return handler


def _order(c: Context) -> Acts:
    return (SetOrder("index" if c.state.order == "flow" else "flow"),)


def _strength(step: float) -> Handler:
    return lambda c: (SetStrength(round(c.state.edges.strength_target + step, 2)),)


def _mode(c: Context) -> Acts:
    return (SetMode(MODES[(MODES.index(c.state.edges.mode) + 1) % len(MODES)]),)


def _selection(c: Context) -> Acts:
    at = CYCLE.index(c.state.edges.selection)
    return (SetSelection(CYCLE[(at + 1) % len(CYCLE)]),)


def _back(c: Context) -> Acts:
    panels = c.state.panels
    if panels.help:
        return (SetPanels(replace(panels, help=False)),)
    if panels.picture_only:
        return (SetPanels(replace(panels, picture_only=False)),)
    return (Select(None),) if c.state.selection is not None else ()


def _play(c: Context) -> Acts:
    return (Play(not c.state.time.is_playing),)


def _epoch(step: int) -> Handler:
    return lambda c: (StepEpoch(step),)


def _last_epoch(c: Context) -> Acts:
    return (SetEpoch(float(max(0, c.state.n_epochs - 1))),)


def _sample(step: int) -> Handler:
    return lambda c: (SetSample(c.state.sample + step),)


def _next_wrong(c: Context) -> Acts:
    if not c.wrong:
        return ()
    return (SetSample(next((s for s in c.wrong if s > c.state.sample), c.wrong[0])),)


def _panel(edit: Callable[[Panels], Panels]) -> Handler:
    return lambda c: (SetPanels(edit(c.state.panels)),)


def _theme(c: Context) -> Acts:
    return (SetTheme("light" if c.state.theme == "dark" else "dark"),)


def _save(_: Context) -> Acts:
    return (SavePicture(),)


_CAMERA, _PICTURE, _TIME, _WINDOW = GROUPS

TABLE: Final[tuple[Row, ...]] = (
    _row(_CAMERA, "turn", ("Drag",), drag_left=_turn),
    _row(_CAMERA, "move", ("Right drag",), drag_right=_move, drag_middle=_move),
    _row(_CAMERA, "nearer, at the pointer", ("Wheel",), wheel=_nearer),
    _keys(_CAMERA, "fly", ("Ctrl ←", "→", "↑", "↓"), {
        "Ctrl Left": _fly(0, -1), "Ctrl Right": _fly(0, 1), "Ctrl Up": _fly(1, 0), "Ctrl Down": _fly(-1, 0),
    }),
    _row(_CAMERA, "fit everything", ("F",), F=_fit),
    _row(_CAMERA, "fit the selection", ("Shift F",), Shift_F=_fit_selection),
    _row(_PICTURE, "name what is there", ("Hover",), move=_hover),
    _row(_PICTURE, "select", ("Click",), click=_select),
    _row(_PICTURE, "open, collapse, fly to a map", ("Double click",), double_click=_open_or_fly),
    _row(_PICTURE, "collapse, line, circle, grid", ("C", "L", "O", "G"),
         C=_collapse, L=_arrange("line"), O=_arrange("circle"), G=_arrange("grid")),
    _row(_PICTURE, "unfold, fold groups", ("U", "Shift U"), U=_unfold, Shift_U=_fold),
    _keys(_PICTURE, "fewer, more edges", ("[", "]"), {"[": _level(-1), "]": _level(1)}),
    _row(_PICTURE, "tiles by index or by flow", ("R",), R=_order),
    _keys(_PICTURE, "strength of the strands", ("−", "+"), {
        "-": _strength(-0.1), "+": _strength(0.1), "=": _strength(0.1),
    }),
    _row(_PICTURE, "weight, contribution, gradient", ("W",), W=_mode),
    _row(_PICTURE, "sampled, strongest, exact, all edges, none", ("E",), E=_selection),
    _row(_PICTURE, "let go, one step back", ("Esc",), Esc=_back),
    _row(_TIME, "play or pause", ("Space",), Space=_play),
    _row(_TIME, "one epoch", ("←", "→"), Left=_epoch(-1), Right=_epoch(1)),
    _row(_TIME, "first, last epoch", ("Home", "End"), Home=lambda c: (SetEpoch(0.0),), End=_last_epoch),
    _row(_TIME, "previous, next sample", ("↑", "↓"), Up=_sample(-1), Down=_sample(1)),
    _row(_TIME, "next wrong sample", ("N",), N=_next_wrong),
    _row(_WINDOW, "picture only, and back", ("Tab",),
         Tab=_panel(lambda p: replace(p, picture_only=not p.picture_only))),
    _row(_WINDOW, "tree of layers", ("Ctrl B",), Ctrl_B=_panel(lambda p: replace(p, tree=not p.tree))),
    _row(_WINDOW, "inspector", ("Ctrl I",), Ctrl_I=_panel(lambda p: replace(p, inspector=not p.inspector))),
    _row(_WINDOW, "dark or light", ("T",), T=_theme),
    _row(_WINDOW, "save a PNG", ("P",), P=_save),
    _keys(_WINDOW, "mouse and keys", ("?",), {"?": _panel(lambda p: replace(p, help=not p.help))}),
)  # fmt: skip

_DISPATCH: Final[dict[str, Handler]] = {t: handler for row in TABLE for t, handler in row.handlers.items()}
KEYS: Final[frozenset[str]] = frozenset(_DISPATCH)


def answer(trigger: str, context: Context) -> Acts:
    """What a gesture does: commands to apply in order; () when the table has no such trigger."""
    handler = _DISPATCH.get(trigger)
    return () if handler is None else handler(context)


def tip(words: str) -> str:
    """The tooltip of a control: the words of a row with its keys, "play or pause  (Space)".

    Raises KeyError when no row has these words.
    """
    row = next((r for r in TABLE if r.words == words), None)
    if row is None:
        raise KeyError(words)
    return f"{words[0].upper()}{words[1:]}  ({' '.join(row.caps)})"


def rows_of(group: str) -> Iterator[Row]:
    """The rows of a group, in order."""
    return (row for row in TABLE if row.group == group)


def markdown() -> str:
    """The table for the guide."""
    lines = ["| | gesture | what it does |", "|---|---|---|"]
    lines += [f"| {row.group} | {' '.join(f'`{cap}`' for cap in row.caps)} | {row.words} |" for row in TABLE]
    return "\n".join(lines) + "\n"
