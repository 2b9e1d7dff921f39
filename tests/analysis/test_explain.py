"""Explaining cells: what is computed equals what is stored, in every bundled run and in fourteen architectures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nn3d
from nn3d.analysis.explain import check_cells, explain, patch, receptive_field
from nn3d.errors import Nn3dError
from nn3d.extract.options import SourceOptions
from nn3d.extract.sources import open_source
from nn3d.paths import bundled_runs
from nn3d.run.memory import run_from_arrays
from nn3d.run.reader import open_run
from nn3d.run.run import Run
from tests.explained import layers, outputs, random_cells, unknown
from tests.networks import SMALL
from tests.runs import SIETZEN, bundled, conv_run, mlp_run

Many = Callable[[int, int], int]


def captured(name: str, encoding: str) -> Run:
    return nn3d.capture(*SMALL[name](), encoding=encoding)


@pytest.mark.soak
@pytest.mark.parametrize("name", sorted(bundled_runs()))
def test_every_cell_of_a_bundled_run_is_what_its_sources_make_it(
    name: str, rng: np.random.Generator, soaking: Many
) -> None:
    with open_run(bundled_runs()[name]) as run:
        for epoch in range(len(run.epochs)) if soaking(0, 1) else (0, -1):
            sample = int(rng.integers(len(run.samples)))
            found = [*layers(run, soaking(100, 1000), rng, epoch=epoch, sample=sample)]
            found += outputs(run, soaking(40, 1000), rng, epoch=epoch, sample=sample)
            assert len(found) >= 2 * (len(run.layers) - 2)
            assert unknown(iter(found)) == []
            assert [f.name for f in found if np.median(f.errors.abs_error) > 0.01 * f.largest] == []


@pytest.mark.soak
@pytest.mark.parametrize("encoding", ["f32", "f16", "u8"])
@pytest.mark.parametrize("name", sorted(SMALL))
def test_every_cell_of_a_traced_network_is_what_its_sources_make_it(
    name: str, encoding: str, rng: np.random.Generator, soaking: Many
) -> None:
    run = captured(name, encoding)
    n = soaking(40, 1000)
    found = [*layers(run, n, rng, sample=1), *outputs(run, n, rng, sample=1)]
    assert len(found) > len(run.layers)
    assert unknown(iter(found)) == []
    assert [f.name for f in found if np.median(f.errors.abs_error) > 0.01 * f.largest] == []
    if encoding == "f32":
        assert max(float((f.errors.abs_error - 0.05 * f.errors.tolerance).max()) for f in found) <= 0


def test_wrong_weights_are_noticed() -> None:
    right = captured("lenet", "f32")
    for name, layer, cell in (("conv2.weight", "conv2", (3, 4, 4)), ("fc2.weight", "fc2", (5,))):
        wrong = {n: np.array(right.weights(n)) for n in right.parameters}
        best = explain(right, layer, cell)
        assert best.known
        k = int(best.weight_index[0])
        wrong[name].reshape(-1)[k] *= 1.05
        values = {n.name: right.activations(n.name) for n in right.graph.nodes}
        run = run_from_arrays(right.graph, values, wrong)
        # of a sum below zero ReLU hides all: the operation itself tells
        node = layer
        found = explain(run, node, cell, alone=True)
        assert not found.known
        assert found.abs_error > found.tolerance
        assert "computed" in found.reason


def test_the_terms_are_the_values_and_weights_of_the_run() -> None:
    run = bundled()
    found = explain(run, "conv2", (5, 2, 7), epoch=3, sample=4)
    values, weights = run.activations("pool1", epoch=3)[4], run.weights(found.weight_names[0], epoch=3).reshape(-1)
    assert found.sources == ("pool1",)
    assert len(found.products) == 150
    np.testing.assert_allclose(found.inputs, values[tuple(found.cells.T)], rtol=1e-6)
    np.testing.assert_array_equal(found.weights, weights[found.weight_index])
    np.testing.assert_array_equal(found.products, found.inputs * found.weights)
    assert (np.diff(np.abs(found.products)) <= 0).all()
    assert found.bias is not None
    assert found.products.sum() + found.bias == pytest.approx(found.before)
    assert [(s.op, s.value) for s in found.steps] == [("relu", max(0.0, found.before))]
    assert found.formula == "relu(Σ a·w + b)"
    assert found.receptive_field == {"pool1": ((0, 6), (2, 7), (7, 12))}
    assert found.stored == run.activations("conv2", epoch=3)[4, 5, 2, 7]


def test_many_cells_at_once_are_the_same_as_one_by_one(rng: np.random.Generator) -> None:
    run = open_run(bundled_runs()["resnet20-cifar10"])
    for layer in [la for la in run.layers if la.op != "input"][::6]:
        cells = random_cells(layer.shape, 12, rng)
        many = check_cells(run, layer.name, cells)
        for k, cell in enumerate(cells):
            one = explain(run, layer.name, tuple(cell.tolist()))
            assert (one.stored, one.computed, one.abs_error) == (many.stored[k], many.computed[k], many.abs_error[k])
            assert one.tolerance == pytest.approx(many.tolerance[k])


def test_stages_that_were_not_recorded_are_computed_on_the_way() -> None:
    run = open_run(bundled_runs()["resnet20-cifar10"])
    found = explain(run, "conv", (5, 2, 3))
    assert [s.stored is None for s in found.steps] == [True, False]
    assert found.formula == "relu(((Σ a·w) − mean) / √(var + ε) · γ + β)"
    assert found.known


def test_a_patch_is_the_explanation_as_the_kernel_lies() -> None:
    run = bundled()
    for layer, cell in (("conv1", (2, 0, 27)), ("conv2", (7, 3, 9)), ("pool2", (3, 4, 0)), ("fc1", (11,))):
        found, laid = explain(run, layer, cell), patch(run, layer, cell)
        assert laid is not None
        inside = (laid.cells >= 0).all(-1)
        assert laid.source == found.sources[0]
        assert laid.products.sum() == pytest.approx(found.products.sum())
        assert (laid.inputs[~inside] == 0).all()
        values = run.activations(laid.source)[0]
        np.testing.assert_allclose(laid.inputs[inside], values[tuple(laid.cells[inside].T)], rtol=1e-6)
    assert laid.inputs.shape == (16, 5, 5)
    assert patch(open_run(bundled_runs()["gpt-python"]), "blocks.0.norm1", (2, 3)) is None


def test_the_winner_of_a_pool_has_weight_one() -> None:
    found = explain(bundled(), "pool1", (3, 1, 2))
    assert found.weights.tolist() == [1, 0, 0, 0]
    assert found.inputs[0] == found.inputs.max() == found.computed
    assert len(found.cells) == 4


def test_attention_has_its_row_of_weights_over_the_tokens() -> None:
    run = open_run(bundled_runs()["gpt-python"])
    layer = next(la for la in run.layers if la.op == "attention")
    found = explain(run, layer.name, (1, 5, 2), sample=1)
    row = found.extras["row"]
    assert row.sum() == pytest.approx(1.0)
    assert row[2] == found.computed
    assert (row[6:] == 0).all()
    mixed = explain(run, layer.name, (1, 5, 2), sample=1, output=0)
    assert mixed.is_sum
    assert sorted(mixed.weights) == sorted(mixed.extras["row"][:6])
    assert mixed.cells[:, 1].max() == 5


def test_nn_visualizers_first_layer_is_known_and_later_ones_say_by_how_much_they_are_not() -> None:
    run = open_source(Path(SIETZEN), SourceOptions())
    cells = random_cells(run.layer("conv0").shape, 200, np.random.default_rng(1))
    assert check_cells(run, "conv0", cells).is_known.all()
    found = explain(run, "conv1", (2, 3, 4))
    assert not found.known
    assert "cannot be reproduced" in found.reason
    assert found.abs_error > found.tolerance
    assert len(found.products) == 36


def test_what_is_not_known_says_why() -> None:
    run = run_from_arrays(
        [{"name": "x", "op": "input"}, {"name": "odd", "op": "other:warp"}, {"name": "after", "op": "relu"}],
        {"x": np.ones((1, 3)), "odd": np.ones((1, 3)), "after": np.ones((1, 3))},
    )
    assert explain(run, "odd", (0,), alone=True).reason == "the operation warp of odd is not known"
    assert explain(run, "after", (1,), alone=True).known
    assert "it is given" in explain(run, "x", (1,)).reason
    found = explain(open_run(bundled_runs()["resnet20-cifar10"]), "bn", (1, 2, 3), alone=True)
    assert (found.known, found.stored, np.isfinite(found.computed)) == (False, None, True)
    assert "not recorded" in found.reason


def test_values_that_are_not_finite_are_explained_too() -> None:
    right = mlp_run()
    x = np.array(right.activations("input"))
    x[0, 1] = np.nan
    values = {n.name: right.activations(n.name) for n in right.graph.nodes} | {"input": x}
    values["fc0"] = np.full_like(values["fc0"], np.nan)
    run = run_from_arrays(right.graph, values, {n: right.weights(n) for n in right.parameters})
    found = explain(run, "fc0", (2,), alone=True)
    assert np.isnan(found.computed)
    assert found.abs_error == 0


@pytest.mark.parametrize(
    ("which", "cell", "words"),
    [
        ("conv", (3, 0, 0), r"cell: of conv should be 3 numbers, C 0 to 2, H 0 to 5, W 0 to 5; got 3,0,0"),
        ("conv", (0, 0), r"should be 3 numbers"),
        ("conv", (0, -1, 0), r"H 0 to 5"),
        ("cnov", (0, 0, 0), r"layer: should be one of input, conv, got 'cnov'"),
    ],
)
def test_a_cell_or_layer_that_is_not_there_is_one_line_with_the_range(
    which: str, cell: tuple[int, ...], words: str
) -> None:
    with pytest.raises(Nn3dError, match=words):
        explain(conv_run(), which, cell)


ODD = [-3, 0, 1, 2, 10**9, 2.5, "same", "inf", "", None, True, [], [0], [1, 2], [-1, 10**9], [[1, 2]], ["a"], {}]


@pytest.mark.soak
@pytest.mark.parametrize("name", ["lenet", "unet", "densenet", "vit", "lstm_both"])
def test_whatever_the_attributes_of_a_run_say_an_answer_comes(
    name: str, rng: np.random.Generator, soaking: Many
) -> None:
    right = captured(name, "u8")
    for _ in range(soaking(4, 100)):
        nodes = list(right.graph.nodes)
        for k in rng.integers(0, len(nodes), 6):
            odd = {a: ODD[rng.integers(len(ODD))] for a in nodes[k].attributes} | {"dim": ODD[rng.integers(len(ODD))]}
            nodes[k] = replace(nodes[k], attributes=odd)
        run = Run(right.store, replace(right.header, graph=replace(right.graph, nodes=tuple(nodes))))
        for layer in run.layers:
            cell = tuple(int(rng.integers(n)) for n in layer.shape)
            found = explain(run, layer.name, cell)
            assert found.known or found.reason
            receptive_field(run, layer.name, cell, depth=2)
            patch(run, layer.name, cell)
