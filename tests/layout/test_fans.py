"""Laws of plates that take single rows of one plate."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nn3d.layout.fans import FAN_GAP, Picked, fanned

ROWS = st.lists(st.tuples(st.floats(-0.5, 0.5), st.floats(0.2, 30.0)), min_size=2, max_size=5)


@given(ROWS, st.floats(1.0, 60.0), st.floats(-20.0, 20.0))
def test_plates_of_single_rows_stand_in_their_order_with_a_gap_around_the_mean_of_the_rows(
    rows: list[tuple[float, float]], tall: float, height: float
) -> None:
    middles, sizes = (np.array(v) for v in zip(*rows, strict=True))
    heights, column = np.array([tall, *sizes]), np.array([0, *[1] * len(rows)], np.int32)
    y = np.array([height, *np.linspace(0.0, -70.0, len(rows))])
    out = fanned(y, heights, column, [Picked(0, k + 1, m) for k, m in enumerate(middles)])
    assert out[0] == y[0]
    order = np.argsort(-middles, kind="stable") + 1
    between = -np.diff(out[order]) - (heights[order][1:] + heights[order][:-1]) / 2.0
    np.testing.assert_allclose(between, FAN_GAP, atol=1e-9)
    np.testing.assert_allclose(out[1:].mean(), height + tall * middles.mean(), atol=1e-9)


def test_a_column_that_holds_anything_else_and_a_single_slice_stay_in_their_lanes() -> None:
    y, heights = np.array([0.0, 0.0, -9.0, 12.0]), np.array([20.0, 4.0, 4.0, 4.0])
    column = np.array([0, 1, 1, 1], np.int32)
    two = [Picked(0, 1, 0.4), Picked(0, 2, -0.4)]
    np.testing.assert_array_equal(fanned(y, heights, column, two), y)
    np.testing.assert_array_equal(fanned(y, heights, np.array([0, 1, 2, 2], np.int32), two[:1]), y)
    assert fanned(y, heights, np.array([0, 1, 1, 2], np.int32), two)[2] != y[2]
