"""A tour in the window, with real clicks and keys: on, back, by itself, and out of it."""

from __future__ import annotations

from nn3d.app.guide import tour_of
from nn3d.app.panels.guide import HEIGHT
from nn3d.app.window import Viewer, show
from nn3d.paths import bundled_runs, bundled_tours
from nn3d.run.reader import open_run
from nn3d.stage.state import Thing
from nn3d.stage.tour import from_data
from tests.app.test_visit import SIZE, Guest, click


def test_every_bundled_tour_belongs_to_a_bundled_run_and_names_what_it_has() -> None:
    assert "lenet-mnist" in bundled_tours()
    for name in bundled_tours():
        with open_run(bundled_runs()[name]) as run:
            tour = tour_of(run)
            assert tour is not None
            assert len(tour.steps) >= 5
            assert all(step.say for step in tour.steps)


def test_a_tour_is_taken_left_and_goes_back_to_the_view_a_step_began_with(display: str) -> None:
    def card(viewer: Viewer) -> tuple[float, float]:
        box = viewer.layout.boxes["guide"]
        return box.x1, box.y + HEIGHT / 2

    with open_run(bundled_runs()["lenet-mnist"]) as run:
        tour = tour_of(run)
        assert tour is not None
        says = [step.say for step in tour.steps]
        conv1 = run.layer("conv1").index
        guest = Guest([
            (lambda v: click(card(v)[0] - 90, card(v)[1])(v), lambda v: v.state.caption == says[0]),
            (lambda _: ["key", "Next"], lambda v: v.state.caption == says[1]),
            (lambda _: ["key", "Next", "key", "Next"], lambda v: v.state.selection == Thing(conv1, 1, 12, 17)),
            (lambda _: ["key", "Prior"], lambda v: v.state.caption == says[2] and v.state.selection is None),
            (lambda v: click(card(v)[0] - 22, card(v)[1])(v), lambda v: v.state.caption == "" and v.guide is None),
        ])  # fmt: skip
        show(run, max_secs=60.0, on_frame=guest, size_px=SIZE)
        assert guest.done == 5


def test_a_tour_plays_by_itself_to_its_end(display: str) -> None:
    with open_run(bundled_runs()["lenet-mnist"]) as run:
        steps = [{"say": f"step {k}", "secs": 0.1, "do": [{"do": "SetEpoch", "epoch": k}]} for k in range(3)]
        tour = from_data({"nn3d_tour": 1, "steps": steps}, {layer.name: layer.index for layer in run.layers})
        seen: list[str] = []

        def on_frame(viewer: Viewer) -> None:
            if viewer.state.caption not in seen[-1:]:
                seen.append(viewer.state.caption)
            guide = viewer.guide
            assert guide is not None
            if guide.step < 0:
                viewer.do(guide.go(0, viewer.state))
                guide.play(on=True)
            elif guide.step == 2 and not guide.is_playing:
                viewer.stop()

        last = show(run, max_secs=60.0, on_frame=on_frame, size_px=SIZE, tour=tour)
        assert [s for s in seen if s] == ["step 0", "step 1", "step 2"]
        assert last.time.epoch == 2.0
