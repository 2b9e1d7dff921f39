"""Laws of the strands of one cell: they are its products, and with the bias they sum to its value."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from nn3d.paths import bundled_runs
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.cell_strands import LEVEL, MOST
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, StrandLayer, Text
from nn3d.stage.resident import Resident
from nn3d.stage.state import Edges, Thing


@cache
def loaded(name: str) -> tuple[Run, Resident]:
    run = open_run(bundled_runs()[name])
    return run, Resident(run)


def hovered(name: str, layer: str, cell: tuple[int, int, int], *commands: c.Command) -> Frame:
    """A picture with the pointer over a cell (tile, row, column), nothing folded."""
    run, resident = loaded(name)
    state = initial_state(run, resident)
    index = run.layer(layer).index
    for command in (c.UnfoldAll(at_once=True), *commands, c.Hover(Thing(index, *cell)), c.Advance(1.0)):
        state = c.apply(state, command)
    return compose(run, state, resident=resident)


def own(frame: Frame) -> StrandLayer:
    return next(s for s in frame.strands if s.level == LEVEL)


def total_of(frame: Frame) -> float:
    """Σ of the products that are drawn; none are where all of them are 0."""
    return sum(float(s.weight.sum(dtype=np.float64)) for s in frame.strands if s.level == LEVEL)


def products_and_bias(name: str, layer: str, cell: tuple[int, int, int]) -> tuple[float, float]:
    """(Σ of the strands, bias) of a cell."""
    run, _ = loaded(name)
    node = run.node(run.layer(layer).nodes[0])
    bias = node.parameters.get("bias")
    channel = cell[2] if name.startswith("gpt") else cell[0]
    b = 0.0 if bias is None else float(np.asarray(run.parameter(bias, -1)).ravel()[channel])
    return total_of(hovered(name, layer, cell)), b


@pytest.mark.parametrize("cell", [(0, 0, 0), (3, 20, 14), (5, 13, 9)])
def test_the_products_of_a_padded_convolution_and_its_bias_sum_to_the_cell(cell: tuple[int, int, int]) -> None:
    run, _ = loaded("lenet-mnist")
    total, bias = products_and_bias("lenet-mnist", "conv1", cell)
    stored = run.activations("conv1", -1)[0]
    assert max(0.0, total + bias) == pytest.approx(float(stored[cell]), abs=0.01 * float(stored.max()))


@pytest.mark.parametrize("cell", [(5, 3, 4), (2, 9, 0), (14, 8, 9)])
def test_the_products_over_all_input_maps_and_the_bias_sum_to_the_cell(cell: tuple[int, int, int]) -> None:
    run, _ = loaded("lenet-mnist")
    total, bias = products_and_bias("lenet-mnist", "conv2", cell)
    stored = run.activations("conv2", -1)[0]
    assert max(0.0, total + bias) == pytest.approx(float(stored[cell]), abs=0.01 * float(stored.max()))


@pytest.mark.parametrize("unit", [3, 60, 119])
def test_the_products_of_a_neuron_and_its_bias_sum_to_it(unit: int) -> None:
    run, _ = loaded("lenet-mnist")
    total, bias = products_and_bias("lenet-mnist", "fc1", (unit, 0, 0))
    stored = run.activations("fc1", -1)[0].ravel()
    assert max(0.0, total + bias) == pytest.approx(float(stored[unit]), abs=0.01 * float(stored.max()))


def test_strands_of_a_cell_stand_for_weight_times_the_cell_they_start_in() -> None:
    run, _ = loaded("lenet-mnist")
    strands = own(hovered("lenet-mnist", "conv2", (5, 3, 4)))
    node = run.node(run.layer("conv2").nodes[0])
    w = np.asarray(run.parameter(node.parameters["weight"], -1)).ravel()
    a = run.activations("pool1", -1)[0].reshape(6, -1)
    met = a[strands.strands["tiles"][:, 0], strands.source_cell]
    np.testing.assert_allclose(strands.weight, w[strands.weight_index] * met, rtol=1e-5, atol=1e-7)
    assert (strands.target_cell == 3 * 10 + 4).all()
    assert (strands.strands["tiles"][:, 1] == 5).all()


def test_a_token_cell_takes_its_products_from_its_own_row() -> None:
    run, resident = loaded("gpt-python")
    link = next(k for k in resident.plan.links if k.wiring is not None and k.wiring.is_token and k.path == "route")
    name = run.layers[link.target].name
    strands = own(hovered("gpt-python", name, (0, 3, 7)))
    assert len(strands.strands)
    columns = resident.plan.layers[link.source].tiles.cells[1]
    assert (strands.source_cell // columns == 3).all()
    np.testing.assert_allclose(strands.strands["source_uv"][:, 1], 3.5 / 16)


@pytest.mark.parametrize("level", ["trunk", "maps"])
def test_coarser_levels_light_whole_tiles(level: str) -> None:
    frame = hovered("lenet-mnist", "conv2", (5, 3, 4), c.SetLevel(level, at_once=True))
    assert all(s.level != LEVEL for s in frame.strands)
    assert sum(s.lit is not None for s in frame.strands) == 3


def test_the_strands_of_its_tile_dim_where_those_of_the_cell_stand_out() -> None:
    frame = hovered("lenet-mnist", "conv2", (5, 3, 4))
    into = [s for s in frame.strands if s.target == own(frame).target]
    assert [s.lit is not None for s in into] == [True, False]
    assert own(frame).grow == 1.0


def test_strands_that_leave_a_cell_are_those_that_start_in_it() -> None:
    frame = hovered("lenet-mnist", "pool2", (6, 2, 3))
    out = next(s for s in frame.strands if s.lit is not None and s.lit[0] == 6 and s.colour == "sign")
    u, v = out.strands["source_uv"][out.n_trunk :].T
    inside = (u >= out.lit_uv[0]) & (v >= out.lit_uv[1]) & (u <= out.lit_uv[2]) & (v <= out.lit_uv[3])
    at_cell = out.source_cell == 2 * 5 + 3
    np.testing.assert_array_equal(inside, at_cell)
    assert at_cell.any()


def test_of_a_wide_layer_at_most_a_few_hundred_products_are_drawn_and_it_says_so() -> None:
    run, resident = loaded("lenet-mnist")
    state = c.apply(initial_state(run, resident), c.Hover(Thing(run.layer("fc1").index, 60, 0, 0)))
    state = c.apply(c.apply(state, c.SetBudget(replace(state.budget, strands=40))), c.Advance(1.0))
    assert state.edges == Edges()
    frame = compose(run, state, resident=resident)
    drawn = own(frame)
    assert 0 < len(drawn.strands) < 60 < MOST
    said = [m.text for m in frame.marks if isinstance(m, Text)]
    assert any("fc1 60:" in text and "% of Σ|c|)" in text for text in said)
