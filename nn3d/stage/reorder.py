"""How tiles go from index order to the order by flow and back: one blend, which can turn round half-way."""

from __future__ import annotations

from dataclasses import replace

from nn3d.stage.state import ViewState, smooth

REORDER_SECS = 0.6


def reordered(state: ViewState, order: str, *, at_once: bool) -> ViewState:
    """The state on its way to `order` ("index" or "flow"), or there."""
    if order == state.order:
        return replace(state, order_blend=1.0) if at_once else state
    return replace(state, order=order, order_blend=1.0 if at_once else 1.0 - state.order_blend)


def advanced(state: ViewState, dt_secs: float) -> ViewState:
    """The state `dt_secs` later."""
    if state.order_blend >= 1.0:
        return state
    return replace(state, order_blend=min(1.0, state.order_blend + dt_secs / REORDER_SECS))


def flow_share(state: ViewState) -> float:
    """How far tiles are from index order (0) to the order by flow (1), eased."""
    done = smooth(state.order_blend)
    return done if state.order == "flow" else 1.0 - done
