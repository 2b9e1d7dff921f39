"""The controls of colour in the window: scope and ramp in the network's card, stages in a layer's, pressed for real."""

from __future__ import annotations

from nn3d.app.window import Viewer, show
from tests.app.test_window import MAX_SECS, WIDE, Hand, click_at, tile_at
from tests.runs import bundled


def inspector_at(viewer: Viewer, from_right: float, down: float) -> tuple[float, float]:
    box = viewer.layout.boxes["inspector"]
    return box.x1 - from_right, box.y + down


def test_scope_ramp_and_stage_are_set_where_they_are_shown(display: str) -> None:
    run = bundled()
    conv1 = run.layer("conv1").index

    def is_chosen(viewer: Viewer) -> bool:
        return viewer.state.selection is not None and viewer.state.selection.layer == conv1

    hand = Hand([
        (click_at(lambda v: inspector_at(v, 160, 77)), lambda v: v.state.scope == "map"),
        (click_at(lambda v: inspector_at(v, 42, 109)), lambda v: v.state.ramp == "cividis"),
        (click_at(lambda v: tile_at(v, conv1)), is_chosen),
        (click_at(lambda v: inspector_at(v, 80, 77)), lambda v: v.state.layers[conv1].stage == 0),
        (click_at(lambda v: inspector_at(v, 40, 77)), lambda v: v.state.layers[conv1].stage == -1),
    ])  # fmt: skip
    show(run, max_secs=MAX_SECS, on_frame=hand, size_px=WIDE)
    assert hand.done == len(hand.steps), f"step {hand.done} had no effect"
