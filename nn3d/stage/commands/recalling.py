"""The command that goes back to a whole earlier view at once, as a tour does when one steps back in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nn3d.errors import Nn3dError
from nn3d.stage.commands.common import Appliers
from nn3d.stage.state import ViewState


@dataclass(frozen=True, slots=True)
class Recall:
    """Be at another view at once, in the window as it is now: its size, cards, budget and theme stay."""

    view: ViewState


def _recall(state: ViewState, c: Recall) -> ViewState:
    if len(c.view.layers) != len(state.layers):
        raise Nn3dError(f"the view is of a network with {len(c.view.layers)} layers, this one has {len(state.layers)}")
    return replace(
        c.view, size_px=state.size_px, scale=state.scale, anchors=state.anchors, panels=state.panels,
        budget=state.budget, theme=state.theme,
    )  # fmt: skip


APPLY: Appliers = {Recall: _recall}
