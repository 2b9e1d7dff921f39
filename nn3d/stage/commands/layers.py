"""Commands of layers and groups: open, fold, arrange, stage of values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from nn3d.errors import Nn3dError
from nn3d.stage import folds, reorder
from nn3d.stage.commands.common import Appliers, one_of
from nn3d.stage.state import (
    ARRANGEMENTS,
    ORDERS,
    LayerView,
    ViewState,
)


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
class SetOrder:
    """Order of the tiles in their layers: index, or flow (strong connections cross little). `at_once`: no motion."""

    order: str
    at_once: bool = False


def _edit_layers(state: ViewState, layer: int | None, edit: Callable[[LayerView], LayerView]) -> ViewState:
    if layer is not None and not 0 <= layer < len(state.layers):
        raise Nn3dError(f"layer should be 0 to {len(state.layers) - 1}, got {layer}")
    return replace(
        state, layers=tuple(edit(v) if layer is None or i == layer else v for i, v in enumerate(state.layers))
    )


def _set_open(state: ViewState, c: SetOpen) -> ViewState:
    goal = 1.0 if c.is_open else 0.0
    return _edit_layers(
        state, c.layer, lambda v: replace(v, is_open=c.is_open, opening=goal if c.at_once else v.opening)
    )


def _arrange(state: ViewState, c: Arrange) -> ViewState:
    name = one_of("arrangement", c.arrangement, ARRANGEMENTS)

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


APPLY: Appliers = {
    SetOpen: _set_open,
    OpenGroup: lambda s, c: folds.opened(s, c.group, is_open=c.is_open, at_once=c.at_once),
    OpenLevel: lambda s, c: folds.toward(s, folds.level(s, c.depth), at_once=c.at_once),
    UnfoldAll: lambda s, c: folds.toward(s, folds.level(s), at_once=c.at_once),
    FoldAll: lambda s, c: folds.toward(s, (), at_once=c.at_once),
    Arrange: _arrange,
    SetStage: _set_stage,
    SetOrder: lambda s, c: reorder.reordered(s, one_of("order", c.order, ORDERS), at_once=c.at_once),
}
