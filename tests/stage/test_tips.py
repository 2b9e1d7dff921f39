"""What tooltips say is what the run holds: of cells the value, of edges the weight and what it contributes."""

from __future__ import annotations

import numpy as np
import pytest

from nn3d.stage import commands as c
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame
from nn3d.stage.overlay.blocks import plain, signed
from nn3d.stage.pointed import Pointed
from nn3d.stage.resident import Resident
from nn3d.stage.state import Thing
from nn3d.stage.tips import tip_lines
from tests.runs import bundled

RUN = bundled()
RESIDENT = Resident(RUN)
CONV2 = RUN.layer("conv2").index


def frame_of(*commands: c.Command) -> Frame:
    state = initial_state(RUN, RESIDENT)
    for command in commands:
        state = c.apply(state, command)
    return compose(RUN, state, resident=RESIDENT)


def test_a_cell_has_name_value_index_and_shape() -> None:
    value = RUN.values(RUN.layers[CONV2].shown, 0, 10, 0)[11, 8, 4]
    said = tip_lines(RUN, frame_of(), Pointed("cell", Thing(CONV2, 11, 8, 4)), {})
    assert said == (f"conv2   {plain(float(value))}", "map 11, cell (8, 4)", "16 × 10 × 10")
    fc3 = RUN.layer("fc3").index
    assert tip_lines(RUN, frame_of(), Pointed("cell", Thing(fc3, 3, 0, 0)), {})[1] == "unit 3, 3"


def test_between_two_epochs_it_is_the_value_that_is_drawn() -> None:
    a, b = (float(RUN.values(RUN.layers[CONV2].shown, 0, e, 0)[11, 8, 4]) for e in (6, 7))
    said = tip_lines(RUN, frame_of(c.SetEpoch(6.25, at_once=True)), Pointed("cell", Thing(CONV2, 11, 8, 4)), {})
    assert said[0] == f"conv2   {plain(0.75 * a + 0.25 * b)}"


@pytest.mark.parametrize("level", ["kernels", "all"])
def test_an_edge_has_its_weight_its_index_and_its_contribution(level: str, rng: np.random.Generator) -> None:
    frame = frame_of(c.SetLevel(level, at_once=True), c.SetMode("weight"))
    met: dict[tuple[int, int, int, int], np.ndarray] = {}
    source = RUN.values(RUN.layers[RUN.layer("pool1").index].shown, 0, 10, 0)
    strands = next(k for k, s in enumerate(frame.strands) if frame.tiles[s.target].layer == CONV2)
    s = frame.strands[strands]
    for row in rng.choice(np.flatnonzero(s.source_cell >= 0) if level == "all" else s.weight_index.size, 8).tolist():
        said = tip_lines(RUN, frame, Pointed("edge", link=strands, row=row), met)
        o, i, y, x = (int(v) for v in np.unravel_index(s.weight_index[row], (16, 6, 5, 5)))
        w = float(RUN.weights("features.conv2.weight", epoch=10)[o, i, y, x])
        assert said[0].startswith(f"pool1 map {i}")
        assert f" → conv2 map {o}" in said[0]
        assert said[1] == f"weight {signed(w)}   features.conv2.weight [{o}, {i}, {y}, {x}]"
        met_by_all = source[i, y : y + 10, x : x + 10].sum()
        inputs = source[i].reshape(-1)[s.source_cell[row]] if level == "all" else met_by_all
        assert float(said[2].split()[1].replace("−", "-")) == pytest.approx(w * float(inputs), rel=2e-3, abs=1e-9)


def test_a_rope_counts_its_edges_and_says_what_they_cover() -> None:
    frame = frame_of()
    k = next(k for k, s in enumerate(frame.strands) if frame.tiles[s.target].layer == CONV2)
    shown, total, share = frame.strands[k].counts
    said = tip_lines(RUN, frame, Pointed("trunk", link=k, row=0), {})
    assert said[0] == "pool1 → conv2"
    assert said[1] == f"{shown:,} of {total:,} edges drawn, {100 * share:.1f} % of their sum"
    up, down = (float(v.split(" %")[0]) for v in said[2].replace(" for, ", "|").replace(" against", "").split("|"))
    assert up + down == pytest.approx(100.0, abs=0.11)


def test_groups_and_layers_say_what_they_are_and_other_words_nothing_more() -> None:
    frame = frame_of()
    assert frame.groups is not None
    n = len(RUN.layers)
    said = tip_lines(RUN, frame, Pointed("group", Thing(n)), {})
    assert said[0] == frame.groups.all[0].name
    assert f"{len(frame.groups.all[0].layers)} layers" in said
    layer = tip_lines(RUN, frame, Pointed("layer", Thing(CONV2)), {})
    assert layer == ("conv2", "Conv 5×5 · ReLU", "16 × 10 × 10", "2,416 parameters")
    assert tip_lines(RUN, frame, Pointed("label", Thing(CONV2), mark=0), {}) == layer
    assert tip_lines(RUN, frame, Pointed("label", mark=0), {}) == ()
