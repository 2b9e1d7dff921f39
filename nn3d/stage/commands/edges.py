"""Commands of the edges: which are drawn, what they show, how tightly they are bundled."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nn3d.stage.commands.common import Appliers, one_of
from nn3d.stage.state import (
    LEVELS,
    MODES,
    PRINTS,
    SELECTIONS,
    ViewState,
)


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


def set_level(state: ViewState, c: SetLevel) -> ViewState:
    """The state on its way to another level of the edges."""
    edges, level = state.edges, one_of("level", c.level, LEVELS)
    if level == edges.level and not c.at_once:
        return state
    if c.at_once or edges.selection == "off":
        return replace(state, edges=replace(edges, level=level, level_from=level, level_blend=1.0))
    turned = edges.level_blend < 1.0 and level == edges.level_from
    blend = 1.0 - edges.level_blend if turned else 0.0
    return replace(state, edges=replace(edges, level=level, level_from=edges.level, level_blend=blend))


def _set_strength(state: ViewState, c: SetStrength) -> ViewState:
    b = min(1.0, max(0.0, c.strength))
    now = b if c.at_once else state.edges.strength
    return replace(state, edges=replace(state.edges, strength=now, strength_target=b))


APPLY: Appliers = {
    SetLevel: set_level,
    SetMode: lambda s, c: replace(s, edges=replace(s.edges, mode=one_of("mode", c.mode, MODES))),
    SetSelection: lambda s, c: replace(
        s, edges=replace(s.edges, selection=one_of("selection", c.selection, SELECTIONS))
    ),
    SetPrint: lambda s, c: replace(s, edges=replace(s.edges, print=one_of("print", c.print, PRINTS))),
    SetStrength: _set_strength,
}
