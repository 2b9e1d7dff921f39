"""Every edge, a share at a time: while nothing moves, passes add up until all edges have counted.

Pass p draws the edges whose batch is p. A batch takes one of every 32 consecutive edges, at a place turned by the
block's chance number, so that each is an even sample of all edges and together they are all of them, once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nn3d.analysis.sampling import I64, chance
from nn3d.stage.state import EXACT_PASSES, Panels, ViewState

PASSES_PER_SEC = 8.0


def batches(n_edges: int) -> tuple[I64, tuple[int, ...]]:
    """(order, starts): all edge numbers sorted by batch, and where each of the 32 batches starts, with the end."""
    edge = np.arange(n_edges)
    turn = (chance(edge // EXACT_PASSES) * EXACT_PASSES).astype(np.int64)
    batch = (edge + turn) % EXACT_PASSES
    starts = np.searchsorted(np.sort(batch), np.arange(EXACT_PASSES + 1))
    return np.argsort(batch, kind="stable"), tuple(int(s) for s in starts)


def _placed(state: ViewState) -> ViewState:
    """The state without what leaves counted edges where they are."""
    return replace(
        state, edges=replace(state.edges, passes=0), theme="dark", hover=None, selection=None, panels=Panels()
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
