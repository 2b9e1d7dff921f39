"""Commands of what stands apart: the selection with its neighbours alone, and what is hidden."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nn3d.errors import Nn3dError
from nn3d.stage import apart
from nn3d.stage.commands.common import Appliers
from nn3d.stage.state import ViewState


@dataclass(frozen=True, slots=True)
class SetReach:
    """Show the selection alone with what lies at most `reach` links back and on; 0 shows all."""

    reach: int
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Hide:
    """Hide these items, layers or groups, in place of those that were hidden; () shows all."""

    items: tuple[int, ...]
    at_once: bool = False


def _set_reach(state: ViewState, c: SetReach) -> ViewState:
    if not 0 <= c.reach <= apart.MOST_REACH:
        raise Nn3dError(f"reach should be 0 to {apart.MOST_REACH}, got {c.reach}")
    after = replace(state, reach=c.reach)
    return apart.at_once(after) if c.at_once else after


def _hide(state: ViewState, c: Hide) -> ViewState:
    n = len(state.layers) + len(state.group_depths)
    wrong = next((i for i in c.items if not 0 <= i < n), None)
    if wrong is not None:
        raise Nn3dError(f"items should be 0 to {n - 1}, got {wrong}")
    after = replace(state, hidden=tuple(sorted(set(c.items))))
    return apart.at_once(after) if c.at_once else after


APPLY: Appliers = {SetReach: _set_reach, Hide: _hide}
