"""A comparison in a real window: one key shows it, the inspector lists what changed, a click flies there."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn3d.app.changes import laid
from nn3d.app.window import Viewer
from nn3d.run.run import Run
from nn3d.stage.state import Compare, Thing
from tests.app.test_inspector_window import middle
from tests.app.test_window import click_at, drive, key, move, plot_at


def middle_of(name: str) -> Callable[[Viewer], tuple[float, float]]:
    """Of a button, wherever it was drawn last."""

    def where(viewer: Viewer) -> tuple[float, float]:
        box = viewer._surface._ui.places[name]
        return box.x + box.w / 2, box.y + box.h / 2

    return where


def dragged(name: str, share: float) -> Callable[[Viewer], list[str]]:
    """What drags a handle to a share of the timeline's plot."""

    def hands(viewer: Viewer) -> list[str]:
        start, goal = middle_of(name)(viewer), plot_at(viewer, share)[0]
        to = [move(start[0] + (goal - start[0]) * k / 4.0, start[1]) for k in (1, 2, 3, 4)]
        return [*move(*start), "sleep", "0.1", "mousedown", "1", *(w for m in to for w in (*m, "sleep", "0.05")),
                "mouseup", "1"]  # fmt: skip

    return hands


def test_one_key_compares_and_the_most_changed_filter_is_flown_to(display: str, small_run: Run) -> None:
    shares = []
    for layer in small_run.layers:
        if layer.weight is not None:
            a, b = (np.asarray(small_run.parameter(layer.weight, e), np.float64) for e in (0, 3))
            lengths = [np.linalg.norm(w.reshape(len(w), -1), axis=1) for w in (b - a, a)]
            shares += [(float(s), layer.index, k) for k, s in enumerate(lengths[0] / lengths[1])]
    _, layer, row = max(shares)
    name = f"filter{layer}.{row}"
    hand = drive(
        small_run,
        (key("b"), lambda v: v.state.compare == Compare(0)),
        (click_at(middle_of("a on")), lambda v: v.state.compare == Compare(1)),
        (click_at(middle_of("a back")), lambda v: v.state.compare == Compare(0)),
        (dragged("baseline", 1.0 / 3.0), lambda v: v.state.compare == Compare(1) and v.state.time.epoch == 3.0),
        (dragged("baseline", 0.0), lambda v: v.state.compare == Compare(0)),
        (click_at(middle_of("sides")), lambda v: len(v.frame.insets) == 2 and not v.frame.missing),
        (click_at(middle(name)), lambda v: v.state.selection == Thing(layer, row) and v.state.flight is None),
        (key("b"), lambda v: v.state.compare is None),
        (key("Left"), lambda v: v.state.time.epoch == 2.0),
        (key("shift+b"), lambda v: v.state.compare == Compare(2)),
        (key("ctrl+z"), lambda v: v.state.compare is None),
        size_px=(1300, 700),
    )
    assert hand.last is not None
    assert hand.last.compare_again == Compare(2)


def test_a_filter_is_laid_out_without_a_weight_lost() -> None:
    rng = np.random.default_rng(0)
    for shape in ((3, 5, 5), (6, 5, 5), (400,), (7,), (16, 3, 3), (1, 28, 28), (2, 9)):
        weights = rng.normal(size=shape).astype(np.float32)
        cells = laid(weights)
        assert cells.ndim == 2
        assert np.sort(cells[cells != 0]).tolist() == np.sort(weights.ravel()).tolist()
        assert max(cells.shape) <= 8 * min(cells.shape) or min(shape) == 1 or weights.ndim < 3


