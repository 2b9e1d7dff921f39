"""Every change of the view is one of these values; `apply` is the only function that makes a new ViewState.

Commands are what gets recorded and replayed: `to_json` and `from_json` are an interaction test, a tour, a bug report.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nn3d.errors import Nn3dError
from nn3d.stage import exact, jsonable
from nn3d.stage import slide as slides
from nn3d.stage.commands import (
    apart,
    comparing,
    edges,
    finding,
    layers,
    microscope,
    own,
    picture,
    recalling,
    restoring,
    time,
)
from nn3d.stage.commands.apart import Hide, SetReach
from nn3d.stage.commands.common import Appliers
from nn3d.stage.commands.comparing import SetCompare, SetSides
from nn3d.stage.commands.edges import (
    SetLevel,
    SetMode,
    SetPrint,
    SetSelection,
    SetStrength,
)
from nn3d.stage.commands.finding import SetSearch
from nn3d.stage.commands.layers import (
    Arrange,
    FoldAll,
    OpenGroup,
    OpenLevel,
    SetOpen,
    SetOrder,
    SetStage,
    UnfoldAll,
)
from nn3d.stage.commands.microscope import (
    PlaySlide,
    SetDepth,
    SetPath,
    SetSlideSpeed,
    StartSlide,
    StepSlide,
    StopSlide,
)
from nn3d.stage.commands.own import AddOwn, EditOwn, RemoveOwn, SetWriting, StartWave
from nn3d.stage.commands.picture import (
    FlyTo,
    Hover,
    Resize,
    Say,
    Select,
    SelectAlso,
    SetBudget,
    SetCamera,
    SetPanels,
    SetRamp,
    SetScope,
    SetSignal,
    SetTheme,
)
from nn3d.stage.commands.recalling import Recall
from nn3d.stage.commands.restoring import Restore, SetBookmark
from nn3d.stage.commands.time import (
    Advance,
    Follow,
    Grow,
    Play,
    SetChart,
    SetEpoch,
    SetLoop,
    SetLoopRange,
    SetSample,
    SetSpeed,
    StepEpoch,
)
from nn3d.stage.state import EXACT_PASSES, ViewState

__all__ = [
    "COMMANDS",
    "AddOwn",
    "Advance",
    "Arrange",
    "Command",
    "EditOwn",
    "FlyTo",
    "FoldAll",
    "Follow",
    "Grow",
    "Hide",
    "Hover",
    "OpenGroup",
    "OpenLevel",
    "Play",
    "PlaySlide",
    "Recall",
    "RemoveOwn",
    "Resize",
    "Restore",
    "Say",
    "Select",
    "SelectAlso",
    "SetBookmark",
    "SetBudget",
    "SetCamera",
    "SetChart",
    "SetCompare",
    "SetDepth",
    "SetEpoch",
    "SetLevel",
    "SetLoop",
    "SetLoopRange",
    "SetMode",
    "SetOpen",
    "SetOrder",
    "SetPanels",
    "SetPath",
    "SetPrint",
    "SetRamp",
    "SetReach",
    "SetSample",
    "SetScope",
    "SetSearch",
    "SetSelection",
    "SetSides",
    "SetSignal",
    "SetSlideSpeed",
    "SetSpeed",
    "SetStage",
    "SetStrength",
    "SetTheme",
    "SetWriting",
    "StartSlide",
    "StartWave",
    "StepEpoch",
    "StepSlide",
    "StopSlide",
    "UnfoldAll",
    "apply",
    "from_json",
    "is_moving",
    "to_json",
]

Command = (
    Advance | Grow | Follow | SetEpoch | StepEpoch | Play | SetLoop | SetSpeed | SetSample | SetOpen | OpenGroup
    | OpenLevel | UnfoldAll | FoldAll | Arrange | Select | Hover | SetCamera | FlyTo | SetLevel | SetMode | SetSelection
    | SetStrength | SetOrder | SetTheme | SetScope | SetStage | SetRamp | SetBudget | SetPrint | Say | Resize
    | SetPanels | SetSearch | SetCompare | SetSides | Restore | Recall | SetBookmark | SetReach | Hide | SelectAlso
    | SetDepth | SetPath | StartSlide | PlaySlide
    | SetLoopRange | SetChart | SetSignal | StepSlide | SetSlideSpeed | StopSlide
    | AddOwn | EditOwn | RemoveOwn | SetWriting | StartWave
)  # fmt: skip

COMMANDS: dict[str, type[Any]] = {c.__name__: c for c in Command.__args__}

_APPLY: Appliers = {
    **finding.APPLY, **restoring.APPLY, **recalling.APPLY, **apart.APPLY,
    **time.APPLY, **layers.APPLY, **edges.APPLY, **picture.APPLY, **own.APPLY,
    **microscope.APPLY, **comparing.APPLY,
}  # fmt: skip


def apply(state: ViewState, command: Command) -> ViewState:
    """The view after `command`. Raises Nn3dError when the command names something that does not exist."""
    after = slides.kept(_APPLY[type(command)](state, command))
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
