"""Commands of the search dialog."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nn3d.stage.commands.common import Appliers, one_of
from nn3d.stage.field import field_of
from nn3d.stage.state import SEARCHES, Search, ViewState


@dataclass(frozen=True, slots=True)
class SetSearch:
    """Open, change or close the search dialog: what is typed, and which line is chosen."""

    search: Search


def _set_search(state: ViewState, c: SetSearch) -> ViewState:
    s = c.search
    one_of("kind of search", s.kind, SEARCHES)
    if not s.kind:
        return replace(state, search=Search())
    field = field_of(s.text, s.caret, s.mark)
    return replace(state, search=replace(s, caret=field.caret, mark=field.mark, row=max(0, s.row)))


APPLY: Appliers = {SetSearch: _set_search}
