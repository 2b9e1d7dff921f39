"""Every edge, a share at a time: while nothing moves, passes add up until all edges have counted.

Pass p draws the edges whose batch is p (nn3d.analysis.sampling.batches); together the passes are all edges, once.
"""

from __future__ import annotations

from dataclasses import replace

from nn3d.stage.state import EXACT_PASSES, Budget, Focus, Panels, ViewState

PASSES_PER_SEC = 8.0


def _placed(state: ViewState) -> ViewState:
    """The state without what leaves counted edges where they are."""
    return replace(
        state, edges=replace(state.edges, passes=0), theme="dark", hover=None, selection=None, focus=Focus(),
        panels=Panels(), budget=Budget(),
    )  # fmt: skip


def counted(before: ViewState, after: ViewState, secs: float | None) -> ViewState:
    """`after`, with its passes: none once the picture moved, one more (or 8 a second) for each time step at rest.

    secs : of a time step; None for any other command.
    """
    edges = after.edges
    if edges.selection != "exact":
        return after if edges.passes == 0 else replace(after, edges=replace(edges, passes=0))
    if _placed(before) != _placed(after):
        passes = 0
    elif secs is None or secs <= 0.0:
        passes = edges.passes
    else:
        passes = min(EXACT_PASSES, edges.passes + max(1, int(secs * PASSES_PER_SEC)))
    return after if passes == edges.passes else replace(after, edges=replace(edges, passes=passes))
