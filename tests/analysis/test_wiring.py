"""Laws of wiring: an edge's number, its two ends and its weight belong together."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nn3d.analysis.contribution import weighted_link, weights
from nn3d.analysis.wiring import Wiring, wiring
from nn3d.layout.arrange import fold
from nn3d.run.run import Run
from tests.runs import bundled, conv_run


def _wires(run: Run, target: int) -> Wiring:
    layer = run.layers[target]
    source = run.layers[layer.links[0].source]
    link = weighted_link(run, target, layer.links[0])
    assert link is not None
    found = wiring(link, fold(source.shape, source.axes), fold(layer.shape, layer.axes), False)
    assert found is not None
    return found


@given(
    kernel=st.integers(1, 3), padding=st.integers(0, 2), stride=st.integers(1, 2), dilation=st.integers(1, 2),
    seed=st.integers(0, 100),
)  # fmt: skip
def test_products_of_all_calculations_sum_to_every_output_cell(
    kernel: int, padding: int, stride: int, dilation: int, seed: int
) -> None:
    run = conv_run(kernel=kernel, padding=padding, stride=stride, dilation=dilation, seed=seed)
    wires = _wires(run, 1)
    a = run.values(run.layers[0].shown, 0, 0, 0)
    products = wires.products(weights(run, wires.link, 0), a)
    ends = wires.ends(np.arange(products.size), "all")
    stored = run.values(run.layers[1].shown, 0, 0, 0)
    cells = stored.shape[1] * stored.shape[2]
    sums = np.bincount(ends.target_tile * cells + ends.target_cell, products, stored.size)
    np.testing.assert_allclose(sums, stored.ravel(), rtol=1e-3, atol=1e-4)


def test_an_edge_of_a_kernel_names_its_output_input_row_and_column() -> None:
    wires = _wires(bundled(), bundled().layer("conv2").index)
    index = np.arange(wires.n_edges("kernels"))
    o, i, row, col = np.unravel_index(index, wires.link.shape)
    ends = wires.ends(index, "kernels")
    assert np.array_equal(ends.target_tile, o)
    assert np.array_equal(ends.source_tile, i)
    np.testing.assert_allclose(ends.source_uv, np.stack([(col + 0.5) / 5, (row + 0.5) / 5], 1), rtol=1e-6)
    assert np.array_equal(ends.weight, index)


def test_an_edge_into_a_neuron_after_maps_names_channel_and_cell() -> None:
    wires = _wires(bundled(), bundled().layer("fc1").index)
    index = np.array([0, 24, 25, 399, 400, 47_999])
    ends = wires.ends(index, "kernels")
    assert ends.target_tile.tolist() == [0, 0, 0, 0, 1, 119]
    assert ends.source_tile.tolist() == [0, 0, 1, 15, 0, 15]
    assert ends.source_cell.tolist() == [0, 24, 0, 24, 0, 24]


def test_maps_level_adds_up_the_kernels() -> None:
    wires = _wires(bundled(), bundled().layer("conv2").index)
    c = weights(bundled(), wires.link, -1)
    np.testing.assert_allclose(wires.amounts(c, "maps"), c.sum((2, 3)).ravel(), rtol=1e-5, atol=1e-6)
    assert wires.n_edges("maps") == 96


def test_too_many_products_fall_back_to_kernels() -> None:
    wires = _wires(bundled(), bundled().layer("conv1").index)
    assert wires.level_for("all") == "all"
    large = Wiring(wires.link, wires.source, (6, 1000, 1000), False)
    assert large.level_for("all") == "kernels"


def test_shapes_that_do_not_fit_have_no_wiring() -> None:
    wires = _wires(bundled(), bundled().layer("fc1").index)
    assert wiring(wires.link, (16, 4, 5), wires.target, False) is None
