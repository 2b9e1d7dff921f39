"""Laws of small networks: every weight drawn from edge to edge on one scale, biases as stubs, numbers on the tiles."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from nn3d.run.memory import run_from_arrays
from nn3d.run.model import InputInfo
from nn3d.run.run import Run
from nn3d.stage import commands as c
from nn3d.stage.bars import strongest
from nn3d.stage.complete import compose
from nn3d.stage.compose import initial_state
from nn3d.stage.frame import Frame, Text
from nn3d.stage.look import palette
from nn3d.stage.overlay.neurons import contrast, face_inks, value_text
from nn3d.stage.reference import control_points, tile_places
from nn3d.stage.resident import Resident
from nn3d.stage.small import HALF_WIDTH, NeuronsNeed, thickest
from nn3d.stage.state import Thing
from nn3d.stage.stubs import SQUARE, THINNEST, stub_boxes
from tests.runs import bundled, mlp_run


def iris(n_epochs: int = 2) -> Run:
    """4-6-3 with biases and ReLU; values computed here, in float64."""
    rng = np.random.default_rng(7)
    sizes, x = (4, 6, 3), rng.normal(size=(2, 4)).astype(np.float32)
    layers: list[dict[str, object]] = [{"name": "input", "op": "input"}]
    values: dict[str, list[np.ndarray]] = {"input": [x] * n_epochs}
    before = "input"
    for k, (a, b) in enumerate(pairwise(sizes)):
        w = [rng.normal(size=(b, a)).astype(np.float32) for _ in range(n_epochs)]
        bias = [rng.normal(size=b).astype(np.float32) for _ in range(n_epochs)]
        layers.append({"name": f"fc{k}", "op": "linear", "parameters": {"weight": w, "bias": bias}})
        values[f"fc{k}"] = [v @ m.T + s for v, m, s in zip(values[before], w, bias, strict=True)]
        before = f"fc{k}"
        if k == 0:
            layers.append({"name": "relu0", "op": "relu"})
            values["relu0"] = [np.maximum(v, 0) for v in values[before]]
            before = "relu0"
    return run_from_arrays(layers, values, model="iris", classes=["setosa", "versicolor", "virginica"])


def frame_of(run: Run, *commands: c.Command, size: tuple[int, int] = (1600, 900)) -> Frame:
    """The first view after commands."""
    resident = Resident(run)
    state = initial_state(run, resident, size_px=size)
    for command in commands:
        state = c.apply(state, command)
    return compose(run, state, resident=resident)


def words(frame: Frame) -> list[str]:
    """All text on the picture."""
    return [m.text for m in frame.marks if isinstance(m, Text)]


def test_only_networks_of_few_neurons_are_small() -> None:
    assert Resident(iris()).plan.tallest == 6
    assert Resident(mlp_run((5, 40, 4))).plan.tallest == 0
    assert Resident(bundled()).plan.tallest == 0


def test_every_weight_is_drawn_once_with_the_area_of_its_share_of_the_largest() -> None:
    run = iris()
    frame = frame_of(run)
    weights = {p: run.parameter(p, 1).ravel() for p in range(len(run.parameters))}
    biggest = max(float(np.abs(w).max()) for w in weights.values())
    for s in frame.strands:
        assert s.path == "wire"
        w = weights[s.parameter]  # type: ignore[index]
        assert np.array_equal(np.sort(s.weight_index), np.arange(w.size))
        rows = s.strands[s.n_trunk :]
        half_width = s.hw * np.sqrt(rows["area"][:, 0])
        assert half_width == pytest.approx(HALF_WIDTH * np.sqrt(np.abs(w[s.weight_index]) / biggest), rel=1e-4)
        assert np.array_equal(np.sign(rows["amount"][:, 0]), np.sign(w[s.weight_index]))


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_wires_leave_at_the_right_edge_dock_at_the_left_one_and_keep_the_order_of_their_other_ends(side: float) -> None:
    run = iris()
    resident = Resident(run)
    state = replace(initial_state(run, resident), side=side)
    frame = compose(run, state, resident=resident)
    for s in frame.strands:
        rows, points = s.strands[s.n_trunk :], control_points(frame, s)[s.n_trunk :]
        ends = []
        for at, (layer, column) in enumerate(((s.source, 0), (s.target, 1))):
            centres, halves = tile_places(frame.tiles[layer])
            tile, p = rows["tiles"][:, column], points[:, (1, -1)[at]]
            edge = side if at == 0 else -side
            assert p[:, 2] == pytest.approx(centres[tile, 2] + edge * halves[tile, 1], abs=0.05)
            assert (np.abs(p[:, 1] - centres[tile, 1]) <= halves[tile, 0]).all()
            ends.append((tile, p[:, 1]))
        other = tile_places(frame.tiles[s.target])[0][rows["tiles"][:, 1], 1]
        for k in np.unique(ends[0][0]):
            mine = ends[0][0] == k
            assert np.array_equal(np.argsort(ends[0][1][mine]), np.argsort(other[mine]))


def test_a_bias_is_a_stub_as_thick_as_a_strand_of_that_value_in_the_colour_of_its_sign() -> None:
    run = iris()
    resident = Resident(run)
    frame = compose(run, initial_state(run, resident), resident=resident)
    neurons = resident.neurons(NeuronsNeed((1, 1), 0, "weight"))
    assert neurons is not None
    tiles = [t for t in frame.tiles if t.layer in neurons.biases][:1]
    boxes = stub_boxes(palette("dark"), tuple(tiles), neurons, 0.0, 1.0)
    bias = neurons.biases[tiles[0].layer][:, 0]
    rods = boxes[: bias.size]
    wanted = SQUARE * thickest(6) * np.sqrt(np.abs(bias) / neurons.largest[0])
    assert rods["half"][:, 0] == pytest.approx(np.maximum(wanted, THINNEST), rel=1e-4)
    is_warm = rods["colour"][:, 0] > rods["colour"][:, 2]
    assert np.array_equal(is_warm, bias > 0)
    assert sum(w.startswith("b ") for w in words(frame)) == sum(len(b) for b in neurons.biases.values())


def test_values_names_classes_and_counts_are_on_the_picture() -> None:
    run = iris()
    frame = frame_of(run)
    said = words(frame)
    for layer in run.layers:
        for value in run.values(layer.shown, 0, 1, 0).ravel():
            assert value_text(float(value)) in said
    assert {"setosa", "versicolor", "virginica"} <= set(said)
    assert {"input.3", "fc0.5"} <= set(said)
    line = " ".join(said)
    assert "all 42 weights and 9 biases" in line
    assert "one scale for the network" in line


def test_numbers_vanish_where_tiles_are_small_and_never_shrink_below_legible() -> None:
    frame = frame_of(iris(), size=(480, 320))
    sizes = [m.size_px for m in frame.marks if isinstance(m, Text) and m.weight == "semibold" and m.anchor == "mm"]
    assert all(s >= 8.5 for s in sizes)
    assert len(words(frame)) < len(words(frame_of(iris())))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_numbers_are_readable_on_any_face(theme: str) -> None:
    """Contrast of at least 4.2 on every colour of both ramps (4.6 is the most any ink reaches), 3 on that of NaN."""
    pal = palette(theme)
    tile = frame_of(iris(), c.SetTheme(theme)).tiles[0]
    for lut, power in (("seq", 0.7), ("div", 0.8)):
        value = np.linspace(-1.0 if lut == "div" else 0.0, 1.0, 101)
        t = replace(tile, lut=lut, power=power, gain=(1.0, 1.0), offset=(0.0, 0.0))
        inks = np.array([ink[:3] for ink in face_inks(pal, t, value, 0.0)])
        level = np.abs(value) ** power
        place = 0.5 + 0.5 * np.sign(value) * level if lut == "div" else level
        face = pal.ramps[lut][np.round(place * 255).astype(int)].astype(np.float64)
        assert float(contrast(face, inks).min()) >= 4.2
    nan = np.array([ink[:3] for ink in face_inks(pal, tile, np.array([np.nan]), 0.0)])
    assert float(contrast(np.array([pal.nonfinite[:3]]), nan)[0]) >= 3.0


def test_value_text_is_short_and_signed() -> None:
    cases = {0.0: "0.00", 0.551: "0.55", -12.34: "−12.3", 0.004: "0.004", 123.4: "123", 1.2e6: "1e6", -3e-7: "−3e−7"}
    assert {v: value_text(v) for v in cases} == cases
    assert [value_text(v) for v in (np.nan, np.inf, -np.inf)] == ["NaN", "∞", "−∞"]


def test_strongest_puts_what_is_not_finite_last_and_keeps_equal_ones_in_order() -> None:
    assert strongest(np.array([0.1, np.nan, 0.4, 0.4, 0.0]), 4).tolist() == [2, 3, 0, 4]


def test_copies_into_a_small_concatenation_run_tile_to_tile() -> None:
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(1, n)).astype(np.float32) for n in (3, 2)]
    run = run_from_arrays(
        [{"name": "a", "op": "input"}, {"name": "b", "op": "input"},
         {"name": "both", "op": "concat", "inputs": ("a", "b")},
         {"name": "out", "op": "linear", "parameters": {"weight": rng.normal(size=(2, 5)).astype(np.float32)}}],
        {"a": x[0], "b": x[1], "both": np.concatenate(x, 1), "out": np.zeros((1, 2), np.float32)},
    )  # fmt: skip
    frame = frame_of(run)
    pairs = {}
    for s in frame.strands:
        if s.colour == "identity":
            assert s.path == "wire"
            rows, points = s.strands[s.n_trunk :], control_points(frame, s)[s.n_trunk :]
            pairs[s.source] = rows["tiles"].tolist()
            centres, halves = tile_places(frame.tiles[s.target])
            at = rows["tiles"][:, 1]
            assert (np.abs(points[:, -1, 1] - centres[at, 1]) <= halves[at, 0]).all()
    assert pairs == {0: [[0, 0], [1, 1], [2, 2]], 1: [[0, 3], [1, 4]]}


def test_features_that_the_run_names_are_named_on_the_picture() -> None:
    x = np.array([[0.5, -1.0]], np.float32)
    run = run_from_arrays(
        [{"name": "x", "op": "input"},
         {"name": "out", "op": "linear", "parameters": {"weight": np.eye(2, dtype=np.float32)}}],
        {"x": x, "out": x}, inputs=[InputInfo(0, names=("length", "width"))],
    )  # fmt: skip
    assert run.graph.inputs[0].names == ("length", "width")
    assert {"length", "width"} <= set(words(frame_of(run)))


def test_the_card_of_a_neuron_adds_up_to_the_stored_value() -> None:
    run = iris()
    for layer, n in ((1, 6), (2, 3)):
        for tile in range(n):
            said = words(frame_of(run, c.Select(Thing(layer, tile))))
            assert any(w.startswith("Σ ") for w in said)
            stored = float(run.values(run.layers[layer].shown, 0, 1, 0)[tile])
            assert said[said.index("stored ") + 1] == (f"{stored:.6g}".replace("-", "−") if stored else "0")
            assert any(w.startswith("   |Δ| ") or w == "   exactly" for w in said)
            assert sum(" × " in w and " = " in w for w in said) == (4, 6)[layer - 1]


def test_the_card_of_a_neuron_says_when_the_stored_value_is_another() -> None:
    x = np.array([[0.5, -1.0]], np.float32)
    weight = {"weight": np.eye(2, dtype=np.float32)}
    layers = [{"name": "x", "op": "input"}, {"name": "out", "op": "linear", "parameters": weight}]
    run = run_from_arrays(layers, {"x": x, "out": x + 0.25})
    said = words(frame_of(run, c.Select(Thing(1, 0))))
    assert said[said.index("stored ") + 1] == "0.75"
    assert any(w.startswith("   differs by 0.25, tolerance ") for w in said)
    assert any(w.startswith("cannot be reproduced: ") for w in said)


def test_by_contribution_biases_stay_and_by_gradient_they_go() -> None:
    assert any(w.startswith("b ") for w in words(frame_of(iris(), c.SetMode("contribution"))))
    assert not any(w.startswith("b ") for w in words(frame_of(iris(), c.SetMode("gradient"))))
